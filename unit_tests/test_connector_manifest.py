"""connector_manifest.yaml describes this connector to the platform. Each fact is derived from the code."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from unit_tests.requirements_map import read_rows

ROOT = Path(__file__).parents[1]
MANIFEST = yaml.safe_load((ROOT / "connector_manifest.yaml").read_text(encoding="utf-8"))
METADATA = yaml.safe_load((ROOT / "metadata.yaml").read_text(encoding="utf-8"))["data"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Fact -> the test that derives it. A fact without a test fails, and so does a test that does not exist.
HERE = "unit_tests/test_connector_manifest.py"
THERE = "integration_tests/test_manifest_streams.py"
DERIVED_BY = {
    "manifest_version": f"{HERE}::test_the_manifest_has_exactly_the_parts_of_its_version",
    "id": f"{HERE}::test_the_id_is_the_taxonomy",
    "name": f"{HERE}::test_the_name_is_what_users_see",
    "taxonomy.origin": f"{HERE}::test_the_id_is_the_taxonomy",
    "taxonomy.source": f"{HERE}::test_the_id_is_the_taxonomy",
    "taxonomy.provider": f"{HERE}::test_provider_and_method_name_the_package_and_its_command",
    "taxonomy.product": f"{HERE}::test_the_id_is_the_taxonomy",
    "taxonomy.method": f"{HERE}::test_provider_and_method_name_the_package_and_its_command",
    "runtime.supported_runners": f"{HERE}::test_a_runner_can_be_deployed_or_is_announced",
    "runtime.network_patterns": f"{HERE}::test_a_network_pattern_can_be_deployed_or_is_announced",
    "streams.strategy": f"{THERE}::test_streams_come_from_discovery",
    "streams.defaults.key_strategy": f"{THERE}::test_the_key_is_source_declared_or_configured",
    "streams.defaults.cursor_strategy": f"{THERE}::test_the_cursor_is_source_declared_or_the_stream_is_full_refresh",
}
# Resource type in a CloudFormation template -> the manifest's word for what it deploys.
RUNNER_RESOURCES = {"AWS::ECS::TaskDefinition": "fargate", "AWS::Glue::Job": "glue"}
NETWORK_RESOURCES = {"AWS::EC2::NatGateway": "nat_allowlist"}
ROW_OF_RUNNERS = 5


def leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path


def deployed(deploy: Path, words: dict[str, str]) -> set[str]:
    """Return what the templates below ``deploy`` create, in the manifest's words."""
    templates = [path.read_text(encoding="utf-8") for path in sorted(deploy.rglob("*.y*ml"))]
    types = {
        found for text in templates for found in re.findall(r"^\s*Type:\s*['\"]?(AWS::[\w:]+)", text, re.MULTILINE)
    }
    return {word for resource, word in words.items() if resource in types}


def undeployed(claimed: list[str], deploy: Path, words: dict[str, str], *, announced: bool) -> set[str]:
    """Return the disagreements of manifest and templates. An announced claim needs no template yet."""
    found = deployed(deploy, words)
    return (found - set(claimed)) | (set() if announced else set(claimed) - found)


def is_announced(row: int) -> bool:
    return next(r for r in read_rows() if r.number == row).status != "done"


@pytest.mark.parametrize("fact", sorted({*leaves(MANIFEST), *DERIVED_BY}))
def test_each_fact_is_in_the_manifest_and_has_a_test(fact):
    assert fact in set(leaves(MANIFEST))
    path, name = DERIVED_BY[fact].split("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_manifest_has_exactly_the_parts_of_its_version():
    parts = {1.0: {fact.split(".")[0] for fact in DERIVED_BY}}
    assert set(MANIFEST) == parts[MANIFEST["manifest_version"]]


def test_the_id_is_the_taxonomy():
    assert MANIFEST["id"].split("::") == ["conn", *MANIFEST["taxonomy"].values()]
    assert list(MANIFEST["taxonomy"]) == ["origin", "source", "provider", "product", "method"]


def test_provider_and_method_name_the_package_and_its_command():
    taxonomy = MANIFEST["taxonomy"]
    name = f"{METADATA['connectorType']}-{taxonomy['provider']}-{taxonomy['method']}"
    assert PROJECT["name"] == name
    assert PROJECT["scripts"][name].startswith(name.replace("-", "_") + ".")
    assert METADATA["dockerRepository"].endswith("/" + name)


def test_the_name_is_what_users_see():
    assert MANIFEST["name"] == METADATA["name"] + " Connector"


def test_a_runner_can_be_deployed_or_is_announced():
    claimed = MANIFEST["runtime"]["supported_runners"]
    assert set(claimed) == set(RUNNER_RESOURCES.values())
    assert undeployed(claimed, ROOT / "deploy", RUNNER_RESOURCES, announced=is_announced(ROW_OF_RUNNERS)) == set()


def test_a_network_pattern_can_be_deployed_or_is_announced():
    claimed = MANIFEST["runtime"]["network_patterns"]
    assert set(claimed) == set(NETWORK_RESOURCES.values())
    assert undeployed(claimed, ROOT / "deploy", NETWORK_RESOURCES, announced=is_announced(ROW_OF_RUNNERS)) == set()
    # An allow list needs hosts to allow, and nothing but Salesforce's.
    assert METADATA["allowedHosts"]["hosts"]
    assert all(host.endswith(".salesforce.com") for host in METADATA["allowedHosts"]["hosts"])


def test_a_template_is_read_by_its_resource_types(tmp_path):
    (tmp_path / "fargate").mkdir()
    template = "Resources:\n  Task:\n    Type: AWS::ECS::TaskDefinition\n  Nat:\n    Type: 'AWS::EC2::NatGateway'\n"
    (tmp_path / "fargate" / "stack.yaml").write_text(template, encoding="utf-8")
    assert deployed(tmp_path, RUNNER_RESOURCES) == {"fargate"}
    assert deployed(tmp_path, NETWORK_RESOURCES) == {"nat_allowlist"}
    assert undeployed(["fargate", "glue"], tmp_path, RUNNER_RESOURCES, announced=True) == set()
    assert undeployed(["fargate", "glue"], tmp_path, RUNNER_RESOURCES, announced=False) == {"glue"}
    assert undeployed(["glue"], tmp_path, RUNNER_RESOURCES, announced=True) == {"fargate"}
