"""`Bench__c`: a million rows in seconds. Columns are endless iterators over pools, so a row is one `zip` step.

The pools have different prime lengths: rows differ, and compress about as well as CRM rows do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice, product, repeat

from integration_tests.simulated_org.cells import Cell, cell_maker
from integration_tests.simulated_org.clock import parse_stamp
from integration_tests.simulated_org.ids import ALPHABET, base62, checksum
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.settings import OrgSettings

BENCH_OBJECT = "Bench__c"
_PRIMES = (1_009, 2_003, 3_001, 4_001, 5_003, 997, 1_499, 2_503, 3_499, 4_507)
_SPAN_SECONDS = 4 * 365 * 86_400
_LETTERS = "abcdefghijklmnopqrstuvwxyz     "


def bench_rows(
    declared: SObject, columns: Sequence[str], settings: OrgSettings, targets: Callable[[str], SObject | None]
) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows in the order of the columns: ids and stamps grow, all else walks through its pool."""
    until = parse_stamp(settings.data_until)
    made: list[Iterator[Cell]] = []
    for at, name in enumerate(columns):
        field = declared.field(name)
        if name == "Id":
            made.append(_ids(declared.prefix))
        elif name == "Name":
            made.append(f"Bench row {n:09d}" for n in range(declared.volume))
        elif name in ("CreatedDate", "LastModifiedDate", "SystemModstamp"):
            made.append(_stamps(until, declared.volume))
        elif name in ("IsDeleted", "IsArchived"):
            made.append(repeat("false"))
        elif name == "Description__c":
            made.append(cycle(_sentences(settings.seed)))
        elif field is None:
            made.append(repeat(None))
        else:
            make, rng = cell_maker(field, declared, until, targets), random.Random(f"{settings.seed}:{name}")
            made.append(cycle([make(n, rng) for n in range(_PRIMES[at % len(_PRIMES)])]))
    return islice(zip(*made, strict=False), declared.volume)


def _ids(prefix: str) -> Iterator[str]:
    """Yield growing ids of one pod, every third one left out; the checksum is put together from parts."""
    low = ["".join(letters) for letters in product(ALPHABET, repeat=3)]
    for high in range(1, 62**6):
        head = f"{prefix}5g0{base62(high, 6)}"
        fixed = checksum(head + "000")[:2]
        suffixes = {caps: checksum(head + caps)[2] for caps in ("".join(p) for p in product("aA", repeat=3))}
        for at, tail in enumerate(low):
            if at % 3:
                yield head + tail + fixed + suffixes["".join("A" if char.isupper() else "a" for char in tail)]


def _stamps(until: datetime, count: int) -> Iterator[str]:
    days = [
        datetime.fromtimestamp(until.timestamp() - _SPAN_SECONDS + day * 86_400, UTC).strftime("%Y-%m-%dT")
        for day in range(_SPAN_SECONDS // 86_400 + 1)
    ]
    times = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}.000Z" for s in range(86_400)]
    for n in range(count):
        second = n * _SPAN_SECONDS // count
        yield days[second // 86_400] + times[second % 86_400]


def _sentences(seed: int) -> list[str]:
    rng = random.Random(f"{seed}:sentences")
    return ["".join(rng.choices(_LETTERS, k=rng.randint(60, 240))).strip() for _ in range(20_011)]
