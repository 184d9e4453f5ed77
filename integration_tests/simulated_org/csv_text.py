"""Rows as Bulk CSV lines, with the delimiter, line ending and quoting of the job and the org."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

DELIMITERS = {
    "BACKQUOTE": "`",
    "CARET": "^",
    "COMMA": ",",
    "PIPE": "|",
    "SEMICOLON": ";",
    "TAB": "\t",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}


@dataclass(frozen=True, slots=True)
class CsvForm:
    """The format of rows. Null is an empty cell; with `all`, every cell is quoted, including nulls."""

    delimiter: str = ","
    line_ending: str = "\n"
    quoting: Literal["all", "minimal"] = "all"

    def line(self, cells: Sequence[str | None]) -> bytes:
        """Write one row with its line ending."""
        return (self._quoted(cells) if self.quoting == "all" else self._minimal(cells)).encode()

    def _quoted(self, cells: Sequence[str | None]) -> str:
        joiner = f'"{self.delimiter}"'
        full = [cell or "" for cell in cells]
        text = joiner.join(full)
        if text.count('"') != 2 * (len(full) - 1):
            text = joiner.join([cell.replace('"', '""') for cell in full])
        return f'"{text}"{self.line_ending}'

    def _minimal(self, cells: Sequence[str | None]) -> str:
        if len(cells) == 1 and not cells[0]:
            return '""' + self.line_ending  # a bare blank line would be no row at all
        return self.delimiter.join([self._cell(cell or "") for cell in cells]) + self.line_ending

    def _cell(self, cell: str) -> str:
        if '"' in cell or self.delimiter in cell or "\n" in cell or "\r" in cell:
            return '"' + cell.replace('"', '""') + '"'
        return cell


def split_line(line: str, delimiter: str) -> list[str]:
    r"""Return the cells of one written row; independent of the csv module's global field limit.

    >>> split_line('"a","b ""c"" d"\n', ",")
    ['a', 'b "c" d']
    """
    text = line.removesuffix("\n").removesuffix("\r")
    cells, at = [], 0
    while at <= len(text):
        if text[at : at + 1] == '"':
            end = at + 1
            while text[end] != '"' or text[end + 1 : end + 2] == '"':
                end += 2 if text[end] == '"' else 1
            cells.append(text[at + 1 : end].replace('""', '"'))
            at = end + 2
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            cells.append(text[at:end])
            at = end + 1
    return cells
