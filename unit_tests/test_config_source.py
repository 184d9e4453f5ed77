from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.export.config_source import (
    EnvironmentSource,
    FileSource,
    SecretsManagerSource,
    config_source,
)

TEXT = json.dumps({"page_size": 7})


class FakeSecrets:
    """A partial Secrets Manager. ``denied``: the permission PutSecretValue is missing."""

    def __init__(self, denied: str | None = None, **secrets: str) -> None:
        self.secrets = secrets
        self.versions = dict.fromkeys(secrets, 1)
        self._denied = denied

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - boto3's spelling
        version = f"{SecretId}-{self.versions[SecretId]}"
        return {"SecretString": self.secrets[SecretId], "VersionId": version}

    def put_secret_value(self, SecretId: str, SecretString: str, ClientRequestToken: str | None = None) -> None:  # noqa: N803
        if self._denied:
            raise ClientError({"Error": {"Code": self._denied, "Message": "no"}}, "PutSecretValue")
        if ClientRequestToken == f"{SecretId}-{self.versions[SecretId]}":
            assert SecretString == self.secrets[SecretId], "AWS: ResourceExistsException"
            return
        self.secrets[SecretId] = SecretString
        self.versions[SecretId] += 1


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file of this process grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


def test_each_place_is_read_and_named(path, monkeypatch):
    monkeypatch.setenv("SF_CONFIG", TEXT)
    client = FakeSecrets(**{"prod/salesforce": TEXT})
    for place, name in {
        str(path): f"the file {path}",
        "env:SF_CONFIG": "the environment variable SF_CONFIG",
        "secretsmanager://prod/salesforce": "the secret prod/salesforce",
    }.items():
        source = config_source(place, lambda _: client)
        assert (source.read(), source.name) == (TEXT, name)


# Files


def test_a_file_keeps_its_owner_and_its_rights(path):
    owner = (12345, 23456) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    FileSource(path).write("new")
    facts = path.stat()
    assert path.read_text() == "new"
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o777) == (*owner, 0o640)


def test_a_link_to_a_file_stays_one(path, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(path)
    FileSource(link).write("new")
    assert link.is_symlink()
    assert path.read_text() == "new"


class Mounted(FileSource):
    """A file that is mounted by itself: another cannot take its place."""

    def _replace(self, path, content, facts):
        raise OSError(errno.EBUSY, "Device or resource busy")


def test_a_file_that_may_not_be_replaced_is_overwritten(path):
    Mounted(path).write("a longer text than before, by far")
    Mounted(path).write("new")
    assert path.read_text() == "new"


def test_a_file_that_can_be_written_proves_it_and_nothing_is_left(path, tmp_path):
    FileSource(path).check_writable()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == TEXT


def test_a_disk_without_room_proves_nothing(path, tmp_path):
    with pytest.raises(OSError, match="File too large"), no_room():
        FileSource(path).check_writable()
    assert list(tmp_path.iterdir()) == [path]


class Locked(FileSource):
    """A file that cannot be opened for writing; ``folder_too``: its folder takes no new file either."""

    def __init__(self, path: Path, number: int, folder_too: bool) -> None:
        super().__init__(path)
        self._number, self._folder_too = number, folder_too

    def _open(self, path):
        raise OSError(self._number, os.strerror(self._number))

    def _replace(self, path, content, facts):
        if self._folder_too:
            self._open(path)
        super()._replace(path, content, facts)


@pytest.mark.parametrize(
    ("number", "folder_too"), [(errno.EROFS, True), (errno.EROFS, False), (errno.EACCES, True), (errno.EPERM, True)]
)
def test_a_file_that_cannot_be_written_is_refused_with_both_ways_out(path, number, folder_too):
    with pytest.raises(ConfigError, match="cannot be written") as raised:
        Locked(path, number, folder_too).check_writable()
    said = str(raised.value)
    assert str(path) in said
    assert os.strerror(number) in said
    assert "without :ro" in said
    assert "env:NAME" in said


def test_a_file_that_another_can_replace_need_not_be_open_to_writing(path):
    Locked(path, errno.EACCES, folder_too=False).check_writable()


# Variables


def test_a_variable_keeps_nothing_and_its_user_knows(monkeypatch):
    monkeypatch.setenv("SF_CONFIG", TEXT)
    EnvironmentSource("SF_CONFIG").check_writable()
    with pytest.raises(OSError, match="cannot be written for the next run"):
        EnvironmentSource("SF_CONFIG").write("new")


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("SF_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="The environment variable SF_CONFIG is not set"):
        EnvironmentSource("SF_CONFIG").read()


# Secrets Manager


def test_a_secret_that_can_be_written_proves_it_without_a_new_version():
    client = FakeSecrets(**{"prod/sf": TEXT})
    SecretsManagerSource(client, "prod/sf").check_writable()
    assert client.versions == {"prod/sf": 1}


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied"])
def test_a_secret_that_may_not_be_written_says_which_permission_is_missing(code):
    with pytest.raises(ConfigError, match="secretsmanager:PutSecretValue"):
        SecretsManagerSource(FakeSecrets(denied=code, **{"prod/sf": TEXT}), "prod/sf").check_writable()


def test_trouble_of_aws_while_it_is_tried_is_boto3s_to_tell():
    with pytest.raises(ClientError):
        SecretsManagerSource(FakeSecrets(denied="ThrottlingException", x=TEXT), "x").check_writable()


def test_an_arn_is_a_name_too():
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/salesforce-AbCdEf"
    source = config_source(f"secretsmanager://{arn}", lambda _: FakeSecrets(**{arn: TEXT}))
    assert isinstance(source, SecretsManagerSource)
    assert source.read() == TEXT


class Unusable:
    """A secret that Secrets Manager shows no text of."""

    def __init__(self, answer: dict[str, object] | ClientError) -> None:
        self._answer = answer

    def get_secret_value(self, SecretId: str) -> dict[str, object]:  # noqa: N803
        if isinstance(self._answer, ClientError):
            raise self._answer
        return self._answer


def missing(message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": message}}, "GetSecretValue")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            missing("Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"),
            "The secret prod/sf has no value yet.",
        ),
        ({"SecretBinary": b"{}"}, "The secret prod/sf contains bytes, not text."),
    ],
)
def test_a_secret_without_text_says_how_to_fill_it(answer, says):
    with pytest.raises(ConfigError) as caught:
        SecretsManagerSource(Unusable(answer), "prod/sf").read()
    assert str(caught.value).startswith(says)
    assert "aws secretsmanager put-secret-value --secret-id prod/sf --secret-string file://" in str(caught.value)


def test_a_secret_that_is_not_there_is_boto3s_to_tell():
    with pytest.raises(ClientError):
        SecretsManagerSource(Unusable(missing("can't find the specified secret.")), "prod/sf").read()
