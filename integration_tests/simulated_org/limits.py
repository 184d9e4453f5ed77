"""Daily allowances of the org: the numbers of `/limits` and of the header, and the refusals at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from integration_tests.simulated_org.errors import API_ERRORS, ApiError


class Limits:
    """Counters with a maximum and a remainder."""

    def __init__(self, limits: Mapping[str, tuple[int, int]]) -> None:
        self._max = {name: pair[0] for name, pair in limits.items()}
        self._left = {name: float(pair[1]) for name, pair in limits.items()}
        self._headers = 0

    def body(self) -> dict[str, dict[str, int]]:
        """Return the body of `GET …/limits`."""
        return {name: {"Max": self._max[name], "Remaining": max(0, int(self._left[name]))} for name in self._max}

    def header(self, lags: Sequence[int] = ()) -> str:
        """Return the value of `Sforce-Limit-Info`; `lags`: by how many calls it is behind, in turn."""
        limit = self._max["DailyApiRequests"]
        used = limit - max(0, int(self._left["DailyApiRequests"]))
        lag = lags[self._headers % len(lags)] if lags else 0
        self._headers += 1
        return f"api-usage={max(0, used - lag)}/{limit}"

    def set(self, name: str, *, maximum: int | None = None, remaining: float | None = None) -> None:
        """Change one counter, or add one."""
        if maximum is not None:
            self._max[name] = maximum
        self._max.setdefault(name, int(remaining or 0))
        self._left[name] = self._max[name] if remaining is None else remaining

    def spend(self, name: str, amount: float = 1) -> None:
        """Take from a counter; it may go below zero, which shows as zero."""
        self._left[name] = self._left.get(name, 0) - amount

    def refuse_exhausted(self, *names: str) -> None:
        """Raise the refusal that belongs to the first of these counters that has nothing left.

        :raises ApiError: as production answers.
        """
        for name in names:
            if self._left.get(name, 1) < 1:
                raise self._refusal(name)

    def _refusal(self, name: str) -> ApiError:
        if name == "DailyApiRequests":
            return API_ERRORS["REQUEST_LIMIT_EXCEEDED"].api_error(None)
        if name == "DailyBulkV2QueryFileStorageMB":
            return API_ERRORS["LIMIT_EXCEEDED/volume"].api_error(None)
        limit = self._max.get(name, 0)
        return ApiError(
            400, "LIMIT_EXCEEDED", f"Max bulk v2 query jobs ({limit}) per 24 hrs has been reached ({limit + 1})"
        )
