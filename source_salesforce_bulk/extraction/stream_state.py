"""The state of one stream: its meaning and its JSON form (docs/contracts.md, "State").

    {"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": "sha256:...", "resume": [{...}, ...]}

The cursor means that every row with a smaller cursor has been emitted. ``resume`` lists the unfinished windows that
have a job, in the order in which they are read; only the first may have emitted rows. Any runner can continue the state
of any other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from source_salesforce_bulk.salesforce.bulk_api import is_job_id, is_locator
from source_salesforce_bulk.salesforce.ids import is_id
from source_salesforce_bulk.salesforce.soql import Bounds, check_where, format_instant, parse_instant

COMPLETE_MARKER: Mapping[str, object] = {"__ab_full_refresh_sync_complete": True}
"""The complete state of a finished full refresh, as the CDK's resumable reader expects it."""

REST_JOB = "rest"
"""Takes the place of a job id for a window that is read through REST; its locator is the last Id, or parent, read."""

_NO_CURSOR_MARKER: Mapping[str, object] = {"__ab_no_cursor_state_message": True}
_RESUME = "resume"
_SCOPE = "scope"
DELETES = "deletes"
FORMULAS = "formulas"
FIELDS = "fields"
"""The keys of the memories of delivered rows, of their formulas and of their fields."""
_MODE = "mode"
_FULL_REFRESH = "full_refresh"
_API = "api"
_REST = "rest"
_VERSION = re.compile(r"v\d{1,4}\.\d", re.ASCII)


class Mode(Enum):
    """The sync mode of a stream."""

    INCREMENTAL = "incremental"
    FULL_REFRESH = "full_refresh"


class StateError(ValueError):
    """The state is not a state of this stream. The message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """An unfinished window and its job; ``page`` pages with ``rows`` rows were read before ``locator`` (None: start).

    The job is continued with the ``api_version`` with which it was created. With another version Salesforce refuses its
    results (409), and the window is read again with a new job. ``extra`` says why the window is read again although its
    rows were delivered; None for windows that the cursor leads to.
    """

    job: str
    locator: str | None
    page: int
    rows: int
    bounds: Bounds
    api_version: str
    page_size: int
    query: str
    extra: str | None = None


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream's state. ``complete`` is only ever true of a full refresh.

    ``refused``: Bulk API refuses the object. ``deletes`` is the memory of delivered rows, which shows
    the deleted ones (``known_ids``). ``formulas`` is the memory of their formulas, which shows changed values
    (``value_ranges``). ``fields`` are the names of the fields that all delivered rows have (``new_fields``).
    """

    mode: Mode
    cursor: datetime | None = None
    scope: str | None = None
    resume: tuple[ResumePoint, ...] = ()
    complete: bool = False
    deletes: Mapping[str, object] | None = None
    formulas: Mapping[str, object] | None = None
    fields: tuple[str, ...] | None = None
    refused: bool = False

    def to_json(self, cursor_field: str | None) -> dict[str, object]:
        """Return the state as emitted; ``resume`` is absent if no window is open."""
        if self.complete:
            return dict(COMPLETE_MARKER)
        blob: dict[str, object] = {}
        if self.mode is Mode.FULL_REFRESH:
            blob[_MODE] = _FULL_REFRESH
        elif self.cursor is not None and cursor_field is not None:
            blob[cursor_field] = format_instant(self.cursor)
        if self.scope is not None:
            blob[_SCOPE] = self.scope
        if self.refused:
            blob[_API] = _REST
        if self.resume:
            blob[_RESUME] = [_point_to_json(point) for point in self.resume]
        if self.deletes is not None:
            blob[DELETES] = dict(self.deletes)
        if self.formulas is not None:
            blob[FORMULAS] = dict(self.formulas)
        if self.fields is not None:
            blob[FIELDS] = list(self.fields)
        return blob


@dataclass(frozen=True, slots=True)
class ReadState:
    """An incoming state, and a warning for the user: a sentence, or None.

    ``abandoned`` are jobs that the state names and that are not continued.
    """

    state: StreamState
    warning: str | None = None
    abandoned: tuple[ResumePoint, ...] = ()


