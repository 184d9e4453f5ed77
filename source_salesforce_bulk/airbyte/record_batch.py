"""A CDK message that contains many RECORD lines, so that the cost of a read is per page instead of per row.

The source yields it only to this connector's own entrypoint; other entrypoints get one message per record.
"""

from __future__ import annotations

from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, Type


class RecordBatch(AirbyteMessage):
    """``rows`` records of one stream as finished lines.

    The CDK treats it as a RECORD message: it sets the stream to RUNNING and passes the message on.
    """

    def __init__(self, stream: str, lines: bytes | memoryview, rows: int) -> None:
        super().__init__(type=Type.RECORD, record=AirbyteRecordMessage(stream=stream, data={}, emitted_at=0))
        self.stream = stream
        self.lines = lines
        self.rows = rows
