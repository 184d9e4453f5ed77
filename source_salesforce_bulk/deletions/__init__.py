"""Detect rows that were deleted from the org: the memory of delivered rows, and audits of all Ids."""
