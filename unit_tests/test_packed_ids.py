"""Sets of Ids as short texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.deletions.packed_ids import pack_ids, unpack_ids
from source_salesforce_bulk.salesforce.ids import id_18
from unit_tests.test_id_sketch import ids_from

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@given(st.sets(st.text(DIGITS, min_size=15, max_size=15).map(id_18)))
def test_a_set_comes_back(ids):
    assert unpack_ids(pack_ids(ids)) == ids


def test_neighbours_take_few_bytes():
    assert len(pack_ids(ids_from("0015g00000AAAAA", 20_000, step=40))) < 20_000


@pytest.mark.parametrize("text", ["x", "not packed", "~~~~~", pack_ids(["0015g00000AAAAA"])[:-2]])
def test_another_text_is_refused(text):
    with pytest.raises(ValueError, match="not a packed set"):
        unpack_ids(text)