def scope_hash(
    *, organization_id: str | None, operation: str, where: str | None, cursor_field: str | None, start: datetime | None
) -> str:
    """Return the hash of everything that a state depends on; a state with another scope cannot be used."""
    parts = [organization_id, operation, where, cursor_field, format_instant(start) if start else None]
    return "sha256:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_state(blob: Mapping[str, object] | None, mode: Mode, cursor_field: str | None, scope: str) -> ReadState:
    """Parse the incoming ``blob`` as this stream's state.

    A full refresh continues only a state that a full refresh wrote; any other state is ignored with a warning. Raises
    :class:`StateError` if an incremental state is malformed or belongs to another stream.
    """
    fresh = StreamState(mode=mode, scope=scope, refused=is_refused(blob))
    if not blob or blob == _NO_CURSOR_MARKER:
        return ReadState(fresh)
    if not isinstance(blob, Mapping):
        raise StateError("it is not a JSON object")
    if mode is Mode.FULL_REFRESH:
        return _read_full_refresh(blob, fresh)
    if blob == COMPLETE_MARKER or blob.get(_MODE) == _FULL_REFRESH:
        warning = "The state was written by a full refresh; this incremental sync starts from the beginning."
        return ReadState(fresh, warning, sound_points(blob))
    points = _points(blob)
    if blob.get(_SCOPE, scope) != scope:
        return ReadState(fresh, _OTHER_SCOPE, points)
    cursor = _cursor(blob, cursor_field)
    if cursor is None and not points and _SCOPE not in blob:
        raise StateError(f"it has no {cursor_field} and names no job, so it is not a state of this stream")
    known = replace(
        fresh, deletes=_memory(blob, DELETES), formulas=_memory(blob, FORMULAS), fields=_fields(blob.get(FIELDS))
    )
    return ReadState(replace(known, cursor=cursor, resume=points))


def is_refused(blob: Mapping[str, object] | None) -> bool:
    """Return whether a state records that Bulk API refuses the object."""
    return isinstance(blob, Mapping) and blob.get(_API) == _REST


def jobs_named(blob: Mapping[str, object] | None) -> frozenset[str]:
    """Return the ids of the jobs that an unvalidated state names."""
    entries = (blob or {}).get(_RESUME)
    if not isinstance(entries, list):
        return frozenset()
    return frozenset(str(entry["job"]) for entry in entries if isinstance(entry, Mapping) and "job" in entry)


def spelled(blob: Mapping[str, object], cursor_field: str | None, scope: Callable[..., str]) -> Mapping[str, object]:
    """Return the state with the cursor's current spelling, if only the letter case of the field has changed."""
    if cursor_field is None or cursor_field in blob:
        return blob
    was = next((key for key in blob if key.lower() == cursor_field.lower()), None)
    if was is None:
        return blob
    renamed = {cursor_field if key == was else key: value for key, value in blob.items()}
    return renamed | ({"scope": scope()} if blob.get("scope") == scope(cursor_field=was) else {})


def instants_in(blob: Mapping[str, object]) -> list[datetime]:
    """Return every instant among the values of an unvalidated state, of which the cursor is one."""
    found = []
    for value in blob.values():
        if isinstance(value, str):
            try:
                found.append(parse_instant(value))
            except ValueError:
                continue
    return found


def sound_points(blob: Mapping[str, object]) -> tuple[ResumePoint, ...]:
    """Return the valid points of a state that is not used, to find the jobs that will not be read."""
    try:
        return _points(blob)
    except StateError:
        return ()


_OTHER_SCOPE = (
    "The state was written for another organization, include_deleted, where, cursor field or start_date; "
    "this sync starts from the beginning."
)


def _read_full_refresh(blob: Mapping[str, object], fresh: StreamState) -> ReadState:
    if blob == COMPLETE_MARKER:
        return ReadState(replace(fresh, complete=True))
    if blob.get(_MODE) != _FULL_REFRESH:
        return ReadState(fresh, "The state was not written by a full refresh; it is ignored.")
    try:
        points = _points(blob)
    except StateError as error:
        return ReadState(fresh, f"The state of the earlier full refresh is ignored: {error}.")
    if blob.get(_SCOPE, fresh.scope) != fresh.scope:
        return ReadState(fresh, _OTHER_SCOPE, points)
    return ReadState(replace(fresh, resume=points))


