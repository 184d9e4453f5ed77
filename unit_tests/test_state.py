from __future__ import annotations

import json

import pytest

from source_salesforce_bulk.registries.state import DataFile, Progress, UnreadableProgress

FILE = DataFile("Account/run=r/w00000-p000000.parquet", 10, 2000, "750A", "abc")


def test_progress_survives_its_json():
    progress = Progress({"SystemModstamp": "2026-11-23T02:00:00.000Z"}, (FILE,), (FILE, FILE), "s3://b/p", "r1")
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


def test_nothing_kept_is_the_beginning():
    assert Progress.from_json(Progress().to_json()) == Progress({}, (), (), "", None)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {},
        Progress().to_json() | {"state": "x"},
        Progress().to_json() | {"closing": 1},
        Progress().to_json() | {"open": [{"path": "x"}]},
        Progress().to_json() | {"open": [FILE.to_json() | {"locator": 3}]},
        Progress().to_json() | {"open": [FILE.to_json() | {"rows": "ten"}]},
    ],
)
def test_anything_else_is_refused(payload):
    with pytest.raises(UnreadableProgress, match=r"^it "):
        Progress.from_json(payload)
