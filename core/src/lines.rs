//! Rows as lines of JSON: RECORD messages of the Airbyte protocol, or plain objects.
//!
//! ```text
//! {"type":"RECORD","record":{"stream":"Account","data":{ "Id":"001" ,"Size":12 },"emitted_at":1795600000000}}
//! └──────────────────────── head ──────────────────────┘ └───── members ─────┘ └──────── tail ────────────┘
//! ```
//!
//! Nulls are left out. A cell that is not of its type is null, and the `meta` of a RECORD line names it.

use crate::columns::{Column, ExactPath, Kind};
use crate::compounds::Compounds;
use crate::out::{Out, STRIDE, json_string};
use crate::rows::Cell;
use crate::values;

/// The format of a stream's lines. Created once, used for any number of pages.
#[derive(Debug)]
pub struct LineFormat {
    head: Vec<u8>,
    is_record: bool,
    members: Vec<Member>,
    /// The text before each value: the quote that closes the previous value, a comma, the name, a colon, and the
    /// quote that opens the value.
    keys: Vec<u8>,
    names: Vec<Vec<u8>>,
    compounds: Compounds,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    kind: Kind,
    key: usize,
    key_size: usize,
    hidden: bool,
}

/// How much of a key or a tail is left out, depending on the text before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    QuotedValue = 0,
    BareValue = 1,
    Nothing = 2,
}

impl LineFormat {
    /// Lines with the values of `columns`: RECORD messages of `stream`, or objects alone where it is None.
    pub fn new(columns: &[Column], stream: Option<&str>) -> Self {
        Self::with_compounds(columns, stream, Compounds::default())
    }

    /// The same, with `compounds` behind the other values.
    pub fn with_compounds(columns: &[Column], stream: Option<&str>, compounds: Compounds) -> Self {
        let mut keys = Vec::new();
        let mut members = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            let key = keys.len();
            keys.extend_from_slice(b"\",");
            keys.extend(json_string(&column.name));
            keys.extend_from_slice(if column.kind.is_quoted() { b":\"" } else { b":" });
            members.push(Member { kind: column.kind, key, key_size: keys.len() - key, hidden: compounds.hides(at) });
        }
        let head = stream.map_or(b"{".to_vec(), |stream| {
            [br#"{"type":"RECORD","record":{"stream":"#, json_string(stream).as_slice(), br#","data":{"#].concat()
        });
        let names = columns.iter().map(|column| json_string(&column.name)).collect();
        Self { head, is_record: stream.is_some(), members, keys: padded(keys), names, compounds }
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.members.len()
    }

    /// A writer of lines of pages whose cells stand in `order`. `emitted_at` is in milliseconds; `room` is a guess at
    /// the size of what will be written.
    pub fn writer<'a>(&'a self, order: &'a [usize], emitted_at: i64, room: usize) -> LineWriter<'a> {
        let (tail, end) = match self.is_record {
            true => (format!("\"}},\"emitted_at\":{emitted_at}"), "}}\n"),
            false => ("\"}".into(), "\n"),
        };
        let tail_size = tail.len();
        LineWriter {
            format: self,
            order,
            // A number may be written with more characters than it has in the page, but with fewer than a stride.
            row_size: self.head.len() + self.keys.len() + tail_size + STRIDE * (4 + self.members.len()),
            tail: padded([tail.as_bytes(), end.as_bytes()].concat()),
            tail_size,
            end_size: end.len(),
            out: Out::with_room(room),
            rows: 0,
            unreadable: vec![0; self.members.len()],
            nulled: Vec::new(),
        }
    }
}

/// The text, with the bytes that may be copied beyond its end.
fn padded(mut piece: Vec<u8>) -> Vec<u8> {
    piece.extend([0; STRIDE]);
    piece
}

/// Finished lines. `unreadable` counts the cells of each column that are null because they are not of its type.
#[derive(Debug, PartialEq, Eq)]
pub struct Lines {
    pub text: Vec<u8>,
    pub rows: usize,
    pub unreadable: Vec<u64>,
}

/// Writes rows as lines.
pub struct LineWriter<'a> {
    format: &'a LineFormat,
    order: &'a [usize],
    /// The maximum size of a row in bytes, without its cells.
    row_size: usize,
    /// The text that closes the members, and after `tail_size` bytes the text that closes the line.
    tail: Vec<u8>,
    tail_size: usize,
    end_size: usize,
    out: Out,
    rows: usize,
    unreadable: Vec<u64>,
    /// The columns of this row that could not be read.
    nulled: Vec<usize>,
}

