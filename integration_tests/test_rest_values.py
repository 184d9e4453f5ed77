"""The same row through Bulk and through REST is the same record, byte for byte, for every object and field type."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.pages.csv_page import read_rows
from source_salesforce_bulk.pages.records import Column, RecordReader
from source_salesforce_bulk.pages.rest_rows import header_line, record_lines
from source_salesforce_bulk.salesforce.describe import parse_describe
from source_salesforce_bulk.salesforce.field_types import field_type
from source_salesforce_bulk.salesforce.wire import parse_json


@pytest.fixture(scope="module")
def client() -> Iterator[OrgClient]:
    with SimulatedOrg(OrgSettings(rows=0.2, quoting="minimal", wide_fields=40)) as org:
        yield OrgClient(org)


def records_of(pages: list[bytes], columns: list[Column]) -> list[object]:
    rows = [row for page in pages for row in read_rows(io.BytesIO(page), [column.name for column in columns])]
    return list(RecordReader(columns).records(rows))


def rest_pages(client: OrgClient, soql: str, columns: list[Column]) -> Iterator[bytes]:
    answer = client.get("queryAll", q=soql)
    while True:
        assert answer.status_code == 200, answer.text
        payload = parse_json(answer.content, digits=True)
        assert isinstance(payload, dict)
        yield header_line(columns) + record_lines(payload["records"], columns)
        if payload["done"]:
            return
        answer = client.get(payload["nextRecordsUrl"])


def test_every_row_of_every_object_is_the_same_record_in_both_lanes(client: OrgClient) -> None:
    kinds, compared = set(), 0
    for listed in client.org.control.objects():
        if not listed["queryable"] or listed["refused_by_bulk"] or listed["filter_required"]:
            continue
        sobject = parse_describe(client.get(f"sobjects/{listed['name']}/describe").json())
        columns = [Column(field.name, field_type(field.type).kind) for field in sobject.fields]
        soql = f"SELECT {','.join(column.name for column in columns)} FROM {sobject.name}"
        if len(soql) > 10_000:
            continue
        bulk = records_of([page.content for page in client.pages(client.finished(soql))], columns)
        rest = records_of(list(rest_pages(client, soql, columns)), columns)
        by_text = {str(record) for record in bulk}
        assert len(bulk) == len(rest), sobject.name
        assert by_text == {str(record) for record in rest}, sobject.name
        kinds |= {field.type for field in sobject.fields}
        compared += len(bulk)
    assert compared > 1_000
    assert {"boolean", "int", "double", "currency", "percent", "date", "datetime", "time", "multipicklist"} <= kinds
    assert {"encryptedstring", "anyType", "long", "textarea", "reference", "combobox"} <= kinds
