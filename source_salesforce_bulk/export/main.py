"""The console script ``salesforce-bulk``."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from source_salesforce_bulk.allocation import prepare_this_process

_NEEDED = ("boto3", "click", "pyarrow", "rich")


def run() -> None:
    """Run the command on the command line, if its dependencies are installed."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(f"salesforce-bulk needs {', '.join(missing)}. In a checkout: pip install '.[export]'")
    prepare_this_process()
    from source_salesforce_bulk.export.cli import main  # noqa: PLC0415 - needs optional dependencies

    main()
