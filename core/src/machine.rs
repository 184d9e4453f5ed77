//! Reads one row of CSV byte by byte, with the states of Python's `csv` module in strict mode.
//!
//! The exact path reads pages with that module, so its reading of odd text is right by definition. [`crate::rows`]
//! reads rows in the usual form faster and leaves all others to this module.
//!
//! ```text
//!                    ┌─────── comma ───────┐
//!                    v                     │
//! StartRow ──> StartCell ── text ──> Unquoted ── line end ──> the row is complete
//!                    │
//!                    └── quote ──> Quoted <── quote ── QuoteInQuoted ── comma, line end ──> as above
//!                                    └────── quote ──────^      └── anything else: an error
//! ```
//!
//! If a page's header ends with LF alone, CR is data everywhere. In a page whose header ends with CRLF, a CR
//! outside quotes ends the row, and only line ends may follow it on the line ([`State::LineEnd`]).

use crate::rows::{Cell, Form};

/// The longest cell, in characters: Salesforce's longest text has 131,072. A longer one is an open quote.
pub const LONGEST_CELL: usize = 4 * 1024 * 1024;

/// The reason why text is not CSV, in the words of Python's module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCsv {
    TextAfterQuote,
    CellTooLong,
    OpenQuote,
    BareCarriageReturn,
}

impl NotCsv {
    /// The message of Python's module.
    pub fn message(self) -> &'static str {
        match self {
            Self::TextAfterQuote => "',' expected after '\"'",
            Self::CellTooLong => "field larger than field limit (4194304)",
            Self::OpenQuote => "unexpected end of data",
            Self::BareCarriageReturn => "new-line character seen in unquoted field",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StartRow,
    StartCell,
    Unquoted,
    Quoted,
    QuoteInQuoted,
    LineEnd,
}

/// Reads rows one by one. The cells of the last row read are in [`Machine::cells`], their text in [`Machine::text`].
#[derive(Debug, Default)]
pub struct Machine {
    text: Vec<u8>,
    cells: Vec<Cell>,
    began: usize,
    characters: usize,
}

impl Machine {
    /// The text of the cells.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The cells of the last row; none for an empty line.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Reads the first row of `text` and returns its size in bytes; None if the text ends within it.
    ///
    /// If `last`, nothing follows the text, so its end is also the row's.
    pub fn row(&mut self, text: &[u8], crlf: bool, last: bool) -> Result<Option<usize>, NotCsv> {
        self.text.clear();
        self.cells.clear();
        self.begin();
        let mut state = State::StartRow;
        for (at, &byte) in text.iter().enumerate() {
            state = self.step(state, byte, crlf)?;
            if byte == b'\n' && state == State::LineEnd {
                return Ok(Some(at + 1));
            }
        }
        if !last || text.is_empty() {
            return Ok(None);
        }
        match state {
            State::Quoted => Err(NotCsv::OpenQuote),
            State::StartRow | State::LineEnd => Ok(Some(text.len())),
            State::StartCell | State::Unquoted | State::QuoteInQuoted => {
                self.end_cell();
                Ok(Some(text.len()))
            }
        }
    }

    fn step(&mut self, state: State, byte: u8, crlf: bool) -> Result<State, NotCsv> {
        let ends_line = byte == b'\n' || (crlf && byte == b'\r');
        match state {
            State::StartRow if ends_line => Ok(State::LineEnd),
            State::StartCell | State::Unquoted | State::QuoteInQuoted if ends_line => {
                self.end_cell();
                Ok(State::LineEnd)
            }
            State::StartCell | State::StartRow | State::Unquoted | State::QuoteInQuoted if byte == b',' => {
                self.end_cell();
                Ok(State::StartCell)
            }
            State::StartRow | State::StartCell if byte == b'"' => Ok(State::Quoted),
            State::StartRow | State::StartCell | State::Unquoted => self.add(byte, State::Unquoted),
            State::Quoted if byte == b'"' => Ok(State::QuoteInQuoted),
            State::Quoted => self.add(byte, State::Quoted),
            State::QuoteInQuoted if byte == b'"' => self.add(byte, State::Quoted),
            State::QuoteInQuoted => Err(NotCsv::TextAfterQuote),
            State::LineEnd if ends_line => Ok(State::LineEnd),
            State::LineEnd => Err(NotCsv::BareCarriageReturn),
        }
    }