impl LineWriter<'_> {
    /// The number of bytes written.
    pub fn size(&self) -> usize {
        self.out.size()
    }

    /// The lines.
    pub fn finish(self) -> Lines {
        Lines { text: self.out.into_bytes(), rows: self.rows, unreadable: self.unreadable }
    }

    /// Writes one row.
    pub fn row<E: ExactPath>(&mut self, text: &[u8], cells: &[Cell], exact: &mut E) -> Result<(), E::Error> {
        let format = self.format;
        let size =
            self.row_size + cells.last().map_or(0, |last| last.end()) - cells.first().map_or(0, |cell| cell.start());
        self.out.room_for(size);
        self.out.put(&format.head, 0, format.head.len());
        let mut before = Before::Nothing;
        for (column, (member, &place)) in format.members.iter().zip(self.order).enumerate() {
            let cell = cells[place];
            if cell.is_empty() || member.hidden {
                continue;
            }
            let began = self.out.size();
            let skipped = before as usize;
            self.out.put(&format.keys, member.key + skipped, member.key_size - skipped);
            let written = values::write(&mut self.out, member.kind, column, text, cell, size, exact)?;
            if written {
                before = if member.kind.is_quoted() { Before::QuotedValue } else { Before::BareValue };
            } else {
                self.out.rewind(began);
                self.nulled.push(column);
            }
        }
        if !format.compounds.is_empty() {
            self.out.room_for(size);
            before = self.compounds(text, cells, before, exact)?;
        }
        self.end_row(before);
        Ok(())
    }

    fn compounds<E: ExactPath>(
        &mut self,
        text: &[u8],
        cells: &[Cell],
        mut before: Before,
        exact: &mut E,
    ) -> Result<Before, E::Error> {
        for compound in self.format.compounds.each() {
            let began = self.out.size();
            self.out.push(&b"\","[before as usize..]);
            self.out.push(compound.name());
            self.out.push(b":");
            let nulled = &mut self.nulled;
            if self.format.compounds.write(compound, &mut self.out, (text, cells), self.order, nulled, exact)? {
                before = Before::BareValue;
            } else {
                self.out.rewind(began);
            }
        }
        Ok(before)
    }

    #[inline(always)]
    fn end_row(&mut self, before: Before) {
        let skipped = usize::from(before != Before::QuotedValue);
        if self.nulled.is_empty() {
            self.out.put(&self.tail, skipped, self.tail_size + self.end_size - skipped);
        } else {
            self.end_nulled_row(skipped);
        }
        self.rows += 1;
    }

    #[cold]
    fn end_nulled_row(&mut self, skipped: usize) {
        self.out.put(&self.tail, skipped, self.tail_size - skipped);
        let mut opening = &br#","meta":{"changes":["#[..];
        self.nulled.sort_unstable();
        for column in self.nulled.drain(..) {
            self.unreadable[column] += 1;
            if self.format.is_record {
                self.out.push(opening);
                self.out.push(br#"{"field":"#);
                self.out.push(&self.format.names[column]);
                self.out.push(br#","change":"NULLED","reason":"SOURCE_SERIALIZATION_ERROR"}"#);
                opening = b",";
            }
        }
        if self.format.is_record {
            self.out.push(b"]}");
        }
        let end = self.tail_size..self.tail_size + self.end_size;
        self.out.push(&self.tail[end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Scalar;
    use crate::rows::{BadRow, Rows};

    /// Answers each cell with a text that shows the call.
    struct Asked;

    impl ExactPath for Asked {
        type Error = BadRow;

        fn json(&mut self, column: usize, cell: &str) -> Result<Option<Vec<u8>>, BadRow> {
            Ok((!cell.contains('!')).then(|| format!("asked {column} {cell}").into_bytes()))
        }

        fn scalar(&mut self, _column: usize, _cell: &str) -> Result<(Scalar, bool), BadRow> {
            Ok((Scalar::Unreadable, false))
        }
    }

    fn columns(kinds: &[Kind]) -> Vec<Column> {
        kinds.iter().enumerate().map(|(at, &kind)| Column { name: format!("F{at}"), kind }).collect()
    }

    fn objects(kinds: &[Kind], text: &str, order: &[usize]) -> (String, Vec<u64>) {
        lines(&LineFormat::new(&columns(kinds), None), text, order)
    }

    fn lines(format: &LineFormat, text: &str, order: &[usize]) -> (String, Vec<u64>) {
        let mut writer = format.writer(order, 5, 0);
        let visit = |text: &[u8], cells: &[Cell]| writer.row(text, cells, &mut Asked);
        Rows::new(order.len(), false, usize::MAX).scan(text.as_bytes(), true, visit).unwrap();
        let lines = writer.finish();
        assert_eq!(lines.rows, lines.text.iter().filter(|&&byte| byte == b'\n').count());
        (String::from_utf8(lines.text).unwrap(), lines.unreadable)
    }

    #[test]
    fn nulls_are_left_out_wherever_they_stand() {
        let kinds = [Kind::Text, Kind::Integer, Kind::Text];
        for (row, object) in [
            ("a,1,b", r#"{"F0":"a","F1":1,"F2":"b"}"#),
            (",1,b", r#"{"F1":1,"F2":"b"}"#),
            ("a,,", r#"{"F0":"a"}"#),
            (",1,\"\"", r#"{"F1":1}"#),
            ("a,,b", r#"{"F0":"a","F2":"b"}"#),
            (",,", "{}"),
        ] {
            assert_eq!(objects(&kinds, row, &[0, 1, 2]).0, format!("{object}\n"));
        }
    }

    #[test]
    fn values_come_in_the_order_of_the_columns() {
        assert_eq!(objects(&[Kind::Text, Kind::Integer], "7,a\n", &[1, 0]).0, "{\"F0\":\"a\",\"F1\":7}\n");
    }

    #[test]
    fn text_is_escaped_and_pairs_of_quotes_are_one() {
        let (text, _) = objects(&[Kind::Text], "\"a\"\"b\\\n\"\n\"plain\"\nx\\\n", &[0]);
        assert_eq!(text, "{\"F0\":\"a\\\"b\\\\\\n\"}\n{\"F0\":\"plain\"}\n{\"F0\":\"x\\\\\"}\n");
    }

    #[test]
    fn numbers_are_written_as_json_has_them() {
        let (text, _) = objects(&[Kind::Integer, Kind::Number], "47.0,1.39E8\n-0,5.\n007,0.00001\n", &[0, 1]);
        assert_eq!(text, "{\"F0\":47,\"F1\":139000000.0}\n{\"F0\":0,\"F1\":5.0}\n{\"F0\":7,\"F1\":0.00001}\n");
    }

    #[test]
    fn what_is_not_certain_is_asked_for() {
        let (text, unreadable) = objects(&[Kind::Number, Kind::Instant], "1e20,2023-01-01T24:00:00.000Z\n", &[0, 1]);
        assert_eq!(text, "{\"F0\":asked 0 1e20,\"F1\":\"asked 1 2023-01-01T24:00:00.000Z\"}\n");
        assert_eq!(unreadable, [0, 0]);
    }

    #[test]
    fn a_number_with_too_many_digits_is_asked_for() {
        let (text, _) = objects(&[Kind::Number], "9007199254740993\n0.1\n", &[0]);
        assert_eq!(text, "{\"F0\":asked 0 9007199254740993}\n{\"F0\":0.1}\n");
    }

    #[test]
    fn an_unreadable_cell_is_null_and_counted() {
        let kinds = [Kind::Boolean, Kind::Text, Kind::Date, Kind::Time, Kind::Integer];
        let (text, unreadable) =
            objects(&kinds, "maybe,a,x,y,\"1\"\"\"\nTRUE,,2024-02-29,12:00:00,1\n", &[0, 1, 2, 3, 4]);
        assert_eq!(text, "{\"F1\":\"a\"}\n{\"F0\":true,\"F2\":\"2024-02-29\",\"F3\":\"12:00:00\",\"F4\":1}\n");
        assert_eq!(unreadable, [1, 0, 1, 1, 1]);
    }

    #[test]
    fn a_record_says_which_fields_became_null() {
        let format = LineFormat::new(&columns(&[Kind::Integer, Kind::Text, Kind::Date]), Some("a\"b"));
        let (text, _) = lines(&format, "1,x,\n,y,2020\nz,,z\n", &[0, 1, 2]);
        let head = r#"{"type":"RECORD","record":{"stream":"a\"b","data":{"#;
        let changed = |name| format!(r#"{{"field":"{name}","change":"NULLED","reason":"SOURCE_SERIALIZATION_ERROR"}}"#);
        let expected = [
            format!("{head}\"F0\":1,\"F1\":\"x\"}},\"emitted_at\":5}}}}\n"),
            format!("{head}\"F1\":\"y\"}},\"emitted_at\":5,\"meta\":{{\"changes\":[{}]}}}}}}\n", changed("F2")),
            format!("{head}}},\"emitted_at\":5,\"meta\":{{\"changes\":[{},{}]}}}}}}\n", changed("F0"), changed("F2")),
        ];
        assert_eq!(text, expected.concat());
    }

    #[test]
    fn numbers_that_grow_have_room() {
        let kinds = [Kind::Number; 300];
        let order: Vec<usize> = (0..300).collect();
        let (text, _) = objects(&kinds, &vec!["1e15"; 300].join(","), &order);
        assert_eq!(text.matches(":1000000000000000.0").count(), 300);
    }

    #[test]
    fn a_long_row_has_room() {
        let cell = format!("\"{}\"", "\u{1}".repeat(100_000));
        let (text, _) = objects(&[Kind::Text, Kind::Text], &format!("{cell},{cell}\n"), &[0, 1]);
        assert_eq!(text.len(), 2 * 6 * 100_000 + "{\"F0\":\"\",\"F1\":\"\"}\n".len());
    }
}
