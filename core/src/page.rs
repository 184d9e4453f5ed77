//! Verifies a page's text while it arrives, and keeps it in pieces of whole rows until they are taken.
//!
//! ```text
//! bytes ──> buffer ──> header ──> rows counted, cells counted ──> piece of whole rows ──> kept
//!              ^                             │
//!              └──── begun row, copied ──────┘
//! ```
//!
//! Memory: the kept pieces, and a buffer of [`PIECE`] bytes. For a longer row, the buffer grows to twice its size, at
//! most twice the longest row.

use std::collections::VecDeque;

use twox_hash::XxHash3_128;

use crate::gzip::Sink;
use crate::header::Header;
use crate::machine::{LONGEST_CELL, Machine};
use crate::rejection::Rejection;
use crate::rows::{Cell, Form, Rows, undoubled};

/// The bytes of text that are checked together.
pub const PIECE: usize = 256 * 1024;

/// The longest row, in bytes with its line end. Salesforce allows 1.6 million characters of long text in an object.
pub const LONGEST_ROW: usize = 64 * 1024 * 1024;

const NOTHING_FOUND: &[u8] = b"Records not found for this query";
/// The longest page that may contain only that sentence and blanks, in bytes.
const MOST_OF_NOTHING: usize = 1024;

/// The longest header line, in bytes. 500 names of 40 characters with a relationship path each stay far below it.
pub const LONGEST_HEADER: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The facts about a complete page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub rows: u64,
    /// Bytes of text, the header line included.
    pub size: u64,
    /// Whether the text ends with a line feed, or is empty.
    pub ended: bool,
    /// The first row's cell of the key column, if there is such a row and column.
    pub first_key: Option<String>,
    /// A digest of the text.
    pub digest: u128,
}

/// The requirements of a page.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub columns: Vec<String>,
    /// The index of the column whose first cell is part of the proof.
    pub key: Option<usize>,
    /// The largest text, in bytes.
    pub most: u64,
    /// The longest row, in bytes with its line end.
    pub longest_row: usize,
}

/// The text of one page on its way to a proof. A [`Sink`].
pub struct PageText {
    wanted: Wanted,
    header: Option<Header>,
    rows: Option<Rows>,
    buffer: Vec<u8>,
    used: usize,
    /// The buffer is checked when as many bytes are used.
    look_at: usize,
    digest: XxHash3_128,
    size: u64,
    row_count: u64,
    last_byte: u8,
    first_key: Option<String>,
    kept: VecDeque<Vec<u8>>,
    kept_size: usize,
}

