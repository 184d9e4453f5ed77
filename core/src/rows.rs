//! Splits text into rows and cells, 64 bytes at a time.
//!
//! In CSV, the parity of the quotes before a byte determines whether that byte is quoted. So the commas and line feeds
//! that end cells are found by arithmetic on bit masks (see [`crate::masks`]), and so is the proof that no other
//! reading is possible: every opening quote is at the beginning of a cell or after a closing one (two quotes are one of
//! the text), and every closing quote is before a comma, a line feed or another quote.
//!
//! The first quote that breaks this rule makes its row *odd*: an unquoted cell that contains a quote, or damage. Odd
//! rows are read by [`crate::machine`]; so are rows with a cell that may be too long, and all rows of a page whose
//! lines end with CRLF.

use crate::machine::{LONGEST_CELL, Machine, NotCsv};
use crate::masks::{self, WIDTH};

/// What a cell's text may need before it is a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Form {
    /// Nothing: the text has no quote, no backslash and no control character.
    Plain,
    /// Some of it must be escaped in JSON.
    Escape,
    /// Also, each pair of quotes in it is one quote.
    Doubled,
}

/// The position of a cell's text, without the quotes around it.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    start: u32,
    end: u32,
    pub form: Form,
}

impl Cell {
    const NONE: Self = Self { start: 0, end: 0, form: Form::Plain };

    /// A cell from `start` to `end`. Texts are far smaller than 4 GiB ([`crate::page::LONGEST_ROW`]).
    #[inline(always)]
    pub fn new(start: usize, end: usize, form: Form) -> Self {
        Self { start: start as u32, end: end as u32, form }
    }

    /// Where it begins.
    #[inline(always)]
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// Where it ends.
    #[inline(always)]
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// The cell's text in `text`.
    #[inline(always)]
    pub fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }

    /// Whether it is empty: null.
    #[inline(always)]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether its value is `value`.
    pub fn is(self, text: &[u8], value: &[u8]) -> bool {
        match self.form {
            Form::Doubled => undoubled(self.of(text)) == value,
            Form::Plain | Form::Escape => self.of(text) == value,
        }
    }
}

/// The meaning of a text in which each pair of quotes is one quote.
pub fn undoubled(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'"', rest) {
        plain.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

/// The reason for which the reading of rows ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRow {
    NotCsv(NotCsv),
    /// A row has `found` cells where the header has `width`.
    Width {
        found: usize,
        width: usize,
    },
    /// A row has more than `most` bytes, its line end included.
    TooLong {
        most: usize,
    },
}

impl From<NotCsv> for BadRow {
    fn from(error: NotCsv) -> Self {
        Self::NotCsv(error)
    }
}

/// Cuts the text of one page into rows of `width` cells.
#[derive(Debug)]
pub struct Rows {
    width: usize,
    crlf: bool,
    longest: usize,
    cells: Vec<Cell>,
    machine: Machine,
}

/// The place where the fast path stopped: the row that begins at `at`.
struct Stopped {
    at: usize,
    odd: bool,
}

impl Rows {
    /// For pages with `width` columns. `crlf` says that the header line ended with CRLF; `longest` bounds a row's
    /// bytes.
    pub fn new(width: usize, crlf: bool, longest: usize) -> Self {
        Self { width, crlf, longest, cells: vec![Cell::NONE; width], machine: Machine::default() }
    }

