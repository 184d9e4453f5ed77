"""The console script ``source-salesforce-bulk``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from source_salesforce_bulk.allocation import prepare_this_process
from source_salesforce_bulk.output import OutputLost, report_lost, silence_stdout
from source_salesforce_bulk.signals import Stop


def run() -> None:
    """Run the protocol command that the command line names.

    Only ``spec`` is answered from a file, because importing the CDK takes most of a second.
    Signals are handled before that.
    """
    arguments = sys.argv[1:]
    if arguments == ["spec"]:
        sys.exit(_print_spec())
    prepare_this_process()
    stop = Stop()
    stop.install()
    from source_salesforce_bulk.airbyte.lean_imports import import_entrypoint  # noqa: PLC0415 - see above

    import_entrypoint()
    from source_salesforce_bulk.airbyte.entrypoint import launch  # noqa: PLC0415

    launch(arguments, stop)


def _print_spec() -> int:
    spec = json.loads((Path(__file__).parent / "airbyte" / "spec.json").read_text(encoding="utf-8"))
    try:
        print(json.dumps({"type": "SPEC", "spec": spec}), flush=True)  # noqa: T201 - the protocol uses stdout
    except OSError as error:
        silence_stdout()
        return report_lost(OutputLost(error))
    return 0
