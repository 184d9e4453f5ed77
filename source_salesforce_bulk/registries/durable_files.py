"""Files that are there whole or not at all, also after the power failed.

Where others can write to the folder, a name may lead elsewhere: nothing here follows a link to a file that it opens,
and what is read has to be a regular file.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ONLY_THE_FILE_ITSELF = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would keep the process waiting


class NotARegularFile(OSError):
    """A link, a pipe or another thing stands where a file was expected. ``str`` is a sentence."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.ELOOP, "it is a link or another thing, not a file of its own", str(path))

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
    """Open the file at ``path`` to be locked and written, made where it is missing; returns its descriptor.

    Raises :class:`NotARegularFile`, also for a file that has a second name: writing to it would change that one.
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
    """Put ``content`` at ``path`` in one step, whatever stood there. ``owner`` is a user's and a group's number."""
    with _written(path, content, mode) as temporary:
        if owner is not None:
            os.chown(temporary, *owner)
        temporary.replace(path)
    sync_folder(path.parent)


def overwrite_file(path: Path, content: bytes) -> None:
    """Put ``content`` into the file at ``path``, which stays the same file: for one that may not be replaced."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def check_replaceable(path: Path) -> None:
    """Raise the OSError that :func:`replace_file` would meet at ``path``; its folder is made, ``path`` left alone."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with _written(path, b"", 0o644):
        pass


def create_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` in one step; raises FileExistsError where anything stands there."""
    with _written(path, content, 0o644) as temporary:
        path.hardlink_to(temporary)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make names in ``folder`` as durable as the files they name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError that names no file, as that of a full disk does, name ``path``."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def _written(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """A durable file beside ``path``, which is gone afterwards unless it has got another name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)  # tempfile makes files for their owner alone
            os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
