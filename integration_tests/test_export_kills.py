"""An export that is killed anywhere and started again: every row once in the files that manifests name."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from integration_tests.exporter import Exporter, wait_for
from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.export.destination import LocalDestination, ManifestExists
from source_salesforce_bulk.registries.local_state import LocalLease, LocalStates
from source_salesforce_bulk.registries.state import Progress

OBJECTS = ("Contact", "Account")


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")
    with SimulatedOrg(settings) as simulated:
        yield simulated


class Killed(BaseException):
    """The process is gone: nothing that it would have done afterwards happens."""


class Bomb:
    """Goes off at the ``at``-th step, before it or after it. Once gone off, nothing works any more."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._left = at
        self._after = after
        self.gone_off = False

    def step(self, do: Any) -> Any:
        """Do a step, unless the process is dead."""
        if self.gone_off:
            raise Killed
        self._left -= 1
        if self._left == 0 and not self._after:
            self.gone_off = True
            raise Killed
        done = do()
        if self._left == 0:
            self.gone_off = True
            raise Killed
        return done


class BombedDestination(LocalDestination):
    def __init__(self, folder: Path, bomb: Bomb) -> None:
        super().__init__(folder)
        self._bomb = bomb

    def put(self, file: Path, path: str) -> str:
        return self._bomb.step(lambda: super(BombedDestination, self).put(file, path))

    def create_manifest(self, run_id: str, manifest: Mapping[str, Any]) -> str:
        return self._bomb.step(lambda: super(BombedDestination, self).create_manifest(run_id, manifest))


class BombedStates(LocalStates):
    def __init__(self, folder: Path, bomb: Bomb) -> None:
        super().__init__(folder)
        self._bomb = bomb

    def acquire(self, organization_id: str, object_name: str, owner: str) -> Any:
        lease = super().acquire(organization_id, object_name, owner)
        return BombedLease(lease, self._bomb)


class BombedLease:
    def __init__(self, lease: LocalLease, bomb: Bomb) -> None:
        self._lease = lease
        self._bomb = bomb

    @property
    def progress(self) -> Progress:
        return self._lease.progress

    @property
    def taken_from(self) -> str | None:
        return self._lease.taken_from

    def commit(self, progress: Progress) -> None:
        self._bomb.step(lambda: self._lease.commit(progress))

    def renew(self) -> None:
        self._lease.renew()

    def release(self) -> None:
        self._lease.release()


def run_until_killed(exporter: Exporter, bomb: Bomb, names: tuple[str, ...], **options: Any) -> bool:
    """Return whether the run died. The jobs it would have removed on its way out are still there, as after SIGKILL."""
    destination = BombedDestination(exporter.destination, bomb)
    states = BombedStates(exporter.folder / "state", bomb)
    with exporter.without_clean_up():
        try:
            exporter.run(names, destination=destination, states=states, **options)
        except Killed:
            return True
    return bomb.gone_off


def assert_every_row_once(exporter: Exporter, org: SimulatedOrg, names: tuple[str, ...]) -> None:
    for name in names:
        ids = Counter(row["Id"] for row in exporter.rows(name))
        expected = Counter(row["Id"] for row in GroundTruth(org).records(name, fields=["Id"]))
        assert ids == expected, f"{name}: {(expected - ids).total()} missing, {(ids - expected).total()} too many"


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_write_and_started_again(org: SimulatedOrg, tmp_path: Path, jobs: int, after: bool) -> None:
    """The process dies at its first write; the next one at its second, and so on, until one comes through."""
    exporter = Exporter(org, tmp_path, page_size=900, max_concurrent_jobs=jobs)
    deaths = 0
    while run_until_killed(exporter, Bomb(deaths + 1, after=after), OBJECTS):
        deaths += 1
        assert deaths < 60
    assert deaths >= 3
    assert exporter.run(OBJECTS).code == 0
    assert_every_row_once(exporter, org, OBJECTS)


def test_killed_at_every_write_of_the_rest_lane_and_started_again(org: SimulatedOrg, tmp_path: Path) -> None:
    """Links have no cursor, so each run that reads them to their end writes all of them once more."""
    names = ("Contact", "CaseStatus", "ContentDocumentLink")
    exporter = Exporter(org, tmp_path, page_size=500, object_overrides=[{"object": "Contact", "api": "rest"}])
    deaths = 0
    while run_until_killed(exporter, Bomb(deaths + 1, after=deaths % 2 == 0), names):
        deaths += 1
        assert deaths < 60
    assert deaths >= 5
    assert exporter.run(names).code == 0
    assert org.control.jobs() == []
    for name in names:
        ids = Counter(row["Id"] for row in exporter.rows(name))
        assert set(ids) == {row["Id"] for row in GroundTruth(org).readable(name)}
        assert set(ids.values()) == {1} if name != "ContentDocumentLink" else len(set(ids.values())) == 1