impl PageText {
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            header: None,
            rows: None,
            buffer: vec![0; PIECE],
            used: 0,
            look_at: PIECE,
            digest: XxHash3_128::new(),
            size: 0,
            row_count: 0,
            last_byte: b'\n',
            first_key: None,
            kept: VecDeque::new(),
            kept_size: 0,
        }
    }

    /// Verifies the complete text.
    pub fn finish(&mut self) -> Result<Proof, Rejection> {
        self.look(true)?;
        self.buffer = Vec::new();
        Ok(Proof {
            rows: self.row_count,
            size: self.size,
            ended: self.last_byte == b'\n',
            first_key: self.first_key.take(),
            digest: std::mem::take(&mut self.digest).finish_128(),
        })
    }

    /// The page's header, once it has arrived; an empty text has none.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The bytes of rows that have arrived and were not taken yet.
    pub fn kept_size(&self) -> usize {
        self.kept_size
    }

    /// The next piece of whole rows.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let piece = self.kept.pop_front()?;
        self.kept_size -= piece.len();
        Some(piece)
    }

    fn look(&mut self, last: bool) -> Result<(), Rejection> {
        let mut from = 0;
        if self.header.is_none() {
            match self.header_size(last)? {
                Some(size) => from = size,
                None => return self.wait_for_more(0, last),
            }
        }
        let to = if last { self.used } else { from + whole_lines(&self.buffer[from..self.used]) };
        let used = self.prove(from, to, last)?;
        self.keep(from, used);
        self.wait_for_more(used, last)
    }

    /// Reads the header line and returns its size with the byte order mark; None if it has not arrived.
    fn header_size(&mut self, last: bool) -> Result<Option<usize>, Rejection> {
        let text = &self.buffer[..self.used];
        let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let line_end = memchr::memchr(b'\n', &text[mark..]).map(|at| mark + at + 1);
        let size = match line_end {
            Some(size) => size,
            None if last || text.len() > LONGEST_HEADER => text.len(),
            None => return Ok(None),
        };
        if last && (size == mark || says_nothing_found(&text[mark..])) {
            return Ok(None);
        }
        let header = Header::read(&text[mark..size], &self.wanted.columns)?;
        self.rows = Some(Rows::new(self.wanted.columns.len(), header.crlf, self.wanted.longest_row));
        self.header = Some(header);
        Ok(Some(size))
    }

    /// Verifies the whole rows in the buffer from `from` to `to`, and returns where they end.
    fn prove(&mut self, from: usize, to: usize, last: bool) -> Result<usize, Rejection> {
        let text = &self.buffer[from..to];
        simdutf8::basic::from_utf8(text).map_err(|_invalid| Rejection::NotUtf8)?;
        let (Some(header), Some(rows)) = (&self.header, &mut self.rows) else {
            return Ok(from);
        };
        let (count, first_key) = (&mut self.row_count, &mut self.first_key);
        let key = self.wanted.key.map(|column| header.order[column]);
        let used = rows.scan(text, last, |text, cells| {
            if *count == 0 {
                *first_key = key.map(|place| value(text, cells[place]));
            }
            *count += 1;
            if cells[0].is(text, header.names[0].as_bytes()) && is_header(text, cells, &header.names) {
                return Err(Rejection::HeaderAgain);
            }
            Ok(())
        })?;
        Ok(from + used)
    }

    fn keep(&mut self, from: usize, to: usize) {
        let size = to - from;
        if size > 0 {
            self.kept.push_back(self.buffer[from..to].to_vec());
            self.kept_size += size;
        }
    }

    /// Makes room after the row that begins at `from`.
    fn wait_for_more(&mut self, from: usize, last: bool) -> Result<(), Rejection> {
        let begun = self.used - from;
        if last {
            return Ok(());
        }
        self.buffer.copy_within(from..self.used, 0);
        self.used = begun;
        if begun > self.wanted.longest_row && self.header.is_some() {
            return Err(Rejection::RowTooLong { most: self.wanted.longest_row });
        }
        if begun > LONGEST_CELL && self.header.is_some() {
            let crlf = self.header.as_ref().is_some_and(|header| header.crlf);
            Machine::default().row(&self.buffer[..begun], crlf, false)?;
        }
        // Twice as much, so that a long row is checked only a few times.
        self.look_at = PIECE.max(2 * begun);
        self.buffer.resize(self.look_at, 0);
        if self.look_at == PIECE {
            self.buffer.shrink_to(PIECE);
        }
        Ok(())
    }
}

impl Sink for PageText {
    fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.used..self.look_at]
    }

    fn filled(&mut self, size: usize) -> Result<(), Rejection> {
        let Some(&last_byte) = self.buffer[self.used..self.used + size].last() else {
            return Ok(());
        };
        self.last_byte = last_byte;
        self.digest.write(&self.buffer[self.used..self.used + size]);
        self.used += size;
        self.size += size as u64;
        if self.size > self.wanted.most {
            return Err(Rejection::TooLarge { most: self.wanted.most });
        }
        if self.used == self.look_at {
            self.look(false)?;
        }
        Ok(())
    }
}

/// Whether the page is the sentence that replaces the header in some empty results, as in Bulk API 1.0.
fn says_nothing_found(text: &[u8]) -> bool {
    if text.len() > MOST_OF_NOTHING {
        return false;
    }
    let mut sentence = text.trim_ascii();
    while let Some(inner) = sentence.strip_prefix(b"\"") {
        sentence = inner;
    }
    while let Some(inner) = sentence.strip_suffix(b"\"") {
        sentence = inner;
    }
    sentence == NOTHING_FOUND
}

/// The text up to the last line feed, after which no row ends and where no character is cut.
fn whole_lines(text: &[u8]) -> usize {
    memchr::memrchr(b'\n', text).map_or(0, |at| at + 1)
}

fn is_header(text: &[u8], cells: &[Cell], names: &[String]) -> bool {
    cells.len() == names.len() && cells.iter().zip(names).all(|(cell, name)| cell.is(text, name.as_bytes()))
}

