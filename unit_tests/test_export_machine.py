"""The state machine of ``deploy/fargate``, interpreted: which ends of a task are tried again, with which run id."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.state.exec.state_task.mock_eval_utils import eval_mocked_response
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.mocking.mock_config import MockedResponse, MockedResponseReturn, MockedResponseThrow

from unit_tests.cloudformation import ACCOUNT, DEPLOY, REGION, Stack

STACK = Stack(DEPLOY / "fargate" / "template.yaml", RetrySeconds=0, RetriesOfRun=2)
NEVER_STARTED = "it never started"
REFUSED = "the request was refused"


class Fargate:
    """Tasks with scripted ends, the input of each, and the running executions."""

    def __init__(self) -> None:
        self.ends: list[int | str] = []
        self.asked: list[dict[str, Any]] = []
        self.at_work = ["nightly-1"]

    def run(self, asked: dict[str, Any]) -> MockedResponse:
        """Return what ECS reports about a stopped task."""
        self.asked.append(asked)
        end = self.ends.pop(0)
        if end == REFUSED:
            return MockedResponseThrow(0, 0, "ECS.AmazonECSException", "no capacity {just now}")
        container = {"Name": "export"} if end == NEVER_STARTED else {"Name": "export", "ExitCode": end}
        task = {"Containers": [container], "StoppedReason": "Essential container in task exited"}
        if end == 0:
            return MockedResponseReturn(0, 0, task)
        return MockedResponseThrow(0, 0, "ECS.TaskFailed", json.dumps(task))  # AWS calls it States.TaskFailed

    def executions(self, asked: dict[str, Any]) -> MockedResponse:
        """The executions that are at work."""
        assert asked["StateMachineArn"].endswith(":stateMachine:salesforce-bulk-export")
        assert asked["StatusFilter"] == "RUNNING"
        return MockedResponseReturn(0, 0, {"Executions": [{"Name": name} for name in self.at_work]})

    def run_ids(self) -> list[str]:
        """The run id of each task."""
        given = [asked["Overrides"]["ContainerOverrides"] for asked in self.asked]
        assert all([one["Name"] for one in overrides] == ["export"] for overrides in given)
        environments = [{entry["Name"]: entry["Value"] for entry in only["Environment"]} for (only,) in given]
        return [environment["SALESFORCE_BULK_RUN_ID"] for environment in environments]


@pytest.fixture
def fargate(monkeypatch: pytest.MonkeyPatch) -> Fargate:
    """Replaces the two calls of Step Functions in which moto differs from AWS."""
    fargate = Fargate()

    def instead(answer: Callable[[dict[str, Any]], MockedResponse]) -> Callable[..., None]:
        return lambda _self, env, normalised_parameters, **_: eval_mocked_response(env, answer(normalised_parameters))

    monkeypatch.setattr(StateTaskServiceEcs, "_eval_service_task", instead(fargate.run))
    monkeypatch.setattr(StateTaskServiceEcs, "_after_eval_execution", lambda _self, **_: None)  # waits for its end
    monkeypatch.setattr(StateTaskServiceAwsSdk, "_eval_service_task", instead(fargate.executions))
    return fargate


@pytest.fixture
def states() -> Iterator[Any]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        client = boto3.client("stepfunctions", REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
        yield client


def execute(states: Any, name: str = "nightly-1") -> dict[str, Any]:
    machine = STACK.properties("Export")
    created = states.create_state_machine(
        name=machine["StateMachineName"],
        definition=json.dumps(machine["Definition"]),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/run",
    )
    started = states.start_execution(stateMachineArn=created["stateMachineArn"], name=name)
    deadline = time.monotonic() + 60
    while True:
        ended = states.describe_execution(executionArn=started["executionArn"])
        if ended["status"] != "RUNNING" or time.monotonic() > deadline:
            return ended
        time.sleep(0.05)


def test_an_export_that_is_complete_ends_the_run(states: Any, fargate: Fargate) -> None:
    fargate.ends = [0]
    assert execute(states)["status"] == "SUCCEEDED"
    assert fargate.run_ids() == ["nightly-1"]


@pytest.mark.parametrize("end", [75, 137, NEVER_STARTED, REFUSED])
def test_what_may_pass_is_tried_again_under_the_same_run_id(states: Any, fargate: Fargate, end: int | str) -> None:
    fargate.ends = [end, 0]
    assert execute(states)["status"] == "SUCCEEDED"
    assert fargate.run_ids() == ["nightly-1"] * 2


@pytest.mark.parametrize(("code", "error"), [(1, "Defect"), (2, "MendFirst"), (3, "SomeObjectsFailed")])
def test_what_wants_a_person_is_not_tried_again(states: Any, fargate: Fargate, code: int, error: str) -> None:
    fargate.ends = [code]
    ended = execute(states)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert f"exit code {code}" in ended["cause"]
    assert len(fargate.asked) == 1


def test_trouble_that_does_not_pass_ends_the_run_after_the_retries_that_are_allowed(
    states: Any, fargate: Fargate
) -> None:
    fargate.ends = [75, 137, 75]
    ended = execute(states)
    assert (ended["status"], ended["error"]) == ("FAILED", "GivenUp")
    assert len(fargate.asked) == 3


def test_another_run_at_work_is_left_alone(states: Any, fargate: Fargate) -> None:
    fargate.at_work = ["nightly-1", "nightly-0"]  # the newest first
    assert execute(states)["status"] == "SUCCEEDED"
    assert fargate.asked == []


@pytest.mark.parametrize("at_work", [["by-hand", "nightly-1"], []])
def test_of_two_that_begin_together_the_first_goes_on(states: Any, fargate: Fargate, at_work: list[str]) -> None:
    """The list may also lag behind, and lack both."""
    fargate.at_work = at_work
    fargate.ends = [0]
    assert execute(states)["status"] == "SUCCEEDED"
    assert fargate.run_ids() == ["nightly-1"]
