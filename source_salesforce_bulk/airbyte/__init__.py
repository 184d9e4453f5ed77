"""The Airbyte connector: the protocol on top of the extraction."""
