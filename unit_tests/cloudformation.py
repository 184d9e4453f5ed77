"""CloudFormation templates as tests read them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def read_template(path: Path) -> dict[str, Any]:
    """The template with its functions in their long form."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


def lint(path: Path) -> tuple[int, str]:
    """What cfn-lint ends with and says: (0, "") where it finds nothing."""
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--regions", "eu-central-1", "--", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a role may do."""
    for policy in role["Properties"]["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    """The actions of a statement."""
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
