"""The objects of the simulated org, their fields and their row counts."""

from __future__ import annotations

from dataclasses import replace

from integration_tests.simulated_org.catalog import awkward, calculated, filtered, keyless, real_list, special, standard
from integration_tests.simulated_org.ids import ALPHABET
from integration_tests.simulated_org.objects import SObject, declare
from integration_tests.simulated_org.settings import OrgSettings

_WIDE_TYPES = ("string(80)", "double(18,4)", "boolean required", "date", "datetime", "picklist(a|b|c)", "int(9,0)")

BENCH_FIELDS = """
Name string(80) name
AccountId__c reference(Account:Account__r)
Status__c picklist(Open|Working|Closed)
Region__c picklist(EMEA|AMER|APAC)
Email__c email
Phone__c phone
City__c string(40)
PostalCode__c string(20)
Amount__c currency(18,2)
Quantity__c double(18,4)
Rank__c int(9,0)
IsActive__c boolean required
CloseDate__c date
LastSeen__c datetime
Description__c string(255)
Code__c string(40)
Url__c url
Source__c picklist(Web|Phone|Partner)
"""


def build_catalog(settings: OrgSettings) -> list[SObject]:
    """Return every object of the org that the settings describe, row counts already scaled."""
    objects = [
        *standard.standard_objects(),
        *awkward.awkward_objects(),
        *special.cursor_variants(),
        *(calculated.calculated_objects() if settings.formula_objects else ()),
        _wide(settings.wide_fields),
        *special.refused_by_bulk(),
        *filtered.filter_required(),
        *((*keyless.event_stores(), *keyless.virtual_objects()) if settings.keyless_objects else ()),
        *special.not_queryable(),
    ]
    scaled = [replace(one, volume=_scaled(one, settings.rows)) for one in objects]
    scaled.append(declare("Ties__c", "a0I", "Name string(80) name; Batch__c string(20)", volume=settings.ties))
    uneven = declare("Uneven__c", "a0U", "Name string(80) name", volume=settings.uneven_rows, uneven_ids=True)
    scaled.append(uneven)
    if settings.bench_rows:
        scaled.append(declare("Bench__c", "a0B", BENCH_FIELDS, volume=settings.bench_rows))
    scaled += [_extra(n) for n in range(1, settings.extra_objects + 1)]
    if settings.object_list == "real":
        scaled += real_list.real_list(scaled)
    planned = {name.lower(): rows for name, rows in settings.planned_rows.items()}
    return [replace(one, planned=planned.get(one.name.lower(), one.planned)) for one in scaled]


def _scaled(declared: SObject, scale: float) -> int:
    return declared.volume and max(1, round(declared.volume * scale))


def _wide(count: int) -> SObject:
    lines = [f"F{n:04d}__c {_WIDE_TYPES[n % len(_WIDE_TYPES)]}" for n in range(1, count + 1)]
    return declare("Wide__c", "a0W", "Name string(80) name\n" + "\n".join(lines), volume=40)


def _extra(n: int) -> SObject:
    prefix = "bcdefghijk"[n // 3_844 % 10] + ALPHABET[n // 62 % 62] + ALPHABET[n % 62]
    text = "Name string(80) name; Amount__c currency(18,2); Due__c date; Note__c string(255)"
    return declare(f"Extra{n:04d}__c", prefix, text, volume=n % 7 * 5)
