from __future__ import annotations

import errno

import boto3
import pytest
from boto3.exceptions import RetriesExceededError, S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSLError,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)

from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.export.storage_failures import arrow_failure, aws_failure, defect, storage_failure
from source_salesforce_bulk.salesforce.failures import Consequence, page_not_kept


@pytest.mark.parametrize(
    ("error", "consequence", "says"),
    [
        (OSError(28, "No space left on device"), Consequence.TRANSIENT, "no space is left"),
        (PermissionError(13, "Permission denied", "/out"), Consequence.CONFIG, "Permission denied: /out"),
        (NoRegionError(), Consequence.CONFIG, "You must specify a region."),
    ],
)
def test_trouble_with_storage_says_who_has_to_act(error, consequence, says):
    failed = storage_failure(error, "Account")
    assert isinstance(failed, ExportFailed)
    assert failed.consequence is consequence
    assert failed.message.startswith("Account: ")
    assert says in failed.message


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE])
def test_a_disk_means_the_same_for_a_page_as_for_a_file_of_the_export(number):
    error = OSError(number, "why", "/somewhere")
    failed = storage_failure(error, "Account")
    assert failed is not None
    assert failed.consequence is page_not_kept(error).consequence


def test_a_full_disk_is_named_by_the_file_that_it_should_hold():
    failed = storage_failure(OSError(errno.ENOSPC, "No space left on device", "/data/out/Account/x.parquet"), "Account")
    assert failed is not None
    assert "the disk that holds /data/out/Account/x.parquet" in failed.message


def test_too_many_open_files_are_not_blamed_on_a_path():
    failed = storage_failure(OSError(errno.EMFILE, "Too many open files", "/tmp/page"), "Account")
    assert failed is not None
    assert "ulimit -n" in failed.message
    assert "/tmp" not in failed.message


def test_anything_else_is_no_trouble_with_storage():
    assert storage_failure(ValueError("x"), "Account") is None


def test_a_defect_says_where_and_quotes_nothing():
    try:
        ExportFailed(Consequence.SYSTEM, "secret value").no_such_attribute  # noqa: B018
    except AttributeError as error:
        failed = defect(error, "Account")
    assert failed.consequence is Consequence.SYSTEM
    assert failed.message.startswith("Account: AttributeError in test_storage_failures.py, line ")
    assert "secret value" not in failed.message


def refusal(code: str, message: str = "why", thing: str = "") -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, **({"AskedAbout": thing} if thing else {})}
    return ClientError(response, "PutObject")


def wrapped(error: Exception) -> Exception:
    try:
        try:
            raise error
        except ClientError as cause:
            raise S3UploadFailedError("Failed to upload") from cause
    except S3UploadFailedError as caught:
        return caught


def failure(error: Exception) -> ExportFailed:
    failed = aws_failure(error, "Account")
    assert failed is not None
    assert failed.message.startswith("Account: ")
    return failed


@pytest.mark.parametrize(
    ("error", "consequence", "says"),
    [
        (refusal("AccessDenied"), Consequence.CONFIG, "AccessDenied: why. Give the role of this process"),
        (refusal("NoSuchBucket"), Consequence.CONFIG, "Check its name, the account and the region."),
        (refusal("ExpiredToken"), Consequence.CONFIG, "Check the AWS credentials"),
        (refusal("SlowDown"), Consequence.TRANSIENT, "SlowDown: why. Nothing is lost; run again later."),
        (wrapped(refusal("AccessDenied")), Consequence.CONFIG, "AWS refused PutObject: AccessDenied: why."),
    ],
)
def test_a_refusal_says_who_has_to_act(error, consequence, says):
    failed = failure(error)
    assert failed.consequence is consequence
    assert says in failed.message


