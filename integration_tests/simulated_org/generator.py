"""Deterministic rows: the n-th row of an object depends on the seed, the object and n, and on nothing else.

Ids are a pure function of the key prefix and n, so a row can refer to a parent that was never generated.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from integration_tests.simulated_org.catalog.awkward import pools
from integration_tests.simulated_org.clock import parse_stamp, record_stamp
from integration_tests.simulated_org.fields import Field
from integration_tests.simulated_org.ids import record_id
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.settings import OrgSettings

Cell = str | None
Row = dict[str, Cell]

_FIRST = ("Ada", "Björn", "Chloé", "Dmitri", "Elif", "Fatima", "Grace", "Hiroshi", "Inés", "João", "Kwame", "Lars")
_LAST = ("Nguyen", "O'Neil", "Østergård", "de la Cruz", "Smith", "Müller", "Null", "Tanaka", "Kowalski", "Na", "García")
_CITIES = ("San Francisco", "Zürich", "São Paulo", "東京", "Saint-Étienne", "Boston", "Reykjavík")
_COUNTRIES = ("US", "CH", "BR", "JP", "FR", "IS")
_WORDS = (
    "renewal",
    "follow up",
    'said "maybe"',
    "N/A",
    "urgent, really",
    "line one\nline two",
    "carriage\r\nreturn",
    "déjà vu",
    "no comment",
    "budget; approved",
    "call back",
    "0042",
)
_SPAN = timedelta(days=4 * 365)
_BULK_LOADS = ((0.30, 0.42), (0.70, 0.75))  # shares of an object's rows that were loaded in one second


class RowMaker:
    """Makes the rows of one object; `targets` gives the objects that references may point at."""

    def __init__(self, declared: SObject, settings: OrgSettings, targets: Callable[[str], SObject | None]) -> None:
        self._declared = declared
        self._seed = settings.seed
        self._until = parse_stamp(settings.data_until)
        self._targets = targets
        self._pools = pools() if declared.name == "Awkward__c" else {}
        self._names = {one.name for one in declared.fields}

    def rows(self) -> Iterator[Row]:
        """Yield every row of the object in the order of creation."""
        for n in range(self._declared.volume):
            yield self.row(n)

    def row(self, n: int) -> Row:
        """Make the n-th row."""
        rng = random.Random(f"{self._seed}:{self._declared.name}:{n}")
        row: Row = {"Id": record_id(self._declared.prefix, n)}
        for field in self._declared.fields:
            row[field.name] = self._cell(field, n, rng)
        self._stamp(row, n, rng)
        self._agree(row)
        return row

    def _cell(self, field: Field, n: int, rng: random.Random) -> Cell:
        if field.name == "Id":
            return record_id(self._declared.prefix, n)
        pool = self._pools.get(field.name)
        if pool is not None:
            return pool[n % len(pool)] if n % (len(pool) + 1) != len(pool) else None
        if field.kind == "compound" or (field.nillable and rng.random() < 0.15):
            return None
        return self._value(field, n, rng)

    def _value(self, field: Field, n: int, rng: random.Random) -> Cell:
        if field.kind == "id":
            return self._reference(field, rng)
        if field.choices:
            return _choice(field, rng)
        if field.kind == "boolean":
            return "true" if rng.random() < 0.4 else "false"
        if field.kind == "number":
            return _number(field, n, rng)
        if field.kind in ("date", "datetime", "time"):
            return _moment(field.kind, self._until, rng)
        return _text(field, self._declared, n, rng)

    def _reference(self, field: Field, rng: random.Random) -> Cell:
        if not field.targets:
            return None
        target = self._targets(rng.choice(field.targets))
        if target is None or not target.volume:
            return None
        return record_id(target.prefix, rng.randrange(target.volume))

    def _stamp(self, row: Row, n: int, rng: random.Random) -> None:
        """Set the audit fields: creation in the order of rows, bulk loads in one second, stamps never after the end."""
        share = n / max(1, self._declared.volume)
        created, modified, stamped = self._moments(share, rng)
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
            if row.get(name) is not None:
                row[name] = record_stamp(moment)
        if self._declared.name == "NullCursor__c" and n % 5 == 0:
            row["LastModifiedDate"] = None
        deleted = self._declared.soft_deletes and rng.random() < 0.04
        row["IsDeleted"] = "true" if deleted else "false"
        if self._declared.name in ("Task", "Event"):
            row["IsArchived"] = "true" if share < 0.1 else "false"
        elif "IsArchived" in self._names:
            row["IsArchived"] = "false"
        if not deleted or rng.random() < 0.5:
            self._clear(row, "MasterRecordId")

    def _moments(self, share: float, rng: random.Random) -> tuple[datetime, datetime, datetime]:
        for first, last in _BULK_LOADS:
            if first <= share < last:
                loaded = self._until - _SPAN * (1 - first)
                created = parse_stamp("1995-05-05T00:00:00Z") if rng.random() < 0.05 else loaded
                return created, loaded, loaded
        created = self._until - _SPAN * (1 - share) - timedelta(seconds=rng.randrange(3_600))
        modified = min(self._until, created + timedelta(seconds=rng.randrange(200 * 86_400)))
        automatic = timedelta(seconds=rng.choice((0, 0, 0, 1, 7, 86_400)))
        return created, modified, min(self._until, modified + automatic)

    def _agree(self, row: Row) -> None:
        """Make dependent cells agree with each other."""
        if "LastName" in self._names:
            row["Name"] = " ".join(filter(None, (row.get("FirstName"), row["LastName"])))
        if row.get("TotalPrice") is not None and row.get("UnitPrice") is not None:
            row["TotalPrice"] = str(round(float(row["Quantity"] or 0) * float(row["UnitPrice"] or 0), 2))

    def _clear(self, row: Row, name: str) -> None:
        if name in row:
            row[name] = None


def _choice(field: Field, rng: random.Random) -> str:
    if field.type == "multipicklist":
        return ";".join(sorted(rng.sample(field.choices, rng.randint(1, len(field.choices)))))
    return rng.choice(field.choices)


def _number(field: Field, n: int, rng: random.Random) -> str:
    if field.name.endswith("Latitude") or "Latitude__s" in field.name:
        return str(round(rng.uniform(-90, 90), 6))
    if field.name.endswith("Longitude") or "Longitude__s" in field.name:
        return str(round(rng.uniform(-180, 180), 6))
    if field.type in ("int", "long"):
        return f"{rng.randrange(10_000)}.0" if n % 9 == 0 else str(rng.randrange(10_000))
    if field.type == "percent":
        return str(float(rng.randrange(0, 101, 5)))
    if field.scale == 0:
        return str(float(rng.randrange(1_000, 50_000_000)))
    return str(round(rng.uniform(0, 250_000), field.scale))


def _moment(kind: str, until: datetime, rng: random.Random) -> str:
    moment = until - timedelta(seconds=rng.randrange(4 * 365 * 86_400))
    if kind == "date":
        return moment.strftime("%Y-%m-%d")
    return record_stamp(moment) if kind == "datetime" else moment.strftime("%H:%M:%S.000Z")


def _text(field: Field, declared: SObject, n: int, rng: random.Random) -> str:
    by_name: dict[str, Callable[[], str]] = {
        "FirstName": lambda: rng.choice(_FIRST),
        "LastName": lambda: rng.choice(_LAST),
        "CaseNumber": lambda: f"{n + 1:08d}",
        "OrderNumber__c": lambda: f"{n:08d}",
        "DurableId": lambda: f"{declared.name}.{n:06d}",
        "Username": lambda: f"user{n}@example.org",
        "Alias": lambda: f"u{n}",
    }
    if field.name in by_name:
        return by_name[field.name]()
    for ending, make in _BY_ENDING:
        if field.name.removesuffix("__c").endswith(ending):
            return make(n, rng)
    if field.type in _BY_TYPE:
        return _BY_TYPE[field.type](n, rng)
    if field.name_field:
        return f"{declared.name.removesuffix('__c')} {n:06d}"
    if field.type == "textarea":
        return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(1, 6)))
    return rng.choice(_WORDS)[: field.length or 255]


_BY_ENDING: tuple[tuple[str, Callable[[int, random.Random], str]], ...] = (
    ("Street", lambda n, rng: f"{rng.randrange(1, 999)} Main St" + rng.choice(("", "\r\nSuite 4", '\nc/o "Desk"'))),
    ("City", lambda n, rng: rng.choice(_CITIES)),
    ("PostalCode", lambda n, rng: f"{rng.randrange(100_000):05d}"),
    ("Country", lambda n, rng: rng.choice(_COUNTRIES)),
    ("State", lambda n, rng: rng.choice(("CA", "MA", "ZH"))),
    ("SourceIp", lambda n, rng: f"198.51.100.{rng.randrange(256)}"),
)
_BY_TYPE: dict[str, Callable[[int, random.Random], str]] = {
    "email": lambda n, rng: f"person{n}@example.com",
    "phone": lambda n, rng: f"+1 555 {rng.randrange(10_000_000):07d}",
    "url": lambda n, rng: f"https://www.example.com/{n}?a=1,2",
    "base64": lambda n, rng: "aGVsbG8gd29ybGQ=",
    "complexvalue": lambda n, rng: '{"recordTypes":[]}',
    "json": lambda n, rng: '{"n": %d}' % n,
}
