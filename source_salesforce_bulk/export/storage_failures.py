"""Classify failures outside Salesforce: the disk, AWS, a damaged state, our own defects. Pure.

An exception of boto3, or of Arrow's S3 client, has one of three causes. AWS refused the request; AWS could not be
reached, which is temporary; or nothing was sent, because region, credentials or names are missing or invalid. The last
kind fails again on every run until the user changes something.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from pathlib import Path

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    CapacityNotAvailableError,
    ChecksumError,
    ClientError,
    ConnectionError,  # noqa: A004 - the name is botocore's
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from source_salesforce_bulk.export.aws_clients import asked_about
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.extraction.stream_state import StateError
from source_salesforce_bulk.registries.state import UnreadableProgress
from source_salesforce_bulk.salesforce.failure_kinds import disk_kind
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS
from source_salesforce_bulk.salesforce.failures import Consequence, Kind
from source_salesforce_bulk.tables.table_failures import table_failure

_PACKAGE = Path(__file__).parents[1]


def storage_failure(error: BaseException, about: str) -> ExportFailed | None:
    """Return the failure of ``about`` for an exception of AWS, a catalog or the file system; None for any other."""
    found = table_failure(error)  # before OSError, which exceptions of requests are, too
    if found is not None:
        return ExportFailed(found[0], f"{about}: {found[1]}")
    if isinstance(error, OSError):
        return arrow_failure(error, about) or _disk_failure(error, about)
    return aws_failure(error, about)


def unusable_state(error: StateError | UnreadableProgress, object_name: str) -> ExportFailed:
    """Return the failure for a registry entry that is damaged or belongs to another stream, which the user must fix."""
    text = f"{object_name}: its state in the registry cannot be used: {str(error).rstrip('.')}. "
    reset = f"`salesforce-bulk state reset {object_name}` does so in a folder and in DynamoDB"
    return ExportFailed(Consequence.CONFIG, f"{text}Restore it, or remove it to start over: {reset}.")


def defect(error: BaseException, about: str) -> ExportFailed:
    """Return the failure for our own defect: its location, but not its text, which may contain record values."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents] or frames
    where = f" in {Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
    return ExportFailed(
        Consequence.SYSTEM,
        f"{about}: {type(error).__name__}{where}. This is a defect of salesforce-bulk: please report it. "
        "Everything exported so far is kept.",
    )


def _disk_failure(error: OSError, about: str) -> ExportFailed:
    kind = disk_kind(error)
    if kind is Kind.NO_DISK_SPACE:
        where = f" that holds {error.filename}" if error.filename else ""
        text = f"{about}: no space is left on the disk{where}. Nothing is lost; free some space, then run again."
    elif kind is Kind.TOO_MANY_FILES:
        text = f"{about}: {MEANINGS[kind].what}. {MEANINGS[kind].guidance}"
    else:
        text = f"{about}: {error.strerror or type(error).__name__}: {error.filename}. Check path and permissions."
    return ExportFailed(MEANINGS[kind].consequence, text)


_AGAIN = "Nothing is lost; run again later."
_SET_UP = "Check the region (AWS_REGION), the profile (AWS_PROFILE) and the names on the command line."

# Codes of errors that the user has to fix, and how. All other errors may be temporary.
_LOOK_FOR = "Check its name, the account and the region."
_PERMIT = "Give the role of this process that permission."
_CREDENTIALS = "Check the AWS credentials of this process, and its clock."
_REQUEST = "Check the name, the region, and how it was set up."
_TO_MEND: Mapping[str, str] = {
    "AccessDenied": _PERMIT,
    "AccessDeniedException": _PERMIT,
    "AllAccessDisabled": _PERMIT,
    "AuthorizationHeaderMalformed": _REQUEST,
    "EntityNotFoundException": _LOOK_FOR,
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "InvalidParameterException": _REQUEST,
    "InvalidRequestException": _REQUEST,
    "InvalidSignatureException": _CREDENTIALS,
    "NoSuchBucket": _LOOK_FOR,
    "PermanentRedirect": _REQUEST,
    "ResourceNotFoundException": _LOOK_FOR,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "ValidationException": _REQUEST,
}
# Network errors on the way to AWS or to a credentials service. For all other exceptions of boto3, nothing was sent.
_ON_THE_WAY = (
    HTTPClientError, ConnectionError, IncompleteReadError, ChecksumError, FlexibleChecksumError,
    CapacityNotAvailableError, CredentialRetrievalError, MetadataRetrievalError, TokenRetrievalError,
)  # fmt: skip
_WRONG_TYPE = "Invalid type for parameter"
# In sentences such as: When copying key 'x' in bucket 'b', AWS Error ACCESS_DENIED during CopyObject operation.
_ARROW = re.compile(r"AWS Error (?P<code>[A-Z0-9_]+)")


def aws_failure(error: BaseException, about: str) -> ExportFailed | None:
    """Return the failure of ``about`` for an exception of boto3; None for others, and for our own mistakes."""
    cause = error.__cause__ or error.__context__ or error if isinstance(error, Boto3Error) else error
    match cause:
        case ClientError():
            return _refused(cause, about)
        case NoCredentialsError() | PartialCredentialsError():
            text = f"{about}: no AWS credentials were found. Give the task a role, or set AWS_PROFILE."
            return ExportFailed(Consequence.CONFIG, text)
        case ParamValidationError() if _WRONG_TYPE in str(cause):
            return None  # not caused by the user, and its text contains the value
        case BotoCoreError() if not isinstance(cause, _ON_THE_WAY):
            text = f"{about}: no request could be sent to AWS: {_sentence(str(cause))} {_SET_UP}"
            return ExportFailed(Consequence.CONFIG, text)
        case BotoCoreError() | Boto3Error():
            text = f"{about}: AWS could not be reached: {_sentence(str(cause))} {_AGAIN}"
            return ExportFailed(Consequence.TRANSIENT, text)
        case _:
            return None


def arrow_failure(error: OSError, about: str) -> ExportFailed | None:
    """Return the failure of ``about`` for an error of Arrow's S3 client; None for any other error.

    Such an error has no errno. Its text contains AWS's code in another spelling.
    """
    text = str(error)
    found = _ARROW.search(text)
    if found is None:
        return None
    spelt = found["code"].replace("_", "").lower()
    remedy = next((remedy for code, remedy in _TO_MEND.items() if _bare(code) == spelt), None)
    consequence = Consequence.TRANSIENT if remedy is None else Consequence.CONFIG
    return ExportFailed(consequence, f"{about}: {_sentence(text)} {remedy or _AGAIN}")


def _bare(code: str) -> str:
    return code.removesuffix("Exception").lower()


def _refused(error: ClientError, about: str) -> ExportFailed:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    thing = asked_about(error)
    asked = f"{error.operation_name} on {thing}" if thing else error.operation_name
    text = f"{about}: AWS refused {asked}: {_sentence(f'{code}: {message}' if message else code)}"
    remedy = _TO_MEND.get(code)
    consequence = Consequence.TRANSIENT if remedy is None else Consequence.CONFIG
    return ExportFailed(consequence, f"{text} {remedy or _AGAIN}")


def _sentence(text: str) -> str:
    """Return the text in one line, with a full stop."""
    line = " ".join(text.split())
    return line if line.endswith((".", "!", "?")) else f"{line}."
