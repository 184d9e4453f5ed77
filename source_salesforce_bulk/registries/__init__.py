"""State and schema registries, which keep data between runs without Airbyte."""
