"""The output form of rows, and its two implementations: the native core and Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from source_salesforce_bulk.pages.page_encoder import PageProduct
from source_salesforce_bulk.pages.records import Column

if TYPE_CHECKING:
    from salesforce_bulk_core import PageDecoder

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Block(Generic[C]):
    """Some rows as ``content``. By field: cells that became null, and values that were rounded."""

    content: C
    rows: int
    unreadable: Mapping[str, int] = field(default_factory=dict)
    inexact: Mapping[str, int] = field(default_factory=dict)


class Form(Protocol[C]):
    """The output form of an object's rows. Immutable and picklable."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of every row of a page, in order."""
        ...

    @property
    def fields(self) -> tuple[Column, ...]:
        """The columns of pages, and the compound fields that are built from them."""
        ...

    @property
    def text_at_once(self) -> int:
        """The approximate number of bytes of a page's text for one block."""
        ...

    def native(self, at: int, /) -> NativeForm[C]:
        """Return the form for one page that the core decodes; ``at`` is the page's time in milliseconds."""
        ...

    def block(self, rows: Sequence[Sequence[str]], at: int, /) -> Block[C]:
        """Return rows, with their cells in the order of the columns, as a block; ``at`` as for :meth:`native`."""
        ...


class NativeForm(Protocol[C]):
    """Takes the blocks of one page from the core."""

    def next(self, decoder: PageDecoder) -> Block[C] | None:
        """Return the next rows that have arrived; None if there are none."""
        ...


class Sink(Protocol[C]):
    """Receives the blocks of one page."""

    def write(self, block: Block[C]) -> None:
        """Take the next block; raises OSError."""
        ...

    def finish(self) -> PageProduct:
        """Return the product of a page that is complete and verified; raises OSError."""
        ...

    def close(self) -> None:
        """Remove everything unless it was finished; may be called twice."""
        ...
