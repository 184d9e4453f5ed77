"""Count the steps of a backtracking matcher, instead of measuring seconds: a model of Python's ``re``.

The model walks the tree that ``re`` itself parses a pattern into and tries alternatives in the same order. It counts a
step for every node that it looks at. A pattern is linear if twice the text takes about twice the steps, whatever the
text; :func:`growth` tries the texts that are known to be bad for a pattern: something that begins a match, a run of
something that its parts may share among them, and something that lets the whole fail.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import inf
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LENGTH = 12
TOO_MANY = 20_000
_CLASSES: dict[Any, Callable[[str], bool]] = {
    sre.CATEGORY_DIGIT: str.isdigit,
    sre.CATEGORY_NOT_DIGIT: lambda char: not char.isdigit(),
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    sre.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    sre.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}
Next = Callable[[int], bool]


class TooManySteps(Exception):
    """The count has left every bound that a linear pattern could keep."""


class Model:
    """One pattern over one text."""

    def __init__(self, pattern: re.Pattern[Any], text: str) -> None:
        source = pattern.pattern
        source = source.decode("latin-1") if isinstance(source, bytes) else source
        self._tree = _parser.parse(source, pattern.flags & ~re.UNICODE)
        self._flags = pattern.flags
        self._text = text.lower() if pattern.flags & re.IGNORECASE else text
        self._groups: dict[int, tuple[int, int]] = {}
        self.steps = 0

    def match(self, start: int, *, whole: bool = False) -> bool:
        """Return whether the pattern matches at a place."""
        return self._sequence(list(self._tree), 0, start, lambda at: not whole or at == len(self._text))

    def search(self) -> None:
        """Try every place, as ``search`` does up to the first match."""
        for start in range(len(self._text) + 1):
            if self.match(start):
                break

    def replace_all(self) -> None:
        """Try every place behind the last match, as ``sub`` and ``findall`` do."""
        start = 0
        while start <= len(self._text):
            ends: list[int] = []
            if self._sequence(list(self._tree), 0, start, lambda at, ends=ends: ends.append(at) or True):
                start = max(ends[0], start + 1)
            else:
                start += 1

    def _sequence(self, nodes: list[Any], index: int, at: int, then: Next) -> bool:
        if index == len(nodes):
            return then(at)
        return self._node(*nodes[index], at, lambda end: self._sequence(nodes, index + 1, end, then))

    def _node(self, op: Any, argument: Any, at: int, then: Next) -> bool:
        self.steps += 1
        if self.steps > TOO_MANY:
            raise TooManySteps
        match op:
            case sre.LITERAL | sre.NOT_LITERAL | sre.IN | sre.ANY:
                return at < len(self._text) and self._takes(op, argument, self._text[at]) and then(at + 1)
            case sre.BRANCH:
                return any(self._sequence(list(branch), 0, at, then) for branch in argument[1])
            case sre.SUBPATTERN:
                return self._group(argument[0], list(argument[3]), at, then)
            case sre.MAX_REPEAT | sre.MIN_REPEAT:
                return self._repeat(argument, at, then, lazy=op is sre.MIN_REPEAT)
            case sre.AT:
                return self._is_at(argument, at) and then(at)
            case sre.ASSERT | sre.ASSERT_NOT:
                direction, inner = argument
                start = at if direction > 0 else at - inner.getwidth()[0]
                found = start >= 0 and self._sequence(list(inner), 0, start, lambda _: True)
                return found is (op is sre.ASSERT) and then(at)
            case sre.GROUPREF:
                begin, end = self._groups.get(argument, (0, 0))
                word = self._text[begin:end]
                return self._text.startswith(word, at) and then(at + len(word))
        raise NotImplementedError(op)

    def _group(self, number: int | None, nodes: list[Any], at: int, then: Next) -> bool:
        def closed(end: int) -> bool:
            if number is not None:
                self._groups[number] = (at, end)
            return then(end)

        return self._sequence(nodes, 0, at, closed)

    def _repeat(self, argument: Any, at: int, then: Next, *, lazy: bool) -> bool:
        least, most, body = argument
        nodes = list(body)

        def again(count: int, here: int) -> bool:
            def more() -> bool:
                return count < most and self._sequence(nodes, 0, here, lambda end: end > here and again(count + 1, end))

            if count < least:
                return self._sequence(nodes, 0, here, lambda end: again(count + 1, end))
            return then(here) or more() if lazy else more() or then(here)

        return again(0, at)

    def _takes(self, op: Any, argument: Any, char: str) -> bool:
        if op is sre.ANY:
            return char != "\n" or bool(self._flags & re.DOTALL)
        if op is sre.IN:
            negated = argument[0][0] is sre.NEGATE
            return any(self._has(*one, char) for one in argument[negated:]) is not negated
        return self._has(sre.LITERAL, argument, char) is (op is sre.LITERAL)

    def _has(self, op: Any, argument: Any, char: str) -> bool:
        forms = {char, char.upper()} if self._flags & re.IGNORECASE else {char}
        if op is sre.LITERAL:
            return any(ord(form[0]) == argument for form in forms)
        if op is sre.RANGE:
            return any(argument[0] <= ord(form[0]) <= argument[1] for form in forms)
        return _CLASSES[argument](char) and (not self._flags & re.ASCII or char.isascii())

    def _is_at(self, where: Any, at: int) -> bool:
        if where in (sre.AT_BOUNDARY, sre.AT_NON_BOUNDARY):
            around = [0 <= place < len(self._text) and _is_word(self._text[place]) for place in (at - 1, at)]
            return (around[0] != around[1]) is (where is sre.AT_BOUNDARY)
        if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            return at == 0
        return at == len(self._text) or (where is sre.AT_END and self._text[at:] == "\n")


def steps(pattern: re.Pattern[Any], text: str, method: str) -> int:
    """The steps of ``pattern.method(text)``; raises :class:`TooManySteps`."""
    model = Model(pattern, text)
    if method in ("match", "fullmatch"):
        model.match(0, whole=method == "fullmatch")
    elif method == "search":
        model.search()
    else:
        model.replace_all()
    return model.steps


def growth(pattern: re.Pattern[Any], method: str) -> tuple[float, str]:
    """By how much the steps grow where the text is doubled, at the worst, and what the text repeats."""
    worst, found = 0.0, ""
    with _deep_recursion():
        for beginning, run, end in bad_texts(pattern):
            text = f"{beginning!r} + {run!r} * n + {end!r}"
            try:
                few, many = (steps(pattern, beginning + run * n + end, method) for n in (LENGTH, 2 * LENGTH))
            except TooManySteps:
                return inf, text
            if few >= LENGTH and many / few > worst:
                worst, found = many / few, text
    return worst, found


@contextmanager
def _deep_recursion() -> Iterator[None]:
    """The model calls itself for every node that a match has passed."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def bad_texts(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """Beginnings, runs and ends that are worth trying."""
    source = pattern.pattern
    tree = _parser.parse(source.decode("latin-1") if isinstance(source, bytes) else source, pattern.flags & ~re.UNICODE)
    beginnings = {""} | {text for text, _ in _repeats(list(tree), "")}
    bodies = {text for _, text in _repeats(list(tree), "")}
    singles = {char for body in bodies for char in body} | {" ", "a", "0"}
    marks = sorted({char for char in _literals(list(tree)) if not char.isalnum()})[:4]
    pairs = {one + other for one in marks for other in marks}
    whole = _sample(list(tree))
    for run in sorted(bodies | singles | pairs | {whole, whole[: len(whole) // 2 + 1]}):
        for beginning in sorted(beginnings):
            for end in ("", "\x00"):
                yield beginning, run, end


def _literals(nodes: Iterable[Any]) -> Iterator[str]:
    """The characters that the nodes name."""
    for op, argument in nodes:
        if op in (sre.LITERAL, sre.NOT_LITERAL):
            yield chr(argument)
        elif op is sre.IN:
            yield from _literals(one for one in argument if one[0] is sre.LITERAL)
        for sequence in _inner(op, argument):
            yield from _literals(sequence)


def _repeats(nodes: Iterable[Any], before: str) -> Iterator[tuple[str, str]]:
    """Every repeat without a bound: a text that leads to it, and texts that it repeats."""
    for op, argument in nodes:
        inner = _inner(op, argument)
        for sequence in inner:
            yield from _repeats(sequence, before)
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and argument[1] is sre.MAXREPEAT:
            yield before, _sample(list(argument[2]))
            yield before, _sample(list(argument[2]), last=True)
        before += _sample([(op, argument)])


def _inner(op: Any, argument: Any) -> list[list[Any]]:
    match op:
        case sre.BRANCH:
            return [list(branch) for branch in argument[1]]
        case sre.SUBPATTERN:
            return [list(argument[3])]
        case sre.MAX_REPEAT | sre.MIN_REPEAT:
            return [list(argument[2])]
        case sre.ASSERT | sre.ASSERT_NOT:
            return [list(argument[1])]
    return []


def _sample(nodes: Iterable[Any], *, last: bool = False) -> str:
    """A short text that the nodes match, by the first or by the last alternative."""
    text = ""
    for op, argument in nodes:
        match op:
            case sre.LITERAL:
                text += chr(argument)
            case sre.NOT_LITERAL:
                text += "a" if argument != ord("a") else "b"
            case sre.ANY:
                text += "a"
            case sre.IN:
                text += _member(argument, last=last)
            case sre.BRANCH:
                text += _sample(list(argument[1][-1 if last else 0]), last=last)
            case sre.SUBPATTERN:
                text += _sample(list(argument[3]), last=last)
            case sre.MAX_REPEAT | sre.MIN_REPEAT:
                text += _sample(list(argument[2]), last=last) * max(1, argument[0])
    return text


def _member(members: Any, *, last: bool) -> str:
    model = Model(re.compile(""), "")
    characters = "a0 A_.-\"'\\/x\x1f" + "".join(map(chr, range(33, 127)))
    fitting = [char for char in characters if model._takes(sre.IN, members, char)]
    return fitting[-1 if last else 0] if fitting else "a"


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
