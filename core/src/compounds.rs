//! Compound fields: addresses and locations, built from the cells of their parts as JSON objects.
//!
//! ```text
//! "BillingAddress":{"city":"Bern","country":null,"latitude":46.94, ... }
//! ```
//!
//! A null part is null in the object. An object without any value is null itself.

use crate::columns::{Column, ExactPath, Kind};
use crate::out::{Out, json_string};
use crate::rows::Cell;
use crate::values;

/// A compound field as its caller names it: its name, and its keys with the columns of their values.
pub type Named = (String, Vec<(String, Option<usize>)>);

/// The compound fields of an object, and the columns that stand in no line for themselves.
#[derive(Debug, Default)]
pub struct Compounds {
    list: Vec<Compound>,
    kinds: Vec<Kind>,
    hidden: Vec<bool>,
}

/// One compound field.
#[derive(Debug)]
pub struct Compound {
    text_of_name: String,
    name: Vec<u8>,
    parts: Vec<(Vec<u8>, Option<usize>)>,
}

impl Compound {
    /// Its name as a JSON string.
    pub fn name(&self) -> &[u8] {
        &self.name
    }
}

impl Compounds {
    /// The compound fields that `named` describes, of a page with `columns`; those in `hidden` are parts only. None where
    /// a column is named that the page does not have.
    pub fn new(columns: &[Column], named: Vec<Named>, hidden: &[usize]) -> Option<Self> {
        let wanted = named.iter().flat_map(|(_, parts)| parts.iter().filter_map(|(_, column)| *column));
        if wanted.chain(hidden.iter().copied()).any(|column| column >= columns.len()) {
            return None;
        }
        let list = named.into_iter().map(|(name, parts)| Compound {
            name: json_string(&name),
            text_of_name: name,
            parts: parts.into_iter().map(|(key, column)| ([&json_string(&key)[..], b":"].concat(), column)).collect(),
        });
        Some(Self {
            list: list.collect(),
            kinds: columns.iter().map(|column| column.kind).collect(),
            hidden: (0..columns.len()).map(|column| hidden.contains(&column)).collect(),
        })
    }

    /// Whether there are no compound fields.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a column is only a part of compound fields.
    pub fn hides(&self, column: usize) -> bool {
        self.hidden.get(column).copied().unwrap_or(false)
    }

    /// Each of them, in order.
    pub fn each(&self) -> impl Iterator<Item = &Compound> {
        self.list.iter()
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|compound| compound.text_of_name.as_str())
    }

    /// Writes the object of a row; returns false where all of its parts are null, with what was written to be taken
    /// back. `nulled` is given the hidden columns whose cells cannot be their type.
    pub fn write<E: ExactPath>(
        &self,
        compound: &Compound,
        out: &mut Out,
        (text, cells): (&[u8], &[Cell]),
        order: &[usize],
        nulled: &mut Vec<usize>,
        exact: &mut E,
    ) -> Result<bool, E::Error> {
        let mut has_value = false;
        let mut opening = &b"{"[..];
        for (key, column) in &compound.parts {
            out.push(opening);
            out.push(key);
            opening = b",";
            let written = match *column {
                Some(column) => self.part(column, out, (text, cells[order[column]]), nulled, exact)?,
                None => false,
            };
            if !written {
                out.push(b"null");
            }
            has_value |= written;
        }
        out.push(b"}");
        Ok(has_value)
    }

    fn part<E: ExactPath>(
        &self,
        column: usize,
        out: &mut Out,
        (text, cell): (&[u8], Cell),
        nulled: &mut Vec<usize>,
        exact: &mut E,
    ) -> Result<bool, E::Error> {
        if cell.is_empty() {
            return Ok(false);
        }
        let (began, kind) = (out.size(), self.kinds[column]);
        let quote = if kind.is_quoted() { &b"\""[..] } else { b"" };
        out.push(quote);
        let written = values::write(out, kind, column, text, cell, cell.end() - cell.start(), exact)?;
        if written {
            out.push(quote);
        } else {
            out.rewind(began);
            if self.hides(column) {
                nulled.push(column);
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::LineFormat;
    use crate::rows::{BadRow, Rows};

    struct NoDoubt;

    impl ExactPath for NoDoubt {
        type Error = BadRow;

        fn json(&mut self, _column: usize, _cell: &str) -> Result<Option<Vec<u8>>, BadRow> {
            Ok(None)
        }

        fn scalar(&mut self, _column: usize, _cell: &str) -> Result<(crate::columns::Scalar, bool), BadRow> {
            unreachable!("no array is made")
        }
    }

    fn columns() -> Vec<Column> {
        let named = [("Id", Kind::Text), ("City", Kind::Text), ("Latitude", Kind::Number)];
        named.into_iter().map(|(name, kind)| Column { name: name.into(), kind }).collect()
    }

    fn address() -> Named {
        let parts = [("city", Some(1)), ("country", None), ("latitude", Some(2))];
        ("Address".into(), parts.into_iter().map(|(key, column)| (key.into(), column)).collect())
    }

    fn lines(hidden: &[usize], text: &str) -> (String, Vec<u64>) {
        let columns = columns();
        let compounds = Compounds::new(&columns, vec![address()], hidden).unwrap();
        let format = LineFormat::with_compounds(&columns, None, compounds);
        let order = [0, 1, 2];
        let mut writer = format.writer(&order, 5, 0);
        let visit = |text: &[u8], cells: &[Cell]| writer.row(text, cells, &mut NoDoubt);
        Rows::new(3, false, usize::MAX).scan(text.as_bytes(), true, visit).unwrap();
        let lines = writer.finish();
        (String::from_utf8(lines.text).unwrap(), lines.unreadable)
    }

    #[test]
    fn an_object_has_every_key_and_is_null_without_a_value() {
        let (text, _) = lines(&[1, 2], "a,\"B\"\"n\",46.50\nb,,\n,,7\n");
        let expected = [
            r#"{"Id":"a","Address":{"city":"B\"n","country":null,"latitude":46.5}}"#,
            r#"{"Id":"b"}"#,
            r#"{"Address":{"city":null,"country":null,"latitude":7.0}}"#,
        ];
        assert_eq!(text, expected.join("\n") + "\n");
    }

    #[test]
    fn parts_that_are_not_hidden_stand_beside_their_object() {
        let (text, _) = lines(&[], "a,Bern,46.50\n");
        let object = r#"{"city":"Bern","country":null,"latitude":46.5}"#;
        assert_eq!(text, format!("{{\"Id\":\"a\",\"City\":\"Bern\",\"Latitude\":46.5,\"Address\":{object}}}\n"));
    }

    #[test]
    fn a_part_that_cannot_be_its_type_is_null_and_counted_once() {
        for hidden in [&[][..], &[1, 2]] {
            let (text, unreadable) = lines(hidden, "a,Bern,north\nb,,north\n");
            assert!(text.contains(r#"{"city":"Bern","country":null,"latitude":null}"#));
            assert!(text.ends_with("{\"Id\":\"b\"}\n"));
            assert_eq!(unreadable, [0, 0, 2]);
        }
    }

    #[test]
    fn a_column_that_is_not_there_makes_no_compound() {
        let beyond = ("Address".into(), vec![("city".into(), Some(3))]);
        assert!(Compounds::new(&columns(), vec![beyond], &[]).is_none());
        assert!(Compounds::new(&columns(), vec![address()], &[3]).is_none());
    }
}
