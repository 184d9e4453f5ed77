"""A state registry in a DynamoDB table with the string keys ``pk`` and ``sk``.

    pk                    sk                 holds
    <org id>#<object>     progress           state, lease (owner, fence, expires), range of valid file items
    <org id>#<object>     file#<number>      one data file

An item may have 400 KB, and an object can have millions of rows, so every file is an item. The progress item says which
file items are valid: from ``first_file`` to ``open_file`` (closed windows), and from there to ``next_file`` (the open
window). A commit is one transaction on both, conditional on an unchanged ``fence``. Taking a lease increments the
fence, so the previous holder can no longer commit, whatever its clock says. Clocks only determine how soon the lease of
a dead run may be taken over.

The only retries are boto3's, which resend a write whose answer was lost. So every write is idempotent: a repeated
commit writes the same values, and a repeated request for a lease is recognised by its ``claim``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from source_salesforce_bulk.registries.state import (
    DataFile,
    LeaseHeld,
    LeaseLost,
    Progress,
    State,
    UnreadableProgress,
    checked_progress,
)
from source_salesforce_bulk.salesforce.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE_SECONDS = 180
"""Seconds until a lease expires if it is not renewed. The next task waits as long after a task has vanished."""
RENEW_AFTER = 45.0
"""Seconds between renewals, so that several attempts fit into a lease's life."""

_ITEMS_AT_ONCE = 99  # DynamoDB allows 100 in a transaction; one is the progress item
_PROGRESS = "progress"
_REFUSALS = ("ConditionalCheckFailedException", "TransactionCanceledException")


class DynamoDbStates:
    """See ``StateRegistry``."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def acquire(self, organization_id: str, object_name: str, owner: str) -> DynamoDbLease:
        """See ``StateRegistry.acquire``."""
        lease, item = self._taken(organization_id, object_name, owner)
        try:
            lease.load(item)
        except BaseException:
            lease.release()
            raise
        return lease

    def entries(self) -> list[tuple[str, str]]:
        """See ``StateRegistry.entries``. Reads the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            ConsistentRead=True,
            FilterExpression="sk = :progress",
            ExpressionAttributeValues={":progress": {"S": _PROGRESS}},
        )
        kept = [item for page in pages for item in page["Items"] if _text(item, "state") not in ("", "{}")]
        keys = [_text(item, "pk").partition("#") for item in kept]
        return [(organization_id, object_name) for organization_id, _, object_name in keys]

    def reset(self, organization_id: str, object_name: str, owner: str) -> None:
        """See ``StateRegistry.reset``."""
        lease, _ = self._taken(organization_id, object_name, owner)
        try:
            lease.forget()
        finally:
            lease.release()

    def _taken(self, organization_id: str, object_name: str, owner: str) -> tuple[DynamoDbLease, Mapping[str, Any]]:
        """Return the object's lease and its item; raises ``LeaseHeld``."""
        key = f"{organization_id}#{object_name}"
        now = int(self._clock.now().timestamp())
        claim = uuid4().hex  # not the run's id, because two processes may have the same one
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(key, _PROGRESS),
                UpdateExpression="SET held_by = if_not_exists(#owner, :nobody), #owner = :owner, claim = :claim, "
                "expires = :until ADD fence :one",
                ConditionExpression="attribute_not_exists(expires) OR expires < :now OR claim = :claim",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={
                    ":owner": {"S": owner},
                    ":claim": {"S": claim},
                    ":until": {"N": str(now + LEASE_SECONDS)},
                    ":now": {"N": str(now)},
                    ":one": {"N": "1"},
                    ":nobody": {"S": ""},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            holder: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
            raise LeaseHeld(
                f"{object_name} is being exported by the run {_text(holder, 'owner') or 'unknown'}, whose lease in the "
                f"table {self._table} lasts {max(0, _number(holder, 'expires') - now)} seconds more"
            ) from error
        item: Mapping[str, Any] = answer["Attributes"]
        return DynamoDbLease(_Entry(self._client, self._table, key), self._clock, owner, item), item

    def progress(self, organization_id: str, object_name: str) -> Progress:
        """See ``StateRegistry.progress``."""
        entry = _Entry(self._client, self._table, f"{organization_id}#{object_name}")
        answer = self._client.get_item(TableName=self._table, Key=_key(entry.key, _PROGRESS), ConsistentRead=True)
        item = answer.get("Item", {})
        first, following = _number(item, "first_file"), _number(item, "next_file")
        return entry.progress(item, entry.files(range(first, following)))

    def check(self) -> None:
        """See ``StateRegistry.check``. Reads an item that never exists."""
        self._client.get_item(TableName=self._table, Key=_key("check", _PROGRESS))


@dataclass(frozen=True, slots=True)
class _Entry:
    """The items of one object in the table, by its key."""

    client: DynamoDBClient
    table: str
    key: str

    def files(self, numbers: range) -> list[DataFile]:
        """Return the files of these numbers, in order; missing ones are left out."""
        if not numbers:
            return []
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": {"S": self.key},
                ":first": {"S": _file_key(numbers.start)},
                ":last": {"S": _file_key(numbers.stop - 1)},
            },
        )
        try:
            return [DataFile.from_json(json.loads(_text(item, "file"))) for page in pages for item in page["Items"]]
        except (ValueError, RecursionError) as error:
            what = f"A file that {self.key} lists in the table {self.table} cannot be read: {error}."
            raise UnreadableProgress(what) from error

    def progress(self, item: Mapping[str, Any], files: Sequence[DataFile]) -> Progress:
        """Return the progress of an item, with the files that it lists."""
        open_from = _number(item, "open_file") - _number(item, "first_file")
        kept = Progress(
            state=self._state(item),
            closed=tuple(files[:open_from]),
            open=tuple(files[open_from:]),
            destination=_text(item, "destination"),
            closing=_text(item, "closing") or None,
            file_format=_text(item, "file_format"),
            named_rows=_number(item, "named_rows"),
            begun_by=_text(item, "begun_by"),
        )
        return checked_progress(kept)

    def _state(self, item: Mapping[str, Any]) -> State:
        try:
            state = json.loads(_text(item, "state") or "{}")
        except (ValueError, RecursionError):
            state = None
        if not isinstance(state, dict):
            raise UnreadableProgress(f"The state of {self.key} in the table {self.table} is not a JSON object.")
        return state


