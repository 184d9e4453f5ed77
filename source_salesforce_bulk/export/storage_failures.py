"""What goes wrong outside Salesforce: the disk, AWS, a state, ourselves. One sentence each and who has to act. Pure."""

from __future__ import annotations

import traceback
from pathlib import Path

from source_salesforce_bulk.export.aws_failures import arrow_failure, aws_failure
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.extraction.stream_state import StateError
from source_salesforce_bulk.registries.state import UnreadableProgress
from source_salesforce_bulk.salesforce.failure_kinds import disk_kind
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS
from source_salesforce_bulk.salesforce.failures import Consequence, Kind

_PACKAGE = Path(__file__).parents[1]


def storage_failure(error: BaseException, about: str) -> ExportFailed | None:
    """What an exception of AWS or of the file system means for ``about``; None where it is neither."""
    if isinstance(error, OSError):
        return arrow_failure(error, about) or _disk_failure(error, about)
    return aws_failure(error, about)


def unusable_state(error: StateError | UnreadableProgress, object_name: str) -> ExportFailed:
    """An object's entry in the registry is damaged or another stream's: nobody but the user can tell which state is."""
    text = f"{object_name}: its state in the registry is of no use: {str(error).rstrip('.')}. "
    return ExportFailed(Consequence.CONFIG, f"{text}Restore it, or remove it to start over.")


def defect(error: BaseException, about: str) -> ExportFailed:
    """A defect of ours: where it happened is told, the exception's own text is not, for it may hold record values."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents] or frames
    where = f" in {Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
    return ExportFailed(
        Consequence.SYSTEM,
        f"{about}: {type(error).__name__}{where}. This is a defect of salesforce-bulk: please report it. What was "
        "exported until now is kept.",
    )


def _disk_failure(error: OSError, about: str) -> ExportFailed:
    kind = disk_kind(error)
    if kind is Kind.NO_DISK_SPACE:
        where = f" that holds {error.filename}" if error.filename else ""
        text = f"{about}: no space is left on the disk{where}. Nothing is lost; make room, then run again."
    elif kind is Kind.TOO_MANY_FILES:
        text = f"{about}: {MEANINGS[kind].what}. {MEANINGS[kind].guidance}"
    else:
        text = f"{about}: {error.strerror or type(error).__name__}: {error.filename}. Check the path and its rights."
    return ExportFailed(MEANINGS[kind].consequence, text)
