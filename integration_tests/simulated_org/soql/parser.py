"""Recursive descent from tokens to the syntax tree."""

from __future__ import annotations

from integration_tests.simulated_org.errors import ApiError
from integration_tests.simulated_org.soql.syntax import (
    Both,
    Call,
    Comparison,
    Condition,
    Construct,
    Membership,
    Not,
    Order,
    Path,
    Query,
    SelectItem,
    Value,
)
from integration_tests.simulated_org.soql.tokens import Token, malformed, tokenize, unescape

_CLAUSES = frozenset({"WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "FOR", "USING", "ALL"})
_OPERATORS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">=", "LIKE"})
_RELATIVE = frozenset({"TODAY", "YESTERDAY", "TOMORROW", "LAST_N_DAYS", "NEXT_N_DAYS"})


def parse_soql(soql: str) -> Query:
    """Parse one statement.

    :raises ApiError: MALFORMED_QUERY, pointing at the first token that does not fit.
    """
    return _Parser(soql).query()


class _Parser:
    def __init__(self, soql: str) -> None:
        self._soql = soql
        self._tokens = tokenize(soql)
        self._next = 0

    # -- tokens ------------------------------------------------------------------------------------------------------

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _accept(self, *words: str) -> Token | None:
        return self._take() if self._token.word in words and self._token.kind in ("name", "operator") else None

    def _expect(self, word: str) -> Token:
        found = self._accept(word)
        if found is None:
            raise self._unexpected()
        return found

    def _name(self) -> Token:
        if self._token.kind != "name":
            raise self._unexpected()
        return self._take()

    def _unexpected(self) -> ApiError:
        written = self._token.text if self._token.kind == "end" else f"'{self._token.text}'"
        return malformed(self._soql, self._token.at, f"unexpected token: {written}")

    # -- statement ---------------------------------------------------------------------------------------------------

    def query(self) -> Query:
        self._expect("SELECT")
        select = [self._select_item()]
        while self._accept(","):
            select.append(self._select_item())
        self._expect("FROM")
        name = self._name()
        alias = self._name().text if self._token.kind == "name" and self._token.word not in _CLAUSES else None
        where = self._condition() if self._accept("WHERE") else None
        group_by_at = self._group_by()
        order = self._order_by()
        limit = self._count() if self._accept("LIMIT") else None
        offset = self._count() if self._accept("OFFSET") else None
        if self._token.kind != "end":
            raise self._unexpected()
        return Query(self._soql, tuple(select), name.text, name.at, alias, where, order, limit, offset, group_by_at)

    def _select_item(self) -> SelectItem:
        if self._token.text == "(":
            return self._skip_to(")", Construct("subquery", self._token.at))
        if self._token.word == "TYPEOF":
            return self._skip_to("END", Construct("typeof", self._token.at))
        first = self._name()
        if self._token.text != "(":
            return self._path(first)
        argument = self._call_argument()
        alias = self._name().text if self._token.kind == "name" and self._token.word != "FROM" else None
        return Call(first.word, argument, alias, first.at)

    def _skip_to(self, closing: str, found: Construct) -> Construct:
        depth = 0
        while self._token.kind != "end":
            token = self._take()
            depth += (token.text == "(") - (token.text == ")")
            if token.word == closing and depth <= 0:
                return found
        raise self._unexpected()

    def _call_argument(self) -> Path | None:
        self._expect("(")
        argument = None if self._token.text == ")" else self._path(self._name())
        self._expect(")")
        return argument

    def _path(self, first: Token) -> Path:
        parts = [first.text]
        while self._accept("."):
            parts.append(self._name().text)
        return Path(tuple(parts), first.at)

    def _group_by(self) -> int | None:
        if (found := self._accept("GROUP")) is None:
            return None
        self._expect("BY")
        self._path(self._name())
        while self._accept(","):
            self._path(self._name())
        if self._accept("HAVING"):
            self._condition()
        return found.at

    def _order_by(self) -> tuple[Order, ...]:
        if not self._accept("ORDER"):
            return ()
        self._expect("BY")
        keys = [self._order_key()]
        while self._accept(","):
            keys.append(self._order_key())
        return tuple(keys)

    def _order_key(self) -> Order:
        path = self._path(self._name())
        direction = self._accept("ASC", "DESC")
        nulls_last = False
        if self._accept("NULLS"):
            nulls_last = self._accept("FIRST") is None
            if nulls_last:
                self._expect("LAST")
        return Order(path, direction is not None and direction.word == "DESC", nulls_last)

    def _count(self) -> int:
        if self._token.kind == "number" and self._token.text.isdigit():
            return int(self._take().text)
        raise self._unexpected()

    # -- conditions --------------------------------------------------------------------------------------------------

    def _condition(self) -> Condition:
        """Read `a AND b AND c` or `a OR b OR c`; like the real compiler, refuse to mix them without parentheses."""
        parts = [self._negation()]
        operator = self._token.word if self._token.word in ("AND", "OR") else None
        while operator is not None and self._token.word in ("AND", "OR"):
            if self._token.word != operator:
                raise self._unexpected()
            self._take()
            parts.append(self._negation())
        if operator is None:
            return parts[0]
        return Both("AND" if operator == "AND" else "OR", tuple(parts))

    def _negation(self) -> Condition:
        if self._accept("NOT"):
            return Not(self._negation())
        if self._accept("("):
            inner = self._condition()
            self._expect(")")
            return inner
        return self._predicate()

    def _predicate(self) -> Condition:
        first = self._name()
        if self._token.text == "(":
            left: Path | Call = Call(first.word, self._call_argument(), None, first.at)
        else:
            left = self._path(first)
        if self._token.word in _OPERATORS:
            operator = self._take().word
            return Comparison(left, "!=" if operator == "<>" else operator, self._value())
        if isinstance(left, Path):
            negated = self._accept("NOT") is not None
            found = self._accept("IN") if negated else self._accept("IN", "INCLUDES", "EXCLUDES")
            if found is not None:
                return Membership(left, ("NOT " if negated else "") + found.word, self._values())
        raise self._unexpected()

    def _values(self) -> tuple[Value, ...]:
        self._expect("(")
        if self._token.word == "SELECT":
            raise self._unexpected()
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> Value:
        token = self._take()
        match token.kind:
            case "string":
                return Value("string", unescape(token), token.at)
            case "number" | "date" | "datetime" | "time":
                return Value(token.kind, token.text, token.at)
            case "name" if token.word in ("TRUE", "FALSE"):
                return Value("boolean", token.word.lower(), token.at)
            case "name" if token.word == "NULL":
                return Value("null", "", token.at)
            case "name" if token.word in _RELATIVE:
                days = f":{self._count()}" if self._accept(":") else ""
                return Value("relative", token.word + days, token.at)
            case _:
                self._next -= 1
                raise self._unexpected()
