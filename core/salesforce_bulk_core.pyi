"""Verifies and encodes result pages of Bulk API 2.0 query jobs.

A :class:`PageDecoder` belongs to one page and is used by one thread at a time, any thread. Formats and proofs are
immutable and may be shared. Every call that works on a page lets other Python threads run.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, TypeAlias

API: int
"""Increases with every incompatible change."""

class PageRejected(ValueError):
    """The page is damaged or incomplete. The message says why and quotes no row value."""

class PageTooLarge(PageRejected):
    """The page has more bytes than the caller allows, so fetching it again would not help."""

class CoreDefect(RuntimeError):
    """This module has a defect. The message says where, and quotes no row value."""

class ExactPath(Protocol):
    """Reads the cells that the core leaves to it. Called from the thread that takes rows; may raise."""

    def json(self, column: int, cell: str, /) -> bytes | None:
        """Return the value of a cell as JSON, without quotes around it; None if it is not of its type."""

    def scalar(self, column: int, cell: str, /) -> tuple[int | float | None, bool]:
        """Return a cell's value for Arrow, instants in microseconds; None if it is not of its type or does not fit.

        The second value says whether it is another number than the cell's.
        """

class Proof:
    """The facts about a complete page. Two proofs of the same bytes are equal in every attribute."""

    @property
    def rows(self) -> int:
        """The number of its rows."""
    @property
    def size(self) -> int:
        """Bytes of its text, the header line included."""
    @property
    def ended(self) -> bool:
        """True if its text ends with a line feed, or is empty."""
    @property
    def first_key(self) -> str | None:
        """The first row's cell of the key column; None if there is no row or no such column."""
    @property
    def digest(self) -> str:
        """A digest of its text (XXH3, 128 bits, as hexadecimal digits)."""

Compound: TypeAlias = tuple[str, Sequence[tuple[str, int | None]]]
"""A field that is built from others: its name, and its keys with the places of their columns; None: always null."""

class LineFormat:
    """The format of a stream's lines. Created once, used for any number of pages."""

    def __new__(
        cls,
        columns: Sequence[tuple[str, str]],
        stream: str | None = None,
        *,
        compounds: Sequence[Compound] = ...,
        hidden: Sequence[int] = ...,
    ) -> Self:
        """``columns`` are names and kinds of cells in the order of the lines.

        With ``stream`` the lines are RECORD messages of it, else objects alone. ``compounds`` follow the other values:
        JSON objects, null where all their parts are. The columns in ``hidden`` are only parts of them.

        Raises ValueError for an unknown kind, and for a compound of a column that the page does not have.
        """

class Lines:
    """Finished lines. A read-only buffer: ``memoryview``, ``bytes``, ``os.write`` and files take it without a copy."""

    @property
    def rows(self) -> int:
        """The number of lines."""
    @property
    def unreadable(self) -> Mapping[str, int]:
        """By column, the number of cells that are null because they are not of its type."""
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

class ArrayFormat:
    """The format of an object's batches. Created once, used for any number of pages."""

    def __new__(
        cls,
        columns: Sequence[tuple[str, str]],
        *,
        compounds: Sequence[Compound] = ...,
        hidden: Sequence[int] = ...,
    ) -> Self:
        """``columns`` are names and kinds of cells in the order of the arrays. ``compounds`` are columns of JSON text.

        Raises ValueError, and hides columns, as :class:`LineFormat` does.

        Text and times of day are ``string``, instants ``timestamp[us, tz=UTC]``, dates ``date32``, numbers ``double``,
        integers ``int64``, the others ``bool``. Every column is nullable.
        """

class Batch:
    """Rows as an Arrow record batch, which ``pyarrow.record_batch`` takes without a copy."""

    @property
    def rows(self) -> int:
        """The number of rows."""
    @property
    def size(self) -> int:
        """The size of its arrays in bytes."""
    @property
    def unreadable(self) -> Mapping[str, int]:
        """By column, the number of cells that are null because they are not of its type or do not fit Arrow's."""
    @property
    def inexact(self) -> Mapping[str, int]:
        """By column, the number of values that were rounded."""
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Return capsules of the schema and the array; ``requested_schema`` is ignored."""

class PageDecoder:
    """Decodes one page. A call out of order raises RuntimeError and changes nothing; any other failure is final."""

    def __new__(
        cls,
        columns: Sequence[str],
        *,
        gzipped: bool,
        key: int | None = None,
        most: int = ...,
        longest_row: int = ...,
        early: bool = False,
    ) -> Self:
        """Begin a page with ``columns``, in any order and letter case.

        With ``early`` rows may be taken while the page arrives, which bounds memory. The caller then lets nothing of
        them leave before :meth:`finish` has returned.

        ``most`` bounds the text (default: 16 GiB) and ``longest_row`` a row with its line end (default: 64 MiB), in
        bytes. ``key`` is the index of the column whose first cell is part of the proof.
        """

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises :class:`PageRejected` as soon as they cannot be part of a page."""

    def finish(self, expected: int | None = None) -> Proof:
        """Verify the complete page. ``expected`` is the number of rows it should have, if that is known.

        Raises :class:`PageRejected` for a damaged page.
        """

    @property
    def kept_size(self) -> int:
        """The bytes of rows that have arrived and were not taken yet. Taking rows frees their memory."""

    def lines(self, form: LineFormat, exact: ExactPath, *, emitted_at: int = 0, size: int = ...) -> Lines | None:
        """Return the next rows as lines, about ``size`` bytes (default: 1 MiB).

        None where no row is left, or none has come yet. ``emitted_at``, in milliseconds, is for RECORD messages.
        Raises RuntimeError before the page is proven, unless ``early`` was asked for.
        """

    def batch(self, form: ArrayFormat, exact: ExactPath, *, size: int = ...) -> Batch | None:
        """Return the next rows as a batch, about ``size`` bytes of text (default: 16 MiB); else like :meth:`lines`."""
