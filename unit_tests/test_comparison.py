"""The differences of two lists of Ids and timestamps."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.export.comparison import Comparison, Stamped

ROWS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(org=ROWS, kept=ROWS)
def test_differences_are_those_of_the_sets(tmp_path_factory, org, kept):
    with Comparison(tmp_path_factory.mktemp("rows") / "rows") as comparison:
        comparison.add_org(Stamped(key, stamp) for key, stamp in org.items())
        comparison.add_kept(Stamped(key, stamp) for key, stamp in kept.items())
        found = comparison.differences()
    assert set(found.missing) == org.keys() - kept.keys()
    assert set(found.extra) == kept.keys() - org.keys()
    assert set(found.stale) == {key for key in org.keys() & kept.keys() if org[key] != kept[key]}
    assert (found.in_org, found.kept, found.equal) == (len(org), len(kept), org == kept)


def test_the_newest_row_counts_and_a_tombstone_takes_its_key_away(tmp_path):
    with Comparison(tmp_path / "rows") as comparison:
        comparison.add_org([Stamped("a", 2), Stamped("back", 9)])
        comparison.add_kept([Stamped("a", 2), Stamped("a", 1), Stamped("gone", 1), Stamped("gone", 5, gone=True)])
        comparison.add_kept([Stamped("back", 5, gone=True), Stamped("back", 9), Stamped("back", 1)])
        assert comparison.differences().equal


def test_a_row_that_was_read_since_may_be_newer(tmp_path):
    with Comparison(tmp_path / "rows") as comparison:
        comparison.add_org([Stamped("a", 2)])
        comparison.add_kept([Stamped("a", 3)])
        assert comparison.differences().stale == ("a",)
        assert comparison.differences(newer_is_equal=True).equal
