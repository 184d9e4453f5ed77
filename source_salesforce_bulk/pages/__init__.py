"""One result page: fetched, proven, encoded."""
