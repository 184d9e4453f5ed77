"""A refresh token that its configuration could not take, in a file of its own until it can.

Where an app rotates refresh tokens, each login makes the token before it useless. If the configuration cannot be
written just then (a mount turned read-only, a full disk, a refused PutSecretValue), the new token is the only key that
is left. It goes into a file that only this user may read, in the first of some folders that takes it. The file's name
follows from the token that the configuration still holds: the next run finds it, and a stranger cannot guess it.
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
    """The kept tokens in ``folders``, the preferred one first."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    @classmethod
    def beside(cls, folder: Path | None) -> KeptTokens:
        """In the folder of the configuration where it is a file, else in the user's, else in the temporary one."""
        home = Path(os.environ.get("HOME") or "/")
        folders = [folder, home if home != Path("/") else None, Path(tempfile.gettempdir())]
        return cls([path for path in folders if path is not None and path.is_dir()])

    def keep(self, configured: str, newest: str) -> Path:
        """Keep the token that replaces ``configured``; the file's path. Raises OSError where no folder takes it."""
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
        """The token that was kept in place of ``configured``, the latest where several folders have one."""
        found = [kept for path in self._paths(configured) if (kept := _read(path)) is not None]
        return max(found)[1] if found else None

    def current(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """A configuration with the refresh token that was kept for it, if there is one."""
        configured = configured_token(raw)
        newest = self.newest(configured) if configured else None
        return with_refresh_token(raw, newest) if newest else raw

    def forget(self, configured: str) -> None:
        """Remove what was kept in place of ``configured``: the configuration holds it now."""
        for path in self._paths(configured):
            with suppress(OSError):
                path.unlink()

    def _paths(self, configured: str) -> Iterator[Path]:
        name = hashlib.sha256(configured.encode()).hexdigest()[:32]
        return (folder / f".salesforce-refresh-token-{name}" for folder in self._folders)


def configured_token(raw: Mapping[str, Any]) -> str | None:
    """The refresh token of a configuration, as it was written; None where there is none."""
    credentials = raw.get("credentials")
    token = credentials.get("refresh_token") if isinstance(credentials, Mapping) else None
    return token.strip() or None if isinstance(token, str) else None


def with_refresh_token(raw: Mapping[str, Any], token: str) -> dict[str, Any]:
    """The configuration with another refresh token."""
    return {**raw, "credentials": {**raw.get("credentials", {}), "refresh_token": token}}


def _read(path: Path) -> tuple[int, str] | None:
    """When a token was kept, and the token; None where there is none that this user has written."""
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
