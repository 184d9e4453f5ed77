//! A page's text proven while it arrives, and kept in pieces of whole rows for as long as memory allows.
//!
//! ```text
//! bytes ──> buffer ──> header ──> rows counted, cells counted ──> piece of whole rows ──> kept, or dropped
//!              ^                             │
//!              └──── begun row, copied ──────┘
//! ```
//!
//! Memory: the pieces kept, at most as many bytes as the caller allows, and a buffer of [`PIECE`] bytes. A row longer
//! than that makes the buffer grow to twice its size, [`LONGEST_ROW`] at most.

use std::collections::VecDeque;

use twox_hash::XxHash3_128;

use crate::gzip::Sink;
use crate::header::Header;
use crate::machine::{LONGEST_CELL, Machine};
use crate::rejection::Rejection;
use crate::rows::{Cell, Form, Rows, undoubled};

/// Bytes of text looked at together.
pub const PIECE: usize = 256 * 1024;

/// The longest row, in bytes. Salesforce allows 1.6 million characters of long text in an object.
pub const LONGEST_ROW: usize = 64 * 1024 * 1024;

/// The longest header line, in bytes. 500 names of 40 characters with a relationship path each stay far below it.
pub const LONGEST_HEADER: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a whole page turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub rows: u64,
    /// Bytes of text, the header line included.
    pub size: u64,
    /// Whether a line feed closed the text, or it is empty.
    pub ended: bool,
    /// The first row's cell of the key column, if there is such a row and column.
    pub first_key: Option<String>,
    /// A fingerprint of the text.
    pub digest: u128,
}

impl Proof {
    /// Whether both are of the same text, whatever else was asked of it.
    pub fn is_of_same_text(&self, other: &Self) -> bool {
        (self.size, self.digest) == (other.size, other.digest)
    }
}

/// What a page has to be, and how much of it is kept.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub columns: Vec<String>,
    /// The index of the column whose first cell is part of the proof.
    pub key: Option<usize>,
    /// The largest text, in bytes.
    pub most: u64,
    /// How many bytes of text to keep. A longer text is dropped as soon as that is known.
    pub keep: usize,
}