    fn add(&mut self, byte: u8, next: State) -> Result<State, NotCsv> {
        let starts_character = byte & 0xc0 != 0x80;
        self.characters += usize::from(starts_character);
        if self.characters > LONGEST_CELL {
            return Err(NotCsv::CellTooLong);
        }
        self.text.push(byte);
        Ok(next)
    }

    fn begin(&mut self) {
        self.began = self.text.len();
        self.characters = 0;
    }

    fn end_cell(&mut self) {
        self.cells.push(Cell::new(self.began, self.text.len(), Form::Escape));
        self.begin();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, crlf: bool, last: bool) -> Result<Option<(Vec<String>, usize)>, NotCsv> {
        let mut machine = Machine::default();
        let size = machine.row(text.as_bytes(), crlf, last)?;
        Ok(size.map(|size| {
            let cells = machine.cells().iter();
            let texts = cells.map(|cell| String::from_utf8(cell.of(machine.text()).to_vec()).unwrap());
            (texts.collect(), size)
        }))
    }

    fn cells(text: &str) -> Vec<String> {
        read(text, false, true).unwrap().unwrap().0
    }

    #[test]
    fn cells_are_what_pythons_module_makes_of_them() {
        assert_eq!(cells("a,b\n"), ["a", "b"]);
        assert_eq!(cells("\"a\"\"b\",\"\"\n"), ["a\"b", ""]);
        assert_eq!(cells("a\"b,c\"\"\n"), ["a\"b", "c\"\""]);
        assert_eq!(cells(" \"a\",\n"), [" \"a\"", ""]);
        assert_eq!(cells("\"a\nb\",c"), ["a\nb", "c"]);
        assert_eq!(cells("\r1,b\r\n"), ["\r1", "b\r"]);
        assert_eq!(cells(","), ["", ""]);
        assert!(cells("\n").is_empty());
    }

    #[test]
    fn a_row_ends_behind_its_line_end_and_not_before() {
        assert_eq!(read("a,b\nc", false, false).unwrap().unwrap().1, 4);
        assert_eq!(read("a,\"b\n", false, false), Ok(None));
        assert_eq!(read("a,b", false, false), Ok(None));
        assert_eq!(read("", false, true), Ok(None));
    }

    #[test]
    fn text_that_is_not_csv_is_refused() {
        assert_eq!(read("\"a\"b\n", false, true), Err(NotCsv::TextAfterQuote));
        assert_eq!(read("\"a\n", false, true), Err(NotCsv::OpenQuote));
        assert_eq!(read("\"a\"\r\n", false, true), Err(NotCsv::TextAfterQuote));
        assert_eq!(read("a\rb\r\n", true, true), Err(NotCsv::BareCarriageReturn));
    }

    #[test]
    fn with_crlf_both_characters_end_a_row_and_quoted_ones_are_data() {
        let read = |text| read(text, true, true).unwrap().unwrap().0;
        assert_eq!(read("\"a\r\nb\",c\r\n"), ["a\r\nb", "c"]);
        assert_eq!(read("a,b\n"), ["a", "b"]);
        assert!(read("\r\n").is_empty());
    }

    #[test]
    fn a_cell_is_measured_in_characters() {
        let longest = "é".repeat(LONGEST_CELL);
        assert_eq!(cells(&longest).len(), 1);
        assert_eq!(read(&format!("{longest}é"), false, true), Err(NotCsv::CellTooLong));
    }
}
