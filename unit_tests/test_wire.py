from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.wire import (
    MAX_JSON_VALUES,
    ApiResponse,
    ProxyRefused,
    UnreadableBody,
    parse_json,
    printable,
    whole_number,
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a"',
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
        b'{"numberRecordsProcessed": -' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_that_can_be_read_is_refused(body):
    with pytest.raises(UnreadableBody):
        parse_json(body)
    with pytest.raises(UnreadableBody):
        ApiResponse(200, {}, body).json()


@pytest.mark.parametrize("unit", [b"[],", b"{},", b"1.5,", b'"",', b'{"":0},'])
def test_more_values_than_an_answer_may_hold_are_refused_before_they_are_made(unit):
    """A few bytes of text are a hundred of memory."""
    with pytest.raises(UnreadableBody, match="more than 2,000,000 values"):
        parse_json(b"[" + unit * MAX_JSON_VALUES + b"0]")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud800"', "\ufffd"),
        (r'"a\uDFFFb"', "a\ufffdb"),
        (r'{"\ud83d": ["\udc00"]}', {"\ufffd": ["\ufffd"]}),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\\ud800"', r"\ud800"),
        (r'["\ud800", 1, null, true]', ["\ufffd", 1, None, True]),
    ],
)
def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_is_kept(text, value):
    parsed = parse_json(text.encode())
    assert parsed == value
    json.dumps(parsed, ensure_ascii=False).encode()


@given(st.recursive(st.none() | st.text() | st.integers(-5, 5), st.lists, max_leaves=20))
def test_any_json_is_read_the_same_however_it_is_escaped(value):
    assert parse_json(json.dumps(value).encode()) == value == parse_json(json.dumps(value, ensure_ascii=False).encode())


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_anything_shown_is_printable_and_as_long_as_before(text):
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    shown.encode()


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b31m", "\r\n", "\x00", "\u202e", "\ud800", "\u2028"])
def test_escape_sequences_and_their_kin_do_not_reach_a_terminal(text):
    assert "?" in printable(f"750{text}")


@pytest.mark.parametrize("value", [10**18, "9" * 19, float(10**30), float("inf"), float("nan"), -1, True, None, [1]])
def test_what_no_count_can_be_is_none(value):
    assert whole_number(value) is None


def test_a_refusal_by_a_proxy_says_who_and_what():
    refused = ProxyRefused("http://proxy:3128", "acme.my.salesforce.com", 407)
    assert str(refused) == "the proxy http://proxy:3128 answered 407 when asked for acme.my.salesforce.com"
