"""Follow a job's result from page to page, and decide from the headers where it ends.

A walk counts the rows of one job, and remembers the locators it has used and the first row of each page. :func:`step`
returns what follows a page: another locator, the end, or the reason why neither can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from source_salesforce_bulk.salesforce.bulk_api import PageHeaders

MAX_EMPTY_PAGES = 100
"""Maximum number of consecutive pages without rows that each name a further locator."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A position in one job's pages. ``rows`` and ``page`` count what has been passed; ``locator`` is the next page's.

    ``total`` is ``numberRecordsProcessed``, None if Salesforce did not report it. ``used`` are the locators passed, and
    ``first_ids`` the first Ids of the pages passed; neither includes those of an earlier run.
    """

    total: int | None
    locator: str | None = None
    page: int = 0
    rows: int = 0
    empty_pages: int = 0
    used: frozenset[str] = field(default=frozenset())
    first_ids: frozenset[str] = field(default=frozenset())

    @property
    def counted(self) -> bool:
        """True if every row that the job reports has been passed."""
        return self.rows == self.total


@dataclass(frozen=True, slots=True)
class Onward:
    """There is a further page; ``walk`` is the position before it."""

    walk: Walk


@dataclass(frozen=True, slots=True)
class End:
    """The result is complete: ``rows`` in ``pages`` equal the job's total, if that is known."""

    rows: int
    pages: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The page's header cannot be followed; the same page may be requested again."""

    reason: str


@dataclass(frozen=True, slots=True)
class WrongTotal:
    """The number of rows contradicts the job's own count.

    If requesting the page again does not help, nothing read from this job can be trusted.
    """

    rows: int
    total: int


Step = Onward | End | Lost | WrongTotal


def step(walk: Walk, headers: PageHeaders, rows: int, first_id: str | None = None) -> Step:
    """Return the next step after a page of ``rows`` rows for ``walk.locator`` with ``headers``.

    A missing locator header is the end only if the rows so far equal the total. A locator used before, or a page that
    begins with the row of an earlier page, would emit rows twice. ``first_id`` is the Id in the page's first row, if it
    has one.
    """
    if first_id in walk.first_ids:
        return Lost("it begins with a row of an earlier page")
    seen = walk.rows + rows
    if walk.total is not None and seen > walk.total:
        return WrongTotal(seen, walk.total)
    if headers.locator is None:
        return _ending(walk, headers, seen)
    if headers.locator == walk.locator or headers.locator in walk.used:
        return Lost("the locator of the next page does not move on")
    empty = 0 if rows else walk.empty_pages + 1
    if empty > MAX_EMPTY_PAGES:
        return Lost(f"{empty} pages in a row hold no rows")
    used = walk.used | {walk.locator} if walk.locator else walk.used
    first_ids = walk.first_ids | {first_id} if first_id is not None else walk.first_ids
    return Onward(Walk(walk.total, headers.locator, walk.page + 1, seen, empty, used, first_ids))


def _ending(walk: Walk, headers: PageHeaders, seen: int) -> Step:
    if walk.total == seen or (headers.last and walk.total is None):
        return End(rows=seen, pages=walk.page + 1)
    if headers.last and walk.total is not None:
        return WrongTotal(seen, walk.total)
    return Lost("the header that names the next page is missing before the end of the result")
