from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from source_salesforce_bulk.pages.json_text import json_number, json_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, b"true"),
        (47, b"47"),
        (2**63 - 1, b"9223372036854775807"),
        (2**63, b"9223372036854775808"),
        (-(2**63), b"-9223372036854775808"),
        (-(2**63) - 1, b"-9223372036854775809"),
        (0.1, b"0.1"),
        (Decimal("0.30000000000000000001"), b"0.30000000000000000001"),
        (Decimal("1E+400"), b"1E+400"),
    ],
)
def test_a_number_keeps_every_digit(value, text):
    assert json_number(value) == text


def test_a_value_that_json_can_hold_stays_itself():
    assert json_value("text") == "text"
    assert orjson.dumps({"big": json_value(10**30)}) == b'{"big":1%b}' % (b"0" * 30)
