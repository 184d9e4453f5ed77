"""The options of ``format("salesforce_bulk")``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from source_salesforce_bulk.config import Config, DetectDeletes, ObjectOverride
from source_salesforce_bulk.config_values import ConfigError
from source_salesforce_bulk.salesforce.object_hints import is_pattern, nearest
from source_salesforce_bulk.salesforce.soql import check_where

NAMES = ("config", "object", "fields", "where", "state", "session_secret", "push_filters")

_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The options of a read. ``config`` is the location of the configuration, ``state`` the registry of earlier reads.

    ``session_secret`` names a secret of AWS Secrets Manager through which executors get the session.
    """

    config: str
    object_name: str
    fields: tuple[str, ...] = ()
    where: str | None = None
    state: str | None = None
    session_secret: str | None = None
    push_filters: bool = False


def parse_options(given: Mapping[str, str]) -> ReadOptions:
    """Return the options, whose names may have any letter case; raises ``ConfigError``."""
    options = {name.lower(): value.strip() for name, value in given.items()}
    for name in options:
        if name not in NAMES:
            near = nearest(name, NAMES)
            hint = f"Did you mean {near}? " if near else ""
            raise ConfigError(f"option {name}", "is unknown", f"{hint}The options are {', '.join(NAMES)}")
    if not options.get("config"):
        remedy = "Write the path of a file, env:VARIABLE, or secretsmanager://SECRET"
        raise ConfigError("option config", "is missing", remedy)
    if not options.get("object") or is_pattern(options["object"]):
        raise ConfigError("option object", "is not the name of one object", 'Write its API name, such as "Account"')
    push = _TRUTHS.get(options.get("push_filters", "false").lower())
    if push is None:
        raise ConfigError("option push_filters", "is neither true nor false", "Write one of them")
    if push and options.get("state"):
        remedy = "Leave one of them out: rows that a pushed filter leaves out would never be read again"
        raise ConfigError("option push_filters", "cannot be combined with state", remedy)
    return ReadOptions(
        config=options["config"],
        object_name=options["object"],
        fields=tuple(name.strip() for name in options.get("fields", "").split(",") if name.strip()),
        where=_where(options.get("where")),
        state=options.get("state") or None,
        session_secret=options.get("session_secret") or None,
        push_filters=push,
    )


def narrowed(config: Config, options: ReadOptions, pushed: Sequence[str] = ()) -> Config:
    """Return the configuration of this read alone, with the options' fields and condition and Spark's pushed filters.

    An option replaces what the configuration has for the object. Only exports find
    permanently deleted rows and changed formulas, and fill in new fields of old rows.
    """
    name, overrides = options.object_name, dict(config.overrides)
    if options.fields or options.where or pushed:
        override = config.override_for(name) or ObjectOverride(name)
        users = options.where or override.where
        where = (
            " AND ".join(f"({condition})" for condition in (*([users] if users else []), *pushed)) if pushed else users
        )
        overrides[name.lower()] = replace(override, fields=options.fields or override.fields, where=where)
    audits = config.detect_deletes is DetectDeletes.ALL
    return replace(
        config,
        objects=(name,),
        overrides=MappingProxyType(overrides),
        detect_deletes=DetectDeletes.RECYCLE_BIN if audits else config.detect_deletes,
        backfill_new_fields=False,
        formula_fields="read" if config.formula_fields == "refresh" else config.formula_fields,
    )


def _where(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return check_where(text)
    except ValueError as error:
        raise ConfigError("option where", str(error), "Write a SOQL condition without WHERE") from error
