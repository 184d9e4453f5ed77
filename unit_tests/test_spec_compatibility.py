"""A configuration of an earlier version is still accepted: the spec is compared with the stored specs."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path

import pytest
from airbyte_cdk.test.standard_tests._spec_compatibility import compare_specs

from source_salesforce_bulk.airbyte.spec import connector_specification

ROOT = Path(__file__).parents[1]
# One file for each version with a spec of its own, as `spec` answered then; a release adds one where it changed.
KEPT = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "unit_tests/samples/spec").iterdir()
}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.mark.parametrize("version", KEPT)
def test_what_an_earlier_version_took_is_taken(version):
    assert compare_specs(KEPT[version], connector_specification()).breaking == []


def test_the_kept_specs_are_of_versions_up_to_this_one():
    numbers = [[int(part) for part in version.split(".")] for version in (*KEPT, VERSION)]
    assert max(numbers) == numbers[-1]


def test_a_breaking_change_would_be_noticed():
    removed, required = (copy.deepcopy(connector_specification()) for _ in range(2))
    del removed["connectionSpecification"]["properties"]["start_date"]
    required["connectionSpecification"]["required"].append("start_date")
    for broken in (removed, required):
        assert compare_specs(KEPT["0.1.0"], broken).breaking
