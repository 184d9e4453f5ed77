"""The trial of one fault: read with it, read again without it, and compare both with the org's rows.

A trial reads Account, on which the fault lies, beside Campaign, which it must not touch. :func:`try_fault` asserts that

- the fault struck;
- every row of Campaign came, whatever happened to Account;
- the outcome is the one that was fixed: :class:`Complete` or :class:`Fails`;
- no job is left but those that the last states name, and jobs whose answer was lost;
- no secret and no value of a row stands in anything but a RECORD;
- a second run, from the last states and without the fault, completes the rows exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from integration_tests.connector import Connector, ImpatientClock, Output, configure
from integration_tests.ground_truth import GroundTruth, Row, normal
from integration_tests.simulated_org import Fault, OrgSettings, SimulatedOrg

STRUCK, BYSTANDER = "Account", "Campaign"
FIELDS = {
    STRUCK: ["Id", "IsDeleted", "Name", "Industry", "Description", "AnnualRevenue", "SystemModstamp"],
    BYSTANDER: ["Id", "IsDeleted", "Name", "SystemModstamp"],
}
SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")
PAGE_SIZE = 100
"""Account then comes in three pages."""


@dataclass(frozen=True)
class Complete:
    """Complete and exact. ``repeats``: a job was lost after rows had come, so some may come twice, with a warning.

    ``warning`` is a part of a log line that must be there; ``orphans`` are jobs whose id no client knows.
    """

    repeats: bool = False
    warning: str | None = None
    orphans: int = 0


@dataclass(frozen=True)
class Fails:
    """Typed failure, state safe. ``message`` is a part of the trace.

    ``everything``: the whole run stops, and what is not complete by then fails alike.
    """

    type: str
    message: str
    everything: bool = False
    repeats: bool = False
    orphans: int = 0


Outcome = Complete | Fails


@dataclass(frozen=True)
class Trial:
    """A fault and what must come of it. ``prepare`` is called with the org before the first run."""

    faults: Sequence[Fault]
    outcome: Outcome = field(default_factory=Complete)
    settings: OrgSettings = SETTINGS
    mode: str = "incremental"
    config: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[SimulatedOrg], object] = lambda org: None
    requests: Mapping[str, int] = field(default_factory=dict)
    """Most requests of a kind that the first run may make: nothing is asked without end."""


def on_account(kind: str, **attributes: Any) -> Fault:
    """A fault that strikes Account."""
    return Fault(kind=kind, object=STRUCK, **attributes)


def trials(cases: Mapping[str, Trial]) -> pytest.MarkDecorator:
    """Every case by its name, each with one job at a time and with four."""
    parameters = [pytest.param(case, jobs, id=f"{name}-{jobs}") for name, case in cases.items() for jobs in (1, 4)]
    return pytest.mark.parametrize(("trial", "jobs"), parameters)


@cache
def streams() -> Mapping[str, dict[str, Any]]:
    """Return the discovered streams of both objects, which are the same in every org of these tests."""
    with SimulatedOrg(SETTINGS) as org:
        return Connector(org).streams(objects=list(FIELDS))


def try_fault(trial: Trial, jobs: int) -> tuple[Output, ImpatientClock]:
    """Run a trial with so many concurrent jobs; gives what the first run said, and the clock that noted its pauses."""
    with SimulatedOrg(trial.settings) as org:
        reader = Connector(org, impatient=True, max_concurrent_jobs=jobs, page_size=PAGE_SIZE, **trial.config)
        catalog = configure(streams(), FIELDS, trial.mode, FIELDS)
        trial.prepare(org)
        for fault in trial.faults:
            org.control.add_fault(fault)

        first = reader.read(catalog)

        assert_struck(org)
        assert_bounded(org, trial.requests)
        org.control.clear_faults()
        assert_outcome(org, first, trial.outcome)
        second = reader.read(catalog, first.final_states(), credentials=org.credentials())
        assert not second.failed, second.errors
        assert_completed(org, first, second, repeats=trial.outcome.repeats)
        assert_no_job_left(org, second, orphans=trial.outcome.orphans)
        assert_discreet(org, reader, first, second)
        return first, reader.clock


def assert_struck(org: SimulatedOrg) -> None:
    """Every armed fault struck, or the trial tried nothing."""
    log = org.control.fault_log()
    assert all(one["fired"] for one in log), log


def assert_bounded(org: SimulatedOrg, most: Mapping[str, int]) -> None:
    """No request was sent without end: a generous bound for all, and one for each kind that the trial names."""
    requests = org.control.requests()
    assert all(count <= most.get(kind, 60) for kind, count in requests.items()), requests


def assert_outcome(org: SimulatedOrg, output: Output, outcome: Outcome) -> None:
    """Assert that the run's messages and records are those required after the fault."""
    endings = {name: output.statuses[name][-1] for name in FIELDS}
    failing = [name for name, ending in endings.items() if ending == "INCOMPLETE"]
    assert [STRUCK] * isinstance(outcome, Fails) == failing[:1], output.errors
    assert len(failing) < 2 or (isinstance(outcome, Fails) and outcome.everything), output.errors
    assert {*endings.values()} <= {"COMPLETE", "INCOMPLETE"}
    assert output.failed == bool(failing)
    truth = GroundTruth(org)
    for name, fields in FIELDS.items():
        emitted, wanted = counted(output.rows[name]), counted(truth.records(name, fields=fields))
        twice = emitted - wanted
        assert set(emitted) <= set(wanted), f"{name}: rows that are not there"
        assert not twice or (name == STRUCK and outcome.repeats), f"{name}: {twice.total()} rows came twice"
        assert name in failing or set(emitted) == set(wanted), f"{name}: {(wanted - emitted).total()} rows are missing"
    if isinstance(outcome, Complete):
        warned = outcome.warning is None or any(outcome.warning in line for line in output.logs)
        assert warned, output.logs
    else:
        assert_failure(output, outcome, failing)
    assert_no_job_left(org, output, orphans=outcome.orphans)


