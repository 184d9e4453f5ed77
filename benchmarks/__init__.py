"""Programs that measure the connector."""
