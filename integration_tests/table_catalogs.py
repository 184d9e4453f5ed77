"""Catalogs and object stores for tables that this project has not written: SeaweedFS, and Glue and S3 of moto.

SeaweedFS serves S3 and an Iceberg REST catalog. It is one program, from a wheel that `make certify-tables` installs.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from moto.core.exceptions import JsonRESTError
from moto.glue.responses import GlueResponse
from pyiceberg.catalog import load_catalog

from integration_tests.aws import BUCKET, REGION, Aws
from integration_tests.simulated_org import SimulatedOrg
from integration_tests.table_exporter import TableExporter
from source_salesforce_bulk.tables.iceberg_catalog import Tables

WEED = os.environ.get("WEED", "")
KEY, SECRET = "testing", "testing-secret"


class CatalogExporter(TableExporter):
    """Exports into the tables of a catalog with these properties."""

    def __init__(self, org: SimulatedOrg, folder: Path, properties: Mapping[str, str], **config: Any) -> None:
        super().__init__(org, folder, **config)
        self._properties = properties

    @property
    def url(self) -> str:
        """See :class:`TableExporter`."""
        return "iceberg://lake/salesforce"

    def tables(self) -> Tables:
        """See :class:`TableExporter`."""
        return Tables(self.url, load_catalog("lake", **self._properties), ("salesforce",))


class GlueVersions:
    """Glue's check of ``VersionId``, which moto leaves out: a table that has changed meanwhile is not updated.

    ``before`` is called once, before the next update is checked: it stands for what another writer does just then.
    """

    def __init__(self) -> None:
        self.before: Callable[[], object] = _nothing
        self.refused = 0
        self._lock = threading.RLock()

    @contextmanager
    def enforced(self) -> Iterator[GlueVersions]:
        """Within, moto's Glue refuses what AWS refuses."""
        update = GlueResponse.update_table

        def checked(response: GlueResponse) -> Any:
            before, self.before = self.before, _nothing
            before()
            with self._lock:
                table = response.glue_backend.get_table(
                    response.parameters["DatabaseName"], response.parameters["TableInput"]["Name"]
                )
                if response.parameters.get("VersionId") not in (None, table.as_dict()["VersionId"]):
                    self.refused += 1
                    raise JsonRESTError("ConcurrentModificationException", "The table was changed by another request.")
                return update(response)

        with patch.object(GlueResponse, "update_table", checked):
            yield self


def _nothing() -> None:
    pass


def glue_properties(aws: Aws) -> dict[str, str]:
    """The properties of a catalog in a simulated account."""
    keys = {"access-key-id": "testing", "secret-access-key": "testing", "region": REGION, "endpoint": aws.url}
    scoped = {f"{scope}.{name}": value for scope in ("glue", "s3") for name, value in keys.items()}
    return {"type": "glue", "warehouse": f"s3://{BUCKET}/lake", **scoped}


class Seaweed:
    """A SeaweedFS on loopback ports. Its data are below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_SERVERS, _free_ports(len(_SERVERS)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def properties(self) -> dict[str, str]:
        """The properties of its catalog."""
        uri = f"http://127.0.0.1:{self._ports['s3.port.iceberg']}"
        return {
            "type": "rest",
            "uri": uri,
            "oauth2-server-uri": f"{uri}/v1/oauth/tokens",
            "credential": f"{KEY}:{SECRET}",
            "warehouse": "s3://lake",
            "s3.endpoint": f"http://127.0.0.1:{self._ports['s3.port']}",
            "s3.access-key-id": KEY,
            "s3.secret-access-key": SECRET,
            "s3.region": "us-east-1",
        }

    def start(self) -> None:
        """Start it, and return once its catalog answers."""
        ports = [f"-{name}={port}" for name, port in self._ports.items()]
        options = ["-admin.ui=false", "-webdav=false", "-s3.port.lance=0", "-tableBucket=lake"]
        log = (self._folder / "weed.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [WEED, "mini", f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *ports, *options],
                env={**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, "SeaweedFS has not started"
            assert self._process.poll() is None, (self._folder / "weed.log").read_text()[-2000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it, as a failure does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def _answers(self) -> bool:
        try:
            load_catalog("lake", **self.properties).list_namespaces()
        except Exception:  # noqa: BLE001 - it refuses in many ways until all of its parts are there
            return False
        return True


_SERVERS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
    *("s3.port", "s3.port.grpc", "s3.port.iceberg", "admin.port", "admin.port.grpc"),
)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
