"""Tokens of SOQL, and the error form that points at one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from integration_tests.simulated_org.errors import ApiError

TokenKind = Literal["datetime", "date", "time", "number", "string", "name", "operator", "end"]

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
  | (?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))
  | (?P<date>\d{4}-\d{2}-\d{2}(?![\dT]))
  | (?P<time>\d{2}:\d{2}:\d{2}(?:\.\d+)?Z)
  | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<operator><=|>=|!=|<>|[=<>(),.:])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "f": "\f",
    "'": "'",
    '"': '"',
    "\\": "\\",
    "_": "\\_",
    "%": "\\%",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token with its place in the text; `text` is as written."""

    kind: TokenKind
    text: str
    at: int

    @property
    def word(self) -> str:
        """The text in upper case when it is a name, else the text."""
        return self.text.upper() if self.kind == "name" else self.text


def tokenize(soql: str) -> list[Token]:
    """Split a statement into tokens, an `end` token last.

    :raises ApiError: MALFORMED_QUERY at the first character that starts no token.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(soql):
        found = _TOKEN.match(soql, at)
        if found is None:
            raise malformed(soql, at, f"line 1:{at} no viable alternative at character '{soql[at]}'")
        if found.lastgroup != "blank":
            tokens.append(Token(found.lastgroup, found.group(), at))  # type: ignore[arg-type]
        at = found.end()
    return [*tokens, Token("end", "<EOF>", len(soql))]


def unescape(token: Token) -> str:
    r"""Return the value of a string token; `\_` and `\%` keep their backslash, which LIKE reads."""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token.text[1:-1], flags=re.DOTALL)


def pointed(soql: str, at: int, reason: str) -> str:
    """Write the multi-line message of the query compiler: a fragment, a caret, the place and the reason."""
    line_start = soql.rfind("\n", 0, at) + 1
    row = soql.count("\n", 0, at) + 1
    start = max(line_start, at - 30)
    fragment = soql[start : at + 30].replace("\n", " ")
    return f"\n{fragment}\n{' ' * (at - start)}^\nERROR at Row:{row}:Column:{at - line_start + 1}\n{reason}"


def malformed(soql: str, at: int, reason: str) -> ApiError:
    """Return a MALFORMED_QUERY that points at a place."""
    return ApiError(400, "MALFORMED_QUERY", pointed(soql, at, reason))
