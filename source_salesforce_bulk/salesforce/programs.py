"""The program that runs, and its terms for the actions that a message recommends.

Guidance is written once, with placeholders such as ``{again}`` or ``{leave_out}`` for the terms of a program. A
capitalised placeholder such as ``{Again}`` begins a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Program(Enum):
    """The program that runs the extraction; ``ANY`` if it is not known."""

    ANY = "any"
    AIRBYTE = "Airbyte"
    EXPORT = "salesforce-bulk"
    GLUE = "Glue"
    SPARK = "Spark"


def in_words_of(program: Program, remedy: str) -> str:
    """Return guidance in the program's terms. Unknown placeholders are left unchanged.

    >>> in_words_of(Program.EXPORT, "Nothing is lost: {again} later.")
    'Nothing is lost: run the same command again later.'
    """
    for name, phrase in _PHRASES[program].items():
        remedy = remedy.replace(f"{{{name}}}", phrase)
        remedy = remedy.replace(f"{{{name.capitalize()}}}", phrase[0].upper() + phrase[1:])
    return remedy


_EXPORT = {
    "again": "run the same command again",
    "leave_out": "leave the object out with exclude_objects, or choose others with --object",
    "drop": "name it under exclude_fields in object_overrides",
    "fewer_fields": "leave fields out with exclude_fields in object_overrides",
    "gone_field": "run again, which asks only for the fields that the object has now",
    "look_again": "run again",
    "start_over": "read the object again from its beginning with --full OBJECT",
}

_PHRASES: Mapping[Program, Mapping[str, str]] = MappingProxyType(
    {
        Program.ANY: {
            "again": "run again",
            "leave_out": "leave the object out with exclude_objects",
            "drop": "leave it out",
            "fewer_fields": "select fewer fields",
            "gone_field": "select it no longer",
            "look_again": "look at the object again",
            "start_over": "read the object again from its beginning",
        },
        Program.AIRBYTE: {
            "again": "run the sync again",
            "leave_out": "unselect the stream in the connection's schema, or name it in exclude_objects",
            "drop": "unselect it in the stream's schema",
            "fewer_fields": "select fewer fields in the stream's schema",
            "gone_field": "refresh the source's schema and unselect it",
            "look_again": "refresh the source's schema",
            "start_over": "refresh the stream",
        },
        Program.EXPORT: _EXPORT,
        Program.GLUE: {**_EXPORT, "again": "start the Glue job again with the same --run-id"},
        Program.SPARK: {
            "again": "load the object again",
            "leave_out": "load other objects",
            "drop": "leave it out of the option fields",
            "fewer_fields": "name fewer fields in the option fields",
            "gone_field": "name it no longer in the option fields",
            "look_again": "load the object again",
            "start_over": "read the object again from its beginning with another state",
        },
    }
)