def _memory(blob: Mapping[str, object], key: str) -> Mapping[str, object] | None:
    memory = blob.get(key)
    if memory is None or isinstance(memory, Mapping):
        return memory
    raise StateError(f"its {key} is not a JSON object")


def _fields(names: object) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StateError(f"its {FIELDS} is not a list of names")
    return tuple(names)


def _cursor(blob: Mapping[str, object], cursor_field: str | None) -> datetime | None:
    if cursor_field is None or cursor_field not in blob:
        return None
    value = blob[cursor_field]
    if not isinstance(value, str):
        raise StateError(f"its {cursor_field} is not a text")
    try:
        return parse_instant(value)
    except ValueError as error:
        raise StateError(f"its {cursor_field} is not an instant like 2026-11-23T02:00:00.000Z") from error


def _points(blob: Mapping[str, object]) -> tuple[ResumePoint, ...]:
    entries = blob.get(_RESUME, [])
    if not isinstance(entries, list):
        raise StateError("its resume is not a list")
    return tuple(_point(entry) for entry in entries)


def _point(entry: object) -> ResumePoint:
    if not isinstance(entry, Mapping):
        raise StateError("an entry of its resume is not an object")
    return ResumePoint(
        job=_checked(entry, "job", is_job_id),
        locator=None if entry.get("locator") is None else _checked(entry, "locator", is_locator),
        page=_count(entry, "page"),
        rows=_count(entry, "rows"),
        bounds=Bounds(
            start=_instant(entry, "from"),
            end=_instant(entry, "to"),
            id_from=_id(entry, "id_from"),
            id_to=_id(entry, "id_to"),
            only=_condition(entry, "only"),
        ),
        api_version=_version(entry, "api_version"),
        page_size=_count(entry, "page_size", least=1),
        query=_text(entry, "query"),
        extra=_optional_text(entry, "extra"),
    )


def _point_to_json(point: ResumePoint) -> dict[str, object]:
    bounds = point.bounds
    return {
        "job": point.job,
        "locator": point.locator,
        "page": point.page,
        "rows": point.rows,
        "from": format_instant(bounds.start) if bounds.start else None,
        "to": format_instant(bounds.end) if bounds.end else None,
        "id_from": bounds.id_from,
        "id_to": bounds.id_to,
        "api_version": point.api_version,
        "page_size": point.page_size,
        "query": point.query,
        **({"only": bounds.only} if bounds.only else {}),
        **({"extra": point.extra} if point.extra else {}),
    }


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise StateError(f"an entry of its resume has no {key}")
    return value


def _checked(entry: Mapping[str, object], key: str, fits: Callable[[object], bool]) -> str:
    """Return a job id or locator, which becomes part of a URL, after validating it."""
    text = _text(entry, key)
    if not fits(text):
        raise StateError(f"the {key} of an entry of its resume is not one of Salesforce's")
    return text


def _optional_text(entry: Mapping[str, object], key: str) -> str | None:
    return None if entry.get(key) is None else _text(entry, key)


def _id(entry: Mapping[str, object], key: str) -> str | None:
    """Return an Id, which becomes part of a query, after validating it."""
    text = _optional_text(entry, key)
    if text is not None and not is_id(text):
        raise StateError(f"the {key} of an entry of its resume is not a Salesforce Id")
    return text


def _condition(entry: Mapping[str, object], key: str) -> str | None:
    """Return a condition, which becomes part of a query, after validating it."""
    text = _optional_text(entry, key)
    try:
        return None if text is None else check_where(text)
    except ValueError as error:
        raise StateError(f"the {key} of an entry of its resume {error}") from error


def _version(entry: Mapping[str, object], key: str) -> str:
    """Return an API version, which becomes part of a path, after validating it."""
    text = _text(entry, key)
    if not _VERSION.fullmatch(text):
        raise StateError(f"the {key} of an entry of its resume is not a version like v66.0")
    return text


def _count(entry: Mapping[str, object], key: str, least: int = 0) -> int:
    value = entry.get(key)
    # JSON numbers come back as floats from some state stores.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise StateError(f"the {key} of an entry of its resume is not a whole number from {least} on")
    return value


def _instant(entry: Mapping[str, object], key: str) -> datetime | None:
    text = _optional_text(entry, key)
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise StateError(f"the {key} of an entry of its resume is not an instant") from error
