"""The first release, 0.1.0, run from its own environment against a simulated org of today.

``make upgrade-test`` builds the environment from this repository's history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from integration_tests.connector import Connector, Output, parse
from integration_tests.exporter import Exporter

COMMIT = "59ab2d2"
BIN = Path(__file__).parents[1] / "build" / "first-release" / ".venv" / "bin"


class FirstConnector(Connector):
    """The connector of 0.1.0; every command is a process."""

    script = BIN / "source-salesforce-bulk"

    def discover(self, **overlay: Any) -> Output:
        """See ``Connector``."""
        return self.run_script("discover", "--config", self._file(self.config(**overlay)))

    def check(self, **overlay: Any) -> Output:
        """See ``Connector``."""
        return self.run_script("check", "--config", self._file(self.config(**overlay)))

    def read(
        self,
        catalog: Mapping[str, Any],
        state: Sequence[Mapping[str, Any]] | None = None,
        *,
        debug: bool = False,
        **overlay: Any,
    ) -> Output:
        """See ``Connector``."""
        assert not debug
        return self.read_by_script(catalog, state, **overlay)

    def read_until(
        self,
        event: str,
        nth: int,
        catalog: Mapping[str, Any],
        state: Sequence[Mapping[str, Any]] | None = None,
        **overlay: Any,
    ) -> Output:
        """Stopped by SIGTERM at the ``nth`` event of the org from now on."""
        process = self.start_read(catalog, state, **overlay)
        self.org.control.when_do(event, process.terminate, nth=nth)
        stdout, _ = process.communicate(timeout=120)
        return Output(parse(stdout.decode().splitlines()), process.returncode != 0, process.returncode)


class FirstExporter(Exporter):
    """The exports of 0.1.0; use :meth:`script` and :meth:`start`."""

    program = BIN / "salesforce-bulk"
