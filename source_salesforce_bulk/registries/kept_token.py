"""Keep a rotated refresh token in a separate file while the configuration cannot be written.

If an app rotates refresh tokens, each login invalidates the previous token. If the configuration cannot be written at
that moment (a read-only mount, a full disk, a refused PutSecretValue), the new token would be lost. It is saved in a
file that only the current user can read, in the first writable one of several folders. The file's name is derived from
the token in the configuration, so the next run finds it, and others cannot guess it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from source_salesforce_bulk.registries.durable_files import replace_file

_TOKEN = re.compile(r"[\x21-\x7e]+")
_LONGEST = 1 << 16


class KeptTokens:
    """The saved tokens in ``folders``, in order of preference."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    @classmethod
    def beside(cls, folder: Path | None) -> KeptTokens:
        """Use the folder of the configuration file, if there is one, then the home and the temporary folder."""
        home = Path(os.environ.get("HOME") or "/")
        folders = [folder, home if home != Path("/") else None, Path(tempfile.gettempdir())]
        return cls([path for path in folders if path is not None and path.is_dir()])

    def keep(self, configured: str, newest: str) -> Path:
        """Save the token that replaces ``configured``; return the file's path. Raises OSError if that is impossible."""
        error: OSError = FileNotFoundError("no folder for a refresh token")
        for path in self._paths(configured):
            try:
                replace_file(path, newest.encode(), 0o600)
            except OSError as refused:
                error = refused
            else:
                return path
        raise error

    def newest(self, configured: str) -> str | None:
        """Return the token that was saved instead of ``configured``, the newest one if several folders have one."""
        found = [kept for path in self._paths(configured) if (kept := _read(path)) is not None]
        return max(found)[1] if found else None

    def current(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a configuration with the refresh token that was saved for it, if there is one."""
        configured = configured_token(raw)
        newest = self.newest(configured) if configured else None
        return with_refresh_token(raw, newest) if newest else raw

    def forget(self, configured: str) -> None:
        """Delete the tokens saved instead of ``configured``, once the configuration has been written."""
        for path in self._paths(configured):
            with suppress(OSError):
                path.unlink()

    def _paths(self, configured: str) -> Iterator[Path]:
        name = hashlib.sha256(configured.encode()).hexdigest()[:32]
        return (folder / f".salesforce-refresh-token-{name}" for folder in self._folders)


def configured_token(raw: Mapping[str, Any]) -> str | None:
    """Return the refresh token of a configuration, unchanged; None if there is none."""
    credentials = raw.get("credentials")
    token = credentials.get("refresh_token") if isinstance(credentials, Mapping) else None
    return token.strip() or None if isinstance(token, str) else None


def with_refresh_token(raw: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Return the configuration with another refresh token."""
    return {**raw, "credentials": {**raw.get("credentials", {}), "refresh_token": token}}


def _read(path: Path) -> tuple[int, str] | None:
    """Return a saved token and its time; None if there is none that was written by this user."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            return None
        token = os.read(handle, _LONGEST).decode("ascii", errors="replace")
    finally:
        os.close(handle)
    return (facts.st_mtime_ns, token) if _TOKEN.fullmatch(token) else None
