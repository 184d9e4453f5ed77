"""Run a page through an encoder, with the core or with Python, and collect its output."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from source_salesforce_bulk.pages.encoders import FormEncoder
from source_salesforce_bulk.pages.page_encoder import Arrival, EncodedPage, LineBlock
from source_salesforce_bulk.pages.workspace import MemoryBudget, Workspace
from unit_tests.any_pages import pieces

NOW = 1_795_600_000_000
PIECE = 256 * 1024  # the core looks at so many bytes together


@dataclass(frozen=True)
class Encoded:
    """``page`` is the result, ``blocks`` and ``file`` are the output, and ``left`` is what remains on disk."""

    page: EncodedPage
    blocks: list[LineBlock]
    file: bytes
    left: list[str]

    @property
    def lines(self) -> list[bytes]:
        """The lines, of blocks or of a file."""
        text = b"".join(bytes(block.lines) for block in self.blocks) or self.file
        return text.split(b"\n")[:-1]

    @property
    def said(self) -> tuple[object, ...]:
        """The parts in which both paths must agree. Their digests are of different kinds."""
        page = self.page
        return (page.rows, page.size, page.ended, page.first_key, dict(page.unreadable), dict(page.inexact))


def encoded(
    encoder: FormEncoder,
    page: bytes,
    *,
    native: bool,
    gzipped: bool = False,
    sizes: Sequence[int] = (PIECE,),
    expected: int | None = None,
    memory: int = 1 << 40,
) -> Encoded:
    """The page by the core (``native``) or by Python; raises ``PageRejected``, having left nothing behind."""
    encoder = replace(encoder, native=native)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        workspace = Workspace(directory, MemoryBudget(memory))
        encoding = encoder.begin(Arrival(gzipped, NOW, workspace))
        try:
            for data in pieces(page, sizes):
                encoding.feed(data)
            result = encoding.finish(expected)
        except BaseException:
            encoding.close()
            assert list(directory.iterdir()) == []
            assert workspace.memory.take(memory)
            raise
        encoding.close()
        content = result.product.take()
        blocks = [LineBlock(bytes(block.lines), block.rows) for block in content.blocks]
        file = content.path.read_bytes() if content.path.is_file() else b""
        result.product.discard()
        result.product.discard()
        assert workspace.memory.take(memory)
        return Encoded(result, blocks, file, [path.name for path in directory.iterdir()])
