"""What goes wrong outside Salesforce: the disk, AWS, a state, ourselves. One sentence each and who has to act. Pure."""

from __future__ import annotations

import traceback
from pathlib import Path

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from source_salesforce_bulk.extraction.stream_state import StateError
from source_salesforce_bulk.registries.state import UnreadableProgress
from source_salesforce_bulk.runners.outcomes import ExportFailed
from source_salesforce_bulk.salesforce.failure_kinds import MEANINGS, disk_kind
from source_salesforce_bulk.salesforce.failures import Consequence, Kind

_PACKAGE = Path(__file__).parents[1]
# Codes of AWS that name a right or a thing that is missing; everything else may pass.
_USERS_TO_MEND = (
    "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "EntityNotFoundException", "ExpiredToken",
    "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidRequestException", "NoSuchBucket",
    "ResourceNotFoundException", "SignatureDoesNotMatch", "UnrecognizedClientException", "ValidationException",
)  # fmt: skip


def storage_failure(error: BaseException, about: str) -> ExportFailed | None:
    """What an exception of AWS or of the file system means for ``about``; None where it is neither."""
    cause = error.__cause__ or error.__context__ or error if isinstance(error, Boto3Error) else error
    match cause:
        case ClientError():
            return _aws_failure(cause, about)
        case NoCredentialsError() | PartialCredentialsError():
            text = f"{about}: no AWS credentials were found. Give the task a role, or set AWS_PROFILE."
            return ExportFailed(Consequence.CONFIG, text)
        case BotoCoreError() | Boto3Error():
            text = f"{about}: AWS could not be reached ({type(cause).__name__}). Nothing is lost; run again later."
            return ExportFailed(Consequence.TRANSIENT, text)
        case OSError():
            return _disk_failure(cause, about)
        case _:
            return None


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
        text = f"{about}: no space is left on the disk. Nothing is lost; make room, then run again."
    else:
        text = f"{about}: {error.strerror or type(error).__name__}: {error.filename}. Check the path and its rights."
    return ExportFailed(MEANINGS[kind].consequence, text)


def _aws_failure(error: ClientError, about: str) -> ExportFailed:
    code = error.response["Error"]["Code"]
    text = f"{about}: AWS refused {error.operation_name}: {code}: {error.response['Error'].get('Message', '')}"
    if code in _USERS_TO_MEND:
        return ExportFailed(Consequence.CONFIG, f"{text} Check the names and the rights of the role.")
    return ExportFailed(Consequence.TRANSIENT, f"{text} Nothing is lost; run again later.")