class DynamoDbLease:
    """See ``Lease``."""

    def __init__(self, entry: _Entry, clock: Clock, owner: str, item: Mapping[str, Any]) -> None:
        self._entry = entry
        self._client, self._table, self._key = entry.client, entry.table, entry.key
        self._clock = clock
        self._owner = owner
        self._fence = _number(item, "fence")
        self._first = _number(item, "first_file")
        self._next = _number(item, "next_file")
        self._progress = Progress()
        self._taken_over = bool(_text(item, "held_by"))
        self._renewed_at = clock.monotonic()
        self._released = False

    @property
    def progress(self) -> Progress:
        """See ``Lease.progress``."""
        return self._progress

    @property
    def taken_from(self) -> str | None:
        """See ``Lease.taken_from``."""
        return str(self._fence) if self._taken_over else None

    def load(self, item: Mapping[str, Any]) -> None:
        """Load the progress after the lease was taken; raises ``UnreadableProgress``."""
        files = self._entry.files(range(self._first, self._next))
        if len(files) != self._next - self._first:
            raise UnreadableProgress(f"The item {self._key} in the table {self._table} does not hold what it lists.")
        self._progress = self._entry.progress(item, files)

    def forget(self) -> None:
        """Reset the progress, even if it cannot be read."""
        numbers = range(self._first, self._next)
        self._progress, self._first = Progress(), self._next
        self.commit(Progress())
        self._forget(numbers)

    def commit(self, progress: Progress) -> None:
        """See ``Lease.commit``.

        Raises ValueError for more than 99 new files, which do not fit into one transaction and which no run has.
        """
        held = (*self._progress.closed, *self._progress.open)
        wanted = (*progress.closed, *progress.open)
        first, kept = _overlap(held, wanted)
        added = wanted[kept:]
        if len(added) > _ITEMS_AT_ONCE:
            raise ValueError(f"{len(added)} files are too many for one commit")
        start = self._first + first
        following = start + kept
        values: dict[str, Any] = {
            ":state": {"S": json.dumps(progress.state)},
            ":first": {"N": str(start)},
            ":open": {"N": str(start + len(progress.closed))},
            ":next": {"N": str(following + len(added))},
            ":destination": {"S": progress.destination},
            ":closing": {"S": progress.closing or ""},
            ":format": {"S": progress.file_format},
            ":named": {"N": str(progress.named_rows)},
            ":begun": {"S": progress.begun_by},
        }
        self._write(
            "#state = :state, first_file = :first, open_file = :open, next_file = :next, "
            "destination = :destination, closing = :closing, file_format = :format, named_rows = :named, "
            "begun_by = :begun",
            values,
            {"#state": "state"},
            [(following + index, file) for index, file in enumerate(added)],
        )
        self._progress, self._first, self._next = progress, start, following + len(added)
        self._forget(range(start - first, start))

    def renew(self) -> None:
        """See ``Lease.renew``."""
        if self._clock.monotonic() - self._renewed_at >= RENEW_AFTER:
            self._write("", {}, {}, [])

    def release(self) -> None:
        """See ``Lease.release``."""
        if self._released:
            return
        self._released = True
        with suppress(Exception):  # the lease expires by itself, and the remaining clean-up must go on
            self._client.update_item(
                TableName=self._table,
                Key=_key(self._key, _PROGRESS),
                UpdateExpression="REMOVE expires, claim, #owner",
                ConditionExpression="fence = :fence",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":fence": {"N": str(self._fence)}},
            )

    def _write(
        self, update: str, values: Mapping[str, Any], names: Mapping[str, str], files: list[tuple[int, DataFile]]
    ) -> None:
        """Run one transaction that also renews the lease; raises ``LeaseLost`` if the fence has changed."""
        if self._released:
            raise LeaseLost(f"the lease on {self._key} was released")
        until = int(self._clock.now().timestamp()) + LEASE_SECONDS
        puts: list[Any] = [
            {"Put": {"TableName": self._table, "Item": {**_key(self._key, _file_key(number)), **_file_item(file)}}}
            for number, file in files
        ]
        change: Any = {
            "TableName": self._table,
            "Key": _key(self._key, _PROGRESS),
            "UpdateExpression": f"SET expires = :until{', ' if update else ''}{update}",
            "ConditionExpression": "fence = :fence AND #owner = :owner",
            "ExpressionAttributeNames": {"#owner": "owner", **names},
            "ExpressionAttributeValues": {
                ":until": {"N": str(until)},
                ":fence": {"N": str(self._fence)},
                ":owner": {"S": self._owner},
                **values,
            },
        }
        try:
            self._client.transact_write_items(TransactItems=[{"Update": change}, *puts])
        except ClientError as error:
            if _is_refusal(error):
                raise LeaseLost(f"another run has taken the lease on {self._key} in the table {self._table}") from error
            raise
        self._renewed_at = self._clock.monotonic()

    def _forget(self, numbers: range) -> None:
        """Delete file items that are no longer valid. Items left after a crash only take a few bytes."""
        for start in range(numbers.start, numbers.stop, 25):
            keys = [_key(self._key, _file_key(number)) for number in numbers[start - numbers.start :][:25]]
            try:
                self._client.batch_write_item(
                    RequestItems={self._table: [{"DeleteRequest": {"Key": key}} for key in keys]}
                )
            except ClientError:
                return


def _overlap(held: tuple[DataFile, ...], wanted: tuple[DataFile, ...]) -> tuple[int, int]:
    """Return how many files to drop from the start of ``held``, and how many of ``wanted`` are in the rest."""
    first = 0
    if wanted and wanted[0] in held:
        first = held.index(wanted[0])
    elif held:
        first = len(held)
    kept = 0
    for one, other in zip(held[first:], wanted, strict=False):
        if one != other:
            break
        kept += 1
    return first, kept


def _is_refusal(error: ClientError) -> bool:
    if error.response["Error"]["Code"] not in _REFUSALS:
        return False
    reasons: list[Mapping[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons) or not reasons


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _file_key(number: int) -> str:
    return f"file#{number:012d}"


def _file_item(file: DataFile) -> dict[str, Any]:
    return {"file": {"S": json.dumps(file.to_json())}}


def _text(item: Mapping[str, Any], name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _number(item: Mapping[str, Any], name: str) -> int:
    return int(item.get(name, {}).get("N", "0"))
