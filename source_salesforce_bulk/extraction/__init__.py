"""Reading objects with query jobs. All runners share this code."""
