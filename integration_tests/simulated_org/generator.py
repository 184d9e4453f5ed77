"""Deterministic rows: the n-th row of an object depends on the seed, the object and n, and on nothing else.

Ids are a pure function of the key prefix and n, so a row can refer to a parent that was never generated.
"""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from integration_tests.simulated_org.catalog.awkward import pools
from integration_tests.simulated_org.cells import Cell, Maker, cell_maker
from integration_tests.simulated_org.clock import parse_stamp, record_stamp
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.settings import OrgSettings

Row = dict[str, Cell]

_SPAN = timedelta(days=4 * 365)
_BULK_LOADS = ((0.30, 0.42), (0.70, 0.75))  # shares of an object's rows that were loaded in one second


class RowMaker:
    """Makes the rows of one object; `targets` gives the objects that references may point at."""

    def __init__(self, declared: SObject, settings: OrgSettings, targets: Callable[[str], SObject | None]) -> None:
        self._declared = declared
        self._seed = settings.seed
        self._until = parse_stamp(settings.data_until)
        self._names = {one.name for one in declared.fields}
        awkward = pools() if declared.name == "Awkward__c" else {}
        self._makers: list[tuple[str, Maker]] = [
            (one.name, _walk(awkward[one.name]))
            if one.name in awkward
            else (one.name, cell_maker(one, declared, self._until, targets))
            for one in declared.fields
        ]

    def rows(self) -> Iterator[Row]:
        """Yield every row of the object in the order of creation."""
        for n in range(self._declared.volume):
            yield self.row(n)

    def row(self, n: int) -> Row:
        """Make the n-th row."""
        rng = random.Random(f"{self._seed}:{self._declared.name}:{n}")
        row: Row = {"Id": self._declared.row_id(n)}
        for name, make in self._makers:
            row[name] = make(n, rng)
        self._stamp(row, n, rng)
        self._retire(row, n, rng)
        self._agree(row)
        return row

    def _stamp(self, row: Row, n: int, rng: random.Random) -> None:
        """Set the audit fields: creation in the order of rows, bulk loads in one second, stamps never after the end."""
        created, modified, stamped = self._moments(n / max(1, self._declared.volume), rng)
        if self._declared.name == "Ties__c":
            created = modified = stamped = self._until - timedelta(days=30)
        for name, moment in (
            ("CreatedDate", created),
            ("LastModifiedDate", modified),
            ("SystemModstamp", stamped),
            ("LoginTime", created),
            ("EventDate", created),
            ("Occurred__c", created),
        ):
            if name in self._names:
                row[name] = record_stamp(moment)
        if self._declared.name == "NullCursor__c" and n % 5 == 0:
            row["LastModifiedDate"] = None

    def _retire(self, row: Row, n: int, rng: random.Random) -> None:
        """Put some rows into the recycle bin, half of those by a merge, and archive the oldest activities."""
        deleted = self._declared.soft_deletes and rng.random() < 0.04
        row["IsDeleted"] = "true" if deleted else "false"
        archived = self._declared.name in ("Task", "Event") and n < self._declared.volume / 10
        row["IsArchived"] = "true" if archived else "false"
        if "MasterRecordId" in self._names and not (deleted and rng.random() < 0.5):
            row["MasterRecordId"] = None

    def _moments(self, share: float, rng: random.Random) -> tuple[datetime, datetime, datetime]:
        for first, last in _BULK_LOADS:
            if first <= share < last:
                loaded = self._until - _SPAN * (1 - first)
                created = parse_stamp("1995-05-05T00:00:00Z") if rng.random() < 0.05 else loaded
                return created, loaded, loaded
        created = self._until - _SPAN * (1 - share) - timedelta(seconds=int(rng.random() * 3_600))
        modified = min(self._until, created + timedelta(seconds=int(rng.random() * 200 * 86_400)))
        automatic = timedelta(seconds=rng.choice((0, 0, 0, 1, 7, 86_400)))
        return created, modified, min(self._until, modified + automatic)

    def _agree(self, row: Row) -> None:
        """Make dependent cells agree with each other."""
        if "LastName" in self._names:
            row["Name"] = " ".join(filter(None, (row.get("FirstName"), row["LastName"])))
        for body, size in (("VersionData", "ContentSize"), ("Body", "BodyLength")):
            if size in self._names:
                row[size] = str(len(base64.b64decode(row.get(body) or "")))
        if "Checksum" in self._names:
            content = base64.b64decode(row["VersionData"] or "")
            row["Checksum"] = hashlib.md5(content, usedforsecurity=False).hexdigest() if content else None
        if row.get("TotalPrice") is not None and row.get("UnitPrice") is not None:
            row["TotalPrice"] = str(round(float(row["Quantity"] or 0) * float(row["UnitPrice"] or 0), 2))


def _walk(pool: tuple[str, ...]) -> Maker:
    """Go through a pool row by row, a null after each round."""
    return lambda n, rng: None if n % (len(pool) + 1) == len(pool) else pool[n % (len(pool) + 1)]
