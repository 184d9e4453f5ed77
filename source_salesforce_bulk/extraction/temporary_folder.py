"""Check the folder for result pages: the one that TMPDIR names must be usable.

If TMPDIR's folder cannot be used, Python silently chooses another one, which may be in memory, or on a disk that is too
small for the pages.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Mapping
from pathlib import Path

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.salesforce.failures import SalesforceError, page_not_kept
from source_salesforce_bulk.salesforce.wire import printable

_VARIABLES = ("TMPDIR", "TEMP", "TMP")
# A full disk and a lack of file handles are not the folder's fault. Both are reported when they cause a failure.
_NOT_THE_FOLDERS_FAULT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


def new_folder_for_pages(environment: Mapping[str, str]) -> Path:
    """Create a folder for a run's pages, in the folder that the environment names or else in the system's.

    Raises ``SalesforceError`` if its disk is full; by default, Python would then use another disk.
    """
    named = _named_folder(environment)
    try:
        return Path(tempfile.mkdtemp(prefix="salesforce-bulk-", dir=named))
    except OSError as error:
        error.add_note(f"in {printable(named or tempfile.gettempdir())}")
        raise SalesforceError(page_not_kept(error)) from error


def _named_folder(environment: Mapping[str, str]) -> str | None:
    return next((environment[name] for name in _VARIABLES if environment.get(name)), None)


def check_temporary_folder(environment: Mapping[str, str]) -> None:
    """Raise ``ConfigError`` if files cannot be created in the environment's folder for temporary files."""
    name = next((name for name in _VARIABLES if environment.get(name)), None)
    folder = _named_folder(environment)
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        if error.errno in _NOT_THE_FOLDERS_FAULT:
            return
        subject = f"{name}, which is {printable(folder)}," if name and folder else "The folder for temporary files"
        problem = f"is not a folder in which this user can create files ({error.strerror or 'none was found'})"
        raise ConfigError(subject, problem, "Let TMPDIR name a folder with room for result pages") from error
