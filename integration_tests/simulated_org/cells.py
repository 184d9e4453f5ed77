"""Makers of the cells of a field: chosen once for each field, then called for every row."""

from __future__ import annotations

import base64
import random
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from integration_tests.simulated_org.clock import record_stamp
from integration_tests.simulated_org.fields import Field
from integration_tests.simulated_org.objects import SObject

Cell = str | None
Maker = Callable[[int, random.Random], Cell]  # of the row's number and its own random numbers

_FIRST = ("Ada", "Björn", "Chloé", "Dmitri", "Elif", "Fatima", "Grace", "Hiroshi", "Inés", "João", "Kwame", "Lars")
_LAST = ("Nguyen", "O'Neil", "Østergård", "de la Cruz", "Smith", "Müller", "Null", "Tanaka", "Kowalski", "Na", "García")
_CITIES = ("San Francisco", "Zürich", "São Paulo", "東京", "Saint-Étienne", "Boston", "Reykjavík")
_COUNTRIES = ("US", "CH", "BR", "JP", "FR", "IS")
_STREETS = (" Main St", " Main St\r\nSuite 4", ' Main St\nc/o "Desk"')
_WORDS = (
    "renewal", "follow up", 'said "maybe"', "N/A", "urgent, really", "line one\nline two", "carriage\r\nreturn",
    "déjà vu", "no comment", "budget; approved", "call back", "0042",
)  # fmt: skip
_NEVER_NULL = ("DurableId", "EventIdentifier")  # they tell rows apart, whatever describe says of them
_DAYS = 4 * 365
_LONGEST_TEXT = 131_072  # of a long text area; such fields hold texts of a few thousand characters
_NULL_SHARE = 0.15

_id = lru_cache(100_000)(SObject.row_id)


def cell_maker(field: Field, declared: SObject, until: datetime, targets: Callable[[str], SObject | None]) -> Maker:
    """Return what makes the field's cells: about one in seven is null where null is allowed."""
    if field.name == "Id":
        return lambda n, rng: _id(declared, n)
    if field.kind == "compound":
        return lambda n, rng: None
    make = _maker(field, declared, until, targets)
    if not field.nillable or field.name in _NEVER_NULL:
        return make
    return lambda n, rng: None if rng.random() < _NULL_SHARE else make(n, rng)


def _maker(field: Field, declared: SObject, until: datetime, targets: Callable[[str], SObject | None]) -> Maker:
    if field.kind == "id":
        return _reference([target for target in map(targets, field.targets) if target is not None and target.volume])
    if field.type == "multipicklist":
        return lambda n, rng: ";".join(sorted(rng.sample(field.choices, rng.randint(1, len(field.choices)))))
    if field.choices:
        return lambda n, rng: _pick(field.choices, rng)
    if field.kind == "boolean":
        return lambda n, rng: "true" if rng.random() < 0.4 else "false"
    if field.kind == "number":
        return _number(field)
    if field.kind in ("date", "datetime", "time"):
        return _moment(field, until)
    return _text(field, declared)


def _pick(choices: tuple[str, ...], rng: random.Random) -> str:
    return choices[int(rng.random() * len(choices))]


def _reference(targets: list[SObject]) -> Maker:
    def make(n: int, rng: random.Random) -> Cell:
        target = targets[int(rng.random() * len(targets))]
        return _id(target, int(rng.random() * target.volume))

    return make if targets else lambda n, rng: None


def _number(field: Field) -> Maker:
    if "Latitude" in field.name:
        return lambda n, rng: str(round(rng.uniform(-90, 90), 6))
    if "Longitude" in field.name:
        return lambda n, rng: str(round(rng.uniform(-180, 180), 6))
    if field.type in ("int", "long"):
        return lambda n, rng: str(int(rng.random() * 10_000)) + (".0" if n % 9 == 0 else "")
    if field.type == "percent":
        return lambda n, rng: str(float(int(rng.random() * 21) * 5))
    if field.scale == 0:
        return lambda n, rng: str(float(int(rng.random() * 50_000_000)))
    return lambda n, rng: str(round(rng.random() * 250_000, field.scale))


def _moment(field: Field, until: datetime) -> Maker:
    def moment(rng: random.Random) -> datetime:
        return until - timedelta(seconds=int(rng.random() * _DAYS * 86_400))

    if field.kind == "date":
        return lambda n, rng: moment(rng).date().isoformat()
    if field.kind == "datetime":
        return lambda n, rng: record_stamp(moment(rng))
    return lambda n, rng: moment(rng).strftime("%H:%M:%S.000Z")


def _text(field: Field, declared: SObject) -> Maker:
    if field.name in _BY_NAME:
        return _BY_NAME[field.name]
    for ending, make in _BY_ENDING.items():
        if field.name.removesuffix("__c").endswith(ending):
            return make
    if field.type in _BY_TYPE:
        return _BY_TYPE[field.type]
    if field.name_field or field.name == "DurableId":
        return lambda n, rng: f"{declared.name.removesuffix('__c')} {n:06d}"
    if field.type == "textarea":
        most = 1_000 if field.length == _LONGEST_TEXT else 6
        return lambda n, rng: " ".join([_pick(_WORDS, rng) for _ in range(1 + int(rng.random() * most))])
    return lambda n, rng: _pick(_WORDS, rng)[: field.length or 255]


_BY_NAME: dict[str, Maker] = {
    "FirstName": lambda n, rng: _pick(_FIRST, rng),
    "LastName": lambda n, rng: _pick(_LAST, rng),
    "CaseNumber": lambda n, rng: f"{n + 1:08d}",
    "OrderNumber__c": lambda n, rng: f"{n:08d}",
    "Username": lambda n, rng: f"user{n}@example.org",
    "EventIdentifier": lambda n, rng: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    "Alias": lambda n, rng: f"u{n}",
}
_BY_ENDING: dict[str, Maker] = {
    "Street": lambda n, rng: str(1 + int(rng.random() * 998)) + _pick(_STREETS, rng),
    "City": lambda n, rng: _pick(_CITIES, rng),
    "PostalCode": lambda n, rng: f"{int(rng.random() * 100_000):05d}",
    "Country": lambda n, rng: _pick(_COUNTRIES, rng),
    "State": lambda n, rng: _pick(("CA", "MA", "ZH"), rng),
    "SourceIp": lambda n, rng: f"198.51.100.{int(rng.random() * 256)}",
}
_BY_TYPE: dict[str, Maker] = {
    "email": lambda n, rng: f"person{n}@example.com",
    "phone": lambda n, rng: f"+1 555 {int(rng.random() * 10_000_000):07d}",
    "url": lambda n, rng: f"https://www.example.com/{n}?a=1,2",
    "base64": lambda n, rng: base64.b64encode(b"hello world %d\n" % n * (1 + n % 7)).decode(),
    "complexvalue": lambda n, rng: '{"recordTypes":[]}',
    "json": lambda n, rng: f'{{"n": {n}}}',
}
