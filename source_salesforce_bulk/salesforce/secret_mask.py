"""Secrets kept out of sight: in what Salesforce echoes, and in every line that a program of ours logs.

It is the last line of defence. No message of this package holds a secret; but what an org or a proxy says of a request
may repeat it, in the spelling of a form, a URL, HTML or JSON.
"""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_MASK = "****"
# A shorter text would blank out words that are no secrets.
_SHORTEST_SECRET = 4


class SecretMask:
    """Masks every secret it was ever told of: one that has been replaced may still be echoed. For any thread."""

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._spellings: tuple[str, ...] = ()
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Mask these texts from now on, but for those too short to be told from words."""
        new = {spelling for secret in secrets for spelling in _spellings(secret)}
        with self._lock:
            # The longest first: of a secret that holds another one, nothing must be left.
            self._spellings = tuple(sorted(new.union(self._spellings), key=len, reverse=True))

    def redact(self, text: str) -> str:
        """``text`` with every secret masked, however it is spelled."""
        for spelling in self._spellings:
            text = text.replace(spelling, _MASK)
        return text


def _spellings(secret: str) -> Iterator[str]:
    if len(secret) >= _SHORTEST_SECRET:
        in_json = json.dumps(secret)[1:-1]
        yield from (secret, quote_plus(secret), quote(secret, safe=""), html.escape(secret))
        yield from (in_json, in_json.replace("/", "\\/"))
