"""The session is passed from the driver to executors through simulated Secrets Manager."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from botocore.exceptions import ClientError

from integration_tests.aws import Aws
from source_salesforce_bulk.pages.page_task import PageTask
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.spark.shared_session import SessionSecret, SharedSession

SECRET = "salesforce-bulk/session"
FIRST = Session("00D!first-t0ken", "https://acme.my.salesforce.com", refresh_token="5Aep-refresh")
SECOND = Session("00D!second-t0ken", "https://acme.my.salesforce.com")


@pytest.fixture
def client(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    client = aws.client("secretsmanager")
    client.create_secret(Name=SECRET)
    return client


def test_an_executor_gets_the_session_and_what_spark_carries_holds_no_token(client: Any) -> None:
    shared = SessionSecret(client, SECRET).share(FIRST)

    carried = pickle.dumps((shared, (), (PageTask(0, None),)))  # type: ignore[arg-type]

    assert b"t0ken" not in carried
    assert b"refresh" not in carried
    received: SharedSession = pickle.loads(carried)[0]
    assert (received.session().access_token, received.session().instance_url) == (
        FIRST.access_token,
        FIRST.instance_url,
    )


def test_the_refresh_token_stays_with_the_driver(client: Any) -> None:
    SessionSecret(client, SECRET).share(FIRST)
    stored = json.loads(client.get_secret_value(SecretId=SECRET)["SecretString"])
    assert stored == {"access_token": FIRST.access_token, "instance_url": FIRST.instance_url}


def test_a_session_is_stored_once_and_a_wave_keeps_the_one_it_began_with(client: Any) -> None:
    sessions = SessionSecret(client, SECRET)
    first = sessions.share(FIRST)
    assert sessions.share(FIRST) is first
    second = sessions.share(SECOND)
    assert second.version != first.version
    assert (first.session().access_token, second.session().access_token) == (FIRST.access_token, SECOND.access_token)


def test_an_executor_that_may_not_read_the_secret_says_so(client: Any) -> None:
    shared = SharedSession("another/secret", "0" * 32)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        shared.session()
