//! What must hold for any bytes. The first says how many columns were selected and whether the page is compressed, the
//! second into what pieces it falls, the rest is the page.
//!
//! It is rejected or it has rows; both are the same whatever pieces it comes in, and the rows are those that the byte by
//! byte reading finds. As many lines come out as there are rows, each of them one line. A compound field is added behind
//! the values of its row, which stay as they are unless they are hidden.

use salesforce_bulk_core::columns::{Column, ExactPath, Kind, Scalar};
use salesforce_bulk_core::compounds::Compounds;
use salesforce_bulk_core::decoder::{Decoder, Failure};
use salesforce_bulk_core::lines::LineFormat;
use salesforce_bulk_core::machine::Machine;
use salesforce_bulk_core::page::{Proof, Wanted};
use salesforce_bulk_core::rejection::Rejection;
use salesforce_bulk_core::rows::{BadRow, Cell, Form, Rows, undoubled};

const NAMES: [&str; 3] = ["Id", "Name", "Note"];
const KINDS: [Kind; 3] = [Kind::Text, Kind::Number, Kind::Instant];

/// Calls every doubtful cell null.
struct Nulls;

impl ExactPath for Nulls {
    type Error = Rejection;

    fn json(&mut self, _column: usize, _cell: &str) -> Result<Option<Vec<u8>>, Rejection> {
        Ok(None)
    }

    fn scalar(&mut self, _column: usize, _cell: &str) -> Result<(Scalar, bool), Rejection> {
        Ok((Scalar::Unreadable, false))
    }
}

/// Panics where something does not hold.
pub fn holds(data: &[u8]) {
    let (Some(&choice), Some(&size)) = (data.first(), data.get(1)) else {
        return;
    };
    let width = 1 + usize::from(choice) % NAMES.len();
    let (gzipped, page) = (choice & 0x80 != 0, &data[2..]);
    let shape = Shape { width, gzipped };
    let records = LineFormat::new(&shape.columns(), Some("Account"));
    let whole = decoded(page, &shape, &records, page.len().max(1));
    assert_eq!(whole, decoded(page, &shape, &records, 1 + usize::from(size)));
    if let Ok((proof, _)) = whole {
        compounds_are_added(page, &shape, &proof);
    }
    if !gzipped {
        for crlf in [false, true] {
            assert_eq!(rows_of(page, width, crlf), rows_by_machine(page, width, crlf));
        }
    }
}

/// How many columns were selected, and whether the page is compressed.
struct Shape {
    width: usize,
    gzipped: bool,
}

impl Shape {
    fn columns(&self) -> Vec<Column> {
        let named = NAMES[..self.width].iter().zip(KINDS);
        named.map(|(name, kind)| Column { name: (*name).to_string(), kind }).collect()
    }

    /// Lines with a compound field of the first column, the last column, and a part that is always null.
    fn with_compound(&self, hidden: &[usize]) -> LineFormat {
        let parts = [("first", Some(0)), ("last", Some(self.width - 1)), ("never", None)];
        let parts = parts.map(|(key, column)| (key.to_string(), column)).to_vec();
        let columns = self.columns();
        let compounds = Compounds::new(&columns, vec![("Place".into(), parts)], hidden).expect("its columns are there");
        LineFormat::with_compounds(&columns, None, compounds)
    }
}

/// Reads an accepted page with a compound field.
fn compounds_are_added(page: &[u8], shape: &Shape, proof: &Proof) {
    let read = |format: &LineFormat| {
        let (again, text) = decoded(page, shape, format, page.len().max(1)).expect("it was accepted before");
        assert_eq!(again, *proof);
        text
    };
    let plain = read(&LineFormat::new(&shape.columns(), None));
    let (added, hidden) = (read(&shape.with_compound(&[])), read(&shape.with_compound(&[0])));
    for ((before, after), short) in lines_of(&plain).zip(lines_of(&added)).zip(lines_of(&hidden)) {
        assert!(after.starts_with(&before[..before.len() - 1]) && after.ends_with(b"}"));
        assert!(!short.starts_with(b"{\"Id\":"));
        let compound =
            |line: &[u8]| line.windows(8).rposition(|part| part == b"\"Place\":").map(|at| line[at..].to_vec());
        assert_eq!(compound(after), compound(short));
    }
}

fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

fn decoded(page: &[u8], shape: &Shape, format: &LineFormat, size: usize) -> Result<(Proof, Vec<u8>), Rejection> {
    match decode(page, shape, format, size) {
        Ok(found) => Ok(found),
        Err(Failure::Rejected(rejection)) => Err(rejection),
        Err(other) => panic!("{other:?}"),
    }
}

fn decode(
    page: &[u8],
    shape: &Shape,
    format: &LineFormat,
    size: usize,
) -> Result<(Proof, Vec<u8>), Failure<Rejection>> {
    let columns = NAMES[..shape.width].iter().map(ToString::to_string).collect();
    let mut decoder =
        Decoder::new(Wanted { columns, key: Some(0), most: 1 << 24, longest_row: 1 << 24 }, shape.gzipped, false);
    for piece in page.chunks(size) {
        decoder.feed(piece)?;
    }
    let proof = decoder.finish(None)?;
    let (mut text, mut rows) = (Vec::new(), 0);
    while let Some(lines) = decoder.lines(format, 1, 64, &mut Nulls)? {
        rows += lines.rows as u64;
        text.extend(lines.text);
    }
    assert_eq!(rows, proof.rows);
    assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count() as u64, proof.rows);
    assert!(std::str::from_utf8(&text).is_ok());
    Ok((proof, text))
}

fn values(text: &[u8], cells: &[Cell]) -> Vec<Vec<u8>> {
    let value = |cell: &Cell| match cell.form {
        Form::Doubled => undoubled(cell.of(text)),
        Form::Plain | Form::Escape => cell.of(text).to_vec(),
    };
    cells.iter().map(value).collect()
}

fn rows_of(text: &[u8], width: usize, crlf: bool) -> Result<Vec<Vec<Vec<u8>>>, BadRow> {
    let mut rows = Vec::new();
    let used = Rows::new(width, crlf, usize::MAX).scan(text, true, |text, cells| {
        rows.push(values(text, cells));
        Ok::<_, BadRow>(())
    })?;
    assert_eq!(used, text.len());
    Ok(rows)
}

fn rows_by_machine(text: &[u8], width: usize, crlf: bool) -> Result<Vec<Vec<Vec<u8>>>, BadRow> {
    let (mut machine, mut rows, mut at) = (Machine::default(), Vec::new(), 0);
    while let Some(size) = machine.row(&text[at..], crlf, true)? {
        let mut row = values(machine.text(), machine.cells());
        if row.is_empty() && width == 1 {
            row.push(Vec::new());
        }
        if row.len() != width {
            return Err(BadRow::Width { found: row.len(), width });
        }
        rows.push(row);
        at += size;
    }
    Ok(rows)
}
