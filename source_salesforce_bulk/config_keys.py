"""Find unknown keys in a configuration, and suggest the key that was probably meant. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel

from source_salesforce_bulk.form import ConfigForm

# Names of the same options in other tools.
_SYNONYMS: Mapping[str, str] = {
    "include_objects": "objects",
    "streams": "objects",
    "is_sandbox": "login_url",
    "domain": "login_url",
    "instance_url": "login_url",
}
_NEAR = 0.7


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """An unknown key. ``place`` is its parent's path, empty at the top level.

    ``meant`` is the key that was probably meant, with its path if it belongs elsewhere; ``known`` are the valid keys at
    this place. Below ``credentials`` an unknown ``name`` may be a misplaced secret, so it is None unless it resembles a
    key.
    """

    place: str
    name: str | None
    meant: str | None
    known: tuple[str, ...]


def unknown_keys(raw: object) -> Iterator[UnknownKey]:
    """Yield the unknown keys at every level, except keys with the value null or a leading underscore."""
    return _unknown_keys(raw, (ConfigForm,), "")


def _unknown_keys(raw: object, forms: Sequence[type[BaseModel]], place: str) -> Iterator[UnknownKey]:
    known = {name: field for form in forms for name, field in form.model_fields.items()}
    for name, value in raw.items() if isinstance(raw, Mapping) else ():
        if name in known:
            inner = tuple(_forms_in(known[name].annotation))
            below = f"{place}.{name}".lstrip(".")
            listed = enumerate(value) if isinstance(value, list) else ()
            values = [(f"{below}[{at}]", item) for at, item in listed] or [(below, value)]
            for where, item in values if inner else ():
                yield from _unknown_keys(item, inner, where)
        elif value is not None and not name.startswith("_"):
            meant = _meant(name, tuple(known))
            shown = None if place == "credentials" and meant is None else name
            yield UnknownKey(place, shown, meant, tuple(known))


def _forms_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the forms in the type of a field, directly or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _forms_in(inner)


def _meant(name: str, known: Sequence[str]) -> str | None:
    """Return the key that was probably meant: the closest key here, or the same word at another place."""
    word = name.lower()
    if _SYNONYMS.get(word) in known:
        return _SYNONYMS[word]
    near = get_close_matches(word[:100], known, n=1, cutoff=_NEAR)
    return near[0] if near else _elsewhere(ConfigForm, word)


def _elsewhere(form: type[BaseModel], word: str, place: str = "") -> str | None:
    for name, field in form.model_fields.items():
        if name == word:
            return f"{place}{name}"
        inner = (_elsewhere(inner_form, word, f"{place}{name}.") for inner_form in _forms_in(field.annotation))
        if found := next((path for path in inner if path), None):
            return found
    return None
