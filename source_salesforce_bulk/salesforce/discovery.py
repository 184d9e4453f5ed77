"""The org's objects, their descriptions and the org's limits. Every method is thread-safe.

Does not retry; ``transport`` retries single requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from source_salesforce_bulk.salesforce import rest_api
from source_salesforce_bulk.salesforce.describe import SObject, parse_describe
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError, unreadable_answer
from source_salesforce_bulk.salesforce.object_hints import Reason, is_named, matches, names_in, nearest, why_left_out
from source_salesforce_bulk.salesforce.rest_api import Limits, ObjectListing
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiResponse, UnreadableBody

T = TypeVar("T")

_NAMES_LENGTH = 4000
"""Maximum length of the names in one URL. Salesforce refuses URLs above 16,384 bytes, some proxies above 8,000."""


class Caller(Protocol):
    """Sends requests to the org, as ``transport.Transport`` does."""

    def call(self, request: ApiRequest) -> ApiResponse:
        """Return the successful response; raises ``SalesforceError`` or ``Stopped``."""
        ...


@dataclass(frozen=True, slots=True)
class LeftOutObject:
    """An object that the patterns include but discovery does not offer, and why.

    ``wanted``: without this object the run is incomplete. Either the user named it (it may not exist in the org), or
    Salesforce lists it and fails to describe it. ``meant`` is the existing object that a misspelt name resembles.
    ``unknown``: the user cannot see an object of this name in the org.
    """

    name: str
    reason: str
    wanted: bool = False
    meant: str | None = None
    unknown: bool = False

    @property
    def code(self) -> str:
        """The kind of ``reason`` in JSON output: a :class:`Reason`'s code, ``not_found`` or ``not_described``."""
        if isinstance(self.reason, Reason):
            return self.reason.code
        return "not_found" if self.unknown else "not_described"


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects that the patterns include, in the org's order: those to be offered, and the others.

    ``known`` are the names of all objects that the user can see.
    """

    selected: tuple[ObjectListing, ...]
    left_out: tuple[LeftOutObject, ...]
    known: tuple[str, ...] = ()


class Discovery:
    """Discovers the objects of one org in one API version, with at most ``describes_at_once`` concurrent describes."""

    def __init__(self, transport: Caller, version: str, describes_at_once: int) -> None:
        self._transport = transport
        self._version = version
        self._describes_at_once = max(1, describes_at_once)
        self._asking = threading.Lock()
        self._version_asked = False
        self._version_failure: Failure | None = None

    def versions(self) -> tuple[str, ...]:
        """Return the API versions that the org supports, such as ``v66.0``; raises ``SalesforceError``."""
        return self._ask(rest_api.versions(), rest_api.parse_versions)

    def version_failure(self) -> Failure | None:
        """Return a failure if the org does not support the configured API version, else None.

        Raises ``SalesforceError`` if the versions cannot be read.
        """
        offered = self.versions()
        if self._version in offered:
            return None
        newest = max(offered, key=lambda known: float(known.lstrip("v")))
        detail = f"api_version {self._version} is not among the org's versions, the newest of which is {newest}"
        return Failure.of(Kind.VERSION_UNKNOWN, detail=detail)

    def list_objects(self, include: Sequence[str], exclude: Sequence[str], overridden: Sequence[str] = ()) -> Listing:
        """Return the objects that match the fnmatch patterns, ignoring case; ``exclude`` takes precedence.

        An object named in ``include`` without a pattern is offered regardless of the hints. So is an object that
        matches ``include`` and is named in ``overridden``. If such an object cannot be offered, or does not exist, it
        is left out with a reason. A misspelt name in ``overridden`` is always reported. Raises ``SalesforceError``.
        """
        org = self._ask(rest_api.sobjects(self._version), rest_api.parse_sobjects)
        selected, left_out = [], []
        for listing in org:
            if not matches(listing.name, include) or matches(listing.name, exclude):
                continue
            named = is_named(listing.name, [*include, *overridden])
            reason = why_left_out(listing, asked_for=named)
            if reason is None:
                selected.append(listing)
            else:
                left_out.append(LeftOutObject(listing.name, reason, named))
        known = tuple(listed.name for listed in org)
        missing = _missing(known, names_in([*include, *overridden]), include, exclude)
        return Listing(tuple(selected), (*left_out, *missing), known)

    def describe(self, names: Sequence[str]) -> dict[str, SObject | SalesforceError]:
        """Return each object, or why it could not be described, in the order of ``names``.

        Raises ``SalesforceError`` if a failure affects every object (``Action.STOP_RUN``); requests that have not been
        sent by then are not sent.
        """
        describes = self.describe_ahead(names)
        try:
            return {name: describes.result(name) for name in dict.fromkeys(names)}
        finally:
            describes.close()

    def describe_ahead(self, names: Sequence[str], on_done: Callable[[], None] = lambda: None) -> PendingDescribes:
        """Start describing the objects in the order of ``names``; ``on_done`` is called after each, on any thread."""
        return PendingDescribes(self._describe_or_failure, names, self._describes_at_once, on_done)

    def limits(self) -> Limits:
        """Return the remaining part of the org's daily limits; raises ``SalesforceError``."""
        return self._ask(rest_api.limits(self._version), rest_api.parse_limits)

    def record_counts(self, names: Sequence[str]) -> dict[str, int]:
        """Return Salesforce's row count estimates; objects without one are missing. Raises ``SalesforceError``."""
        counts: dict[str, int] = {}
        for some in _in_short_urls(dict.fromkeys(names)):
            counts |= self._ask(rest_api.record_count(self._version, some), rest_api.parse_record_counts)
        return counts

    def _describe_or_failure(self, name: str) -> SObject | SalesforceError:
        try:
            return self._ask(rest_api.describe(self._version, name), partial(parse_describe, asked_for=name))
        except SalesforceError as error:
            if error.failure.action is Action.STOP_RUN:
                raise
            if error.failure.kind is Kind.OBJECT_GONE:
                self._doubt_version()
            return error

    def _doubt_version(self) -> None:
        """Raise the version's failure if the org does not support the API version. Sends at most one request."""
        with self._asking:
            if not self._version_asked:
                self._version_asked = True
                with suppress(SalesforceError):
                    self._version_failure = self.version_failure()
        if self._version_failure is not None:
            raise SalesforceError(self._version_failure)

    def _ask(self, request: ApiRequest, parse: Callable[[object], T]) -> T:
        response = self._transport.call(request)
        try:
            return parse(response.json())
        except UnreadableBody as error:
            raise SalesforceError(unreadable_answer(request.operation, response)) from error


