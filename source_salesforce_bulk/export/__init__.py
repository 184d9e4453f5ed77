"""Exports without Airbyte: the command line, files and manifests."""