    /// Passes each complete row of `text`, which begins with a row, to `visit` as a text and its cells.
    ///
    /// Returns the size of those rows in bytes. If `last`, nothing follows, so the text's end is also a row's.
    pub fn scan<E: From<BadRow>>(
        &mut self,
        text: &[u8],
        last: bool,
        mut visit: impl FnMut(&[u8], &[Cell]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut at = 0;
        loop {
            if !self.crlf {
                let stopped = self.usual_rows(text, at, &mut visit)?;
                at = stopped.at;
                if !stopped.odd && !last {
                    return Ok(at);
                }
            }
            let Some(size) = self.machine.row(&text[at..], self.crlf, last).map_err(BadRow::from)? else {
                return Ok(at);
            };
            if size > self.longest {
                return Err(BadRow::TooLong { most: self.longest }.into());
            }
            self.check_width(self.machine.cells().len())?;
            if self.machine.cells().is_empty() {
                visit(text, &[Cell::NONE])?;
            } else {
                visit(self.machine.text(), self.machine.cells())?;
            }
            at += size;
        }
    }

    /// An empty line is a row if there is one column; any other short or long row is damage.
    fn check_width(&self, found: usize) -> Result<(), BadRow> {
        if found == self.width || (found == 0 && self.width == 1) {
            return Ok(());
        }
        Err(BadRow::Width { found, width: self.width })
    }

    fn usual_rows<E: From<BadRow>>(
        &mut self,
        text: &[u8],
        from: usize,
        visit: &mut impl FnMut(&[u8], &[Cell]) -> Result<(), E>,
    ) -> Result<Stopped, E> {
        let mut quotes = Quotes::at_a_row();
        let (mut row, mut cell, mut count, mut form) = (from, from, 0, Form::Plain);
        let mut base = from;
        while base < text.len() {
            let found = match text[base..].first_chunk::<WIDTH>() {
                Some(block) => masks::masks(block),
                None => masks::masks_of_rest(&text[base..]),
            };
            let block = quotes.next(&found, text.len() - base);
            let mut events = block.events;
            while events != 0 {
                let bit = events & events.wrapping_neg();
                let at = base + events.trailing_zeros() as usize;
                events ^= bit;
                if block.ends & bit == 0 {
                    form = form.max(if block.doubled & bit == 0 { Form::Escape } else { Form::Doubled });
                    continue;
                }
                if let Some(slot) = self.cells.get_mut(count) {
                    let quoted = usize::from(text[cell] == b'"');
                    *slot = Cell::new(cell + quoted, at - quoted, form);
                }
                count += 1;
                if found.line_feeds & bit != 0 {
                    if at - row >= self.longest {
                        return Err(BadRow::TooLong { most: self.longest }.into());
                    }
                    if at - row > LONGEST_CELL {
                        return Ok(Stopped { at: row, odd: true });
                    }
                    if count != self.width {
                        let empty_line = at == row;
                        self.check_width(if empty_line { 0 } else { count })?;
                    }
                    visit(text, &self.cells)?;
                    row = at + 1;
                    count = 0;
                }
                cell = at + 1;
                form = Form::Plain;
            }
            if block.odd {
                return Ok(Stopped { at: row, odd: true });
            }
            base += WIDTH;
        }
        Ok(Stopped { at: row, odd: false })
    }
}

/// Whether the first byte of a block is quoted, as the lowest bit (`inside`: every bit).
struct Quotes {
    inside: u64,
    behind_end: u64,
    behind_closing: u64,
}

/// The content of a block up to its first odd quote.
struct Block {
    /// Commas and line feeds that end a cell.
    ends: u64,
    /// Second quotes of a pair in a quoted cell.
    doubled: u64,
    /// Both, and the bytes that must be escaped in JSON.
    events: u64,
    odd: bool,
}

impl Quotes {
    fn at_a_row() -> Self {
        Self { inside: 0, behind_end: 1, behind_closing: 0 }
    }

