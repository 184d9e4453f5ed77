"""The binary content of rows: which objects have it, and how each file is described and named. Pure.

No query returns binary content. A query returns its size and, for ContentVersion, its MD5 checksum; the content itself
takes one call for each row (REST API Developer Guide, "sObject Blob Get").

A file's name is made of the row's Id and of what identifies its content: the checksum, or else the time at which the
row last changed. So a file that is there under its name need not be fetched again. Only an extension of letters and
digits comes from the org's texts, so that no name can lead to another folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from source_salesforce_bulk.salesforce.ids import is_id
from source_salesforce_bulk.salesforce.soql import format_instant, parse_instant
from source_salesforce_bulk.salesforce.wire import UnreadableBody, whole_number

LARGEST = 2 << 30
"""The maximum size of a file in Salesforce, in bytes (2 GB for ContentVersion, less for the others)."""

STAMP = "SystemModstamp"

_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_EXTENSION = re.compile(r"[a-z0-9]{1,16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BlobObject:
    """An object with binary content, by its fields. ``extension`` is None if ``title`` ends with it."""

    name: str
    body: str
    size: str
    title: str
    checksum: str | None = None
    extension: str | None = None

    @property
    def described_by(self) -> tuple[str, ...]:
        """The fields that must be queried, apart from those with texts of the org."""
        return ("Id", STAMP, self.size, *((self.checksum,) if self.checksum else ()))

    @property
    def texts(self) -> tuple[str, ...]:
        """The fields with texts of the org."""
        return (self.title, *((self.extension,) if self.extension else ()))


BLOB_OBJECTS: Mapping[str, BlobObject] = MappingProxyType(
    {
        known.name: known
        for known in (
            BlobObject("ContentVersion", "VersionData", "ContentSize", "Title", "Checksum", "FileExtension"),
            BlobObject("Attachment", "Body", "BodyLength", "Name"),
            BlobObject("Document", "Body", "BodyLength", "Name", extension="Type"),
        )
    }
)
"""The objects whose content can be stored, by name."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of an object. ``size`` is in bytes, 0 if there is no content; ``stamp`` is the row's last change.

    ``checksum`` is the MD5 in hexadecimal; None if Salesforce has none. ``title`` is None if it must not be shown.
    """

    of: BlobObject
    id: str
    stamp: str
    size: int
    checksum: str | None = None
    title: str | None = None
    extension: str | None = None

    @classmethod
    def from_row(cls, of: BlobObject, row: Mapping[str, object]) -> Self:
        """Return the file of a row; raises ``UnreadableBody`` if the row lacks its Id, stamp or size."""
        record_id, stamp = _text(row, "Id"), _text(row, STAMP)
        size = whole_number(row.get(of.size) or 0)
        try:
            instant = format_instant(parse_instant(stamp or ""))
        except ValueError as error:
            raise UnreadableBody(f"a row of {of.name} has no {STAMP}") from error
        if record_id is None or not is_id(record_id) or size is None:
            raise UnreadableBody(f"a row of {of.name} has no Id or no {of.size}")
        checksum = (_text(row, of.checksum or "") or "").lower()
        title = _text(row, of.title)
        extension = (_text(row, of.extension) if of.extension else _ending(title or "")) or ""
        extension = extension.lower()
        return cls(
            of,
            record_id,
            instant,
            size,
            checksum if _MD5.fullmatch(checksum) else None,
            title,
            extension if _EXTENSION.fullmatch(extension) else None,
        )

    @property
    def file_name(self) -> str:
        """The file's name.

        >>> Blob(BLOB_OBJECTS["Attachment"], "00P000000000001AAA", "2026-11-24T08:00:00.000Z", 5).file_name
        '00P000000000001AAA.20261124T080000000Z'
        """
        identity = self.checksum or re.sub(r"[-:.]", "", self.stamp)
        return ".".join([self.id, identity, *([self.extension] if self.extension else [])])


def _text(row: Mapping[str, object], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) and value else None


def _ending(title: str) -> str:
    """Return the text after the last dot; empty without a dot."""
    return title.rpartition(".")[2] if "." in title else ""
