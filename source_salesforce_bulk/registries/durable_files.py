"""Files that are there whole or not at all, also after the power failed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
def _written(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """A durable file beside ``path``, which is gone afterwards unless it has got another name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)  # tempfile makes files for their owner alone
            os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
