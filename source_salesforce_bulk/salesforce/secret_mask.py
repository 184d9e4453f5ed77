"""Secrets kept out of sight: in what Salesforce echoes, and in every line that a program of ours logs.

It is the last line of defence. No message of this package holds a secret; but what an org or a proxy says of a request
may repeat it, in the spelling of a form, a URL, HTML, JSON or base64, or in one spelling inside another.

The usual spellings are replaced where they stand. What is left of a text is looked at word by word: a word that can be
decoded and then holds a secret is masked whole.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_MASK = "****"
# A shorter text would blank out words that are no secrets.
_SHORTEST_SECRET = 4
# The same for the part of a base64 text that depends on the secret alone.
_SHORTEST_IN_BASE64 = 8
# A longer word with an encoding in it is masked unread: it says nothing, and decoding it would take long.
_LONGEST_WORD = 8192
# An echo of an echo of an echo.
_ROUNDS = 4
_WORD = re.compile(r"[^\s\"'<>()\[\]{},|]+")
_ENCODED = re.compile(r"[%&\\]")
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([/\\]))")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


class SecretMask:
    """Masks every secret it was ever told of: one that has been replaced may still be echoed. For any thread."""

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._spellings: tuple[str, ...] = ()
        self._fragments: tuple[str, ...] = ()
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Mask these texts from now on, but for those too short to be told from words."""
        new = {spelling for secret in secrets for spelling in _spellings(secret)}
        fragments = {fragment for secret in secrets for fragment in _base64_fragments(secret)}
        with self._lock:
            # The longest first: of a secret that holds another one, nothing must be left.
            self._spellings = tuple(sorted(new.union(self._spellings), key=len, reverse=True))
            self._fragments = (*self._fragments, *fragments.difference(self._fragments))

    def redact(self, text: str) -> str:
        """``text`` with every secret masked, however it is spelled."""
        for spelling in self._spellings:
            text = text.replace(spelling, _MASK)
        for fragment in self._fragments:
            text = _without_run(text, fragment)
        if self._spellings and _ENCODED.search(text):
            text = _WORD.sub(lambda word: _MASK if self._is_encoded_in(word[0]) else word[0], text)
        return text

    def _is_encoded_in(self, word: str) -> bool:
        if len(word) > _LONGEST_WORD:
            return _ENCODED.search(word) is not None
        decoded = {word}
        for _ in range(_ROUNDS):
            decoded |= {text for value in decoded if _ENCODED.search(value) for text in _decoded(value)}
        decoded.discard(word)
        known = (*self._spellings, *self._fragments)
        return any(spelling in text for text in decoded for spelling in known)


def _spellings(secret: str) -> Iterator[str]:
    if len(secret) >= _SHORTEST_SECRET:
        in_json = json.dumps(secret)[1:-1]
        yield from (secret, quote_plus(secret), quote(secret, safe=""), html.escape(secret))
        yield from (in_json, in_json.replace("/", "\\/"))


def _base64_fragments(secret: str) -> Iterator[str]:
    """What is in any base64 text of a text with the secret in it, in both alphabets.

    Three bytes become four characters; what comes before the secret decides where it begins among them. The characters
    at its ends depend on its neighbours and are left out.
    """
    data = secret.encode()
    for before in range(3):
        bits = 8 * (before + len(data))
        first, last = -(-8 * before // 6), bits // 6
        encoded = base64.b64encode(bytes(before) + data).decode()[first:last]
        if len(encoded) >= _SHORTEST_IN_BASE64:
            yield encoded
            yield encoded.translate(str.maketrans("+/", "-_"))


def _without_run(text: str, fragment: str) -> str:
    """The text without the runs of base64 that hold the fragment."""
    kept, at = [], 0
    while (found := text.find(fragment, at)) >= 0:
        begin, end = found, found + len(fragment)
        while begin > at and text[begin - 1] in _BASE64:
            begin -= 1
        while end < len(text) and text[end] in _BASE64:
            end += 1
        kept += [text[at:begin], _MASK]
        at = end
    return "".join([*kept, text[at:]]) if kept else text


def _decoded(text: str) -> Iterator[str]:
    """The text with one layer of each encoding undone."""
    yield unquote(text)
    yield unquote_plus(text)
    yield html.unescape(text)
    yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
