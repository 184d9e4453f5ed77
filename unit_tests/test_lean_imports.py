"""The CDK in a process of the console script: the same messages, with less of it imported."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteControlConnectorConfigMessage,
    AirbyteControlMessage,
    AirbyteErrorTraceMessage,
    AirbyteLogMessage,
    AirbyteMessage,
    AirbyteMessageSerializer,
    AirbyteRecordMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateStats,
    AirbyteStateType,
    AirbyteStream,
    AirbyteStreamState,
    AirbyteStreamStatus,
    AirbyteStreamStatusTraceMessage,
    AirbyteTraceMessage,
    ConfiguredAirbyteCatalogSerializer,
    ConnectorSpecification,
    FailureType,
    Level,
    OrchestratorType,
    Status,
    StreamDescriptor,
    SyncMode,
    TraceType,
    Type,
)
from airbyte_cdk.models.airbyte_protocol_serializers import custom_type_resolver
from serpyco_rs import Serializer

from source_salesforce_bulk.airbyte.lean_imports import LazySerializer

ACCOUNT = StreamDescriptor(name="Account")
STREAM = AirbyteStream(name="Account", json_schema={"a": None}, supported_sync_modes=[SyncMode.full_refresh])
MESSAGES = {
    "record": AirbyteMessage(
        type=Type.RECORD,
        record=AirbyteRecordMessage(stream="Account", data={"Id": "1", "Name": None, "n": [1.5, {}]}, emitted_at=5),
    ),
    "state": AirbyteMessage(
        type=Type.STATE,
        state=AirbyteStateMessage(
            type=AirbyteStateType.STREAM,
            stream=AirbyteStreamState(
                stream_descriptor=ACCOUNT, stream_state=AirbyteStateBlob({"job": None, "__private": {"a": [1]}})
            ),
            sourceStats=AirbyteStateStats(recordCount=3.0),
        ),
    ),
    "log": AirbyteMessage(type=Type.LOG, log=AirbyteLogMessage(level=Level.WARN, message="é")),
    "catalog": AirbyteMessage(type=Type.CATALOG, catalog=AirbyteCatalog(streams=[STREAM, STREAM])),
    "status": AirbyteMessage(
        type=Type.CONNECTION_STATUS, connectionStatus=AirbyteConnectionStatus(status=Status.FAILED, message="no")
    ),
    "spec": AirbyteMessage(type=Type.SPEC, spec=ConnectorSpecification(connectionSpecification={"x": {"y": None}})),
    "error": AirbyteMessage(
        type=Type.TRACE,
        trace=AirbyteTraceMessage(
            type=TraceType.ERROR,
            emitted_at=1.0,
            error=AirbyteErrorTraceMessage(message="m", failure_type=FailureType.config_error),
        ),
    ),
    "stream status": AirbyteMessage(
        type=Type.TRACE,
        trace=AirbyteTraceMessage(
            type=TraceType.STREAM_STATUS,
            emitted_at=1.0,
            stream_status=AirbyteStreamStatusTraceMessage(
                stream_descriptor=ACCOUNT, status=AirbyteStreamStatus.COMPLETE
            ),
        ),
    ),
    "control": AirbyteMessage(
        type=Type.CONTROL,
        control=AirbyteControlMessage(
            type=OrchestratorType.CONNECTOR_CONFIG,
            emitted_at=1.0,
            connectorConfig=AirbyteControlConnectorConfigMessage(config={"key": None, "nested": {"a": None}}),
        ),
    ),
}


def run(code: str) -> dict[str, Any]:
    """Return the JSON output of a fresh process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_dumped_as_the_cdk_dumps_it(name):
    lazy = LazySerializer(AirbyteMessage, omit_none=True, custom_type_resolver=custom_type_resolver)
    assert lazy.dump(MESSAGES[name]) == AirbyteMessageSerializer.dump(MESSAGES[name])


def test_a_serializer_is_built_once_when_something_is_loaded():
    lazy = LazySerializer(AirbyteMessage, omit_none=True, custom_type_resolver=custom_type_resolver)
    state = AirbyteMessageSerializer.dump(MESSAGES["state"])
    assert lazy.load(state) == MESSAGES["state"]
    assert lazy.load is lazy.load


def test_an_invalid_message_is_refused_as_the_cdk_refuses_it():
    with pytest.raises(Exception, match="required") as expected:
        ConfiguredAirbyteCatalogSerializer.load({})
    lazy = LazySerializer(*[type(ConfiguredAirbyteCatalogSerializer.load({"streams": []}))], omit_none=True)
    with pytest.raises(type(expected.value), match="required"):
        lazy.load({})


IMPORT = "import json, sys\nfrom source_salesforce_bulk.airbyte.lean_imports import import_entrypoint\n"


def test_the_console_script_imports_neither_declarative_connectors_nor_destinations():
    names = run(f"{IMPORT}import_entrypoint()\nprint(json.dumps({{name: 0 for name in sys.modules}}))")
    assert "airbyte_cdk.entrypoint" in names
    assert not [name for name in names if name.startswith(("airbyte_cdk.sources.declarative", "airbyte_cdk.destin"))]


def test_every_name_of_the_package_can_be_imported():
    code = (
        "import_entrypoint()\nimport airbyte_cdk\nfrom airbyte_cdk import Destination\n"
        "from airbyte_cdk.sources import AbstractSource\n"
        "print(json.dumps({'same': airbyte_cdk.AbstractSource is AbstractSource, 'version': airbyte_cdk.__version__}))"
    )
    found = run(IMPORT + code)
    assert found["same"]
    assert found["version"]


def test_serializers_that_are_made_later_and_the_garbage_collector_are_the_usual_ones():
    code = (
        "import gc, serpyco_rs\nbefore = serpyco_rs.Serializer\nimport_entrypoint()\n"
        "print(json.dumps({'same': serpyco_rs.Serializer is before, 'gc': gc.isenabled()}))"
    )
    assert run(IMPORT + code) == {"same": True, "gc": True}


def test_a_cdk_that_must_be_imported_as_a_package_is():
    """A finder that lets no module of the CDK be imported before the contents of the package are."""
    code = (
        "class Order:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'airbyte_cdk.entrypoint' and type(sys.modules['airbyte_cdk']).__name__ != 'module':\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Order())\n"
        "import_entrypoint()\n"
        "import source_salesforce_bulk.airbyte.entrypoint\n"
        "print(json.dumps({'kind': type(sys.modules['airbyte_cdk']).__name__}))"
    )
    assert run(IMPORT + code) == {"kind": "module"}


def test_the_real_serializer_is_the_one_that_is_built():
    assert LazySerializer.build is Serializer
