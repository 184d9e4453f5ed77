"""Where windows are cut: dialogues about lists of Ids, and whole extractions over an org without sockets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.extraction.cuts import (
    DATE_HALVINGS,
    LARGEST_OFFSET,
    MOST_PIECES,
    ROWS_IN_ONE_REFRESH,
    ROWS_PER_WINDOW,
    CountRows,
    IdAt,
    Piece,
    Question,
    clip,
    count_ranges,
    cut_by_date,
    cut_by_id,
    find_halves,
)
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.extraction.windows import WHOLE, halve_by_date, halve_by_id
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.ids import id_15, id_18
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, format_instant
from unit_tests.extraction_rig import UPPER, ExtractionRig
from unit_tests.fake_salesforce import Row

T = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = Bounds(start=None, end=UPPER, id_from=None, id_to=None)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def window(span: timedelta | None, **ids: str) -> Bounds:
    start = T - span if span is not None else None
    return Bounds(start=start, end=T, id_from=ids.get("id_from"), id_to=ids.get("id_to"))


# Cuts by date


def test_a_large_object_is_cut_into_windows_of_equal_length_between_its_oldest_and_newest_row():
    pieces = cut_by_date(window(None), T - 100 * DAY, T - DAY, 4 * ROWS_PER_WINDOW)
    assert [piece.rows for piece in pieces] == [ROWS_PER_WINDOW] * 4
    spans = [piece.bounds.end - piece.bounds.start for piece in pieces[1:-1]]
    assert all(abs(span - timedelta(days=24.75)) <= timedelta(seconds=1) for span in spans)


def test_a_window_is_cut_for_the_share_of_the_rows_that_it_holds():
    """Rows that an earlier run has read are not expected again."""
    pieces = cut_by_date(window(50 * DAY), T - 100 * DAY, T, 8 * ROWS_PER_WINDOW)
    assert len(pieces) == 4


def test_a_window_beside_all_rows_stays_whole():
    late = Bounds(start=T - DAY, end=T, id_from=None, id_to=None)
    assert cut_by_date(late, T - 100 * DAY, T - 50 * DAY, 10**9) == (Piece(late),)


def test_stamps_that_importers_set_do_not_stretch_the_windows():
    pieces = cut_by_date(window(None), datetime(1903, 1, 1, tzinfo=UTC), T, 3 * ROWS_PER_WINDOW)
    assert pieces[0].bounds.start is None
    assert pieces[0].bounds.end is not None
    assert pieces[0].bounds.end.year > 2005


instants = st.integers(0, 67 * 365 * 86_400).map(lambda seconds: T - timedelta(seconds=seconds))


@given(st.none() | instants, instants, instants, st.integers(0, 10**11))
def test_the_pieces_of_a_window_meet_without_gap_or_overlap_at_whole_seconds(start, one, other, rows):
    whole = Bounds(start=start, end=T, id_from=None, id_to=None)
    pieces = [piece.bounds for piece in cut_by_date(whole, min(one, other), max(one, other), rows)]
    assert (pieces[0].start, pieces[-1].end) == (start, T)
    assert all(low.end == high.start for low, high in pairwise(pieces))
    cuts = [piece.end for piece in pieces[:-1]]
    assert all(cut is not None and not cut.microsecond for cut in cuts)
    assert cuts == sorted(set(cuts))  # type: ignore[type-var]
    assert len(pieces) <= MOST_PIECES


# Cuts by Id


def numbered(number: int) -> str:
    """The Id of a number: 12 digits behind a key prefix."""
    digits = []
    for _ in range(12):
        number, digit = divmod(number, 62)
        digits.append(DIGITS[digit])
    return id_18("001" + "".join(reversed(digits)))


@dataclass
class Ids:
    """An org with these Ids. It answers neither ``silent`` questions nor more than a cut may ask."""

    ids: Sequence[str]
    silent: frozenset[str] = frozenset()
    asked: list[Question] = field(default_factory=list)

    def pieces(self, parts: int, bounds: Bounds = WHOLE, reach: int = LARGEST_OFFSET) -> tuple[Piece, ...]:
        dialogue = cut_by_id(bounds, parts, reach)
        try:
            question = next(dialogue)
            while True:
                self.asked.append(question)
                question = dialogue.send(self.answer(question))
        except StopIteration as end:
            pieces: tuple[Piece, ...] = end.value
        assert len(self.asked) <= 3 + 6 * (parts + 7)
        return pieces

    def answer(self, question: Question) -> int | str | None:
        held = self.within(question.bounds)
        if isinstance(question, CountRows):
            return None if "counts" in self.silent else len(held)
        if question.offset and "offsets" in self.silent:
            return None
        ordered = held[::-1] if question.last else held
        return ordered[question.offset] if question.offset < len(ordered) else None

    def within(self, bounds: Bounds) -> Sequence[str]:
        low = 0 if bounds.id_from is None else bisect_left(self.ids, bounds.id_from)
        high = len(self.ids) if bounds.id_to is None else bisect_left(self.ids, bounds.id_to)
        return self.ids[low:high]

    def shares(self, pieces: Sequence[Piece]) -> list[float]:
        return [len(self.within(piece.bounds)) / len(self.ids) for piece in pieces]


def recorded(count: int = 2_086) -> list[str]:
    """Ids as they were recorded: 13 in the lower half of their range, the others in clumps in the upper one."""
    random = Random(13)
    low = [random.randrange(10**20) for _ in range(12)]
    clumps = [5 * 10**20 + random.randrange(10**20), 9 * 10**20, 9 * 10**20 + 10**12]
    high = [random.choice(clumps) + random.randrange(10**7) for _ in range(count - 13)]
    return [numbered(number) for number in sorted({0, 10**21, *low, *high})]


@pytest.mark.parametrize("silent", [frozenset(), frozenset({"offsets"})], ids=["sound", "without OFFSET"])
def test_no_piece_of_sixteen_holds_more_than_a_quarter_of_ids_as_they_were_recorded(silent):
    org = Ids(recorded(), silent)
    pieces = org.pieces(16)
    assert len(pieces) == 16
    assert max(org.shares(pieces)) <= 0.25


@pytest.mark.parametrize("count", [2_086, 50_000])
@pytest.mark.parametrize("silent", [frozenset(), frozenset({"offsets"})], ids=["sound", "without OFFSET"])
def test_four_halvings_leave_no_more_than_a_quarter_in_a_piece(count, silent):
    windows = [WHOLE]
    org = Ids(recorded(count), silent)
    for _ in range(4):
        windows = [one.bounds for bounds in windows for one in Ids(org.ids, silent).pieces(2, bounds)]
    assert len(windows) == 16
    assert max(org.shares([Piece(bounds) for bounds in windows])) <= 0.25


def test_few_rows_are_cut_by_their_rank_with_one_question_for_each_cut():
    org = Ids(recorded())
    shares = org.shares(org.pieces(16))
    assert len(org.asked) == 1 + 15
    assert max(shares) - min(shares) < 0.01


def test_an_org_that_counts_nothing_is_cut_where_its_ids_leave_gaps():
    pods = [numbered(base + number) for base in (0, 10**20) for number in range(500)]
    org = Ids(pods, frozenset({"counts"}))
    assert org.shares(org.pieces(2)) == [0.5, 0.5]
    assert len(org.asked) <= 3 + 3


CLUMPS = st.lists(st.tuples(st.integers(0, 62**12 - 10**6), st.integers(1, 400), st.integers(1, 10**4)), min_size=1)
NESTED = st.integers(2, 60).map(lambda count: [(62**12 - 1) >> bit for bit in range(count)])


@settings(deadline=None, max_examples=60)
@given(CLUMPS, NESTED, st.integers(2, 20), st.sampled_from([5, 50, LARGEST_OFFSET]), st.sampled_from(["", "counts"]))
def test_whatever_the_ids_the_pieces_cover_each_once_within_a_bounded_number_of_questions(
    clumps, outliers, parts, reach, silent
):
    """Clumps of any width anywhere, and outliers each half as far away as the one before."""
    clumped = {start + step * width for start, count, width in clumps for step in range(count)}
    numbers = sorted(number for number in clumped | set(outliers) if number < 62**12)
    org = Ids([numbered(number) for number in numbers], frozenset({silent}))
    pieces = org.pieces(parts, reach=reach)
    assert 1 <= len(pieces) <= parts
    assert (pieces[0].bounds.id_from, pieces[-1].bounds.id_to) == (None, None)
    assert all(low.bounds.id_to == high.bounds.id_from is not None for low, high in pairwise(pieces))
    shares = org.shares(pieces)
    assert sum(shares) == pytest.approx(1.0)
    assert all(shares), "no piece is empty"
    if len(org.ids) <= 2 * reach and not silent:
        # OFFSET reaches every row, so each piece has its share but for the halves that joining leaves.
        assert max(shares) <= 2 / parts + 1 / len(org.ids)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(200, 3000), st.integers(0, 62**12 // 2))
def test_outliers_at_both_ends_do_not_spoil_the_halves_of_a_dense_clump(below, above, count, start):
    """Each half of the range peels off one outlier; a jump by rank passes them all."""
    clump = {start + 7 * number for number in range(count)}
    low = {start - (start >> bit) for bit in range(below)}
    top = 62**12 - 1 - max(clump)
    high = {max(clump) + (top >> bit) for bit in range(above)}
    org = Ids([numbered(number) for number in sorted({n for n in low | clump | high if 0 <= n < 62**12})])
    shares = org.shares(org.pieces(2, reach=50))
    assert len(shares) == 2
    assert max(shares) <= 0.75


@pytest.mark.parametrize("wrong", ["x", "", "0010000000000000"])
def test_an_answer_that_is_no_id_is_no_cut(wrong):
    class Wrong(Ids):
        def answer(self, question: Question) -> int | str | None:
            return wrong if isinstance(question, IdAt) and question.offset else super().answer(question)

    org = Wrong([numbered(number) for number in range(100)])
    assert max(org.shares(org.pieces(2))) <= 0.75


@pytest.mark.parametrize("ids", [[], [numbered(7)], [numbered(7), numbered(8)]], ids=len)
def test_of_fewer_rows_than_pieces_each_is_one(ids):
    pieces = Ids(ids).pieces(4)
    assert len(pieces) == max(1, len(ids))


CUTS = [id_18(f"001A000000{number:05d}") for number in (10, 20, 30)]


def test_what_an_interrupted_refresh_has_left_is_cut_where_the_whole_object_is():
    edges = [None, *CUTS, None]
    whole = [Piece(replace(WHOLE, id_from=low, id_to=high), 7) for low, high in pairwise(edges)]
    rest = clip(whole, replace(WHOLE, id_from=CUTS[1][:15]))
    assert [(piece.bounds.id_from, piece.bounds.id_to) for piece in rest] == [
        (id_15(CUTS[1]), CUTS[2]),
        (CUTS[2], None),
    ]
    assert clip(whole, WHOLE) == tuple(whole)


def test_no_object_is_cut_into_thousands_of_jobs():
    assert count_ranges(10**12) == MOST_PIECES
    assert len(cut_by_date(window(None), T - 9000 * DAY, T, 10**12)) == MOST_PIECES
    assert (count_ranges(ROWS_IN_ONE_REFRESH), count_ranges(ROWS_IN_ONE_REFRESH + 1)) == (1, 5)


# Whole extractions of large objects


INCREMENTAL, FULL_REFRESH = Mode.INCREMENTAL, Mode.FULL_REFRESH
MILLION = 1_000_000


def rows(count: int) -> list[Row]:
    """One row a day before T, the older half of one pod, the other of another; plans claim that they are millions."""
    pods = ["001A0", "001zZ"]
    return [
        {
            "Id": id_18(f"{pods[2 * index // count]}00000{index:05d}"),
            "Name": str(index),
            "SystemModstamp": format_instant(UPPER - timedelta(days=count - index)),
        }
        for index in range(count)
    ]


@pytest.fixture
def rig(tmp_path: Path):
    rig = ExtractionRig(tmp_path, {"Account": rows(40)})
    yield rig
    rig.salesforce.close()


def queries(rig: ExtractionRig) -> list[str]:
    return [job.soql.partition(" WHERE ")[2] for job in rig.salesforce.jobs.values()]


def names(run) -> list[str]:
    return sorted((row[1] for row in run.rows), key=int)


def test_a_large_first_load_is_read_in_windows_of_dates(rig: ExtractionRig):
    run = rig.add("Account", INCREMENTAL, rows=40 * MILLION)
    rig.read_all()
    rig.close()
    assert names(run) == [str(index) for index in range(40)]
    asked = queries(rig)
    assert len(asked) == 8
    assert asked[0].startswith("(SystemModstamp < ")
    assert "OR SystemModstamp = null" in asked[0]
    assert asked[-1].endswith(f"SystemModstamp < {format_instant(UPPER)}")
    assert not any("Id" in soql or "ORDER BY" in soql or "LIMIT" in soql for soql in asked)
    cursors = [state["SystemModstamp"] for _, state in run.states if "SystemModstamp" in state]
    assert cursors == sorted(cursors)
    assert len(set(cursors)) == 8
    assert rig.salesforce.count("query") == 2


def test_a_large_full_refresh_is_read_in_ranges_of_ids_that_hold_rows(rig: ExtractionRig):
    run = rig.add("Account", FULL_REFRESH, rows=20 * MILLION)
    rig.read_all()
    rig.close()
    assert sorted(names(run), key=int) == [str(index) for index in range(40)]
    asked = queries(rig)
    assert len(asked) == 8
    assert [("Id >= " in soql, "Id < " in soql) for soql in asked] == [(False, True)] + [(True, True)] * 6 + [
        (True, False)
    ]
    assert not any("SystemModstamp" in soql or "ORDER BY" in soql or "LIMIT" in soql for soql in asked)
    assert all(job.rows for job in rig.salesforce.jobs.values()), "a range between the pods is empty"
    assert rig.salesforce.count("query") == 1 + 7, "the count, and one Id for each cut"
    assert run.state == {"__ab_full_refresh_sync_complete": True}


@pytest.mark.parametrize("mode", [INCREMENTAL, FULL_REFRESH])
def test_a_small_object_costs_no_question_and_one_job(rig: ExtractionRig, mode: Mode):
    rig.add("Account", mode, rows=4 * MILLION)
    rig.read_all()
    rig.close()
    assert (rig.salesforce.count("query"), rig.salesforce.count("create")) == (0, 1)


@pytest.mark.parametrize("mode", [INCREMENTAL, FULL_REFRESH])
def test_where_the_question_is_not_answered_the_object_is_one_job(rig: ExtractionRig, mode: Mode):
    questions = 1 if mode is INCREMENTAL else 2
    rig.salesforce.script("query", *["unavailable"] * 5 * questions)
    run = rig.add("Account", mode, rows=40 * MILLION)
    rig.read_all()
    rig.close()
    assert run.failure is None
    assert len(run.rows) == 40
    assert rig.salesforce.count("create") == 1


def test_a_question_that_finds_the_quota_used_up_stops_the_run(rig: ExtractionRig):
    rig.salesforce.script("query", "quota")
    run = rig.add("Account", INCREMENTAL, rows=40 * MILLION)
    rig.read_all()
    rig.close()
    assert run.failure is not None
    assert run.failure.kind is Kind.API_CALLS_EXHAUSTED
    assert rig.salesforce.count("create") == 0


@pytest.mark.parametrize("mode", [INCREMENTAL, FULL_REFRESH])
@pytest.mark.parametrize("turns", [3, 6, 9, 14])
def test_a_run_that_stops_half_way_is_continued_piece_by_piece(
    rig: ExtractionRig, tmp_path: Path, mode: Mode, turns: int
):
    """Every row is emitted; only those of the current page may be emitted twice."""
    first = rig.add("Account", mode, rows=40 * MILLION)
    rig.read_all(turns=turns)
    rig.close()
    again = ExtractionRig(tmp_path, salesforce=rig.salesforce)
    second = again.add("Account", mode, first.state, rows=40 * MILLION)
    again.read_all()
    again.close()
    emitted = first.states[-1][0] if first.states else 0
    kept = [row[1] for row in first.rows[:emitted]] + [row[1] for row in second.rows]
    assert sorted(kept, key=int) == [str(index) for index in range(40)]
    assert len(rig.salesforce.jobs) <= 2 * MOST_PIECES


def test_the_estimate_follows_what_is_learnt(rig: ExtractionRig):
    run = rig.add("Account", INCREMENTAL, rows=40 * MILLION)
    told = [run.read.expected_rows]
    while not rig.read_all(turns=1):
        if run.read.expected_rows != told[-1]:
            told.append(run.read.expected_rows)
    rig.close()
    assert told[0] == 40 * MILLION
    assert told == sorted(told, reverse=True)
    assert run.read.expected_rows == 40


def test_while_the_org_is_asked_where_to_cut_its_slot_is_kept(tmp_path: Path, rig: ExtractionRig):
    one: Callable[..., ExtractionRig] = ExtractionRig
    alone = one(tmp_path, {"Account": rows(4)}, jobs=1)
    alone.add("Account", INCREMENTAL, rows=40 * MILLION)
    assert not alone.extraction.has_free_slot
    alone.read_all()
    alone.close()


def test_a_defect_while_an_object_is_sized_fails_that_object_alone(tmp_path: Path):
    rig = ExtractionRig(tmp_path, {"Account": rows(40), "Contact": rows(5)})
    rig.salesforce.script("query", "defect")
    account = rig.add("Account", INCREMENTAL, rows=40 * MILLION)
    contact = rig.add("Contact", INCREMENTAL)
    rig.read_all()
    rig.close()
    assert account.failure is not None
    assert account.failure.kind is Kind.UNEXPECTED
    assert (contact.failure, len(contact.rows)) == (None, 5)
    rig.salesforce.close()


# Halves


LOW, MIDDLE, HIGH = "001A0000000000AAAA", "001A0000006Vm9rIAC", "001A000000zzzzzIAC"
SLOW = SalesforceError(Failure.of(Kind.QUERY_TIMEOUT))
QUOTA = SalesforceError(Failure.of(Kind.API_CALLS_EXHAUSTED))


class AnsweringOrg:
    """Answers questions about the rows, or fails; it records the questions."""

    def __init__(self, instants: object = None, middles: tuple[object, ...] = (MIDDLE,)) -> None:
        self._instants = instants
        self._middles = list(middles)
        self.asked: list[tuple[str, Bounds]] = []

    def instants(self, query: ObjectQuery, bounds: Bounds, version: str) -> object:
        self.asked.append(("instants", bounds))
        return self._given(self._instants)

    def id_at(self, query: ObjectQuery, bounds: Bounds, version: str, *, offset: int = 0, last: bool = False) -> object:
        if isinstance(self._middle, Exception):
            raise self._middle
        return self._middle if offset else HIGH if last else LOW

    def count(self, query: ObjectQuery, bounds: Bounds, version: str) -> object:
        self.asked.append(("middle", bounds))
        self._middle = self._middles.pop(0)
        self._given(self._middle)
        return 2 if self._middle is not None else 0

    @staticmethod
    def _given(answer: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer


def plan(mode: Mode = Mode.INCREMENTAL, fields: tuple[str, ...] = ("Id", "SystemModstamp")) -> ObjectPlan:
    return ObjectPlan(
        query=ObjectQuery("Account", fields, "queryAll", "SystemModstamp", False, None, False),
        columns=(),
        mode=mode,
        state=StreamState(mode=mode),
        start=None,
        lookback=timedelta(minutes=10),
        api_version="v66.0",
        page_size=50000,
    )


def test_an_incremental_window_is_cut_by_date_between_its_rows():
    first, last = UPPER - timedelta(hours=4), UPPER - timedelta(hours=2)
    org = AnsweringOrg((first, last))
    assert find_halves(org, plan(), WINDOW, 0) == halve_by_date(WINDOW, first, last)
    assert org.asked == [("instants", WINDOW)]


def test_without_answers_about_the_rows_the_window_is_cut_in_its_middle():
    for answer in (SLOW, None):
        assert find_halves(AnsweringOrg(answer), plan(), WINDOW, 0) == halve_by_date(WINDOW)


def test_rows_of_one_instant_are_cut_by_id_among_themselves():
    instant = UPPER - timedelta(hours=4)
    org = AnsweringOrg((instant, instant))
    assert find_halves(org, plan(), WINDOW, 0) == halve_by_id(WINDOW, MIDDLE)
    assert org.asked == [("instants", WINDOW), ("middle", WINDOW)]


def test_after_some_halvings_by_date_ids_are_tried_first():
    org = AnsweringOrg()
    assert find_halves(org, plan(), WINDOW, DATE_HALVINGS) == halve_by_id(WINDOW, MIDDLE)
    assert org.asked == [("middle", WINDOW)]


def test_where_ids_cannot_be_cut_dates_are_cut_further():
    first, last = UPPER - timedelta(hours=4), UPPER - timedelta(hours=2)
    org = AnsweringOrg((first, last), (None,))
    assert find_halves(org, plan(), WINDOW, DATE_HALVINGS) == halve_by_date(WINDOW, first, last)


def test_a_range_of_ids_is_never_cut_by_date():
    _, upper = halve_by_id(WINDOW, "0010000006Vm9rAAAA")
    org = AnsweringOrg()
    assert find_halves(org, plan(), upper, 0) == halve_by_id(upper, MIDDLE)
    assert org.asked == [("middle", upper)]


def test_a_full_refresh_is_cut_by_id_alone():
    org = AnsweringOrg()
    assert find_halves(org, plan(Mode.FULL_REFRESH), WHOLE, 0) == halve_by_id(WHOLE, MIDDLE)
    assert org.asked == [("middle", WHOLE)]


def test_a_middle_that_takes_too_long_to_find_is_asked_for_without_dates():
    org = AnsweringOrg(middles=(SLOW, MIDDLE))
    assert find_halves(org, plan(), WINDOW, DATE_HALVINGS) == halve_by_id(WINDOW, MIDDLE)
    assert org.asked == [("middle", WINDOW), ("middle", WHOLE)]


def test_where_no_answer_comes_a_split_asks_three_times():
    instant = UPPER - timedelta(hours=4)
    org = AnsweringOrg((instant, instant), middles=(SLOW, SLOW))
    assert find_halves(org, plan(), WINDOW, 0) is None
    assert org.asked == [("instants", WINDOW), ("middle", WINDOW), ("middle", WHOLE)]


@pytest.mark.parametrize("middles", [(None,), (SLOW,)])
def test_a_full_refresh_whose_ids_cannot_be_cut_has_no_halves(middles):
    org = AnsweringOrg(middles=middles)
    assert find_halves(org, plan(Mode.FULL_REFRESH), WHOLE, 0) is None
    assert len(org.asked) == 1


def test_an_object_without_an_id_is_not_asked_for_one():
    org = AnsweringOrg()
    assert find_halves(org, plan(Mode.FULL_REFRESH, ("DurableId",)), WHOLE, 0) is None
    assert org.asked == []


@pytest.mark.parametrize("halvings", [0, DATE_HALVINGS])
def test_what_stops_the_run_is_not_taken_for_a_missing_answer(halvings):
    with pytest.raises(SalesforceError) as raised:
        find_halves(AnsweringOrg(QUOTA, (QUOTA,)), plan(), WINDOW, halvings)
    assert raised.value is QUOTA
