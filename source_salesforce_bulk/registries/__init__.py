"""State and schema registries: what outlives a run without Airbyte."""
