"""Atomic and durable file writes: after a crash or power failure, a file is either complete or missing.

Other users may be able to write to the folder, so a name could be a link to another file. Nothing here follows a link
when it opens a file, and only regular files are read.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ONLY_THE_FILE_ITSELF = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a pipe would block


class NotARegularFile(OSError):
    """A link, a pipe or another special file was found instead of a regular file. ``str`` is a sentence."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.ELOOP, "it is a link or a special file, not a regular file", str(path))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def read_whole(path: Path, longest: int) -> bytes:
    """Return the content of a file of at most ``longest`` bytes.

    Raises FileNotFoundError, :class:`NotARegularFile`, and ValueError for a longer file.
    """
    with os.fdopen(_opened(path, os.O_RDONLY), "rb") as file:
        content = file.read(longest + 1)
    if len(content) > longest:
        raise ValueError(f"it is larger than {longest:,} bytes")
    return content


def open_lock(path: Path) -> int:
    """Open the file at ``path`` for locking and writing, create it if it is missing, and return its descriptor.

    Raises :class:`NotARegularFile`, also for a file with a second hard link, which writing would change, too.
    """
    return _opened(path, os.O_RDWR | os.O_CREAT, names=1)


def _opened(path: Path, flags: int, names: int | None = None) -> int:
    try:
        handle = os.open(path, flags | _ONLY_THE_FILE_ITSELF, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise NotARegularFile(path) from error
        raise
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or (names is not None and found.st_nlink > names):
        os.close(handle)
        raise NotARegularFile(path)
    return handle


def replace_file(path: Path, content: bytes, mode: int = 0o644, owner: tuple[int, int] | None = None) -> None:
    """Atomically replace the file at ``path`` by ``content``. ``owner`` is a user id and a group id."""
    with _written(path, content, mode) as temporary:
        if owner is not None:
            os.chown(temporary, *owner)
        temporary.replace(path)
    sync_folder(path.parent)


def overwrite_file(path: Path, content: bytes) -> None:
    """Write ``content`` into the existing file at ``path``, for a file that cannot be replaced."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def check_replaceable(path: Path) -> None:
    """Raise the OSError that :func:`replace_file` would raise. Creates the folder and does not change ``path``."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with _written(path, b"", 0o644):
        pass


def create_file(path: Path, content: bytes) -> None:
    """Atomically create a file with ``content`` at ``path``; raises FileExistsError if the path exists."""
    with _written(path, content, 0o644) as temporary:
        path.hardlink_to(temporary)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the entries of ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add ``path`` to an OSError that names no file, such as the one for a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def _written(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """Write a durable temporary file beside ``path``; it is removed on exit unless it has been renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)  # tempfile creates files that only their owner can access
            os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