@pytest.mark.parametrize("at", range(1, 14))
def test_killed_once_anywhere_it_goes_on_with_the_next_page(org: SimulatedOrg, tmp_path: Path, at: int) -> None:
    exporter = Exporter(org, tmp_path, page_size=900)
    died = run_until_killed(exporter, Bomb(at, after=at % 2 == 0), ("Contact",))
    jobs = len(org.control.jobs())

    result = exporter.run(["Contact"])

    assert result.code == 0
    assert_every_row_once(exporter, org, ("Contact",))
    if died:
        # The killed run's job is read on; what is new is one job for what has changed since.
        assert len(org.control.jobs()) <= jobs + 1


def test_killed_between_manifest_and_state_it_names_nothing_twice(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)

    class DiesWithItsManifest(LocalDestination):
        def create_manifest(self, run_id: str, manifest: Mapping[str, Any]) -> str:
            super().create_manifest(run_id, manifest)
            raise Killed

    with exporter.without_clean_up(), pytest.raises(Killed):
        exporter.run(["Account"], destination=DiesWithItsManifest(exporter.destination))
    exporter.run(["Account"])

    assert_every_row_once(exporter, org, ("Account",))
    assert [manifest["objects"][0]["rows"] for manifest in exporter.manifests()] == [300, 0]


def test_a_run_that_was_overtaken_writes_no_manifest(org: SimulatedOrg, tmp_path: Path) -> None:
    """It stalls before its manifest, another run takes over and ends, then it wakes up."""
    exporter = Exporter(org, tmp_path)
    other = Exporter(org, tmp_path)

    class Stalls(LocalDestination):
        def create_manifest(self, run_id: str, manifest: Mapping[str, Any]) -> str:
            for lock in tmp_path.glob("state/*/*.lock"):
                lock.unlink()  # as an expired lease: another run can have it now
            assert other.run(["Account"], run_id="overtaker").code == 0
            return super().create_manifest(run_id, manifest)

    result = exporter.run(["Account"], run_id="sleeper", destination=Stalls(exporter.destination))

    assert result.code == 75
    assert_every_row_once(exporter, org, ("Account",))
    statuses = {manifest["run_id"]: manifest["status"] for manifest in exporter.manifests()}
    assert statuses == {"overtaker": "complete", "sleeper": "abandoned"}
    with pytest.raises(ManifestExists):
        LocalDestination(exporter.destination).create_manifest("sleeper", {})


@pytest.mark.parametrize("at", range(1, 8))
def test_a_commit_that_fails_leaves_no_file_named_twice(org: SimulatedOrg, tmp_path: Path, at: int) -> None:
    """The registry cannot be reached for a moment; the run goes on to its manifest."""
    exporter = Exporter(org, tmp_path, page_size=900)
    failing = Hiccup(at)

    class FlakyLease(BombedLease):
        def commit(self, progress: Progress) -> None:
            failing.step()
            self._lease.commit(progress)

    class FlakyStates(LocalStates):
        def acquire(self, organization_id: str, object_name: str, owner: str) -> Any:
            return FlakyLease(super().acquire(organization_id, object_name, owner), Bomb(0, after=False))

    result = exporter.run(["Contact"], states=FlakyStates(tmp_path / "state"))

    assert result.code in (0, 75)
    assert exporter.run(["Contact"]).code == 0
    assert_every_row_once(exporter, org, ("Contact",))


def test_a_manifest_that_cannot_be_written_is_the_next_runs(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)

    class Unreachable(LocalDestination):
        def create_manifest(self, run_id: str, manifest: Mapping[str, Any]) -> str:
            raise EndpointConnectionError(endpoint_url="https://s3")

    result = exporter.run(["Account"], destination=Unreachable(exporter.destination))

    assert result.code == 75
    assert exporter.run(["Account"]).code == 0
    assert_every_row_once(exporter, org, ("Account",))


class Hiccup:
    """The ``at``-th step fails, the others do not."""

    def __init__(self, at: int) -> None:
        self._left = at

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")


def test_a_job_whose_total_is_wrong_is_not_read_on(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, page_size=900)
    org.control.fault("total_wrong", object="Contact", delta=3)

    result = exporter.run(["Contact"])

    assert result.code != 0
    assert exporter.files("Contact") == []
    assert exporter.state("Contact")["open"] == []
    assert exporter.run(["Contact"]).code == 0
    assert_every_row_once(exporter, org, ("Contact",))


def test_a_lost_lease_ends_the_object_before_it_writes(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, page_size=900)
    written = []

    class LosesTheLease(LocalDestination):
        def put(self, file: Path, path: str) -> str:
            super().put(file, path)
            written.append(path)
            for lock in tmp_path.glob("state/*/*.lock"):
                lock.unlink()
            return path

    result = exporter.run(["Contact"], destination=LosesTheLease(exporter.destination))

    assert result.code == 75
    assert len(written) == 1
    assert exporter.state("Contact")["open"] == []
    assert exporter.run(["Contact"]).code == 0
    assert_every_row_once(exporter, org, ("Contact",))


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_job_lost_after_some_pages_repeats_no_row_in_the_files(org: SimulatedOrg, tmp_path: Path, jobs: int) -> None:
    """The Airbyte path must repeat those rows; files can be left out."""
    exporter = Exporter(org, tmp_path, page_size=500, max_concurrent_jobs=jobs)

    def delete_the_job() -> None:
        org.control.delete_job(org.control.jobs("Contact")[0]["id"])

    org.control.when_do("page_served", delete_the_job, object="Contact", nth=3)

    result = exporter.run(["Contact"])

    assert result.code == 0
    assert len(org.control.jobs("Contact")) == 2
    assert_every_row_once(exporter, org, ("Contact",))


