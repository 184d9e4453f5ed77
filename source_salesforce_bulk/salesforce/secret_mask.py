"""Mask secrets in everything that Salesforce echoes and in every log line.

This is the last line of defence. The package puts no secret into a message, but an error of an org or a proxy may
repeat parts of a request, in form, URL, HTML, JSON or base64 encoding, or in nested encodings.

The usual encodings of a secret are replaced directly. The rest of the text is checked word by word: a word that
contains a secret after decoding is masked completely.
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
# Masking shorter texts would hide ordinary words.
_SHORTEST_SECRET = 4
# The same for the part of a base64 text that depends only on the secret.
_SHORTEST_IN_BASE64 = 8
# A longer encoded word is masked without decoding, which would take long.
_LONGEST_WORD = 8192
# Levels of nested encodings.
_ROUNDS = 4
_WORD = re.compile(r"[^\s\"'<>()\[\]{},|]+")
_ENCODED = re.compile(r"[%&\\]")
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([/\\]))")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


class SecretMask:
    """Masks every secret that it has learned; a replaced secret may still be echoed. Thread-safe."""

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._spellings: tuple[str, ...] = ()
        self._fragments: tuple[str, ...] = ()
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Mask these texts from now on, except those that are too short."""
        new = {spelling for secret in secrets for spelling in _spellings(secret)}
        fragments = {fragment for secret in secrets for fragment in _base64_fragments(secret)}
        with self._lock:
            # The longest first, because one secret may contain another.
            self._spellings = tuple(sorted(new.union(self._spellings), key=len, reverse=True))
            self._fragments = (*self._fragments, *fragments.difference(self._fragments))

    def redact(self, text: str) -> str:
        """Return ``text`` with every secret masked, in any encoding."""
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
    """Yield the fragments that any base64 encoding of a text with the secret contains, in both alphabets.

    Base64 encodes three bytes as four characters, so there are three possible offsets. The characters at both ends
    depend on the neighbouring bytes and are left out.
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
    """Return the text without the runs of base64 characters that contain the fragment."""
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
    """Yield the text with one level of each encoding decoded."""
    yield unquote(text)
    yield unquote_plus(text)
    yield html.unescape(text)
    yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
