"""A scenario: one object read in one mode by everybody in turn, and the table of what it cost them."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import contenders
from benchmarks.bench_org import PAGE_ROWS, BenchOrg, bench_org
from benchmarks.contenders import Job
from benchmarks.measure import Run, measure
from integration_tests.certificates import write_certificate

CONNECTOR, PEER = "this connector", "airbyte-source-salesforce 2.10.3"
_EMITTED_AT = re.compile(rb'"emitted_at":\d+')


@dataclass(frozen=True, slots=True)
class Scale:
    """The number of rows and of repetitions: ``peer_rows`` is for programs that would take minutes."""

    rows: int
    peer_rows: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Contender:
    """A program and its command, used if ``program`` is installed; ``slow`` ones read fewer rows, once.

    ``at_once``: all records come at the same time, so a rate between the first and the last says nothing.
    """

    name: str
    command: Callable[[Job], list[str]]
    slow: bool = False
    at_once: bool = False
    program: Path = Path(sys.executable)


@dataclass(frozen=True, slots=True)
class Scenario:
    """The object that is read: ``Bench__c``, or one that is made with ``fields``, of 1 / ``fraction`` of the rows.

    The pages are of ``page_rows`` rows; the peer has no option for that and takes the org's own. With ``https``, all
    trust the org's certificate by REQUESTS_CA_BUNDLE.
    """

    name: str
    mode: str
    object_name: str = "Bench__c"
    fields: str = ""
    fraction: int = 1
    page_rows: int = PAGE_ROWS
    https: bool = False
    contenders: Sequence[Contender] = field(
        default=(
            Contender(CONNECTOR, contenders.connector),
            Contender("the same without the core", contenders.without_core, slow=True, at_once=True),
            Contender("its first release, 59ab2d2", contenders.first_release, program=contenders.FIRST_RELEASE),
            Contender(PEER, contenders.peer, slow=True),
            Contender("simple-salesforce bulk2", contenders.simple_salesforce),
            Contender("`sf data export bulk`", contenders.sf, at_once=True, program=contenders.SF),
            Contender("floor: curl, csv module", contenders.floor),
        )
    )

    def run(self, scale: Scale, directory: Path) -> Iterator[str]:
        """Measure everyone in turn; lines of Markdown, as soon as they are known."""
        yield f"### {self.name}"
        yield ""
        certificate = None
        if self.https:
            certificate = write_certificate((directory / "localhost.pem").absolute())
            os.environ["REQUESTS_CA_BUNDLE"] = str(certificate)
        with ExitStack() as stack:
            large = small = self._warmed(stack, scale.rows, directory, certificate)
            if scale.peer_rows != scale.rows:
                small = self._warmed(stack, scale.peer_rows, directory, certificate)
            same = _records_equal_the_exact_path(small)
            runs = self._runs(large, small, scale, directory)
        yield from _table(self.contenders, runs)
        yield ""
        yield f"Records compared with the exact path's, one by one: {same:,}, all equal."

    def _warmed(self, stack: ExitStack, rows: int, directory: Path, certificate: Path | None) -> Job:
        """An org whose pages are ready: our own query is run once before anything is measured."""
        org = stack.enter_context(
            bench_org(rows // self.fraction, self.object_name, self.fields, self.page_rows, certificate)
        )
        job = Job(org, self.mode, "", "", directory)
        made = org.jobs_made()
        measure(contenders.connector(job), directory / "warm-up.log")
        ((soql, operation),) = set(org.queries_since(made))
        org.warm([(soql, operation)])
        return Job(org, self.mode, soql, operation, directory)

    def _runs(self, large: Job, small: Job, scale: Scale, directory: Path) -> dict[str, list[Run]]:
        present = [one for one in self.contenders if one.program.exists()]
        for one in self.contenders:
            if one not in present:
                print(f"{self.name}: {one.name} is left out; {one.program} does not exist", file=sys.stderr)
        commands = {one.name: one.command(small if one.slow else large) for one in present}
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for number in range(scale.rounds):
            for one in present:
                if number and one.slow:
                    continue
                run = measure(commands[one.name], directory / f"{self.mode}-{one.name.split()[0]}.log")
                print(f"{self.name}, {one.name}: {run.records:,} records in {run.seconds:.1f} s", file=sys.stderr)
                _check(one, run, (small if one.slow else large).org)
                runs[one.name].append(run)
        return runs


def _check(contender: Contender, run: Run, org: BenchOrg) -> None:
    if run.exit_code or run.records != org.rows:
        raise RuntimeError(f"{contender.name}: exit code {run.exit_code}, {run.records} of {org.rows} records")


def _records_equal_the_exact_path(job: Job) -> int:
    """Return the number of records that the console script and the exact path both emit; raises if any differ."""
    arguments = contenders.connector(job)[1:]
    fast = _records([str(contenders.CONNECTOR), *arguments])
    exact = _records([sys.executable, str(contenders.HERE / "exact_path.py"), *arguments])
    count = 0
    for ours, theirs in zip(fast, exact, strict=True):
        if ours != theirs:
            raise RuntimeError(f"record {count} differs: {ours!r} and {theirs!r}")
        count += 1
    return count


def _records(command: Sequence[str]) -> Iterator[bytes]:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b'{"type":"RECORD"'):
                yield _EMITTED_AT.sub(b"", line)


def _table(contestants: Sequence[Contender], runs: dict[str, list[Run]]) -> Iterator[str]:
    peer = _median(runs[PEER], "rate"), _median(runs[PEER], "steady_rate")
    yield (
        "| who | records | records/s | x peer | records/s between first and last | x peer | MB/s written "
        "| CPU s per million | peak RSS MiB |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for one in contestants:
        own = runs.get(one.name)
        if own is None:
            continue
        rate, steady = _median(own, "rate"), _median(own, "steady_rate")
        written = statistics.median(run.written / run.seconds for run in own) / 1e6
        cpu = statistics.median(run.cpu / run.records for run in own) * 1e6
        rss = max(run.peak_rss for run in own) / 2**20
        between = "- | -" if one.at_once else f"{steady:,.0f} | {steady / peer[1]:.1f}"
        yield (
            f"| {one.name} | {own[0].records:,} | {rate:,.0f} | {rate / peer[0]:.1f} | {between} "
            f"| {written:,.0f} | {cpu:.1f} | {rss:.0f} |"
        )


def _median(runs: Sequence[Run], name: str) -> float:
    return statistics.median(getattr(run, name) for run in runs)
