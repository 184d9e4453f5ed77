from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from source_salesforce_bulk.pages.encoders import batch_file
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.page_task import PageOutcome
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.spark.waves import (
    SESSION_LIFE,
    ReadPage,
    Wave,
    WaveBoard,
    WaveResult,
    WaveSize,
    WrittenFile,
)
from unit_tests.fakes import FakeClock

ENCODER = batch_file((Column("Id", CellKind.STRING),))
SESSION = Session("T0", "https://acme.my.salesforce.com")


def address(name: str = "Account", locator: str | None = None) -> PageAddress:
    return PageAddress(name, "750x", locator, "v66.0", None)


class GatheringClock(FakeClock):
    """A pause of a wave ends when as many pages wait as the test wants in it."""

    def __init__(self, gathered: Callable[[], object]) -> None:
        super().__init__()
        self.gathered = gathered

    def sleep(self, seconds: float) -> None:
        self.gathered()


class FakeRunner:
    """Reads every page, or fails; remembers the waves."""

    slots = 2

    def __init__(self, error: Exception | None = None) -> None:
        self.waves: list[Wave] = []
        self.error = error

    def run(self, wave: Wave) -> WaveResult:
        self.waves.append(wave)
        if self.error is not None:
            raise self.error
        outcomes = {task.number: PageOutcome(task.number, rows=10) for task in wave.tasks}
        return WaveResult(
            outcomes, {task.number: WrittenFile(f"p{task.address.locator}", 10, 99) for task in wave.tasks}
        )


def board(runner: FakeRunner, clock: FakeClock) -> WaveBoard:
    return WaveBoard(runner, lambda: SESSION, lambda name: name, clock)  # type: ignore[arg-type, return-value]


def read_together(pages: list[PageAddress], runner: FakeRunner) -> list[ReadPage]:
    """Request all pages at once: no wave begins before every page has been requested."""
    not_asked_yet = list(pages)
    all_asked = threading.Event()
    asked = board(runner, GatheringClock(lambda: all_asked.wait(30)))

    def read(page: PageAddress) -> ReadPage:
        not_asked_yet.remove(page)
        if not not_asked_yet:
            all_asked.set()
        return asked.read(page, ENCODER)

    with ThreadPoolExecutor(len(pages)) as threads:
        return list(threads.map(read, pages))


def test_a_page_comes_back_with_its_outcome_its_file_and_the_session_it_was_asked_for_with():
    runner = FakeRunner()
    read = board(runner, FakeClock()).read(address(locator="a"), ENCODER)
    assert (read.outcome.rows, read.file, read.session) == (10, WrittenFile("pa", 10, 99), SESSION)
    (wave,) = runner.waves
    assert (wave.number, [task.address.locator for task in wave.tasks], wave.encoder) == (1, ["a"], ENCODER)


def test_every_page_that_is_asked_for_is_read_once_in_whatever_wave():
    runner = FakeRunner()
    pages = [address(locator=str(number)) for number in range(12)]
    reads = read_together(pages, runner)
    assert [read.file.path for read in reads if read.file] == [f"p{number}" for number in range(12)]
    asked = [task.address.locator for wave in runner.waves for task in wave.tasks]
    assert sorted(asked, key=int) == [str(number) for number in range(12)]
    assert len({wave.number for wave in runner.waves}) == len(runner.waves)


def test_objects_do_not_share_a_wave():
    runner = FakeRunner()
    read_together([address("Account", "a"), address("Contact", "b"), address("Account", "c")], runner)
    for wave in runner.waves:
        assert {task.address.object_name for task in wave.tasks} == {wave.layout}


def test_what_a_wave_raises_is_raised_for_each_of_its_pages_and_the_next_wave_runs():
    runner = FakeRunner(RuntimeError("no executor left"))
    asked = board(runner, FakeClock())
    with pytest.raises(RuntimeError, match="no executor left"):
        asked.read(address(locator="a"), ENCODER)
    runner.error = None
    assert asked.read(address(locator="b"), ENCODER).outcome.rows == 10


def test_the_leader_of_a_wave_leads_no_later_one():
    """The leader's page is the front one: nothing of the object can be committed before it is handed on."""
    leaders: list[int] = []
    all_asked = threading.Event()

    def gathered() -> None:
        leaders.append(threading.get_ident())
        assert all_asked.wait(30)

    runner = FakeRunner()
    asked = board(runner, GatheringClock(gathered))
    with ThreadPoolExecutor(20) as threads:
        reads = [threads.submit(asked.read, address(locator=str(number)), ENCODER) for number in range(20)]
        all_asked.set()
        assert [one.result().outcome.rows for one in reads] == [10] * 20
    assert len(runner.waves) == len(leaders) > 1  # the first one takes eight
    assert len(set(leaders)) == len(leaders)


@pytest.mark.parametrize("fails", ["gathering", "running"])
def test_after_the_end_of_a_leader_no_thread_waits(fails):
    """For example a stopped run: the waiting threads get the error, or lead their own waves and get it there."""
    stopped = Stopped("the run is being stopped")
    told: SimpleQueue[Stopped] = SimpleQueue()

    class DyingRunner(FakeRunner):
        def run(self, wave: Wave) -> WaveResult:
            raise stopped

    def gathered() -> None:
        if fails == "gathering":
            raise stopped

    asked = board(DyingRunner(), GatheringClock(gathered))

    def read(locator: str) -> None:
        try:
            asked.read(address(locator=locator), ENCODER)
        except Stopped as error:
            told.put(error)

    for locator in "ab":
        threading.Thread(target=read, args=(locator,), daemon=True).start()
    assert [told.get(timeout=30) for _ in "ab"] == [stopped, stopped]


def test_the_first_wave_is_small_and_later_ones_take_half_of_a_session():
    size = WaveSize(slots=4)
    assert size.pages == 16
    assert size.after(16, seconds=40.0).pages == 4 * int(SESSION_LIFE / 2 / 10)


def test_the_slowest_wave_counts_and_no_slot_is_ever_left_without_a_page():
    size = WaveSize(slots=4).after(4, seconds=10.0)
    assert size.after(4, seconds=1.0) == size
    assert size.after(4, seconds=10_000.0).pages == 4
