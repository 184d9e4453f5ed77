"""Failures around an export at night: its exit code, and one sentence that says what to do.

Salesforce's own failures are in ``test_messages``. These are the others: the network, a proxy, disks, a bucket, a
state, wrong or missing names, the reserve, and a killed process.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from integration_tests.aws import Aws
from integration_tests.connector import ImpatientClock
from integration_tests.exporter import Exporter, wait_for
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.export import cli, command_run
from source_salesforce_bulk.signals import Stop

PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
# A process in which no file and no folder can be made below the folder that its first argument names.
FULL_DISK = """
import errno, os, sys
folder = sys.argv.pop(1)
def refuse(event, args):
    if event not in ("open", "os.mkdir") or not str(args[0]).startswith(folder):
        return
    nameless = event == "open" and args[2] & os.O_TMPFILE == os.O_TMPFILE
    new = not os.path.exists(args[0]) and (event == "os.mkdir" or args[2] & os.O_CREAT)
    if nameless or new:
        raise OSError(errno.ENOSPC, "No space left on device", str(args[0]))
sys.addaudithook(refuse)
from source_salesforce_bulk.export.main import run
run()
"""


@dataclass(frozen=True)
class Ended:
    """The exit code of a command, and its log lines: level and message."""

    code: int
    log: list[tuple[str, str]]

    @property
    def errors(self) -> list[str]:
        """The sentences that say what is wrong."""
        return [message for level, message in self.log if level == "ERROR"]


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as simulated:
        yield simulated


@pytest.fixture
def exporter(org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exporter:
    """An export whose pauses between tries take no time, and that no proxy of this machine concerns."""
    monkeypatch.setattr(command_run, "SystemClock", lambda _: ImpatientClock())
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    return Exporter(org, tmp_path)


def log_of(stderr: str) -> list[tuple[str, str]]:
    """The program's own lines; in this process the simulated org logs, too."""
    lines = [json.loads(line) for line in stderr.splitlines()]
    return [(line["level"], line["message"]) for line in lines if line["logger"].startswith("salesforce_bulk")]


def export(exporter: Exporter, *objects: str, more: tuple[str, ...] = ()) -> Ended:
    """The command in this process."""
    arguments = exporter.arguments(objects, *more)[1:]
    done = CliRunner().invoke(cli.commands, arguments, obj=Stop(), standalone_mode=False)
    assert done.exception is None, done.exception
    return Ended(done.return_value, log_of(done.stderr))


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port: int = nobody.getsockname()[1]
    return port


def network_down(exporter: Exporter, _: pytest.MonkeyPatch) -> None:
    exporter.config["login_url"] = f"http://127.0.0.1:{closed_port()}"


def name_server_lacks_it(exporter: Exporter, _: pytest.MonkeyPatch) -> None:
    exporter.config["login_url"] = "https://acme.my.salesforce.invalid"


