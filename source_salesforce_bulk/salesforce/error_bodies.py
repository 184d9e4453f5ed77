"""Parse error bodies of any shape: Salesforce's arrays, OAuth's objects, XML, a proxy's HTML, truncated or empty ones.

Bodies are untrusted, so nothing here raises, and everything runs in linear time.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from source_salesforce_bulk.salesforce.wire import UnreadableBody, parse_json

QUOTE_LENGTH = 300
"""Maximum length of Salesforce's own text in a message."""

# The rest of a longer error body is ignored.
_BODY_LENGTH = 1 << 16
_CODE = re.compile(r"[A-Za-z]\w{0,79}", re.ASCII)
_CODE_IN_FRAGMENT = re.compile(r'(?:"errorCode"\s*:\s*"|"error"\s*:\s*"|<exceptionCode>)(\w+)')
_MESSAGE_IN_FRAGMENT = re.compile(r'(?:"message"|"error_description")\s*:\s*"((?:[^"\\]|\\.)*)')
_CODE_KEYS = ("errorCode", "exceptionCode", "error")
_MESSAGE_KEYS = ("message", "error_description", "exceptionMessage")
_TAG = re.compile(r"\w{1,10}", re.ASCII)
_WITHOUT_WORDS = ("script", "style", "head")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The error codes in a body, as spelled there, and its text as one string."""

    codes: tuple[str, ...]
    text: str


def read_error_body(body: bytes) -> ErrorBody:
    """Return the codes and text of an error body; the text is neither redacted nor shortened."""
    payload = parsed(body[:_BODY_LENGTH])
    if isinstance(payload, (list, dict)):
        return ErrorBody(error_codes(payload), " ".join(_texts(payload, *_MESSAGE_KEYS)))
    text = body[:_BODY_LENGTH].decode("utf-8", errors="replace")
    words = _MESSAGE_IN_FRAGMENT.findall(text) or [html.unescape(" ".join(_between_tags(text)))]
    return ErrorBody(_spelled_as_codes(_CODE_IN_FRAGMENT.findall(text)), " ".join(words))


def error_codes(payload: object) -> tuple[str, ...]:
    """Return the error codes in decoded JSON, in order, without duplicates."""
    return _spelled_as_codes(_texts(payload, *_CODE_KEYS))


def parsed(body: bytes) -> object:
    """Return the body as JSON; None if it is not JSON."""
    try:
        return parse_json(body)
    except UnreadableBody:
        return None


def one_line(text: str, length: int | None = None) -> str:
    """Return the text as one line of printable characters, at most ``length`` of them."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if length is None or len(line) <= length else line[: length - 1] + "…"


def _spelled_as_codes(words: list[str]) -> tuple[str, ...]:
    return tuple(word for word in dict.fromkeys(words) if _CODE.fullmatch(word))


def _texts(payload: object, *keys: str) -> list[str]:
    entries = payload if isinstance(payload, list) else [payload]
    values = (entry.get(key) for entry in entries if isinstance(entry, dict) for key in keys)
    return [value for value in values if isinstance(value, str)]


def _between_tags(markup: str) -> Iterator[str]:
    """Yield the text of markup, without tags and without the content of scripts, styles and heads."""
    lower, at = markup.lower(), 0
    while True:
        begin = markup.find("<", at)
        end = markup.find(">", begin) if begin >= 0 else -1
        if end < 0:
            yield markup[at:]
            return
        yield markup[at:begin]
        at = end + 1
        tag = _TAG.match(lower, begin + 1)
        if tag and tag[0] in _WITHOUT_WORDS:
            at = lower.find(f"</{tag[0]}", at)
            if at < 0:
                return
