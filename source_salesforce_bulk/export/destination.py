"""Destinations of an export: a local folder or an S3 prefix. A file appears there only when it is complete.

A manifest is created at most once. If an earlier run was about to write its manifest, a later run creates an empty one
under the same name, unless the real one exists already. So two manifests never name the same files.

The only retries are boto3's, which resend a write whose answer was lost. A manifest that is sent twice is refused the
second time, and recognised as already written.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote, urlsplit

from source_salesforce_bulk.export.manifest import is_manifest
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.registries.durable_files import create_file, naming, sync_file, sync_folder
from source_salesforce_bulk.salesforce.failures import Consequence

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANIFESTS = "_manifests"
LEDGERS = "_ledger"
RUN_FOLDERS = "run="
"""Prefix of the folder of a run's files, within the object's folder."""

_BEFORE_PUT = "before-call.s3.PutObject"


class ManifestExists(Exception):
    """Another manifest of this name exists already."""


class Destination(Protocol):
    """Stores files under relative paths."""

    @property
    def url(self) -> str:
        """The URL as written by the user."""
        ...

    def holds_files(self, object_name: str) -> bool:
        """Return whether there is any file of an object, from any run."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if it does not exist."""
        ...

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes; None if it does not exist."""
        ...

    def newest(self, folder: str) -> str | None:
        """Return the name, without extension, of the newest file in a folder; None if the folder is empty."""
        ...

    def put(self, file: Path, path: str) -> str:
        """Move ``file`` durably to ``path``, replacing an existing file; ``file`` itself may be removed.

        Returns the path where it is: ``path``, except for a file that another machine has put there already.
        """
        ...

    def create_manifest(self, name: str, manifest: Mapping[str, Any]) -> str:
        """Create a manifest and return its location; raises :class:`ManifestExists` without any change.

        An existing manifest with the same content counts as written.
        """
        ...

    def manifest(self, name: str) -> Mapping[str, Any] | None:
        """Return the manifest of this name; None if there is none."""
        ...

    def manifests(self) -> list[Mapping[str, Any]]:
        """Return every manifest that is there, by name."""
        ...


class LocalDestination:
    """A local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = canonical_url(folder.absolute().as_uri())

    def holds_files(self, object_name: str) -> bool:
        """See :class:`Destination`."""
        return any(path.is_file() for path in (self._folder / object_name).glob(f"{RUN_FOLDERS}*/*"))

    def read(self, path: str) -> bytes | None:
        """See :class:`Destination`."""
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None

    def size(self, path: str) -> int | None:
        """See :class:`Destination`."""
        try:
            return (self._folder / path).stat().st_size
        except FileNotFoundError:
            return None

    def newest(self, folder: str) -> str | None:
        """See :class:`Destination`."""
        found = sorted((self._folder / folder).glob("*"), key=lambda path: path.stat().st_mtime)
        return found[-1].stem if found else None

    def put(self, file: Path, path: str) -> str:
        """See :class:`Destination`."""
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with naming(target), tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as beside:
            # The spool may be on another file system, from which a file cannot be moved atomically.
            whole = Path(shutil.move(file, Path(beside) / "part"))
            sync_file(whole)
            whole.replace(target)
        sync_folder(target.parent)
        return path

    def create_manifest(self, name: str, manifest: Mapping[str, Any]) -> str:
        """See :class:`Destination`."""
        path, text = self._manifest_path(name), _manifest_text(manifest)
        try:
            create_file(path, text)
        except FileExistsError as error:
            if path.read_bytes() != text:
                raise ManifestExists(str(path)) from error
        return str(path)

    def manifest(self, name: str) -> Mapping[str, Any] | None:
        """See :class:`Destination`."""
        text = self.read(f"{MANIFESTS}/{name}.json")
        return None if text is None else _parsed(text, str(self._manifest_path(name)))

    def manifests(self) -> list[Mapping[str, Any]]:
        """See :class:`Destination`."""
        paths = sorted((self._folder / MANIFESTS).glob("*.json"))
        return [_parsed(path.read_bytes(), str(path)) for path in paths]

    def _manifest_path(self, name: str) -> Path:
        return self._folder / MANIFESTS / f"{name}.json"


