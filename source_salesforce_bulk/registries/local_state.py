"""A state registry in a folder: ``<organization id>/<object>.json``, replaced whole by an atomic rename.

The lease is a lock on a file beside it. The system lets it go when the process ends, however it ends, so nothing has to
expire. Meant for one machine; network file systems may not keep locks.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import TextIO

from source_salesforce_bulk.registries.durable_files import replace_file, sync_folder
from source_salesforce_bulk.registries.state import LeaseHeld, LeaseLost, Progress, UnreadableProgress


class LocalStates:
    """See ``StateRegistry``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def acquire(self, organization_id: str, object_name: str, owner: str) -> LocalLease:
        """See ``StateRegistry.acquire``."""
        path, lock = self._locked(organization_id, object_name, owner)
        try:
            return LocalLease(path, lock, _read(path))
        except BaseException:
            lock.close()
            raise

    def entries(self) -> list[tuple[str, str]]:
        """See ``StateRegistry.entries``."""
        return [(path.parent.name, path.stem) for path in self._folder.glob("*/*.json")]

    def reset(self, organization_id: str, object_name: str, owner: str) -> None:
        """See ``StateRegistry.reset``."""
        path, lock = self._locked(organization_id, object_name, owner)
        try:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
        finally:
            lock.close()

    def _locked(self, organization_id: str, object_name: str, owner: str) -> tuple[Path, TextIO]:
        """The object's file, and the lock on it; raises ``LeaseHeld``."""
        path = self._path(organization_id, object_name)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read(200).strip() or "unknown"
            lock.close()
            raise LeaseHeld(f"{object_name} is being exported by the run {holder} (lock {lock.name})") from error
        try:
            lock.truncate(0)
            lock.write(owner)
            lock.flush()
        except BaseException:
            lock.close()
            raise
        return path, lock

    def progress(self, organization_id: str, object_name: str) -> Progress:
        """See ``StateRegistry.progress``."""
        return _read(self._path(organization_id, object_name))

    def check(self) -> None:
        """See ``StateRegistry.check``. Makes the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def _path(self, organization_id: str, object_name: str) -> Path:
        return self._folder / organization_id / f"{object_name}.json"


class LocalLease:
    """See ``Lease``."""

    def __init__(self, path: Path, lock: TextIO, progress: Progress) -> None:
        self._path = path
        self._lock = lock
        self._lock_path = Path(lock.name)
        self._progress = progress

    @property
    def progress(self) -> Progress:
        """See ``Lease.progress``."""
        return self._progress

    @property
    def taken_from(self) -> None:
        """See ``Lease.taken_from``. A lock ends with its process, so no earlier run can still be writing."""
        return

    def commit(self, progress: Progress) -> None:
        """See ``Lease.commit``."""
        self.renew()
        replace_file(self._path, json.dumps(progress.to_json(), indent=1).encode())
        self._progress = progress

    def renew(self) -> None:
        """See ``Lease.renew``. An open lock is held, but where its file was removed or replaced it locks nobody out."""
        try:
            held = not self._lock.closed and os.fstat(self._lock.fileno()).st_ino == self._lock_path.stat().st_ino
        except OSError:
            held = False
        if not held:
            raise LeaseLost(f"the lock {self._lock.name} is gone")

    def release(self) -> None:
        """See ``Lease.release``."""
        self._lock.close()


def _read(path: Path) -> Progress:
    try:
        return Progress.from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Progress()
    except (UnreadableProgress, ValueError) as error:
        raise UnreadableProgress(f"The state file {path} cannot be read: {error}.") from error
