"""The files that a protocol command names: read once before anything else, so that a bad one is a sentence.

The CDK would end with a stack trace and "something went wrong".
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

_FILES = ("config", "catalog", "state")


def unreadable_file(command: Namespace) -> str | None:
    """What is wrong with a file on the command line and what to do, or None. Quotes nothing of what is in it."""
    for option in _FILES:
        name = getattr(command, option, None)
        if name:
            problem = _problem(Path(name))
            if problem:
                return f"The file {name} given as --{option} {problem}."
    return None


def _problem(path: Path) -> str | None:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return f"cannot be read: {error.strerror}. Check its name, and that this user may read it"
    except json.JSONDecodeError as error:
        return f"is not JSON: {error.msg} in line {error.lineno}, column {error.colno}. Correct it there"
    except UnicodeDecodeError:
        return "is not text in UTF-8. Save it as UTF-8"
    except RecursionError:
        return "is not JSON that can be read: it is nested too deeply"
    return None