class S3Destination:
    """A prefix of an S3 bucket. An object is visible in S3 only when it is complete."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = canonical_url(f"s3://{bucket}/{self._prefix}")

    def holds_files(self, object_name: str) -> bool:
        """See :class:`Destination`."""
        prefix = f"{self._prefix}{object_name}/{RUN_FOLDERS}"
        return bool(self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"))

    def read(self, path: str) -> bytes | None:
        """See :class:`Destination`."""
        return self._stored(self._prefix + path)

    def size(self, path: str) -> int | None:
        """See :class:`Destination`. Without the right to list the bucket, S3 answers 403 instead of 404."""
        try:
            return self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)["ContentLength"]
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "403", "NoSuchKey"):
                return None
            raise

    def newest(self, folder: str) -> str | None:
        """See :class:`Destination`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}{folder}/"
        )
        found = [entry for page in pages for entry in page.get("Contents", ())]
        if not found:
            return None
        return PurePosixPath(max(found, key=lambda entry: entry["LastModified"])["Key"]).stem

    def put(self, file: Path, path: str) -> str:
        """See :class:`Destination`."""
        self._client.upload_file(str(file), self._bucket, self._prefix + path)
        return path

    def create_manifest(self, name: str, manifest: Mapping[str, Any]) -> str:
        """See :class:`Destination`."""
        key, text = self._manifest_key(name), _manifest_text(manifest)
        events = self._client.meta.events
        events.register(_BEFORE_PUT, _only_where_nothing_is, unique_id=_BEFORE_PUT)
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=text, ContentType="application/json")
        except self._client.exceptions.ClientError as error:
            # 409: another request is creating it. Until that has finished, its content is unknown.
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise
            stored = self._stored(key)
            if stored is None:
                raise
            if stored != text:
                raise ManifestExists(key) from error
        finally:
            events.unregister(_BEFORE_PUT, _only_where_nothing_is, unique_id=_BEFORE_PUT)
        return f"s3://{self._bucket}/{key}"

    def manifest(self, name: str) -> Mapping[str, Any] | None:
        """See :class:`Destination`."""
        key = self._manifest_key(name)
        text = self._stored(key)
        return None if text is None else _parsed(text, f"s3://{self._bucket}/{key}")

    def manifests(self) -> list[Mapping[str, Any]]:
        """See :class:`Destination`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}{MANIFESTS}/"
        )
        keys = sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))
        return [_parsed(self._stored(key) or b"", f"s3://{self._bucket}/{key}") for key in keys]

    def _stored(self, key: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None

    def _manifest_key(self, name: str) -> str:
        return f"{self._prefix}{MANIFESTS}/{name}.json"


def canonical_url(url: str) -> str:
    """Return the canonical form of a destination: a folder's resolved path, or a prefix without outer slashes.

    >>> canonical_url("s3://bucket/prefix//")
    's3://bucket/prefix'
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(os.path.realpath(unquote(parts.path))).as_uri()
    if parts.scheme == "s3":
        return f"s3://{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    return url


def _only_where_nothing_is(params: dict[str, Any], **_: Any) -> None:
    """Make the next put a create. Sets a header, because boto3 in AWS Glue 5.0 (1.34) has no parameter for it."""
    params["headers"]["If-None-Match"] = "*"


def _manifest_text(manifest: Mapping[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1).encode()


def _parsed(text: bytes, place: str) -> Mapping[str, Any]:
    """Return the manifest at ``place``; raises ``ExportFailed`` if it was not written by an export."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if not is_manifest(parsed):
        said = f"{place} is not a manifest that an export has written. Restore it, or remove it if it is not needed."
        raise ExportFailed(Consequence.CONFIG, said)
    return cast(Mapping[str, Any], parsed)
