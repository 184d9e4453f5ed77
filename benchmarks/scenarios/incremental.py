"""The first incremental sync of the same object, from its first row on."""

from benchmarks.scenario import Scenario

SCENARIO = Scenario(name="incremental", mode="incremental")
