"""Which rows have vanished from the org: what is remembered of delivered rows, and what an audit makes of it."""
