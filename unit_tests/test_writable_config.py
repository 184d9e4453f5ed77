from __future__ import annotations

import json
import logging

import pytest
from botocore.exceptions import ClientError

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.export.config_source import FileSource, SecretsManagerSource, config_source
from source_salesforce_bulk.export.writable_config import WritableConfig
from source_salesforce_bulk.registries.kept_token import KeptTokens
from source_salesforce_bulk.salesforce.failures import Consequence, Kind, SalesforceError
from unit_tests.test_config_source import FakeSecrets

CONFIG = {
    "credentials": {"auth_type": "refresh_token", "client_id": "id", "client_secret": "secret", "refresh_token": "old"},
    "page_size": 7,
}


class Source:
    """A configuration in memory. ``refusal`` is what writing to it raises; ``provable`` says whether it proves well."""

    name = "the memory"
    folder = None

    def __init__(self, refusal: Exception | None = None, provable: bool = True) -> None:
        self.text = json.dumps(CONFIG)
        self.refusal = refusal
        self._provable = provable

    def read(self) -> str:
        return self.text

    def write(self, text: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.text = text

    def check_writable(self) -> None:
        if not self._provable:
            raise ConfigError("The memory", "cannot be written", "Buy more")


@pytest.fixture(params=["file", "secretsmanager"])
def place(request, tmp_path):
    """A place that can be written, and how to read it back."""
    text = json.dumps(CONFIG)
    if request.param == "file":
        path = tmp_path / "config.json"
        path.write_text(text)
        return config_source(str(path), lambda _: None), path.read_text
    client = FakeSecrets(**{"prod/salesforce": text})
    source = config_source("secretsmanager://prod/salesforce", lambda _: client)
    return source, lambda: client.secrets["prod/salesforce"]


@pytest.fixture
def kept(tmp_path) -> KeptTokens:
    return KeptTokens([tmp_path])


def token_in(text: str) -> str:
    return json.loads(text)["credentials"]["refresh_token"]


def test_a_configuration_is_loaded(place):
    config = WritableConfig(place[0]).load()
    assert (config.page_size, config.credentials.refresh_token) == (7, "old")


def test_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, "start_dat": "2024-01-01"}))
    with pytest.raises(ConfigError, match="Write start_date"):
        WritableConfig(FileSource(path)).load()


def test_a_variable_is_loaded(monkeypatch, kept):
    monkeypatch.setenv("SF_CONFIG", json.dumps(CONFIG))
    assert WritableConfig(config_source("env:SF_CONFIG", lambda _: None), kept).load().page_size == 7


def test_a_replaced_refresh_token_is_written_back_and_nothing_else_changes(place, kept):
    source, read_back = place
    config = WritableConfig(source, kept)
    config.load()
    config.keep_refresh_token("new")
    assert json.loads(read_back()) == {**CONFIG, "credentials": {**CONFIG["credentials"], "refresh_token": "new"}}
    assert kept.newest("old") is None


def test_newer_credentials_are_seen(place):
    source, _ = place
    config = WritableConfig(source)
    config.load()
    source.write(json.dumps({**CONFIG, "credentials": {**CONFIG["credentials"], "client_secret": "rotated"}}))
    assert config.newer_credentials().client_secret == "rotated"


def test_a_source_that_fails_has_no_newer_credentials(place):
    source, _ = place
    source.write("nonsense")
    assert WritableConfig(source).newer_credentials() is None


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '"text"', "1" * 5000, "[" * 100_000, "NaN", "null"])
def test_what_is_no_configuration_is_named_without_being_quoted(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json is not a JSON object") as caught:
        WritableConfig(FileSource(path)).load()
    assert caught.value.__cause__ is None
    assert "nonsense" not in str(caught.value)


# Before the first login


def test_a_source_that_could_not_take_a_new_refresh_token_is_refused_before_any_login():
    with pytest.raises(ConfigError, match="The memory cannot be written"):
        WritableConfig(Source(provable=False)).load()


def test_a_login_without_a_refresh_token_needs_nothing_to_be_written():
    source = Source(provable=False)
    source.text = json.dumps(
        {
            "credentials": {"auth_type": "client_credentials", "client_id": "id", "client_secret": "secret"},
            "login_url": "https://acme.my.salesforce.com",
        }
    )
    assert WritableConfig(source).load().credentials.client_id == "id"


# A token that cannot be written back


REFUSALS = [
    OSError(30, "Read-only file system"),
    OSError(28, "No space left on device"),
    ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutSecretValue"),
    RuntimeError("anything"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_token_that_the_source_refuses_is_kept_in_a_file_and_the_log_says_where(refusal, kept, tmp_path, caplog):
    config = WritableConfig(Source(refusal), kept)
    config.load()
    config.keep_refresh_token("new")
    (path,) = tmp_path.iterdir()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert str(path) in record.getMessage()
    assert "new" not in record.getMessage().replace("the new one", "")


def test_the_next_run_uses_the_kept_token_and_writes_it_back_where_it_can_now(kept, tmp_path):
    source = Source(OSError(30, "Read-only file system"))
    first = WritableConfig(source, kept)
    first.load()
    first.keep_refresh_token("second")
    first.keep_refresh_token("third")
    assert WritableConfig(source, kept).load().credentials.refresh_token == "third"
    source.refusal = None
    assert WritableConfig(source, kept).load().credentials.refresh_token == "third"
    assert token_in(source.text) == "third"
    assert list(tmp_path.iterdir()) == []


def test_a_login_refused_for_a_token_that_another_run_replaced_finds_the_kept_one(kept):
    source = Source(OSError(30, "Read-only file system"))
    mine, other = WritableConfig(source, kept), WritableConfig(source, kept)
    mine.load()
    other.load()
    other.keep_refresh_token("new")
    assert mine.newer_credentials().refresh_token == "new"


def test_a_variable_cannot_keep_a_token_and_the_next_run_finds_it_all_the_same(monkeypatch, kept):
    monkeypatch.setenv("SF_CONFIG", json.dumps(CONFIG))
    source = config_source("env:SF_CONFIG", lambda _: None)
    config = WritableConfig(source, kept)
    config.load()
    config.keep_refresh_token("new")
    assert token_in(source.read()) == "old"
    assert WritableConfig(source, kept).load().credentials.refresh_token == "new"


def test_a_secret_that_is_refused_later_keeps_nothing_from_the_next_run(kept):
    client = FakeSecrets(x=json.dumps(CONFIG))
    config = WritableConfig(SecretsManagerSource(client, "x"), kept)
    config.load()
    client._denied = "AccessDeniedException"
    config.keep_refresh_token("new")
    assert kept.newest("old") == "new"


def test_where_nothing_takes_the_token_the_failure_says_that_it_is_lost():
    config = WritableConfig(Source(OSError(30, "Read-only file system")), KeptTokens([]))
    config.load()
    with pytest.raises(SalesforceError) as raised:
        config.keep_refresh_token("the-new-token")
    failure = raised.value.failure
    assert (failure.kind, failure.consequence) == (Kind.TOKEN_NOT_KEPT, Consequence.CONFIG)
    assert "Read-only file system" in failure.summary
    assert "authenticate again" in failure.guidance
    assert "the-new-token" not in str(raised.value)
    assert "Nothing is lost" not in str(raised.value)
