"""Spark and AWS Glue: result pages as Spark tasks."""
