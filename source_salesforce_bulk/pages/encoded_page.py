"""The result of encoding a page, for all encodings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from source_salesforce_bulk.pages.csv_page import PageShape


@dataclass(frozen=True, slots=True)
class LineBlock:
    """A stretch of whole lines: how many rows they hold, and their bytes."""

    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class EncodedPage:
    """The result of inspecting a whole page, and how its lines were written.

    ``exact`` counts the rows that had to be read one by one, ``unreadable`` the cells of each field made null.
    """

    shape: PageShape
    blocks: tuple[LineBlock, ...]
    exact: int
    unreadable: Mapping[str, int]


class PageEncoder(Protocol):
    """Makes something else of a page while proving it."""

    def encode(self, source: BinaryIO, lines: BinaryIO, emitted_at: int) -> EncodedPage:
        """Prove the decompressed page ``source`` to its end, writing what it becomes; raises ``PageRejected``.

        Nothing of what was written may be believed before this has returned. ``emitted_at`` is in milliseconds.
        """
        ...
