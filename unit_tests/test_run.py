from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import source_salesforce_bulk
from source_salesforce_bulk import run
from source_salesforce_bulk.airbyte import entrypoint


def test_spec_alone_is_answered_from_the_shipped_file_without_importing_the_cdk():
    program = (
        "import sys; sys.argv = ['source-salesforce-bulk', 'spec']; "
        "from source_salesforce_bulk.run import run; run(); "
        "assert not any(name.startswith('airbyte_cdk') for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    shipped = (Path(source_salesforce_bulk.__file__).parent / "airbyte" / "spec.json").read_text(encoding="utf-8")
    assert json.loads(line) == {"type": "SPEC", "spec": json.loads(shipped)}


def test_any_other_command_is_launched_with_its_arguments_and_signals_already_heeded(monkeypatch):
    told: list[object] = []

    class FakeStop:
        def install(self) -> None:
            told.append("installed")

    monkeypatch.setattr(run, "Stop", FakeStop)
    monkeypatch.setattr(entrypoint, "launch", lambda arguments, *_: told.append(arguments))
    monkeypatch.setattr(sys, "argv", ["source-salesforce-bulk", "check", "--config", "c.json"])
    run.run()
    assert told == ["installed", ["check", "--config", "c.json"]]
