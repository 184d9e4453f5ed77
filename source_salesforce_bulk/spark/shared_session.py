"""Pass the run's session from the driver to executors through AWS Secrets Manager.

A Spark broadcast is pickled, stored on the disks of all workers and sent over their network, unencrypted unless the
cluster is configured otherwise. So it contains only the name and version of a secret. The access token is written to
and read from Secrets Manager over TLS, by roles that may access the secret.

The only retries are boto3's.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from source_salesforce_bulk.export.aws_clients import secrets_manager
from source_salesforce_bulk.salesforce.oauth import Session

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True)
class SharedSession:
    """The location from which an executor reads its session."""

    secret: str
    version: str

    def session(self) -> Session:
        """Return the session, which is fetched once per process; raises boto3's exceptions."""
        return _fetched(self.secret, self.version)


class SessionSecret:
    """Stores sessions in one secret, each as a new version. Thread-safe."""

    def __init__(self, client: SecretsManagerClient, secret: str) -> None:
        self._client = client
        self._secret = secret
        self._lock = threading.Lock()
        self._last: tuple[str, SharedSession] | None = None

    def share(self, session: Session) -> SharedSession:
        """Store ``session`` for executors, once, and return its location; raises boto3's exceptions.

        Its refresh token is not stored, because executors do not need it.
        """
        with self._lock:
            if self._last is None or self._last[0] != session.access_token:
                self._last = (session.access_token, self._store(session))
            return self._last[1]

    def _store(self, session: Session) -> SharedSession:
        text = json.dumps({"access_token": session.access_token, "instance_url": session.instance_url})
        answer = self._client.put_secret_value(SecretId=self._secret, SecretString=text)
        return SharedSession(self._secret, answer["VersionId"])


@cache
def _fetched(secret: str, version: str) -> Session:
    answer = secrets_manager(secret).get_secret_value(SecretId=secret, VersionId=version)
    shared = json.loads(answer["SecretString"])
    return Session(shared["access_token"], shared["instance_url"])
