"""Sources of a configuration without Airbyte: a file, an environment variable, or AWS Secrets Manager."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from botocore.exceptions import ClientError

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.registries.durable_files import overwrite_file, replace_file

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

ENVIRONMENT = "env:"
SECRETS_MANAGER = "secretsmanager://"

# Secrets Manager's message for an existing secret without a value; the code is the one for a missing secret.
_NO_VALUE = "staging label: AWSCURRENT"


class ConfigSource(Protocol):
    """A stored configuration, as text."""

    @property
    def name(self) -> str:
        """The name used in messages."""
        ...

    def read(self) -> str:
        """Return the current text; raises ``ConfigError``, OSError or an exception of boto3."""
        ...

    @property
    def folder(self) -> Path | None:
        """The file's folder; None if it is not a file."""
        ...

    def write(self, text: str) -> None:
        """Replace the text; raises the same as :meth:`read`, and OSError if the next run would not find it."""
        ...

    def check_writable(self) -> None:
        """Check that :meth:`write` would succeed, without any change; raises ``ConfigError``, or as :meth:`read`."""
        ...


class FileSource:
    """A file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"the file {path}"

    @property
    def folder(self) -> Path | None:
        """See :class:`ConfigSource`."""
        return self._path.resolve().parent

    def read(self) -> str:
        """See :class:`ConfigSource`."""
        return self._path.read_text(encoding="utf-8")

    def write(self, text: str) -> None:
        """See :class:`ConfigSource`. The file keeps its owner and permissions."""
        path, facts = self._path.resolve(), self._path.stat()
        try:
            self._replace(path, text.encode(), facts)
        except OSError:
            # The file is a mount point, has another owner, or its folder is not writable.
            overwrite_file(path, text.encode())

    def check_writable(self) -> None:
        """See :class:`ConfigSource`. Writes a file beside it, to check that the disk is not full."""
        path, facts = self._path.resolve(), self._path.stat()
        replaceable = self._try_beside(path, facts)
        try:
            self._open(path).close()
        except OSError as error:
            # A single file may be mounted read-only in a writable folder.
            if not replaceable or error.errno == errno.EROFS:
                raise self._read_only(error) from error

    def _open(self, path: Path) -> BinaryIO:
        return path.open("r+b")

    def _replace(self, path: Path, content: bytes, facts: os.stat_result) -> None:
        replace_file(path, content, facts.st_mode & 0o777, (facts.st_uid, facts.st_gid))

    def _try_beside(self, path: Path, facts: os.stat_result) -> bool:
        probe = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._replace(probe, bytes(facts.st_size), facts)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            return False
        finally:
            with suppress(OSError):
                probe.unlink()
        return True

    def _read_only(self, error: OSError) -> ConfigError:
        problem = (
            f"cannot be written ({error.strerror}). Salesforce may replace the refresh token at any login, and the new "
            "one must be saved there"
        )
        return ConfigError(f"The configuration file {self._path}", problem, _READ_ONLY_REMEDY)


class EnvironmentSource:
    """An environment variable. It cannot be written for the next run."""

    def __init__(self, variable: str) -> None:
        self._variable = variable
        self.name = f"the environment variable {variable}"

    def read(self) -> str:
        """See :class:`ConfigSource`."""
        text = os.environ.get(self._variable)
        if text is None:
            raise ConfigError(f"The environment variable {self._variable}", "is not set", _ENVIRONMENT_REMEDY)
        return text

    @property
    def folder(self) -> Path | None:
        """See :class:`ConfigSource`."""
        return None

    def write(self, text: str) -> None:  # noqa: ARG002
        """See :class:`ConfigSource`."""
        raise OSError(errno.ENOTSUP, "an environment variable cannot be written for the next run")

    def check_writable(self) -> None:
        """See :class:`ConfigSource`. Never raises: a variable is meant for apps that do not rotate refresh tokens."""


class SecretsManagerSource:
    """A secret of AWS Secrets Manager, by name or ARN."""

    def __init__(self, client: SecretsManagerClient, secret: str) -> None:
        self._client = client
        self._secret = secret
        self.name = f"the secret {secret}"

    def read(self) -> str:
        """See :class:`ConfigSource`."""
        try:
            answer = self._client.get_secret_value(SecretId=self._secret)
        except ClientError as error:
            if _NO_VALUE in error.response["Error"].get("Message", ""):
                raise self._wrong("has no value yet") from error
            raise
        if "SecretString" not in answer:
            raise self._wrong("contains bytes, not text")
        return answer["SecretString"]

    def write(self, text: str) -> None:
        """See :class:`ConfigSource`."""
        self._client.put_secret_value(SecretId=self._secret, SecretString=text)

    def check_writable(self) -> None:
        """See :class:`ConfigSource`. Writing the same version again changes nothing but needs the same permission."""
        answer = self._client.get_secret_value(SecretId=self._secret)
        same, version = answer["SecretString"], answer["VersionId"]
        try:
            self._client.put_secret_value(SecretId=self._secret, SecretString=same, ClientRequestToken=version)
        except ClientError as error:
            if "AccessDenied" not in error.response["Error"].get("Code", ""):
                raise
            problem = (
                "cannot be written (AccessDenied). Salesforce may replace the refresh token at any login, and the new "
                "one must be saved there"
            )
            remedy = "Allow secretsmanager:PutSecretValue on it, as the templates in deploy/ do"
            raise ConfigError(f"The secret {self._secret}", problem, remedy) from error

    @property
    def folder(self) -> Path | None:
        """See :class:`ConfigSource`."""
        return None

    def _wrong(self, problem: str) -> ConfigError:
        store = f"aws secretsmanager put-secret-value --secret-id {self._secret} --secret-string file://config.json"
        return ConfigError(f"The secret {self._secret}", problem, f"Put the configuration there: {store}")


def config_source(place: str, secrets_manager: Callable[[str], SecretsManagerClient]) -> ConfigSource:
    """Return the source that ``--config`` names. ``secrets_manager`` creates the client for a secret."""
    if place.startswith(ENVIRONMENT):
        return EnvironmentSource(place.removeprefix(ENVIRONMENT))
    if place.startswith(SECRETS_MANAGER):
        secret = place.removeprefix(SECRETS_MANAGER)
        return SecretsManagerSource(secrets_manager(secret), secret)
    return FileSource(Path(place))


_ENVIRONMENT_REMEDY = "Set it to the configuration as JSON text"
_READ_ONLY_REMEDY = (
    "Let this user write to it (in a container: mount it without :ro). If the app never rotates refresh tokens, pass "
    "the configuration as env:NAME instead"
)
