"""Read CloudFormation templates: as text in long form, and as the stack that results from parameters."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
REGION, ACCOUNT = "eu-central-1", "123456789012"

_HERE = f"{REGION}:{ACCOUNT}"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{_HERE}:stack/salesforce-bulk/0a1b2c3d-1111-2222-3333-444455556666",
    "AWS::StackName": "salesforce-bulk",
    "AWS::URLSuffix": "amazonaws.com",
}
_ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_HERE}:table/%s",
    "AWS::ECS::Cluster": f"arn:aws:ecs:{_HERE}:cluster/%s",
    "AWS::ECS::TaskDefinition": f"arn:aws:ecs:{_HERE}:task-definition/%s:1",
    "AWS::Events::EventBus": f"arn:aws:events:{_HERE}:event-bus/%s",
    "AWS::Events::Rule": f"arn:aws:events:{_HERE}:rule/%s",
    "AWS::Glue::Registry": f"arn:aws:glue:{_HERE}:registry/%s",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/%s",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_HERE}:log-group:%s:*",
    "AWS::S3::Bucket": "arn:aws:s3:::%s",
    "AWS::SNS::Topic": f"arn:aws:sns:{_HERE}:%s",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_HERE}:%s",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{_HERE}:secret:%s-AbCdEf",
    "AWS::StepFunctions::StateMachine": f"arn:aws:states:{_HERE}:stateMachine:%s",
}
# Resources whose `Ref` is their ARN.
_NAMED_BY_ARN = {
    "AWS::ECS::TaskDefinition",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
}
_NO_VALUE = object()


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


@cache
def lint(path: Path) -> tuple[int, str]:
    """Return the exit code and output of cfn-lint: (0, "") if it finds nothing."""
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--regions", REGION, "--", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


class Stack:
    """A template with parameters, as CloudFormation would make it: conditions decided, functions resolved.

    A parameter that has no default and is not given stands for itself, in lower case.
    """

    def __init__(self, path: Path, **parameters: Any) -> None:
        self.template = read_template(path)
        self._parameters: dict[str, Any] = {}
        for name, described in self.template["Parameters"].items():
            value = parameters.pop(name, described.get("Default", name.lower()))
            is_list = described["Type"] == "CommaDelimitedList" and isinstance(value, str)
            self._parameters[name] = value.split(",") if is_list else value
        assert not parameters, f"no such parameters: {sorted(parameters)}"

    @property
    def names(self) -> set[str]:
        """The logical names of the resources that are made."""
        return {name for name, one in self.template["Resources"].items() if self._is_made(one)}

    def properties(self, name: str) -> dict[str, Any]:
        """A resource's properties; the resource must be one that is made."""
        assert name in self.names, f"{name} is not made with these parameters"
        return self.resolve(self.template["Resources"][name].get("Properties", {}))

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type that are made, by logical name."""
        made = self.template["Resources"]
        return {name: self.properties(name) for name in sorted(self.names) if made[name]["Type"] == kind}

    def outputs(self) -> dict[str, Any]:
        """The outputs that the stack has."""
        outputs = self.template["Outputs"]
        return {name: self.resolve(one["Value"]) for name, one in outputs.items() if self._is_made(one)}

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Return the permissions of a role from all of its own policies."""
        policies = self.properties(role)["Policies"]
        return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]

    def condition(self, name: str) -> bool:
        """Return whether a condition of the template holds."""
        return bool(self.resolve(self.template["Conditions"][name]))

    def arn(self, name: str) -> str:
        """A resource's ARN."""
        return _ARNS[self.template["Resources"][name]["Type"]] % name.lower()

    def resolve(self, value: Any) -> Any:
        """Return a value as CloudFormation resolves it."""
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function in _FUNCTIONS:
                return _FUNCTIONS[function](self, argument)
        resolved = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not _NO_VALUE}

    def _is_made(self, described: Mapping[str, Any]) -> bool:
        return "Condition" not in described or self.condition(described["Condition"])

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._parameters:
            return self._parameters[name]
        if name in _PSEUDO:
            return _PSEUDO[name]
        described = self.template["Resources"][name]
        assert self._is_made(described), f"{name} is named and not made"
        return self.arn(name) if described["Type"] in _NAMED_BY_ARN else name.lower()

    def _get_att(self, name: list[str]) -> str:
        resource, attribute = name
        assert self._is_made(self.template["Resources"][resource]), f"{resource} is named and not made"
        return self.arn(resource) if attribute == "Arn" else f"{resource.lower()}.{attribute}"

    def _sub(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})

        def replacement(match: re.Match[str]) -> str:
            name = match[1]
            if name in own:
                return str(self.resolve(own[name]))
            return str(self._get_att(name.split(".", 1)) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}!]+)\}", replacement, text)

    def _choose(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        return self.resolve(then if self.condition(condition) else otherwise)

    def _find_in_map(self, argument: list[Any]) -> Any:
        name, first, second = self.resolve(argument)
        return self.template["Mappings"][name][first][second]


_FUNCTIONS: Mapping[str, Callable[[Stack, Any], Any]] = {
    "Ref": Stack._ref,
    "Condition": Stack.condition,
    "Fn::GetAtt": Stack._get_att,
    "Fn::Sub": Stack._sub,
    "Fn::If": Stack._choose,
    "Fn::FindInMap": Stack._find_in_map,
    "Fn::Join": lambda stack, argument: argument[0].join(map(str, stack.resolve(argument[1]))),
    "Fn::Split": lambda stack, argument: stack.resolve(argument[1]).split(argument[0]),
    "Fn::Select": lambda stack, argument: stack.resolve(argument[1])[int(argument[0])],
    "Fn::GetAZs": lambda _stack, _argument: [f"{REGION}a", f"{REGION}b", f"{REGION}c"],
    "Fn::Cidr": lambda stack, argument: [
        f"{stack.resolve(argument[0])}#{number}" for number in range(int(argument[1]))
    ],
    "Fn::Equals": lambda stack, argument: len({str(stack.resolve(one)) for one in argument}) == 1,
    "Fn::Not": lambda stack, argument: not stack.resolve(argument[0]),
    "Fn::And": lambda stack, argument: all(map(stack.resolve, argument)),
    "Fn::Or": lambda stack, argument: any(map(stack.resolve, argument)),
}
