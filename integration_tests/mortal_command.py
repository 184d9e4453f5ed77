"""``salesforce-bulk`` in a process that kills itself, as ``kill -9`` does, when it writes for the n-th time.

    python -m integration_tests.mortal_command PATTERN NTH DELAY COMMAND…

What counts are files that Python opens for writing and databases that it opens, where PATTERN is found in their paths.
DELAY, in seconds, comes on top, so that the kill also strikes between two writes, and within a commit of SQLite.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from typing import Any

from source_salesforce_bulk.export.main import run

STRUCK = "struck: "


class Moment:
    """An audit hook that kills the process; see ``sys.addaudithook``."""

    def __init__(self, pattern: str, nth: int, delay: float) -> None:
        self._pattern = re.compile(pattern)
        self._left = nth
        self._delay = delay

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count an event."""
        if self._left and self._counts(event, arguments):
            self._left -= 1
            if not self._left:
                self._strike(str(arguments[0]))

    def _counts(self, event: str, arguments: tuple[Any, ...]) -> bool:
        writes = event == "sqlite3.connect" or (event == "open" and re.search("[wxa]", str(arguments[1])))
        return bool(writes and self._pattern.search(str(arguments[0])))

    def _strike(self, path: str) -> None:
        os.write(2, f"\n{STRUCK}{path}\n".encode())
        if self._delay:
            timer = threading.Timer(self._delay, _die)
            timer.daemon = True
            timer.start()
        else:
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    found, number, seconds, *command = sys.argv[1:]
    sys.argv = ["salesforce-bulk", *command]
    sys.addaudithook(Moment(found, int(number), float(seconds)))
    run()
