"""The platform's side of the Authenticate button, written from its rules and not from the connector's templates.

Texts are rendered as Jinjava does with all but four filters switched off: whatever the platform would refuse raises
:class:`FatalTemplateError`. No address is opened and nothing is sent; the requests come back as values.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

Values = Mapping[str, str | None]

_KEYS = {
    "auth_code_key": "code",
    "client_id_key": "client_id",
    "client_secret_key": "client_secret",
    "redirect_uri_key": "redirect_uri",
    "scope_key": "scope",
    "state_key": "state",
}
_ENCODED = ("redirect_uri", "scope")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARGUMENT = re.compile(r"'([^']*)'|\"([^\"]*)\"")


class FatalTemplateError(Exception):
    """The platform shows an error in place of the log-in window."""


@dataclass(frozen=True)
class TokenRequest:
    """The POST that exchanges the code."""

    url: str
    headers: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def body(self) -> str:
        """The parameters as the platform writes them for a form; otherwise they would be JSON."""
        assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        return "&".join(f"{name}={quote_plus(value)}" for name, value in self.parameters.items())


def consent_url(spec: Mapping[str, Any], user_input: Mapping[str, str], given: Values) -> str:
    """The address of the log-in window; ``given`` has client_id, redirect_uri and state."""
    values = words(spec, user_input, {name: given[name] for name in ("client_id", "redirect_uri", "state")})
    return render(spec["consent_url"], values)


def token_request(spec: Mapping[str, Any], user_input: Mapping[str, str], given: Values) -> TokenRequest:
    """The exchange; ``given`` also has client_secret and code."""
    values = words(spec, user_input, given)
    headers = {render(name, values): render(text, values) for name, text in spec["access_token_headers"].items()}
    parameters = {render(name, values): render(text, values) for name, text in spec["access_token_params"].items()}
    return TokenRequest(render(spec["access_token_url"], values), headers, parameters)


def words(spec: Mapping[str, Any], user_input: Mapping[str, str], given: Values) -> dict[str, str | None]:
    """Every word that a template may use."""
    values: dict[str, str | None] = dict(_KEYS)
    values |= {name: text for name, text in {**user_input, **spec}.items() if isinstance(text, str)}
    values |= {values[f"{'auth_code' if name == 'code' else name}_key"] or "": text for name, text in given.items()}
    for key in _KEYS:
        name = key.removesuffix("_key")
        value = values.get(values[key] or "")
        shown = quote_plus(value) if value is not None and name in _ENCODED else value
        values[f"{name}_param"] = f"{values[key]}={'null' if shown is None else shown}"
        values[f"{name}_value"] = value
    values["scopes_param"], values["scopes_value"] = values["scope_param"], values["scope_value"]
    return values


def render(template: str, values: Values) -> str:
    """The text with its expressions evaluated. An expression ends at the first ``}}``; unknown words are empty."""
    done, rest = "", template
    while "{{" in rest or "{%" in rest:
        plain, opening, rest = rest.partition("{{")
        expression, closing, rest = rest.partition("}}")
        if not opening or "{%" in plain or not closing:
            raise FatalTemplateError(f"a tag, or an expression without an end, in {template}")
        done += plain + _evaluate(expression, values)
    return done + rest


def _evaluate(expression: str, values: Values) -> str:
    name, *filters = _split(expression, "|")
    if not _WORD.fullmatch(name):
        raise FatalTemplateError(f"{name!r} is not a word")
    value = values.get(name) or ""
    for applied in filters:
        value = _apply(applied, value)
    return value


def _apply(applied: str, value: str) -> str:
    name, opening, rest = applied.partition("(")
    given = [_literal(text) for text in _split(rest.removesuffix(")"), ",")] if opening else []
    known = FILTERS.get(name.strip())
    if known is None or (opening and not rest.endswith(")")):
        raise FatalTemplateError(f"{applied!r} is not a filter that is switched on")
    try:
        return known(value, *given)
    except TypeError as error:
        raise FatalTemplateError(f"{applied!r} has the wrong arguments") from error


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand outside of quotes."""
    parts = re.findall(rf"(?:'[^']*'|\"[^\"]*\"|[^{re.escape(separator)}'\"])+", text)
    return [part.strip() for part in parts]


def _literal(text: str) -> str:
    found = _ARGUMENT.fullmatch(text)
    if found is None:
        raise FatalTemplateError(f"{text!r} is not text in quotes")
    return found[1] or found[2] or ""


def _replace(value: str, old: str, new: str) -> str:
    return value.replace(old, new)


def s256(value: str) -> str:
    """RFC 7636, section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()).decode().rstrip("=")


def s256_padded(value: str) -> str:
    """The same filter on platforms from before August 2026: ordinary base64."""
    return base64.b64encode(hashlib.sha256(value.encode()).digest()).decode()


FILTERS: dict[str, Callable[..., str]] = {
    "urlencode": quote_plus,
    "replace": _replace,
    "b64encode": lambda value: base64.b64encode(value.encode()).decode(),
    "codechallengeS256": s256,
}
