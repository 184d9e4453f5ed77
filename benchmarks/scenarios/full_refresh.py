"""Full refresh of a typical object: 25 fields, about 530 bytes a row as CSV; nulls, quotes, line breaks in it."""

from benchmarks.scenario import Scenario

SCENARIO = Scenario(name="full refresh", mode="full_refresh")
