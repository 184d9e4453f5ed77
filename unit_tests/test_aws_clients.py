from __future__ import annotations

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, NoRegionError, ProfileNotFound

from source_salesforce_bulk.export.aws_clients import asked_about, aws_client, region, secrets_manager

ARN = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:prod/salesforce-AbCdEf"


@pytest.fixture(autouse=True)
def nothing_is_set_up(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({}, "eu-west-3"),
    ],
)
def test_the_region_is_looked_for_where_all_aws_tools_look(nothing_is_set_up, monkeypatch, variables, expected):
    (nothing_is_set_up / "config").write_text("[default]\nregion = eu-west-3\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert region() == expected
    assert aws_client("s3", "the bucket b").meta.region_name == expected


@pytest.mark.parametrize("variables", [{}, {"AWS_DEFAULT_REGION": "", "AWS_REGION": ""}])
def test_without_a_region_there_is_no_client(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert region() is None
    with pytest.raises(NoRegionError):
        aws_client("dynamodb", "the table t")


def test_a_profile_that_is_none_is_told_by_boto3(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ProfileNotFound, match="nobody"):
        region()


@pytest.mark.parametrize(("secret", "expected"), [(ARN, "eu-north-1"), ("prod/salesforce", "eu-west-1")])
def test_an_arn_says_where_the_secret_is(monkeypatch, secret, expected):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert secrets_manager(secret).meta.region_name == expected


def test_an_arn_needs_no_region():
    assert secrets_manager(ARN).meta.region_name == "eu-north-1"


def answering(client, status: int, body: bytes) -> None:
    """Answer every request of the client with this; nothing is sent."""

    class Raw:
        def stream(self, *_: object, **__: object):
            yield body

    client.meta.events.register(
        "before-send",
        lambda **_: AWSResponse("https://aws", status, {"content-type": "application/x-amz-json-1.0"}, Raw()),
    )


def test_an_error_names_what_the_client_is_for(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    client = aws_client("dynamodb", "the table t")
    answering(client, 400, b'{"__type": "x#ResourceNotFoundException", "message": "Requested resource not found"}')
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_item(TableName="t", Key={})
    assert asked_about(caught.value) == "the table t in eu-west-1"


def test_an_answer_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    client = aws_client("dynamodb", "the table t")
    answering(client, 200, b"{}")
    answer = client.get_item(TableName="t", Key={})
    assert set(answer) == {"ResponseMetadata"}


def test_another_clients_error_is_about_nothing():
    assert asked_about(ClientError({"Error": {"Code": "X"}}, "GetItem")) == ""