class PendingDescribes:
    """Running describe requests. Must be closed; requests that have not been sent by then are not sent."""

    def __init__(
        self,
        describe: Callable[[str], SObject | SalesforceError],
        names: Sequence[str],
        at_once: int,
        on_done: Callable[[], None],
    ) -> None:
        distinct = dict.fromkeys(names)
        self._describe = describe
        self._stopped: SalesforceError | None = None
        self._pool = ThreadPoolExecutor(max(1, min(at_once, len(distinct))), thread_name_prefix="describe")
        self._futures = {name: self._pool.submit(self._run, name) for name in distinct}
        for future in self._futures.values():
            future.add_done_callback(lambda _: on_done())

    def ready(self, name: str) -> bool:
        """Return whether :meth:`result` would return at once."""
        return self._futures[name].done()

    def result(self, name: str) -> SObject | SalesforceError:
        """Wait for an object and return it, or why it could not be described.

        Raises ``SalesforceError`` if a failure affects every object (``Action.STOP_RUN``).
        """
        return self._futures[name].result()

    def close(self) -> None:
        """Send no further requests; do not wait for the running ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, name: str) -> SObject | SalesforceError:
        if self._stopped is not None:
            raise self._stopped
        try:
            return self._describe(name)
        except SalesforceError as error:
            self._stopped = error
            raise


def _missing(
    names: Sequence[str], wanted: Sequence[str], include: Sequence[str], exclude: Sequence[str]
) -> Iterator[LeftOutObject]:
    """Yield the objects in ``wanted`` that do not exist in the org or are excluded."""
    for name in wanted:
        included = matches(name, include)
        if matches(name, exclude):
            if is_named(name, include):
                yield LeftOutObject(name, Reason.EXCLUDED, wanted=True)
        elif not is_named(name, names):
            near = nearest(name, names)
            hint = f" (did you mean {near}?)" if near else ""
            if included or near:
                text = f"no object of that name is visible to this user{hint}"
                yield LeftOutObject(name, text, wanted=True, meant=near, unknown=True)


def _in_short_urls(names: Iterable[str]) -> Iterator[list[str]]:
    """Yield the names in groups whose URL is short enough; a comma is encoded as three characters."""
    run: list[str] = []
    length = 0
    for name in names:
        if run and length + len(name) > _NAMES_LENGTH:
            yield run
            run, length = [], 0
        run.append(name)
        length += len(name) + len("%2C")
    if run:
        yield run
