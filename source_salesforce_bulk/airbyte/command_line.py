"""The files that a protocol command names: read once before anything else, so that a bad one is a sentence.

The CDK would end with a stack trace and "something went wrong".
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

# Each file and whether it is a JSON object; what a state has to be, the CDK says.
_FILES = {"config": True, "catalog": True, "state": False}


def unreadable_file(command: Namespace) -> str | None:
    """What is wrong with a file on the command line and what to do, or None. Quotes nothing of what is in it."""
    for option, is_object in _FILES.items():
        name = getattr(command, option, None)
        if name:
            problem = _problem(Path(name), is_object)
            if problem:
                return f"The file {name} given as --{option} {problem}."
    return None


def _problem(path: Path, is_object: bool) -> str | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return f"cannot be read: {error.strerror}. Check its name, and that this user may read it"
    except json.JSONDecodeError as error:
        return f"is not JSON: {error.msg} in line {error.lineno}, column {error.colno}. Correct it there"
    except UnicodeDecodeError:
        return "is not text in UTF-8. Save it as UTF-8"
    except RecursionError:
        return "is not JSON that can be read: it is nested too deeply"
    except ValueError:
        return "is not JSON that can be read: it holds a number of thousands of digits"
    if is_object and not isinstance(content, dict):
        return "is not a JSON object. It begins with { and ends with }"
    return None
