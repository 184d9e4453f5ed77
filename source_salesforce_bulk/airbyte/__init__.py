"""The Airbyte connector: the Airbyte protocol for the extraction."""
