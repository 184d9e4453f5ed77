"""Measure how much waiting overlaps: wall time of whole commands, against the ideal and the peer.

    python -m benchmarks.overlap [jobs | pages | discover | stuck] [--rows N] [--peer-rows N]

Each scenario runs both clients as Airbyte does, in a process of their own, against a simulated org in another. Ratios
are taken within one run of this program, on one machine: they carry over to other machines, the seconds do not.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.clients import Org, Run, simulated_org
from benchmarks.contenders import PEER

LATENCY = 3.0
BANDWIDTHS = (5_000_000, 500_000)
DESCRIBE_SECONDS = 0.1
PATIENCE = 60.0
"""Seconds after which the peer, which waits for a job that never ends, is stopped."""

HEADING = (
    "| scenario | this connector | held against | ratio | target | airbyte-source-salesforce 2.10.3 |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True, slots=True)
class Size:
    """Rows of the objects; those that the peer reads where it would take many minutes, 0 where it is not measured."""

    rows: int
    peer_rows: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what was measured, what it is held against, and what the peer made of the same."""

    what: str
    seconds: float
    against: str
    reference: float
    target: str
    peer: str = "-"

    def __str__(self) -> str:
        ratio = self.seconds / self.reference
        shown = f"{ratio:.2f} x" if ratio > 0.5 else f"1 / {1 / ratio:.1f}"
        held = f"{self.against}: {self.reference:.1f} s"
        return f"| {self.what} | {self.seconds:.1f} s | {held} | {shown} | {self.target} | {self.peer} |"


def jobs(size: Size) -> Iterator[Line]:
    """Ten objects whose jobs take three seconds each."""
    rows = min(size.rows, 50_000)
    with simulated_org() as org:
        names = loaded_objects(org, 10, rows)
        org.warm(names)
        transfer = org.read(names).seconds
        org.control("configure", latency=LATENCY)
        longest = max(org.read([name]).seconds for name in names[:3])
        together = org.read(names)
        peer = _times_as_long(together, org.peer_read("Load", names)) if size.peer_rows else "-"
    yield Line(
        f"10 objects of {rows:,} rows, {LATENCY:.0f} s a job",
        together.seconds,
        "one object, or all without latency",
        max(longest, transfer),
        "<= 1.3 x",
        peer,
    )


def pages(size: Size) -> Iterator[Line]:
    """One large object from an org that gives each connection so many megabytes a second.

    At five the connector's own work may take longer than the transfer; at half of one, only the network counts.
    """
    ours = _at_each_bandwidth(size.rows, warmed=True)
    theirs = _at_each_bandwidth(size.peer_rows, warmed=False) if size.peer_rows else {}
    for bandwidth, run in ours.items():
        peer = theirs.get(bandwidth)
        yield Line(
            f"1 object of {size.rows:,} rows, {run.received / 1e6:.0f} MB gzipped, {bandwidth / 1e6} MB/s a connection",
            run.seconds,
            "one connection",
            run.received / bandwidth,
            "<= 1 / 3.5",
            f"{peer.rate:,.0f} rows/s ({peer.rows:,} rows); here {run.rate / peer.rate:.1f} times as many"
            if peer
            else "-",
        )


def _at_each_bandwidth(rows: int, *, warmed: bool) -> dict[int, Run]:
    """Measure one read of so many rows: by the connector if pages are ``warmed`` for it, else by the peer."""
    runs = {}
    with simulated_org("--bench-rows", str(rows)) as org:
        if warmed:
            org.warm(["Bench__c"])
        for bandwidth in BANDWIDTHS:
            org.control("configure", bandwidth=bandwidth)
            runs[bandwidth] = org.read(["Bench__c"]) if warmed else org.peer_read("Bench", ["Bench__c"])
    return runs


def discover(size: Size) -> Iterator[Line]:
    """An org of 1,500 objects whose describes take a tenth of a second."""
    with simulated_org("--objects", "1500", "--describe-seconds", str(DESCRIBE_SECONDS)) as org:
        run = org.discover(["Extra*"])
        peer = _times_as_long(run, org.peer_discover("Extra")) if size.peer_rows else "-"
    one_by_one = len(run.streams) * DESCRIBE_SECONDS
    yield Line("discover 1,500 objects, 0.1 s a describe", run.seconds, "one by one", one_by_one, "seconds", peer)


def stuck(size: Size) -> Iterator[Line]:
    """One job among ten that never ends."""
    names = [f"Extra{number:04d}__c" for number in range(1, 11)]
    with simulated_org("--objects", "10", "--latency", str(LATENCY)) as org:
        healthy = org.read(names[1:])
        org.control("fault", kind="job_stuck", object=names[0], times=None)
        others = org.read(names, enough=lambda run: len(run.complete) == len(names) - 1)
        peer = _peer_beside_a_stuck_job(org, names) if size.peer_rows else "-"
    last, reference = max(others.complete.values()), max(healthy.complete.values())
    yield Line("9 objects beside 1 stuck job: the last is complete", last, "without it", reference, "1.0 x", peer)


def _peer_beside_a_stuck_job(org: Org, names: list[str]) -> str:
    run = org.peer_read("Extra", names, lambda seen: len(seen.complete) == len(names) - 1, PATIENCE)
    if len(run.complete) == len(names) - 1:
        return f"{max(run.complete.values()):.0f} s"
    return f"{len(run.complete)} of 9 complete after {PATIENCE:.0f} s"


def _times_as_long(ours: Run, theirs: Run) -> str:
    return f"{theirs.seconds:.0f} s, {theirs.seconds / ours.seconds:.1f} times as long"


def loaded_objects(org: Org, count: int, rows: int) -> list[str]:
    """Make objects of ``rows`` rows."""
    names = [f"Load{number:02d}__c" for number in range(1, count + 1)]
    for number, name in enumerate(names, 1):
        fields = "Amount__c currency(12,2)\nCity__c string(40)\nDay__c date\nOpen__c boolean"
        org.control("add_object", name=name, fields=fields, prefix=f"aL{number % 10}", rows=rows)
    return names


SCENARIOS: Mapping[str, Callable[[Size], Iterator[Line]]] = {
    "jobs": jobs,
    "pages": pages,
    "discover": discover,
    "stuck": stuck,
}


def main() -> int:
    """Run the scenarios asked for, or all, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], metavar="|".join(SCENARIOS))
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the one large object; at most, of others")
    parser.add_argument("--peer-rows", type=int, default=100_000 if PEER.exists() else 0, help="0: leave the peer out")
    options = parser.parse_args()
    processors, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {processors} cores, Python {platform.python_version()}, "
        f"load {load:.1f} at the start\n\n{HEADING}"
    )
    for name in options.scenarios or SCENARIOS:
        for line in SCENARIOS[name](Size(options.rows, options.peer_rows)):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