/// The text of one page on its way to a proof. A [`Sink`].
pub struct PageText {
    wanted: Wanted,
    header: Option<Header>,
    rows: Option<Rows>,
    buffer: Vec<u8>,
    used: usize,
    /// The buffer is looked at when as many bytes are used.
    look_at: usize,
    digest: XxHash3_128,
    size: u64,
    row_count: u64,
    last_byte: u8,
    first_key: Option<String>,
    kept: VecDeque<Vec<u8>>,
    kept_size: usize,
    dropped: bool,
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
            dropped: false,
        }
    }

    /// The text has come to its end: the proof, or why there is none.
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

    /// The page's header, once it has come; never for an empty text.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Whether every row so far is kept or was taken.
    pub fn is_kept(&self) -> bool {
        !self.dropped
    }

    /// Bytes of rows that are kept now.
    pub fn kept_size(&self) -> usize {
        self.kept_size
    }

    /// The next piece of whole rows.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let piece = self.kept.pop_front()?;
        self.kept_size -= piece.len();
        Some(piece)
    }

    /// Drops what is kept, and keeps nothing from now on.
    pub fn forget(&mut self) {
        self.dropped |= self.kept_size > 0 || self.row_count == 0;
        self.kept = VecDeque::new();
        self.kept_size = 0;
        self.wanted.keep = 0;
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

    /// Reads the header line; returns how many bytes it takes, with the byte order mark. None where it has not come.
    fn header_size(&mut self, last: bool) -> Result<Option<usize>, Rejection> {
        let text = &self.buffer[..self.used];
        let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let line_end = memchr::memchr(b'\n', &text[mark..]).map(|at| mark + at + 1);
        let size = match line_end {
            Some(size) => size,
            None if last || text.len() > LONGEST_HEADER => text.len(),
            None => return Ok(None),
        };
        if size == mark && last {
            return Ok(None);
        }
        let header = Header::read(&text[mark..size], &self.wanted.columns)?;
        self.rows = Some(Rows::new(self.wanted.columns.len(), header.crlf));
        self.header = Some(header);
        Ok(Some(size))
    }

    /// Proves the rows that lie whole in the buffer from `from` to `to`; returns where they end.
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
        if self.dropped || size == 0 {
            return;
        }
        if self.kept_size + size > self.wanted.keep {
            self.kept = VecDeque::new();
            self.kept_size = 0;
            self.dropped = true;
            return;
        }
        self.kept.push_back(self.buffer[from..to].to_vec());
        self.kept_size += size;
    }

    /// Makes room behind the row that has begun at `from`.
    fn wait_for_more(&mut self, from: usize, last: bool) -> Result<(), Rejection> {
        let begun = self.used - from;
        if last {
            return Ok(());
        }
        self.buffer.copy_within(from..self.used, 0);
        self.used = begun;
        if begun > LONGEST_ROW {
            return Err(Rejection::RowTooLong);
        }
        if begun > LONGEST_CELL && self.header.is_some() {
            let crlf = self.header.as_ref().is_some_and(|header| header.crlf);
            Machine::default().row(&self.buffer[..begun], crlf, false)?;
        }
        // Twice as much, so that a long row is looked at a few times only.
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

/// Up to the last line feed: no row ends behind it, and no character is cut there.
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

    fn wanted(keep: usize) -> Wanted {
        Wanted { columns: vec!["Id".into(), "Name".into()], key: Some(0), most: 1 << 40, keep }
    }

    fn read(text: &[u8], keep: usize) -> Result<(Proof, PageText), Rejection> {
        let mut page = PageText::new(wanted(keep));
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
        let (proof, page) = read(b"Name,Id\na,\"x\"\"y\"\nb,2\n", 100).unwrap();
        assert_eq!((proof.rows, proof.size, proof.ended), (2, 21, true));
        assert_eq!(proof.first_key.as_deref(), Some("x\"y"));
        assert_eq!(kept(page), b"a,\"x\"\"y\"\nb,2\n");
    }

    #[test]
    fn an_empty_text_is_a_page_without_rows() {
        for (text, ended) in [(&b""[..], true), (BYTE_ORDER_MARK, false), (b"Id,Name\n", true), (b"Id,Name", false)] {
            let (proof, page) = read(text, 100).unwrap();
            assert_eq!((proof.rows, proof.ended, proof.first_key), (0, ended, None));
            assert!(page.is_kept());
        }
    }

    #[test]
    fn damage_is_named() {
        let refused = |text: &[u8]| read(text, 100).err().unwrap();
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
        let (proof, page) = read(&text, usize::MAX).unwrap();
        assert_eq!((proof.rows, page.is_kept()), (7, true));
        assert_eq!(kept(page), text[8..]);
    }

    #[test]
    fn a_text_that_is_longer_than_may_be_kept_is_dropped_and_proven_all_the_same() {
        let text = ["Id,Name\n", &"1,aaaaaaaaaaaaaaaaa\n".repeat(PIECE / 4)].concat();
        let (proof, page) = read(text.as_bytes(), 2 * PIECE).unwrap();
        assert_eq!((proof.rows, page.is_kept(), page.kept_size()), (PIECE as u64 / 4, false, 0));
    }

    #[test]
    fn what_is_forgotten_is_not_kept() {
        let (_, mut page) = read(b"Id,Name\n1,a\n", 100).unwrap();
        page.forget();
        assert!(!page.is_kept());
        assert_eq!(page.take(), None);
    }

    #[test]
    fn an_open_quote_does_not_fill_the_memory() {
        let text = ["Id,Name\n1,\"open\n", &"2,a\n".repeat(8 << 20)].concat();
        assert_eq!(read(text.as_bytes(), 0).err(), Some(Rejection::NotCsv(crate::machine::NotCsv::CellTooLong)));
    }

    #[test]
    fn a_row_and_a_text_have_a_largest_size() {
        let cell = format!("\"{}\"", "x".repeat(3 << 20));
        let columns: Vec<String> = (0..100).map(|number| format!("F{number}")).collect();
        let mut text = columns.join(",");
        text += "\n";
        text += &vec![cell; 100].join(",");
        let mut page = PageText::new(Wanted { columns, key: None, most: 1 << 40, keep: 0 });
        assert_eq!(copy(text.as_bytes(), &mut page), Err(Rejection::RowTooLong));
        let mut page = PageText::new(Wanted { most: 9, ..wanted(0) });
        assert_eq!(copy(b"Id,Name\n1,a\n", &mut page), Err(Rejection::TooLarge { most: 9 }));
    }

    #[test]
    fn texts_that_differ_have_other_digests() {
        let digest = |text: &[u8]| read(text, 0).unwrap().0.digest;
        assert_eq!(digest(b"Id,Name\n1,a\n"), digest(b"Id,Name\n1,a\n"));
        assert_ne!(digest(b"Id,Name\n1,a\n"), digest(b"Id,Name\n1,b\n"));
    }
}