    #[inline(always)]
    fn next(&mut self, found: &masks::Masks, length: usize) -> Block {
        let inside = masks::prefix_parity(found.quotes) ^ self.inside;
        let separators = found.commas | found.line_feeds;
        let ends = separators & !inside;
        let opening = found.quotes & inside;
        let closing = found.quotes & !inside;
        let behind_end = ends << 1 | self.behind_end;
        let behind_closing = closing << 1 | self.behind_closing;
        let doubled = opening & behind_closing;
        let mut odd = opening & !(behind_end | behind_closing) | behind_closing & !(found.quotes | separators);
        if length < WIDTH {
            odd &= (1 << length) - 1;
        }
        let mut events = ends | doubled | found.special;
        if odd != 0 {
            events &= (odd & odd.wrapping_neg()) - 1;
        }
        self.inside = (inside as i64 >> 63) as u64;
        self.behind_end = ends >> 63;
        self.behind_closing = closing >> 63;
        Block { ends, doubled, events, odd: odd != 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str, width: usize, last: bool) -> Result<(Vec<Vec<String>>, usize), BadRow> {
        let mut found = Vec::new();
        let used = Rows::new(width, false, usize::MAX).scan(text.as_bytes(), last, |text, cells| {
            let values = cells.iter().map(|cell| match cell.form {
                Form::Doubled => undoubled(cell.of(text)),
                _ => cell.of(text).to_vec(),
            });
            found.push(values.map(|value| String::from_utf8(value).unwrap()).collect());
            Ok::<_, BadRow>(())
        })?;
        Ok((found, used))
    }

    fn by_machine(text: &str, width: usize) -> Result<Vec<Vec<String>>, BadRow> {
        let (mut machine, mut rows, mut at) = (Machine::default(), Vec::new(), 0);
        while let Some(size) = machine.row(&text.as_bytes()[at..], false, true)? {
            let cells = machine.cells().iter();
            let mut row: Vec<_> =
                cells.map(|cell| String::from_utf8(cell.of(machine.text()).to_vec()).unwrap()).collect();
            if row.is_empty() && width == 1 {
                row.push(String::new());
            }
            if row.len() != width {
                return Err(BadRow::Width { found: row.len(), width });
            }
            rows.push(row);
            at += size;
        }
        Ok(rows)
    }

    #[test]
    fn rows_are_cut_where_quotes_allow_it() {
        let text = "\"a,b\",\"c\nd\"\n\"e\"\"\",\"\"\nf,\"g\"\n";
        let (rows, used) = scan(text, 2, false).unwrap();
        assert_eq!(rows, [["a,b", "c\nd"], ["e\"", ""], ["f", "g"]]);
        assert_eq!(used, text.len());
    }

    #[test]
    fn what_follows_the_last_line_end_waits_for_more() {
        assert_eq!(scan("a,b\nc,\"d\n", 2, false).unwrap().1, 4);
        assert_eq!(scan("a,b\nc", 2, false).unwrap().1, 4);
        assert_eq!(scan("a,b\nc,d", 2, true).unwrap().0, [["a", "b"], ["c", "d"]]);
    }

    #[test]
    fn a_row_of_another_width_is_refused() {
        assert_eq!(scan("a,b\nc\n", 2, false), Err(BadRow::Width { found: 1, width: 2 }));
        assert_eq!(scan("a,b\n\n", 2, false), Err(BadRow::Width { found: 0, width: 2 }));
        assert_eq!(scan("a,b\nc,d,e\n", 2, false), Err(BadRow::Width { found: 3, width: 2 }));
        assert_eq!(scan("a\n\n\"\"\n", 1, false).unwrap().0, [["a"], [""], [""]]);
    }

    #[test]
    fn a_stray_quote_is_refused_and_an_open_one_at_the_end() {
        assert_eq!(scan("\"a\"b,c\n", 2, false), Err(BadRow::NotCsv(NotCsv::TextAfterQuote)));
        assert_eq!(scan("a,\"b\n", 2, true), Err(BadRow::NotCsv(NotCsv::OpenQuote)));
    }

    #[test]
    fn quotes_are_seen_across_blocks() {
        for filler in 55..75 {
            let long = "x".repeat(filler);
            for cell in ["\"\"", "a", "\"a\"\"\"", "\"\"\"\"", "a\"\"", "\"a\"b", "\"\n\"", "\"a\",\"b", "\\", "\"\t\""]
            {
                let text = format!("\"{long}\",{cell}\n{long},{cell}\n\"1\",2\n");
                assert_eq!(scan(&text, 2, true).map(|found| found.0), by_machine(&text, 2), "{text:?}");
            }
        }
    }

    #[test]
    fn any_text_of_marks_is_cut_as_the_machine_cuts_it() {
        let marks = ["\"", ",", "\n", "a", "\"\"", "\",\"", "\"\n\"", "\r", "\\"];
        let mut seed = 1u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text += marks[(seed >> 33) as usize % marks.len()];
                if seed >> 60 == 0 {
                    text += &"x".repeat((seed >> 40) as usize % 80);
                }
            }
            for width in [1, 2] {
                assert_eq!(scan(&text, width, true).map(|found| found.0), by_machine(&text, width), "{text:?}");
            }
        }
    }

    #[test]
    fn a_pair_of_quotes_is_one() {
        assert_eq!(undoubled(b"a\"\"b\"\"\"\"c"), b"a\"b\"\"c");
        assert_eq!(undoubled(b"\"\""), b"\"");
        assert_eq!(undoubled(b""), b"");
    }
}