def proxy_down(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter.config["login_url"] = "https://acme.my.salesforce.com"
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:S3CRET@127.0.0.1:{closed_port()}")


def object_removed(exporter: Exporter, _: pytest.MonkeyPatch) -> None:
    assert export(exporter, "Account", "Contact").code == 0
    exporter.org.control.remove_object("Contact")


def state_damaged(exporter: Exporter, _: pytest.MonkeyPatch) -> None:
    assert export(exporter, "Account", "Contact").code == 0
    (path,) = (exporter.folder / "state").glob("*/Contact.json")
    path.write_text('{"state": ')


def calls_near_the_reserve(exporter: Exporter, _: pytest.MonkeyPatch) -> None:
    exporter.org.control.set_limit("DailyApiRequests", remaining=20, maximum=1000)


def nothing(_: Exporter, __: pytest.MonkeyPatch) -> None:
    """All is well."""


@dataclass(frozen=True)
class Night:
    """Assert that its only error contains ``says``. ``exports``: Account is still exported."""

    prepare: Callable[[Exporter, pytest.MonkeyPatch], None]
    code: int
    says: tuple[str, ...]
    objects: tuple[str, ...] = ("Account", "Contact")
    exports: bool = False


NIGHTS = {
    "network down": Night(
        network_down,
        75,
        ("The connection to Salesforce failed", "host 127.0.0.1", "check the network and its firewall"),
    ),
    "host unknown": Night(
        name_server_lacks_it, 2, ("The host of login_url cannot be found", "acme.my.salesforce.invalid", "DNS")
    ),
    "proxy down": Night(proxy_down, 75, ("The proxy cannot be reached", "proxy http://127.0.0.1:", "HTTPS_PROXY")),
    "wrong object name": Night(
        nothing, 2, ("Acount cannot be exported", "did you mean Account?", "Nothing was started"), ("Acount", "Contact")
    ),
    "object removed or renamed": Night(
        object_removed, 3, ("Contact cannot be exported", "no object of that name is visible"), exports=True
    ),
    "damaged state": Night(
        state_damaged,
        3,
        ("Contact: its state", "Contact.json", "Restore it, or", "`salesforce-bulk state reset Contact`"),
        exports=True,
    ),
    "calls near the reserve": Night(calls_near_the_reserve, 75, ("API calls", "daily_limit_reserve_percent")),
}


@pytest.mark.parametrize("night", NIGHTS.values(), ids=NIGHTS)
def test_it_ends_in_one_sentence_and_its_exit_code(
    night: Night, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.prepare(exporter, monkeypatch)

    ended = export(exporter, *night.objects)

    assert ended.code == night.code, ended.log
    (sentence,) = ended.errors
    assert [words for words in night.says if words not in sentence] == [], sentence
    assert "S3CRET" not in sentence
    assert night.exports == any(message.startswith("Account complete") for _, message in ended.log)


def test_a_field_that_was_removed_since_the_last_night_is_named_and_the_rest_is_exported(exporter: Exporter) -> None:
    assert export(exporter, "Account").code == 0
    exporter.org.control.remove_field("Account", "Rating")

    ended = export(exporter, "Account")

    assert (ended.code, ended.errors) == (0, [])
    ((_, warning),) = (line for line in ended.log if line[0] == "WARNING")
    assert "Rating removed or hidden (picklist), breaking" in warning
    (meant,) = (message for _, message in ended.log if message.startswith("Account: rows that are read from now on"))
    assert "have no Rating" in meant
    assert "Set Field-Level Security" in meant


def test_a_field_that_the_configuration_names_and_the_object_lacks_begins_nothing(exporter: Exporter) -> None:
    exporter.config["object_overrides"] = [{"object": "Account", "fields": ["Id", "Ratin", "SystemModstamp"]}]

    ended = export(exporter, "Account")

    assert (ended.code, exporter.org.control.jobs()) == (2, [])
    (sentence,) = ended.errors
    assert "fields names Ratin, but Account has no such field" in sentence
    assert "Did you mean Rating? Correct the name, or give the user access to the field." in sentence


def test_a_limit_that_stops_every_object_is_explained_by_the_first_and_again_at_the_end(exporter: Exporter) -> None:
    exporter.org.control.fault("api_error", on="createJob", error="LIMIT_EXCEEDED", times=None)

    done = exporter.script(["Account", "Contact", "Lead"])

    assert done.returncode == 75, done.stderr
    (full,) = (line for _, line in log_of(done.stderr) if "daily Bulk query jobs are used up" in line)
    first, _, _ = full.partition(":")
    assert "Run the same command again in an hour or two" in full
    assert "Setup > Bulk Data Load Jobs" in full
    others = {"Account", "Contact", "Lead"} - {first}
    short = {f"{name}: the run was stopped; the message about {first} says why and what to do." for name in others}
    assert {line for level, line in log_of(done.stderr) if level == "ERROR"} == {full, *short}
    assert done.stdout.splitlines()[5] == full
    assert not [line for line in short if line in done.stdout]


def test_a_job_that_keeps_failing_is_named(exporter: Exporter) -> None:
    exporter.config["object_overrides"] = [{"object": "Contact", "where": "Name != null"}]
    exporter.org.control.fault("job_failed", object="Contact", error="invalid_type", times=None)

    (sentence,) = export(exporter, "Account", "Contact").errors

    (job,) = exporter.org.control.jobs("Contact")
    assert sentence.startswith(f"Contact, job {job['id']}: ")


def test_a_bucket_that_is_missing_is_named(exporter: Exporter, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)

    ended = export(exporter, "Account", more=("--destination", "s3://no-such-bucket/prod"))

    assert ended.code == 2
    (sentence,) = ended.errors
    assert "NoSuchBucket" in sentence
    assert "no-such-bucket" in sentence
    assert "Check its name, the account and the region." in sentence


@pytest.mark.parametrize("disk", ["TMPDIR", "destination", "state"])
def test_a_full_disk_is_named_and_the_next_run_goes_on(exporter: Exporter, disk: str) -> None:
    folders = {
        "TMPDIR": exporter.folder / "tmp",
        "destination": exporter.destination,
        "state": exporter.folder / "state",
    }
    folders["TMPDIR"].mkdir()
    assert export(exporter, "Account").code == 0
    exporter.org.control.advance_clock(3600)
    exporter.org.control.update("Account", {"Rating": "Hot"}, where="Id != null")
    exporter.org.control.advance_clock(60)

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folders[disk]), *exporter.arguments(["Account"])[1:]],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "TMPDIR": str(folders["TMPDIR"])},
    )

    assert done.returncode == 75, done.stderr
    (sentence,) = Ended(75, log_of(done.stderr)).errors
    assert "pace is left" in sentence
    assert str(folders[disk]) in sentence or disk in sentence, sentence
    assert export(exporter, "Account").code == 0
    assert sum(row.get("Rating") == "Hot" for row in exporter.rows("Account")) >= 300


def test_a_run_that_was_killed_continues_with_its_job_and_says_so(exporter: Exporter) -> None:
    exporter.config["page_size"] = 500
    exporter.org.control.fault("slow", object="Contact", page=4, value=500, times=1)
    process = exporter.start(["Contact"], "--run-id", "monday")
    wait_for(lambda: len(list(exporter.destination.glob("Contact/run=monday/*.parquet"))) == 3, process)
    process.kill()
    process.communicate()

    ended = export(exporter, "Contact", more=("--run-id", "monday"))

    assert (ended.code, ended.errors) == (0, [])
    assert any("continuing an earlier run's job after page " in message for _, message in ended.log), ended.log
    assert len(exporter.rows("Contact")) == 2500
    assert len({file["job"] for file in exporter.files("Contact")}) == 1