def test_a_lost_job_and_a_kill_together_repeat_no_row(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, page_size=500)
    assert run_until_killed(exporter, Bomb(7, after=True), ("Contact",))
    (job,) = org.control.jobs("Contact")
    assert exporter.state("Contact")["open"]
    org.control.delete_job(job["id"])

    assert exporter.run(["Contact"]).code == 0

    assert_every_row_once(exporter, org, ("Contact",))


def test_a_window_that_ends_in_the_future_is_read_as_if_never_begun(org: SimulatedOrg, tmp_path: Path) -> None:
    """It stands in a state where the org's clock was set back: closing it would pass rows that have yet to come."""
    exporter = Exporter(org, tmp_path, page_size=500)
    assert run_until_killed(exporter, Bomb(7, after=True), ("Contact",))
    path = next(tmp_path.glob("state/*/Contact.json"))
    kept = json.loads(path.read_text())
    kept["state"]["resume"][0]["to"] = "2030-01-01T00:00:00.000Z"
    path.write_text(json.dumps(kept))

    assert exporter.run(["Contact"]).code == 0

    assert exporter.state("Contact")["state"]["SystemModstamp"] == "2026-11-24T08:00:00.000Z"
    assert_every_row_once(exporter, org, ("Contact",))


def test_the_same_run_id_may_be_tried_again_after_a_kill(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, page_size=500)
    assert run_until_killed(exporter, Bomb(8, after=True), ("Contact",), run_id="step-7")

    assert exporter.run(["Contact"], run_id="step-7").code == 0

    assert_every_row_once(exporter, org, ("Contact",))


def files_there(exporter: Exporter) -> int:
    """``os.walk`` and no glob: folders come and go while a run writes."""
    return sum(name.endswith(".parquet") for *_, names in os.walk(exporter.destination) for name in names)


@pytest.mark.slow
def test_sigkill_at_many_moments(tmp_path: Path) -> None:
    """The console script, killed a little later each time it is started."""
    settings = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", bandwidth=400_000)
    with SimulatedOrg(settings) as org:
        exporter = Exporter(org, tmp_path, page_size=200)
        for pages in range(1, 5):
            process = exporter.start(OBJECTS)
            there = files_there(exporter)
            wait_for(lambda: files_there(exporter) >= there + pages, process)  # noqa: B023
            process.kill()
            process.communicate()
        done = exporter.script(OBJECTS)

        assert done.returncode == 0, done.stderr
        assert_every_row_once(exporter, org, OBJECTS)


def test_sigterm_ends_with_143_and_the_next_run_continues(tmp_path: Path) -> None:
    settings = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", bandwidth=200_000)
    with SimulatedOrg(settings) as org:
        exporter = Exporter(org, tmp_path, page_size=200)
        process = exporter.start(["Contact"])
        wait_for(lambda: files_there(exporter) >= 2, process)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)

        assert process.returncode == 143, stderr
        assert time.monotonic() - began < 25  # docs/contracts.md promises it
        assert exporter.manifests() == []
        before = len(exporter.state("Contact")["open"])
        assert before >= 1
        (job,) = org.control.jobs("Contact")
        assert not job["deleted"]

        done = exporter.script(["Contact"])

        assert done.returncode == 0, done.stderr
        assert_every_row_once(exporter, org, ("Contact",))
        (manifest,) = exporter.manifests()
        assert len({file["path"].split("/")[1] for file in manifest["objects"][0]["files"]}) == 2


class WithoutManifests(LocalDestination):
    """Takes files, but no manifest."""

    def create_manifest(self, name: str, manifest: Mapping[str, Any]) -> str:
        """Raise."""
        raise OSError(errno.EIO, f"no {name} of {len(manifest)} facts")


def test_files_of_an_increment_that_needed_no_job_are_named_by_the_next_run(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    assert exporter.run(["Account"]).code == 0
    org.control.advance_clock(3600)
    changed = str(org.control.rows("Account", fields=["Id"])[0]["Id"])
    org.control.update("Account", {}, ids=[changed])
    org.control.advance_clock(3600)
    jobs = len(org.control.jobs())
    assert exporter.run(["Account"], destination=WithoutManifests(exporter.destination)).code != 0
    assert len(org.control.jobs()) == jobs
    assert exporter.run(["Account"]).code == 0
    assert [row["Id"] for row in exporter.rows("Account")].count(changed) == 2
