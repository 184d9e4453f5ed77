"""CloudFormation templates as tests read them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
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


def resolved(value: Any, parameters: Mapping[str, Any], conditions: Mapping[str, bool]) -> Any:
    """What CloudFormation makes of a value; a name that ``parameters`` lacks stands for itself."""
    if not isinstance(value, dict):
        return [resolved(part, parameters, conditions) for part in value] if isinstance(value, list) else value
    ((function, argument),) = value.items()
    if function == "Fn::If":
        condition, then, otherwise = argument
        return resolved(then if conditions[condition] else otherwise, parameters, conditions)
    if function == "Ref":
        return parameters.get(argument, argument)
    if function == "Fn::Sub":
        text, own = argument if isinstance(argument, list) else (argument, {})
        known = {**parameters, **{name: resolved(one, parameters, conditions) for name, one in own.items()}}
        return re.sub(r"\$\{([^}]+)\}", lambda name: str(known.get(name[1], name[1])), text)
    first, parts = argument[0], resolved(argument[1], parameters, conditions)
    if function == "Fn::Join":
        return first.join(parts)
    if function == "Fn::Split":
        return parts.split(first)
    if function == "Fn::Select":
        return parts[first]
    raise AssertionError(f"{function} is not known here")