fn value(text: &[u8], cell: Cell) -> String {
    let bytes = match cell.form {
        Form::Doubled => undoubled(cell.of(text)),
        Form::Plain | Form::Escape => cell.of(text).to_vec(),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip::copy;

    fn wanted() -> Wanted {
        let columns = vec!["Id".into(), "Name".into()];
        Wanted { columns, key: Some(0), most: 1 << 40, longest_row: LONGEST_ROW }
    }

    fn read(text: &[u8]) -> Result<(Proof, PageText), Rejection> {
        let mut page = PageText::new(wanted());
        copy(text, &mut page)?;
        Ok((page.finish()?, page))
    }

    fn kept(mut page: PageText) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(piece) = page.take() {
            text.extend(piece);
        }
        assert_eq!(page.kept_size(), 0);
        text
    }

    #[test]
    fn a_page_is_counted_and_its_first_key_told() {
        let (proof, page) = read(b"Name,Id\na,\"x\"\"y\"\nb,2\n").unwrap();
        assert_eq!((proof.rows, proof.size, proof.ended), (2, 21, true));
        assert_eq!(proof.first_key.as_deref(), Some("x\"y"));
        assert_eq!(kept(page), b"a,\"x\"\"y\"\nb,2\n");
    }

    #[test]
    fn the_sentence_of_an_empty_result_is_a_page_without_rows() {
        let long = " ".repeat(MOST_OF_NOTHING);
        for blanks in ["", "\n", "\r\n", "\n \n"] {
            for quote in ["", "\""] {
                let text = format!("{quote}Records not found for this query{quote}{blanks}");
                assert_eq!(read(text.as_bytes()).unwrap().0.rows, 0, "{text:?}");
            }
        }
        for more in ["\n1,2\n", " x", &long] {
            let text = format!("Records not found for this query{more}");
            assert!(matches!(read(text.as_bytes()), Err(Rejection::Header { .. })), "{text:?}");
        }
    }

    #[test]
    fn an_empty_text_is_a_page_without_rows() {
        for (text, ended) in [(&b""[..], true), (BYTE_ORDER_MARK, false), (b"Id,Name\n", true), (b"Id,Name", false)] {
            let (proof, page) = read(text).unwrap();
            assert_eq!((proof.rows, proof.ended, proof.first_key), (0, ended, None));
            assert_eq!(page.kept_size(), 0);
        }
    }

    #[test]
    fn damage_is_named() {
        let refused = |text: &[u8]| read(text).err().unwrap();
        assert_eq!(refused(b"Id,Name\n1\n"), Rejection::Width { found: 1, width: 2 });
        assert_eq!(refused(b"Id,Name\n1,a\nId,Name\n"), Rejection::HeaderAgain);
        assert_eq!(refused(b"Id,Name\n1,\xff\n"), Rejection::NotUtf8);
        assert_eq!(refused(b"Id,Name\n1,\"a"), Rejection::NotCsv(crate::machine::NotCsv::OpenQuote));
        assert_eq!(refused(b"\xef"), Rejection::NotUtf8);
    }

    #[test]
    fn rows_across_pieces_come_whole_and_in_order() {
        let long = "é,\n".repeat(PIECE / 3);
        let mut text = b"Id,Name\n".to_vec();
        for number in 0..7 {
            text.extend(format!("{number},\"{}\"\n", &long[..long.len() * number / 7 / 4 * 4]).bytes());
        }
        let (proof, page) = read(&text).unwrap();
        assert_eq!(proof.rows, 7);
        assert_eq!(kept(page), text[8..]);
    }

    #[test]
    fn an_open_quote_does_not_fill_the_memory() {
        let text = ["Id,Name\n1,\"open\n", &"2,a\n".repeat(8 << 20)].concat();
        assert_eq!(read(text.as_bytes()).err(), Some(Rejection::NotCsv(crate::machine::NotCsv::CellTooLong)));
    }

    #[test]
    fn a_row_and_a_text_have_a_largest_size() {
        let text = |cell: usize, end: &str| {
            format!(
                "Id,Name
1,a
2,\"{}\"{end}",
                "x".repeat(cell)
            )
        };
        let read = |text: &str, bound: usize| {
            let mut page = PageText::new(Wanted { longest_row: bound, ..wanted() });
            copy(text.as_bytes(), &mut page).and_then(|()| page.finish()).map(|proof| proof.rows)
        };
        for size in [3, 3 * PIECE] {
            for (end, bytes) in [
                (
                    "
",
                    size + 5,
                ),
                ("", size + 4),
                (
                    "
3,b
",
                    size + 5,
                ),
            ] {
                assert!(read(&text(size, end), bytes).is_ok());
                assert_eq!(read(&text(size, end), bytes - 1), Err(Rejection::RowTooLong { most: bytes - 1 }));
            }
        }
        let mut page = PageText::new(Wanted { most: 9, ..wanted() });
        assert_eq!(
            copy(
                b"Id,Name
1,a
",
                &mut page
            ),
            Err(Rejection::TooLarge { most: 9 })
        );
    }

    #[test]
    fn texts_that_differ_have_other_digests() {
        let digest = |text: &[u8]| read(text).unwrap().0.digest;
        assert_eq!(digest(b"Id,Name\n1,a\n"), digest(b"Id,Name\n1,a\n"));
        assert_ne!(digest(b"Id,Name\n1,a\n"), digest(b"Id,Name\n1,b\n"));
    }
}
