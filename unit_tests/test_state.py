from __future__ import annotations

import json

import pytest

from source_salesforce_bulk.registries.state import DataFile, Progress, UnreadableProgress

# What a folder above, another place, a terminal or a log would be given.
PATHS = [
    "",
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a/./b",
    "a//b",
    "a\\b",
    "a/\x00",
    "a/\x1b[2J",
    "a/\ud800",
    "a/" + "b" * 9000,
]
WORDS = ["", "750A\n", "\x1b[2J", "a b", "\ud800", "x" * 1001]
NAMES = ["../../x", "/x", "a/b", "..", ".hidden", "a\nb", "\x1b[2J", "a" * 201]

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
        Progress().to_json() | {"open": [FILE.to_json() | {"rows": -1}]},
        *(Progress().to_json() | {"open": [FILE.to_json() | {"path": path}]} for path in PATHS),
        *(Progress().to_json() | {"closed": [FILE.to_json() | {"job": word}]} for word in WORDS),
        *(Progress().to_json() | {"closed": [FILE.to_json() | {"locator": word}]} for word in WORDS),
        *(Progress().to_json() | {"closing": name} for name in NAMES),
        *(Progress().to_json() | {"begun_by": name} for name in NAMES if name),
        Progress().to_json() | {"destination": "s3://b\x1b[2J"},
        Progress().to_json() | {"file_format": "parquet\nINFO"},
        Progress().to_json() | {"named_rows": -5},
    ],
)
def test_anything_else_is_refused(payload):
    with pytest.raises(UnreadableProgress, match=r"^it "):
        Progress.from_json(payload)
