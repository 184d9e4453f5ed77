//! A cell as JSON.

use crate::columns::{ExactPath, Kind};
use crate::instants;
use crate::numbers::{self, Reading};
use crate::out::Out;
use crate::rows::{Cell, Form};

/// Writes the value of a non-empty cell, without quotes around it. Returns false if the cell is not of its type; what
/// was written then does not count. There is room for `size` bytes before and after.
#[inline(always)]
pub fn write<E: ExactPath>(
    out: &mut Out,
    kind: Kind,
    column: usize,
    text: &[u8],
    cell: Cell,
    size: usize,
    exact: &mut E,
) -> Result<bool, E::Error> {
    match certain(out, kind, text, cell, size) {
        Reading::Value(()) => Ok(true),
        Reading::Unreadable => Ok(false),
        Reading::Exact => asked_for(out, column, cell.of(text), size, exact),
    }
}

#[inline(always)]
fn certain(out: &mut Out, kind: Kind, text: &[u8], cell: Cell, size: usize) -> Reading<()> {
    let bytes = cell.of(text);
    let as_it_stands = match kind {
        Kind::Text if cell.form == Form::Plain => true,
        Kind::Text => {
            out.push_escaped(bytes, cell.form == Form::Doubled);
            out.room_for(size);
            return Reading::Value(());
        }
        // No value of another kind contains a quote.
        _ if cell.form == Form::Doubled => return Reading::Unreadable,
        Kind::Boolean => match bytes {
            b"true" | b"false" => true,
            _ => return odd_boolean(out, bytes),
        },
        Kind::Integer => {
            if !numbers::is_text_of_integer(bytes) {
                return odd_integer(out, bytes);
            }
            true
        }
        Kind::Number => {
            if !numbers::is_text_of_double(bytes) {
                return odd_number(out, bytes);
            }
            true
        }
        Kind::Date => instants::date(bytes).is_some(),
        Kind::Time => instants::is_time(bytes),
        Kind::Instant => match instants::instant(bytes) {
            Reading::Value(_) => true,
            Reading::Unreadable => false,
            Reading::Exact => return Reading::Exact,
        },
    };
    if !as_it_stands {
        return Reading::Unreadable;
    }
    out.put(text, cell.start(), bytes.len());
    Reading::Value(())
}

fn odd_boolean(out: &mut Out, cell: &[u8]) -> Reading<()> {
    if !cell.eq_ignore_ascii_case(b"true") && !cell.eq_ignore_ascii_case(b"false") {
        return Reading::Unreadable;
    }
    out.put(&cell.to_ascii_lowercase(), 0, cell.len());
    Reading::Value(())
}

fn odd_integer(out: &mut Out, cell: &[u8]) -> Reading<()> {
    match numbers::integer(cell) {
        Reading::Value(value) => {
            let text = value.to_string();
            out.put(text.as_bytes(), 0, text.len());
            Reading::Value(())
        }
        Reading::Unreadable => Reading::Unreadable,
        Reading::Exact => Reading::Exact,
    }
}

fn odd_number(out: &mut Out, cell: &[u8]) -> Reading<()> {
    let double = match numbers::double(cell) {
        Reading::Value(double) => double,
        Reading::Unreadable => return Reading::Unreadable,
        Reading::Exact => return Reading::Exact,
    };
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(double.value).as_bytes();
    if double.inexact || text.contains(&b'e') {
        return Reading::Exact;
    }
    out.put(text, 0, text.len());
    Reading::Value(())
}

#[cold]
fn asked_for<E: ExactPath>(
    out: &mut Out,
    column: usize,
    cell: &[u8],
    size: usize,
    exact: &mut E,
) -> Result<bool, E::Error> {
    let Some(json) = exact.json(column, &String::from_utf8_lossy(cell))? else {
        return Ok(false);
    };
    out.push(&json);
    out.room_for(size);
    Ok(true)
}
