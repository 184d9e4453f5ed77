from __future__ import annotations

import pytest
from pyiceberg.exceptions import CommitStateUnknownException, ForbiddenError
from requests import ConnectionError, ReadTimeout, Request  # noqa: A004 - the name is requests' own
from requests.exceptions import SSLError
from sqlalchemy.exc import OperationalError

from source_salesforce_bulk.export.storage_failures import storage_failure
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.tables.table_failures import UnusableTable, table_failure


@pytest.mark.parametrize(
    ("error", "consequence"),
    [
        (CommitStateUnknownException("no answer"), Consequence.TRANSIENT),
        (OperationalError("insert", {}, Exception("database is locked")), Consequence.TRANSIENT),
        (ForbiddenError("not for you"), Consequence.CONFIG),
        (UnusableTable("The table has version 3."), Consequence.CONFIG),
    ],
)
def test_an_exception_of_a_catalog_says_who_has_to_act(error, consequence):
    failed = storage_failure(error, "Account")
    assert failed is not None
    assert failed.consequence is consequence
    assert failed.message.startswith("Account: ")


@pytest.mark.parametrize(
    ("error", "consequence"),
    [(ConnectionError, Consequence.TRANSIENT), (ReadTimeout, Consequence.TRANSIENT), (SSLError, Consequence.CONFIG)],
)
def test_a_catalog_that_cannot_be_reached_is_no_matter_of_the_disk(error, consequence):
    asked = Request("GET", "https://key:secret@catalog.example/v1/config?token=secret").prepare()
    failed = storage_failure(error("no route", request=asked), "Account")
    assert failed is not None
    assert failed.consequence is consequence
    assert f"cannot be reached: {error.__name__} at catalog.example." in failed.message
    assert "secret" not in failed.message


def test_other_exceptions_are_none_of_the_catalogs():
    assert table_failure(ValueError("x")) is None
