"""Each command on an object of 300 rows: its start, its few calls, and its end."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_org import BenchOrg, bench_org, write_json
from benchmarks.contenders import CONNECTOR, FIRST_RELEASE, Job, connector, first_release
from benchmarks.measure import Run, measure
from benchmarks.scenario import Scale

_ROWS = 300
_ROUNDS = 3  # each takes a second


@dataclass(frozen=True, slots=True)
class StartUpScenario:
    """As ``Scenario``, with commands in place of contenders."""

    name: str

    def run(self, _: Scale, directory: Path) -> Iterator[str]:
        """Measure every command of this release and of the first one, in turn; lines of Markdown."""
        yield f"### {self.name}"
        yield ""
        releases = {"": CONNECTOR.parent} | ({"first release: ": FIRST_RELEASE} if FIRST_RELEASE.exists() else {})
        heads = [f"{release}{what}" for release in releases for what in ("seconds", "CPU seconds", "first record")]
        yield f"| command | {' | '.join(heads)} |"
        yield f"| --- |{' ---: |' * len(heads)}"
        with tempfile.TemporaryDirectory(dir=directory.absolute()) as folder, bench_org(_ROWS) as org:
            commands = {release: _commands(scripts, org, Path(folder)) for release, scripts in releases.items()}
            for name in commands[""]:
                cells = [cell for release in releases for cell in _cells(commands[release][name], Path(folder))]
                yield f"| {name} | {' | '.join(cells)} |"


def _commands(scripts: Path, org: BenchOrg, folder: Path) -> Mapping[str, Callable[[], list[str]]]:
    """Each command as a function, because an export needs a new folder each time."""
    config = write_json(
        folder / "config.json", {"credentials": org.credentials, "login_url": org.url, "objects": [org.object_name]}
    )
    job = Job(org, "full_refresh", "", "", folder)
    read = (first_release if scripts == FIRST_RELEASE else connector)(job)

    def source(command: str) -> list[str]:
        return [str(scripts / "source-salesforce-bulk"), command, "--config", str(config)]

    def bulk(command: str, *places: str) -> list[str]:
        out = Path(tempfile.mkdtemp(dir=folder)).as_uri()
        options = ["--config", str(config), "--object", org.object_name]
        return [str(scripts / "salesforce-bulk"), command, *options, *(f"--{name}={out}/{name}" for name in places)]

    return {
        "`source-salesforce-bulk spec`": lambda: [str(scripts / "source-salesforce-bulk"), "spec"],
        "`source-salesforce-bulk check`": lambda: source("check"),
        "`source-salesforce-bulk discover`": lambda: source("discover"),
        "`source-salesforce-bulk read`": lambda: read,
        "`salesforce-bulk plan`": lambda: bulk("plan", "state"),
        "`salesforce-bulk export`": lambda: bulk("export", "destination", "state", "schemas"),
    }


def _cells(command: Callable[[], list[str]], folder: Path) -> Iterator[str]:
    runs = [measure(command(), folder / "start-up.log") for _ in range(_ROUNDS)]
    if any(run.exit_code for run in runs):
        raise RuntimeError(f"{command()} ended with {json.dumps([run.exit_code for run in runs])}")
    yield f"{_median(runs, 'seconds'):.2f}"
    yield f"{_median(runs, 'cpu'):.2f}"
    yield f"{_median(runs, 'first_record'):.2f}" if runs[0].records else "-"


def _median(runs: list[Run], name: str) -> float:
    return statistics.median(getattr(run, name) for run in runs)


SCENARIO = StartUpScenario("start-up")
