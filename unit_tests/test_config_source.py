from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.export.config_source import (
    EnvironmentSource,
    FileSource,
    KeptConfig,
    SecretsManagerSource,
    config_source,
)

CONFIG = {
    "credentials": {"auth_type": "refresh_token", "client_id": "id", "client_secret": "secret", "refresh_token": "old"},
    "page_size": 7,
}


class FakeSecrets:
    """Secrets Manager, as far as it is asked here."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = secrets

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - boto3's spelling
        return {"SecretString": self.secrets[SecretId]}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:  # noqa: N803
        self.secrets[SecretId] = SecretString


@pytest.fixture(params=["file", "env", "secretsmanager"])
def place(request, tmp_path, monkeypatch):
    """A place with a configuration, and how to read it back."""
    text = json.dumps(CONFIG)
    if request.param == "file":
        path = tmp_path / "config.json"
        path.write_text(text)
        path.chmod(0o600)
        return config_source(str(path), lambda _: None), path.read_text
    if request.param == "env":
        monkeypatch.setenv("SF_CONFIG", text)
        source = config_source("env:SF_CONFIG", lambda _: None)
        return source, source.read
    client = FakeSecrets(**{"prod/salesforce": text})
    source = config_source("secretsmanager://prod/salesforce", lambda _: client)
    return source, lambda: client.secrets["prod/salesforce"]


def test_a_configuration_is_loaded(place):
    config = KeptConfig(place[0]).load()
    assert (config.page_size, config.credentials.refresh_token) == (7, "old")


def test_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, "start_dat": "2024-01-01"}))
    with pytest.raises(ConfigError, match="Write start_date"):
        KeptConfig(FileSource(path)).load()


def test_a_rotated_refresh_token_is_written_back_and_nothing_else_changes(place):
    source, read_back = place
    KeptConfig(source).keep_refresh_token("new")
    assert json.loads(read_back()) == {**CONFIG, "credentials": {**CONFIG["credentials"], "refresh_token": "new"}}


def test_newer_credentials_are_seen(place):
    source, _ = place
    kept = KeptConfig(source)
    kept.load()
    source.write(json.dumps({**CONFIG, "credentials": {**CONFIG["credentials"], "client_secret": "rotated"}}))
    assert kept.newer_credentials().client_secret == "rotated"


def test_a_source_that_fails_has_no_newer_credentials(place):
    source, _ = place
    source.write("nonsense")
    assert KeptConfig(source).newer_credentials() is None


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '"text"'])
def test_what_is_no_configuration_is_named_without_being_quoted(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json is not a JSON object") as caught:
        KeptConfig(FileSource(path)).load()
    assert caught.value.__cause__ is None
    assert "nonsense" not in str(caught.value)


def test_a_file_keeps_its_rights(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    path.chmod(0o640)
    KeptConfig(FileSource(path)).keep_refresh_token("new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_an_arn_is_a_name_too():
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/salesforce-AbCdEf"
    client = FakeSecrets(**{arn: json.dumps(CONFIG)})
    source = config_source(f"secretsmanager://{arn}", lambda _: client)
    assert isinstance(source, SecretsManagerSource)
    assert KeptConfig(source).load().page_size == 7


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
        ({"SecretBinary": b"{}"}, "The secret prod/sf holds bytes and no text."),
    ],
)
def test_a_secret_without_text_says_how_to_fill_it(answer, says):
    with pytest.raises(ConfigError) as caught:
        KeptConfig(SecretsManagerSource(Unusable(answer), "prod/sf")).load()
    assert str(caught.value).startswith(says)
    assert "aws secretsmanager put-secret-value --secret-id prod/sf --secret-string file://" in str(caught.value)


def test_a_secret_that_is_not_there_is_boto3s_to_tell():
    with pytest.raises(ClientError):
        KeptConfig(SecretsManagerSource(Unusable(missing("can't find the specified secret.")), "prod/sf")).load()


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("SF_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="The environment variable SF_CONFIG is not set"):
        KeptConfig(EnvironmentSource("SF_CONFIG")).load()
