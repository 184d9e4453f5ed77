"""Parse the user's configuration into a frozen :class:`Config`, or raise an error that says what to change.

Types are checked by :mod:`source_salesforce_bulk.form`, keys by :mod:`source_salesforce_bulk.config_keys`, values by
:mod:`source_salesforce_bulk.config_values`. The first problem found is the one reported.

Decisions on ambiguous input:

- A date-time without a time zone is refused. Interpreted as UTC it could be hours too late, and rows would be missed.
- A key whose value is ``null`` counts as missing.
- An unknown key is refused by commands that a user can run again at once (``check``, ``plan``, ``export``). In other
  commands it is a warning, because it must not stop a schedule. Keys that begin with an underscore belong to the
  platform.
- Blanks around a secret, a name or a URL come from copying and are removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal, assert_never

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from source_salesforce_bulk.config_keys import UnknownKey, unknown_keys
from source_salesforce_bulk.config_values import (
    REMEDIES,
    ConfigError,
    parse_api_version,
    parse_duration,
    parse_key_fields,
    parse_login_url,
    parse_name,
    parse_patterns,
    parse_private_key,
    parse_start_date,
    parse_where,
    quoted,
    required_text,
    wrong,
)
from source_salesforce_bulk.credentials_form import (
    ClientCredentialsForm,
    CredentialsForm,
    JwtBearerForm,
    RefreshTokenForm,
)
from source_salesforce_bulk.form import ConfigForm, OverrideForm
from source_salesforce_bulk.salesforce.compounds import CompoundFields
from source_salesforce_bulk.salesforce.oauth import ClientCredentials, Credentials, JwtBearer, RefreshToken

__all__ = ["REMEDIES", "Config", "ConfigError", "DetectDeletes", "ObjectOverride", "parse_config"]

# pydantic's error type -> our description. The value is never quoted, because it may be a secret.
_SHAPES: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "is not text",
    "int_type": "is not a whole number",
    "bool_type": "is not true or false",
    "list_type": "is not a list",
    "model_type": "is not a JSON object",
    "model_attributes_type": "is not a JSON object",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "literal_error": "is not one of the values it can have",
}

_NO_LOOKBACK = (
    "lookback_window is PT0S: rows that become visible later than their timestamp are never read. "
    'Write "PT10M" unless you know that there are none.'
)


@dataclass(frozen=True, slots=True)
class ObjectOverride:
    """The key, cursor, filter, fields and API that the user chose for one object; None means that describe decides."""

    object: str
    primary_key: tuple[str, ...] | None = None
    cursor_field: str | None = None
    where: str | None = None
    fields: tuple[str, ...] = ()
    exclude_fields: tuple[str, ...] = ()
    hash_fields: tuple[str, ...] = ()
    api: Literal["auto", "bulk", "rest"] = "auto"
    compound_fields: CompoundFields | None = None


class DetectDeletes(Enum):
    """The deleted rows that are reported."""

    NONE = "none"
    RECYCLE_BIN = "recycle_bin"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Config:
    """A valid configuration. ``warnings`` are sentences for the log."""

    credentials: Credentials
    login_url: str
    start_date: datetime | None
    objects: tuple[str, ...]
    exclude_objects: tuple[str, ...]
    include_deleted: bool
    lookback_window: timedelta
    api_version: str
    max_concurrent_jobs: int
    page_size: int
    job_timeout: timedelta
    daily_limit_reserve_percent: int
    overrides: Mapping[str, ObjectOverride]
    warnings: tuple[str, ...] = ()
    hash_key: str | None = field(default=None, repr=False)
    detect_deletes: DetectDeletes = DetectDeletes.RECYCLE_BIN
    full_audit_every: timedelta = timedelta(days=7)
    max_deletes: int = 20
    compound_fields: CompoundFields = CompoundFields.PARTS
    formula_fields: Literal["read", "refresh", "leave_out"] = "read"
    clock_formulas: Literal["leave_out", "daily"] = "leave_out"
    backfill_new_fields: bool = False

    def override_for(self, name: str) -> ObjectOverride | None:
        """Return the override of an object, ignoring the case of its name."""
        return self.overrides.get(name.lower())


def parse_config(raw: Mapping[str, Any], *, refuse_unknown_keys: bool = False) -> Config:
    """Return the configuration that ``raw`` (decoded JSON) describes; raises :class:`ConfigError`.

    Unknown keys become warnings unless ``refuse_unknown_keys`` is set.
    """
    keys = list(unknown_keys(raw))
    # Misspelt keys first: they may be the reason for a missing key.
    for key in keys if refuse_unknown_keys else ():
        if key.meant:
            raise _unknown(key)
    form = _filled_in(raw)
    unknown = [_unknown(key) for key in keys]
    if unknown and refuse_unknown_keys:
        raise unknown[0]
    overrides = _overrides(form.object_overrides)
    hash_key = _hash_key(form.hash_key, overrides)
    lookback = parse_duration("lookback_window", form.lookback_window, may_be_zero=True)
    return Config(
        credentials=_credentials(form.credentials),
        login_url=parse_login_url(form.login_url, form.credentials),
        start_date=None if form.start_date is None else parse_start_date(form.start_date),
        objects=parse_patterns("objects", form.objects, may_be_empty=False),
        exclude_objects=parse_patterns("exclude_objects", form.exclude_objects, may_be_empty=True),
        include_deleted=form.include_deleted and form.detect_deletes != "none",
        detect_deletes=DetectDeletes(form.detect_deletes),
        full_audit_every=parse_duration("full_audit_every", form.full_audit_every, may_be_zero=True),
        max_deletes=form.max_deletes,
        compound_fields=CompoundFields(form.compound_fields),
        formula_fields=form.formula_fields,
        clock_formulas=form.clock_formulas,
        backfill_new_fields=form.backfill_new_fields,
        lookback_window=lookback,
        api_version=parse_api_version(form.api_version),
        max_concurrent_jobs=form.max_concurrent_jobs,
        page_size=form.page_size,
        job_timeout=parse_duration("job_timeout", form.job_timeout, may_be_zero=False),
        daily_limit_reserve_percent=form.daily_limit_reserve_percent,
        overrides=MappingProxyType(overrides),
        hash_key=hash_key,
        warnings=(*map(str, unknown), *(() if lookback else (_NO_LOOKBACK,))),
    )


def _unknown(key: UnknownKey) -> ConfigError:
    remedy = f"Write {key.meant}, or take it out" if key.meant else f"Take it out; known are {', '.join(key.known)}"
    if key.name is None:
        return ConfigError(key.place, "has a key that is not known", remedy)
    return ConfigError(f"{key.place}.{quoted(key.name)[1:-1]}".lstrip("."), "is not a known key", remedy)


def _filled_in(raw: object) -> ConfigForm:
    if not isinstance(raw, Mapping):
        raise ConfigError("The configuration", "is not a JSON object", 'Write {"credentials": {...}, ...}')
    try:
        return ConfigForm.model_validate(_without_nulls(raw))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[0]
    # Outside the handler, so that the error has no context: pydantic's error may contain the input.
    raise _shape_error(details)


def _without_nulls(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _shape_error(details: ErrorDetails) -> ConfigError:
    if details["type"] in ("union_tag_not_found", "union_tag_invalid"):
        problem = "is missing" if details["type"] == "union_tag_not_found" else "names no way to log in that is known"
        return wrong("credentials.auth_type", problem)
    # Below credentials pydantic also names the branch, which is not a key.
    path = [part for at, part in enumerate(details["loc"]) if not (at == 1 and details["loc"][0] == "credentials")]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    return wrong(key, _SHAPES.get(details["type"], "has a value that cannot be used"))


def _credentials(form: CredentialsForm) -> Credentials:
    client_id = required_text("credentials.client_id", form.client_id)
    match form:
        case RefreshTokenForm():
            token = required_text("credentials.refresh_token", form.refresh_token)
            # An app may be configured not to require its secret.
            return RefreshToken(client_id, form.client_secret.strip(), token)
        case ClientCredentialsForm():
            return ClientCredentials(client_id, required_text("credentials.client_secret", form.client_secret))
        case JwtBearerForm():
            username = required_text("credentials.username", form.username)
            return JwtBearer(client_id, username, parse_private_key(form.private_key))
        case _:
            assert_never(form)


def _overrides(forms: list[OverrideForm]) -> dict[str, ObjectOverride]:
    overrides: dict[str, ObjectOverride] = {}
    for at, form in enumerate(forms):
        override = _override(f"object_overrides[{at}]", form)
        name = override.object.lower()
        if name in overrides:
            problem = f"{quoted(override.object)} has an override already"
            raise wrong(
                f"object_overrides[{at}].object", problem, "Write all that concerns an object into one override"
            )
        overrides[name] = override
    return overrides


def _override(key: str, form: OverrideForm) -> ObjectOverride:
    return ObjectOverride(
        object=parse_name(f"{key}.object", form.object),
        # A form sends an empty list if nothing was chosen.
        primary_key=parse_key_fields(f"{key}.primary_key", form.primary_key) if form.primary_key else None,
        cursor_field=None if form.cursor_field is None else parse_name(f"{key}.cursor_field", form.cursor_field),
        where=None if form.where is None else parse_where(f"{key}.where", form.where),
        fields=parse_key_fields(f"{key}.fields", form.fields or []),
        exclude_fields=parse_key_fields(f"{key}.exclude_fields", form.exclude_fields or []),
        hash_fields=parse_key_fields(f"{key}.hash_fields", form.hash_fields or []),
        api=form.api or "auto",
        compound_fields=CompoundFields(form.compound_fields) if form.compound_fields else None,
    )


def _hash_key(given: str | None, overrides: Mapping[str, ObjectOverride]) -> str | None:
    """Return the key for hashed fields; raises :class:`ConfigError` if it is needed and missing."""
    if any(override.hash_fields for override in overrides.values()) and given is None:
        raise wrong("hash_key", "is missing, and object_overrides has hash_fields")
    return None if given is None else required_text("hash_key", given)
