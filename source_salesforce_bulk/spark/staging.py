"""Files that Spark has written but that are not yet part of an export: ``_staging/<run id>`` below its destination.

Spark chooses the names, one file for each partition with rows: ``part-00007-….parquet``. One partition is one result
page, so the number in a name identifies the page. Files that a run leaves here can be deleted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pyarrow import fs, parquet

from source_salesforce_bulk.export.aws_clients import region
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.registries.durable_files import sync_file, sync_folder
from source_salesforce_bulk.spark.waves import WrittenFile

STAGING = "_staging"

_PART = re.compile(r"part-(\d+)-.+\.parquet")


class StagedDestination:
    """A destination below which files are staged, so that ``put`` only moves them."""

    def __init__(self, destination: Destination, staging: Staging) -> None:
        self._destination = destination
        self._staging = staging
        self.url = destination.url

    def holds_files(self, object_name: str) -> bool:
        """See ``Destination``."""
        return self._destination.holds_files(object_name)

    def read(self, path: str) -> bytes | None:
        """See ``Destination``."""
        return self._destination.read(path)

    def size(self, path: str) -> int | None:
        """See ``Destination``."""
        return self._destination.size(path)

    def newest(self, folder: str) -> str | None:
        """See ``Destination``."""
        return self._destination.newest(folder)

    def put(self, file: Path, path: str) -> str:
        """See ``Destination``. The path of a staged file is relative; an absolute path is a local file."""
        if file.is_absolute():
            return self._destination.put(file, path)
        self._staging.put(file.as_posix(), path)
        return path

    def create_manifest(self, name: str, manifest: Mapping[str, Any]) -> str:
        """See ``Destination``."""
        return self._destination.create_manifest(name, manifest)

    def manifest(self, name: str) -> Mapping[str, Any] | None:
        """See ``Destination``."""
        return self._destination.manifest(name)

    def manifests(self) -> list[Mapping[str, Any]]:
        """See ``Destination``."""
        return self._destination.manifests()


class Staging:
    """The staging folder of a run, below a destination ``file:///folder`` or ``s3://bucket/prefix``."""

    def __init__(self, destination: str, run_id: str) -> None:
        self._root, self._fs = _file_system(destination)
        self._destination = destination.rstrip("/")
        self._run = f"{STAGING}/{run_id}"

    def url(self, object_name: str, wave: int) -> str:
        """Return the URL to which Spark writes a wave."""
        return f"{self._destination}/{self._wave(object_name, wave)}"

    def files(self, object_name: str, wave: int) -> Mapping[int, WrittenFile]:
        """Return the files of a finished wave, by partition. A partition without rows may have none.

        Raises ValueError if a partition has two, which contradicts the settings of the writer.
        """
        found: dict[int, WrittenFile] = {}
        folder = self._wave(object_name, wave)
        for info in self._fs.get_file_info(fs.FileSelector(self._at(folder), allow_not_found=True)):
            match = _PART.fullmatch(info.base_name)
            if match is None:
                continue
            partition = int(match[1])
            if partition in found:
                raise ValueError(f"partition {partition} of {folder} was written as more than one file")
            found[partition] = WrittenFile(f"{folder}/{info.base_name}", self._rows(info.path), int(info.size))
        return found

    def put(self, staged: str, path: str) -> None:
        """Move a staged file to ``path`` below the destination, replacing an existing file."""
        source, target = self._at(staged), self._at(path)
        if isinstance(self._fs, fs.LocalFileSystem):
            sync_file(Path(source))
        self._fs.create_dir(str(PurePosixPath(target).parent), recursive=True)
        self._fs.move(source, target)
        if isinstance(self._fs, fs.LocalFileSystem):
            sync_folder(Path(target).parent)

    def clear(self) -> None:
        """Remove the run's files."""
        folder = self._at(self._run)
        if self._fs.get_file_info(folder).type is not fs.FileType.NotFound:
            self._fs.delete_dir(folder)

    def _wave(self, object_name: str, wave: int) -> str:
        return f"{self._run}/{object_name}/wave-{wave:05d}"

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _rows(self, path: str) -> int:
        with self._fs.open_input_file(path) as file:
            return int(parquet.read_metadata(file).num_rows)


def _file_system(destination: str) -> tuple[str, Any]:
    """Return the root of paths, and pyarrow's file system for it, which has no types."""
    parts = urlsplit(destination)
    if parts.scheme == "s3":
        # As in boto3; Arrow reads the variable only since release 18.
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        return f"{parts.netloc}{parts.path}".rstrip("/"), fs.S3FileSystem(endpoint_override=endpoint, region=region())
    return url2pathname(parts.path).rstrip("/"), fs.LocalFileSystem()
