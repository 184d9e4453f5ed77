"""The manifest of a run, written last: the list of files with the run's rows. Pure.

    {"run_id": "...", "status": "complete", "objects": [
        {"object": "Account", "files": [{"path", "rows", "bytes", "job", "locator"}], "rows": 12345,
         "schema_version": 3, "state_before": {...}, "state_after": {...}, "status": "complete"}]}

Files that no manifest names are not part of any export.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from source_salesforce_bulk.export.outcomes import ObjectOutcome

COMPLETE = "complete"

_WINDOW = re.compile(r"/run=(?P<run>[^/]+)/w(?P<window>\d+)-p\d+\.\w+$")


def page_path(object_name: str, run_id: str, window: int, page: int, extension: str) -> str:
    """Return the path of a page's file, relative to the destination.

    >>> page_path("Account", "20261125T080000Z-3f9a1c", 0, 12, "parquet")
    'Account/run=20261125T080000Z-3f9a1c/w00000-p000012.parquet'
    """
    return f"{object_name}/run={run_id}/w{window:05d}-p{page:06d}.{extension}"


def highest_window(run: str, paths: Iterable[str]) -> int:
    """Return the highest window number among the ``paths`` in the folder of ``run``; -1 if there is none."""
    found = (_WINDOW.search(path) for path in paths)
    return max((int(match["window"]) for match in found if match and match["run"] == run), default=-1)


def build_manifest(
    run_id: str, outcomes: Sequence[ObjectOutcome], destination: str, started: datetime, ended: datetime
) -> dict[str, Any]:
    """Build the manifest of a finished run: ``complete``, or ``partial`` if an object has failed."""
    complete = all(outcome.failure is None for outcome in outcomes)
    return {
        "run_id": run_id,
        "status": COMPLETE if complete else "partial",
        "destination": destination,
        "started_at": started.isoformat(timespec="seconds"),
        "ended_at": ended.isoformat(timespec="seconds"),
        "objects": [_entry(outcome) for outcome in outcomes],
    }


def abandoned_manifest(name: str) -> dict[str, Any]:
    """Build a placeholder for the manifest of a dead run, so that the real one can no longer be written."""
    return {"run_id": name, "status": "abandoned", "objects": []}


def is_manifest(parsed: object) -> bool:
    """Return whether the parts of a JSON value that later runs read are those of a manifest."""
    entries = parsed.get("objects", []) if isinstance(parsed, Mapping) else None
    return isinstance(entries, list) and all(
        isinstance(entry, Mapping) and _are_files(entry.get("files", [])) for entry in entries
    )


def _are_files(files: object) -> bool:
    return isinstance(files, list) and all(
        isinstance(file, Mapping) and isinstance(file.get("path"), str) for file in files
    )


def files_named(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Return the paths of all files that a manifest names."""
    return frozenset(path for entry in manifest.get("objects", ()) for path in named_files(entry))


def named_files(entry: Mapping[str, Any]) -> list[str]:
    """Return the paths of the files that a manifest names for one object."""
    return [str(file["path"]) for file in entry.get("files", ())]


def _entry(outcome: ObjectOutcome) -> dict[str, Any]:
    return {
        "object": outcome.object_name,
        "status": outcome.status,
        **({"error": outcome.failure.message} if outcome.failure is not None else {}),
        "files": [file.to_json() for file in outcome.files],
        "rows": outcome.rows,
        "schema_version": outcome.schema_version,
        "state_before": outcome.state_before,
        "state_after": outcome.state_after,
    }
