"""A state registry in a folder: ``<organization id>/<object>.json``, replaced by an atomic rename.

The lease is a lock on a separate file. The operating system releases it when the process ends, so leases do not expire.
For use on one machine: network file systems may not support locks.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from source_salesforce_bulk.registries.durable_files import (
    NotARegularFile,
    open_lock,
    read_whole,
    replace_file,
    sync_folder,
)
from source_salesforce_bulk.registries.state import (
    LeaseHeld,
    LeaseLost,
    Progress,
    UnreadableProgress,
    file_name,
    is_file_name,
    is_run_name,
)

LONGEST = 64 << 20
"""Maximum size of a state file in bytes. A file that lists 100,000 pages has 20 million."""
_LONGEST_NAME = 200


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
        names = ((path.parent.name, path.stem) for path in self._folder.glob("*/*.json"))
        return [(one, other) for one, other in names if is_file_name(one) and is_file_name(other)]

    def reset(self, organization_id: str, object_name: str, owner: str) -> None:
        """See ``StateRegistry.reset``."""
        path, lock = self._locked(organization_id, object_name, owner)
        try:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
        finally:
            lock.close()

    def _locked(self, organization_id: str, object_name: str, owner: str) -> tuple[Path, Lock]:
        """Return the object's file and the lock on it; raises ``LeaseHeld``."""
        path = self._path(organization_id, object_name)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = Lock(path.with_suffix(".lock"))
        try:
            lock.take(object_name, owner)
        except BaseException:
            lock.close()
            raise
        return path, lock

    def progress(self, organization_id: str, object_name: str) -> Progress:
        """See ``StateRegistry.progress``."""
        return _read(self._path(organization_id, object_name))

    def check(self) -> None:
        """See ``StateRegistry.check``. Creates the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def _path(self, organization_id: str, object_name: str) -> Path:
        return self._folder / file_name(organization_id) / f"{file_name(object_name)}.json"


class Lock:
    """A lock file that one process at a time holds; it contains the id of that process's run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = open_lock(path)
        self._open = True

    def take(self, object_name: str, owner: str) -> None:
        """Lock the file and write ``owner`` to it; raises ``LeaseHeld``."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            written = os.pread(self._handle, _LONGEST_NAME, 0).decode(errors="replace").strip()
            holder = written if is_run_name(written) else "unknown"
            raise LeaseHeld(f"{object_name} is being exported by the run {holder} (lock {self.path})") from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, owner.encode(), 0)

    def is_held(self) -> bool:
        """Return whether the file is open and still at its path: a lock on a replaced file is useless."""
        try:
            return self._open and os.fstat(self._handle).st_ino == self.path.lstat().st_ino
        except OSError:
            return False

    def close(self) -> None:
        """Release the lock; may be called twice."""
        if self._open:
            self._open = False
            os.close(self._handle)


class LocalLease:
    """See ``Lease``."""

    def __init__(self, path: Path, lock: Lock, progress: Progress) -> None:
        self._path = path
        self._lock = lock
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
        """See ``Lease.renew``."""
        if not self._lock.is_held():
            raise LeaseLost(f"the lock {self._lock.path} is gone")

    def release(self) -> None:
        """See ``Lease.release``."""
        self._lock.close()


def _read(path: Path) -> Progress:
    try:
        return Progress.from_json(json.loads(read_whole(path, LONGEST)))
    except FileNotFoundError:
        return Progress()
    except (ValueError, RecursionError, NotARegularFile) as error:
        raise UnreadableProgress(f"The state file {path} cannot be read: {error}.") from error
