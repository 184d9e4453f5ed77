"""The run's session, handed from the driver to executors through AWS Secrets Manager.

A Spark broadcast is pickled, lies on the disks of all workers and crosses their network in clear, unless the cluster
was set up otherwise. So it carries the name of a secret and of one of its versions; the access token itself goes to
Secrets Manager and comes from there over TLS, and only to those whose role may read the secret.

Retries here: none beyond boto3's own.
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
    """Where an executor finds the session that it reads pages with."""

    secret: str
    version: str

    def session(self) -> Session:
        """The session, fetched once for a process; raises what boto3 raises."""
        return _fetched(self.secret, self.version)


class SessionSecret:
    """Hands sessions on through one secret, each as a version of its own. May be used from any thread."""

    def __init__(self, client: SecretsManagerClient, secret: str) -> None:
        self._client = client
        self._secret = secret
        self._lock = threading.Lock()
        self._last: tuple[str, SharedSession] | None = None

    def share(self, session: Session) -> SharedSession:
        """Where executors find ``session``; raises what boto3 raises. A session that was shared is not stored again.

        Its refresh token is no executor's business and stays here.
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
