"""Many RECORD lines as one message of the CDK: what makes a read cost per page instead of per row.

Only this connector's own entrypoint knows it. The source yields it where that entrypoint asked for it; any other gets
one message per record.
"""

from __future__ import annotations

from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, Type


class RecordBatch(AirbyteMessage):
    """``rows`` records of one stream as finished lines.

    To the CDK's reading of a stream it is a RECORD message: it makes the stream RUNNING and is passed on.
    """

    def __init__(self, stream: str, lines: bytes, rows: int) -> None:
        super().__init__(type=Type.RECORD, record=AirbyteRecordMessage(stream=stream, data={}, emitted_at=0))
        self.stream = stream
        self.lines = lines
        self.rows = rows