@pytest.mark.parametrize("error", [NoCredentialsError(), PartialCredentialsError(provider="env", cred_var="x")])
def test_credentials_that_are_missing_are_the_users_to_give(error):
    failed = failure(error)
    assert failed.consequence is Consequence.CONFIG
    assert "no AWS credentials were found" in failed.message


def test_a_refusal_names_the_thing_that_was_asked_about():
    failed = failure(refusal("ResourceNotFoundException", "Requested resource not found", "the table t in eu-west-1"))
    assert failed.message == (
        "Account: AWS refused PutObject on the table t in eu-west-1: ResourceNotFoundException: Requested resource not "
        "found. Check its name, the account and the region."
    )


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://s3"),
        ConnectTimeoutError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        SSLError(endpoint_url="https://s3", error="reset"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        MetadataRetrievalError(error_msg="timed out"),
        CredentialRetrievalError(provider="container-role", error_msg="timed out"),
        RetriesExceededError(EndpointConnectionError(endpoint_url="https://s3")),
    ],
)
def test_what_happens_on_the_way_to_aws_passes(error):
    failed = failure(error)
    assert failed.consequence is Consequence.TRANSIENT
    assert "AWS could not be reached: " in failed.message
    assert failed.message.endswith(". Nothing is lost; run again later.")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NoRegionError(), "You must specify a region."),
        (ProfileNotFound(profile="prod"), "The config profile (prod) could not be found."),
        (UnauthorizedSSOTokenError(), "The SSO session associated with this profile has expired"),
        (SSOTokenLoadError(error_msg="no token"), "Error loading SSO Token: no token."),
        (BotoCoreError(), "An unspecified error occurred."),
    ],
)
def test_what_keeps_anything_from_being_sent_does_not_pass(error, says):
    failed = failure(error)
    assert failed.consequence is Consequence.CONFIG
    assert f"no request could be sent to AWS: {says}" in failed.message
    assert "AWS_REGION" in failed.message


def client() -> object:
    return boto3.client(
        "s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x", config=Config()
    )


def test_a_name_that_aws_does_not_take_is_told_in_one_line():
    with pytest.raises(ParamValidationError) as caught:
        client().put_object(Bucket="no bucket!", Key="x")  # type: ignore[attr-defined]
    failed = failure(caught.value)
    assert failed.consequence is Consequence.CONFIG
    assert 'Invalid bucket name "no bucket!"' in failed.message
    assert "\n" not in failed.message


def test_a_value_of_the_wrong_type_is_our_defect_and_not_quoted():
    with pytest.raises(ParamValidationError) as caught:
        client().put_object(Bucket="bucket", Key=["secret"])  # type: ignore[attr-defined]
    assert aws_failure(caught.value, "Account") is None


def test_anything_else_is_none_of_aws():
    assert aws_failure(ValueError("x"), "Account") is None


@pytest.mark.parametrize(
    ("code", "consequence", "says"),
    [
        ("ACCESS_DENIED", Consequence.CONFIG, "Give the role"),
        ("NO_SUCH_BUCKET", Consequence.CONFIG, "Check its name"),
        ("UNRECOGNIZED_CLIENT", Consequence.CONFIG, "credentials"),
        ("SLOW_DOWN", Consequence.TRANSIENT, "run again later."),
        ("NETWORK_CONNECTION", Consequence.TRANSIENT, "run again later."),
        ("UNKNOWN (HTTP status 500)", Consequence.TRANSIENT, "run again later."),
    ],
)
def test_arrows_errors_are_those_of_aws_in_another_spelling(code, consequence, says):
    text = f"When copying key 'x' in bucket 'b': AWS Error {code} during CopyObject operation: why"
    failed = arrow_failure(OSError(text), "Account")
    assert failed is not None
    assert failed.consequence is consequence
    assert failed.message.startswith(f"Account: {text}. ")
    assert says in failed.message


def test_an_error_of_the_disk_is_none_of_arrows():
    assert arrow_failure(OSError(28, "No space left on device", "/out"), "Account") is None
