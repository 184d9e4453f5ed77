"""Exports into Apache Iceberg tables: data and state in the same commit."""