def assert_failure(output: Output, outcome: Fails, failing: Sequence[str]) -> None:
    """Each failed stream has one typed trace that says what happened, and the run one that sums up."""
    traces = {error["stream_descriptor"]["name"]: error for error in output.errors if error.get("stream_descriptor")}
    assert set(traces) == set(failing)
    first = next(iter(traces))
    for name, trace in traces.items():
        assert trace["failure_type"] == outcome.type, trace
        told_before = f"the message about {first} says why" in trace["message"] and name != first
        assert told_before or outcome.message in trace["message"], trace["message"]
        assert trace["message"].startswith(name)
    summary = output.ending
    assert summary is not None
    assert summary.failure_type.value == outcome.type


def assert_completed(org: SimulatedOrg, first: Output, second: Output, *, repeats: bool) -> None:
    """The rows that the first run's last state covers and those of the second run are all rows, each once."""
    truth = GroundTruth(org)
    for name, fields in FIELDS.items():
        wanted = counted(truth.records(name, fields=fields))
        both = counted(covered_rows(first, name)) + counted(second.rows[name])
        missing = wanted - both
        assert not missing, f"{name}: {missing.total()} rows came in neither run"
        assert set(both) == set(wanted)
        assert both == wanted or repeats, f"{name}: {(both - wanted).total()} rows came in both runs"


def covered_rows(output: Output, name: str) -> Iterator[Row]:
    """The rows of a stream that its last state says were emitted."""
    rows: list[Row] = []
    covered: list[Row] = []
    for message in output.messages:
        if message["type"] == "RECORD" and message["record"]["stream"] == name:
            rows.append(message["record"]["data"])
        elif message["type"] == "STATE" and message["state"]["stream"]["stream_descriptor"]["name"] == name:
            state = message["state"]["stream"]["stream_state"]
            # A state that names neither a cursor nor a job covers nothing: its window is read again.
            again = not set(state) & {"SystemModstamp", "resume", "__ab_full_refresh_sync_complete"}
            covered = [] if again else list(rows)
    yield from covered


def assert_no_job_left(org: SimulatedOrg, output: Output, *, orphans: int) -> None:
    """Assert that only jobs are left that the last states name, and jobs whose answer was lost."""
    named = {
        point["job"] for states in output.states.values() for state in states[-1:] for point in state.get("resume", [])
    }
    left = [job for job in org.control.jobs() if not (job["deleted"] or job["expired"] or job["id"] in named)]
    assert len(left) == orphans, left
    assert not any(job["foreign"] and (job["deleted"] or job["aborted"]) for job in org.control.jobs())


def assert_discreet(org: SimulatedOrg, reader: Connector, *outputs: Output) -> None:
    """Nothing but a RECORD shows a value of a row; nothing at all shows a secret."""
    hidden = list_secrets(org, reader.config()["credentials"]) | values_of(org)
    for output in outputs:
        for message in output.messages:
            if message["type"] != "RECORD":
                text = str(message)
                shown = [word for word in hidden if word in text]
                assert not shown, f"{shown} in {text[:2000]}"


def list_secrets(org: SimulatedOrg, credentials: Mapping[str, Any]) -> set[str]:
    """Every secret of a configuration, and every token that the org gave out."""
    known = {str(credentials[key]) for key in ("client_secret", "refresh_token", "private_key") if key in credentials}
    return known | {session.token for session in org.org.sessions.all()} | set(org.control.refresh_tokens())


def values_of(org: SimulatedOrg) -> set[str]:
    """Return cells that can only come from a row: long texts, and names with a number in them."""
    telling = {"Name", "Description"}
    rows = [row for name, fields in FIELDS.items() for row in org.control.rows(name, fields=[*telling & set(fields)])]
    return {cell for row in rows for cell in row.values() if cell and len(cell) > 15}


def counted(rows: Any) -> Counter[Any]:
    """Rows that compare by value, with how often each is there."""
    return Counter(map(normal, rows))


def with_settings(**changes: Any) -> OrgSettings:
    """The org of these trials, changed."""
    return replace(SETTINGS, **changes)
