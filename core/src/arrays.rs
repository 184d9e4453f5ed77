//! Rows as Arrow record batches.
//!
//! Every column is nullable. Times of day are text; instants are microseconds in UTC. A value that does not fit the
//! Arrow type is null and counted, like a cell that is not of its type. A number that a double rounds is counted as
//! inexact. Compound fields are text: the same objects as in lines.

use std::sync::Arc;

use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::columns::{Column, ExactPath, Kind, Scalar};
use crate::compounds::Compounds;
use crate::instants;
use crate::numbers::{self, Reading};
use crate::out::Out;
use crate::rows::{Cell, Form, undoubled};

/// The largest batch, in bytes of text: its offsets have 32 bits.
pub const LARGEST_BATCH: usize = 1 << 30;

/// The format of an object's batches. Created once, used for any number of pages.
#[derive(Debug)]
pub struct ArrayFormat {
    kinds: Vec<Kind>,
    schema: SchemaRef,
    compounds: Compounds,
}

impl ArrayFormat {
    /// Batches of `columns`.
    pub fn new(columns: &[Column]) -> Self {
        Self::with_compounds(columns, Compounds::default())
    }

    /// The same, with `compounds` behind the other columns.
    pub fn with_compounds(columns: &[Column], compounds: Compounds) -> Self {
        let shown = columns.iter().enumerate().filter(|&(at, _)| !compounds.hides(at));
        let fields = shown.map(|(_, column)| Field::new(&column.name, data_type(column.kind), true));
        let built = compounds.names().map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.chain(built).collect::<Vec<_>>()));
        Self { kinds: columns.iter().map(|column| column.kind).collect(), schema, compounds }
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.kinds.len()
    }

    /// A writer of a batch of pages whose cells stand in `order`.
    pub fn writer<'a>(&'a self, order: &'a [usize]) -> BatchWriter<'a> {
        BatchWriter {
            format: self,
            order,
            columns: self.kinds.iter().map(|&kind| Values::of(kind)).collect(),
            compounds: self.compounds.each().map(|_| Values::of(Kind::Text)).collect(),
            nulled: Vec::new(),
            rows: 0,
            unreadable: vec![0; self.kinds.len()],
            inexact: vec![0; self.kinds.len()],
        }
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Time => DataType::Utf8,
        Kind::Boolean => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Number => DataType::Float64,
        Kind::Date => DataType::Date32,
        Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// A finished batch. The counts by column are those of unreadable cells and of rounded numbers.
#[derive(Debug)]
pub struct Batch {
    pub batch: RecordBatch,
    pub unreadable: Vec<u64>,
    pub inexact: Vec<u64>,
}

/// Collects rows column by column.
pub struct BatchWriter<'a> {
    format: &'a ArrayFormat,
    order: &'a [usize],
    columns: Vec<Values>,
    compounds: Vec<Values>,
    /// The hidden columns of this row that could not be read.
    nulled: Vec<usize>,
    rows: usize,
    unreadable: Vec<u64>,
    inexact: Vec<u64>,
}

/// The values of a column so far.
enum Values {
    Text { bytes: Out, ends: Vec<i32>, filled: Bits },
    Boolean { values: Bits, filled: Bits },
    Integer(Numbers<i64>),
    Double(Numbers<f64>),
    Day(Numbers<i32>),
    Instant(Numbers<i64>),
}

struct Numbers<T> {
    values: Vec<T>,
    filled: Bits,
}

/// A growing bitmap, and the number of its set bits.
#[derive(Default)]
struct Bits {
    words: Vec<u64>,
    word: u64,
    size: usize,
    set: usize,
}

impl Bits {
    #[inline(always)]
    fn push(&mut self, bit: bool) {
        self.word |= u64::from(bit) << (self.size % 64);
        self.set += usize::from(bit);
        self.size += 1;
        if self.size.is_multiple_of(64) {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn buffer(mut self) -> BooleanBuffer {
        self.words.push(self.word);
        // Arrow counts bits from the lowest of the first byte on.
        let words = self.words.into_iter().map(u64::to_le).collect::<Vec<_>>();
        BooleanBuffer::new(Buffer::from_vec(words), 0, self.size)
    }

    /// The bitmap as Arrow's validity buffer; None if every bit is set.
    fn nulls(self) -> Option<NullBuffer> {
        (self.set < self.size).then(|| NullBuffer::new(self.buffer()))
    }
}

/// The result of reading a cell.
enum Taken {
    Value,
    Inexact,
    Unreadable,
    Exact,
}

impl BatchWriter<'_> {
    /// Takes one row.
    pub fn row<E: ExactPath>(&mut self, text: &[u8], cells: &[Cell], exact: &mut E) -> Result<(), E::Error> {
        let columns = self.columns.iter_mut().zip(&self.format.kinds).zip(self.order);
        for (column, ((values, &kind), &place)) in columns.enumerate() {
            let cell = cells[place];
            if self.format.compounds.hides(column) {
                continue;
            }
            if cell.is_empty() {
                values.push_null();
                continue;
            }
            let taken = match values.push(kind, text, cell) {
                Taken::Exact => {
                    let (scalar, inexact) = exact.scalar(column, &String::from_utf8_lossy(cell.of(text)))?;
                    values.push_scalar(scalar, inexact)
                }
                taken => taken,
            };
            match taken {
                Taken::Value => {}
                Taken::Inexact => self.inexact[column] += 1,
                Taken::Unreadable | Taken::Exact => {
                    values.push_null();
                    self.unreadable[column] += 1;
                }
            }
        }
        if !self.compounds.is_empty() {
            self.row_of_compounds(text, cells, exact)?;
        }
        self.rows += 1;
        Ok(())
    }

    fn row_of_compounds<E: ExactPath>(&mut self, text: &[u8], cells: &[Cell], exact: &mut E) -> Result<(), E::Error> {
        let compounds = &self.format.compounds;
        for (compound, values) in compounds.each().zip(&mut self.compounds) {
            if let Values::Text { bytes, ends, filled } = values {
                let began = bytes.size();
                let written = compounds.write(compound, bytes, (text, cells), self.order, &mut self.nulled, exact)?;
                if !written {
                    bytes.rewind(began);
                }
                ends.push(bytes.size() as i32);
                filled.push(written);
            }
        }
        for column in self.nulled.drain(..) {
            self.unreadable[column] += 1;
        }
        Ok(())
    }

    /// Reserves a multiple of the current size.
    pub fn reserve(&mut self, times: usize) {
        for column in self.columns.iter_mut().chain(&mut self.compounds) {
            column.reserve(times);
        }
    }

    /// The batch.
    pub fn finish(self) -> Result<Batch, ArrowError> {
        let compounds = &self.format.compounds;
        let shown = self.columns.into_iter().enumerate().filter(|&(at, _)| !compounds.hides(at));
        let all = shown.map(|(_, values)| values).chain(self.compounds);
        let arrays: Result<Vec<ArrayRef>, ArrowError> = all.map(Values::finish).collect();
        let batch = RecordBatch::try_new(self.format.schema.clone(), arrays?)?;
        Ok(Batch { batch, unreadable: self.unreadable, inexact: self.inexact })
    }
}

impl Values {
    fn of(kind: Kind) -> Self {
        let filled = Bits::default();
        match kind {
            Kind::Text | Kind::Time => Self::Text { bytes: Out::default(), ends: vec![0], filled },
            Kind::Boolean => Self::Boolean { values: Bits::default(), filled },
            Kind::Integer => Self::Integer(Numbers { values: Vec::new(), filled }),
            Kind::Number => Self::Double(Numbers { values: Vec::new(), filled }),
            Kind::Date => Self::Day(Numbers { values: Vec::new(), filled }),
            Kind::Instant => Self::Instant(Numbers { values: Vec::new(), filled }),
        }
    }

    fn reserve(&mut self, times: usize) {
        match self {
            Self::Text { bytes, ends, filled: _ } => {
                bytes.room_for(times * bytes.size());
                ends.reserve(times * ends.len());
            }
            Self::Boolean { .. } => {}
            Self::Integer(numbers) | Self::Instant(numbers) => numbers.values.reserve(times * numbers.values.len()),
            Self::Double(numbers) => numbers.values.reserve(times * numbers.values.len()),
            Self::Day(numbers) => numbers.values.reserve(times * numbers.values.len()),
        }
    }

    #[inline(always)]
    fn push_null(&mut self) {
        match self {
            Self::Text { bytes, ends, filled } => {
                ends.push(bytes.size() as i32);
                filled.push(false);
            }
            Self::Boolean { values, filled } => {
                values.push(false);
                filled.push(false);
            }
            Self::Integer(numbers) | Self::Instant(numbers) => numbers.push_null(),
            Self::Double(numbers) => numbers.push_null(),
            Self::Day(numbers) => numbers.push_null(),
        }
    }

    /// Takes a non-empty cell; adds nothing if it has no value of this type.
    #[inline(always)]
    fn push(&mut self, kind: Kind, text: &[u8], cell: Cell) -> Taken {
        let bytes = cell.of(text);
        // No value of another kind contains a quote.
        if cell.form == Form::Doubled && kind != Kind::Text {
            return Taken::Unreadable;
        }
        match self {
            Self::Text { bytes: out, ends, filled } => {
                if kind == Kind::Time && !instants::is_time(bytes) {
                    return Taken::Unreadable;
                }
                out.room_for(bytes.len());
                match cell.form {
                    Form::Doubled => out.push(&undoubled(bytes)),
                    Form::Plain | Form::Escape => out.put(text, cell.start(), bytes.len()),
                }
                ends.push(out.size() as i32);
                filled.push(true);
                Taken::Value
            }
            Self::Boolean { values, filled } => {
                let value = bytes.eq_ignore_ascii_case(b"true");
                if !value && !bytes.eq_ignore_ascii_case(b"false") {
                    return Taken::Unreadable;
                }
                values.push(value);
                filled.push(true);
                Taken::Value
            }
            Self::Integer(numbers) => numbers.take(numbers::integer(bytes)),
            Self::Instant(numbers) => numbers.take(instants::instant(bytes)),
            Self::Day(numbers) => match instants::date(bytes) {
                Some(day) => numbers.push(day),
                None => Taken::Unreadable,
            },
            Self::Double(numbers) => match numbers::double(bytes) {
                Reading::Value(double) => {
                    numbers.push(double.value);
                    if double.inexact { Taken::Inexact } else { Taken::Value }
                }
                Reading::Unreadable => Taken::Unreadable,
                Reading::Exact => Taken::Exact,
            },
        }
    }

    #[cold]
    fn push_scalar(&mut self, scalar: Scalar, inexact: bool) -> Taken {
        let taken = match (self, scalar) {
            (Self::Integer(numbers) | Self::Instant(numbers), Scalar::Integer(value)) => numbers.push(value),
            (Self::Double(numbers), Scalar::Integer(value)) => numbers.push(value as f64),
            (Self::Double(numbers), Scalar::Double(value)) => numbers.push(value),
            _ => Taken::Unreadable,
        };
        if inexact && matches!(taken, Taken::Value) { Taken::Inexact } else { taken }
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text { bytes, ends, filled } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes.into_bytes()), filled.nulls())?)
            }
            Self::Boolean { values, filled } => Arc::new(BooleanArray::new(values.buffer(), filled.nulls())),
            Self::Integer(numbers) => Arc::new(numbers.finish::<Int64Type>()?),
            Self::Double(numbers) => Arc::new(numbers.finish::<Float64Type>()?),
            Self::Day(numbers) => Arc::new(numbers.finish::<Date32Type>()?),
            Self::Instant(numbers) => Arc::new(numbers.finish::<TimestampMicrosecondType>()?.with_timezone("UTC")),
        })
    }
}

impl<T: Default + arrow_buffer::ArrowNativeType> Numbers<T> {
    #[inline(always)]
    fn push(&mut self, value: T) -> Taken {
        self.values.push(value);
        self.filled.push(true);
        Taken::Value
    }

    #[inline(always)]
    fn push_null(&mut self) {
        self.values.push(T::default());
        self.filled.push(false);
    }

    #[inline(always)]
    fn take(&mut self, reading: Reading<T>) -> Taken {
        match reading {
            Reading::Value(value) => self.push(value),
            Reading::Unreadable => Taken::Unreadable,
            Reading::Exact => Taken::Exact,
        }
    }

    fn finish<A: ArrowPrimitiveType<Native = T>>(self) -> Result<PrimitiveArray<A>, ArrowError> {
        PrimitiveArray::try_new(ScalarBuffer::from(self.values), self.filled.nulls())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{BadRow, Rows};
    use arrow_array::cast::AsArray;

    struct Asked;

    impl ExactPath for Asked {
        type Error = BadRow;

        fn json(&mut self, _column: usize, _cell: &str) -> Result<Option<Vec<u8>>, BadRow> {
            Ok(None)
        }

        fn scalar(&mut self, column: usize, _cell: &str) -> Result<(Scalar, bool), BadRow> {
            Ok(match column {
                0 => (Scalar::Integer(7), false),
                1 => (Scalar::Double(0.5), true),
                _ => (Scalar::Unreadable, false),
            })
        }
    }

    fn batch(kinds: &[Kind], text: &str, order: &[usize]) -> Batch {
        let columns: Vec<Column> =
            kinds.iter().enumerate().map(|(at, &kind)| Column { name: format!("F{at}"), kind }).collect();
        let format = ArrayFormat::new(&columns);
        let mut writer = format.writer(order);
        let visit = |text: &[u8], cells: &[Cell]| writer.row(text, cells, &mut Asked);
        Rows::new(order.len(), false, usize::MAX).scan(text.as_bytes(), true, visit).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn every_kind_has_its_type_and_an_empty_cell_is_null() {
        let kinds = [Kind::Text, Kind::Boolean, Kind::Integer, Kind::Number, Kind::Date, Kind::Instant, Kind::Time];
        let text = "\"a\"\"b\n\",TRUE,47.0,1.39E8,1970-01-02,1970-01-01T00:00:00.001Z,12:00:00Z\n,\"\",,,,,\n";
        let found = batch(&kinds, text, &[0, 1, 2, 3, 4, 5, 6]).batch;
        assert_eq!(found.num_rows(), 2);
        assert!(found.columns().iter().all(|array| array.is_valid(0) && array.is_null(1)));
        assert_eq!(found.column(0).as_string::<i32>().value(0), "a\"b\n");
        assert!(found.column(1).as_boolean().value(0));
        assert_eq!(found.column(2).as_primitive::<Int64Type>().value(0), 47);
        assert_eq!(found.column(3).as_primitive::<Float64Type>().value(0), 139_000_000.0);
        assert_eq!(found.column(4).as_primitive::<Date32Type>().value(0), 1);
        assert_eq!(found.column(5).as_primitive::<TimestampMicrosecondType>().value(0), 1000);
        assert_eq!(found.column(6).as_string::<i32>().value(0), "12:00:00Z");
    }

    #[test]
    fn what_cannot_be_its_type_is_null_and_counted() {
        let kinds = [Kind::Boolean, Kind::Date, Kind::Time, Kind::Integer, Kind::Instant];
        let found = batch(&kinds, "x,2023-02-29,25:00:00,1.5,\"1\"\"\"\n", &[0, 1, 2, 3, 4]);
        assert_eq!(found.unreadable, [1, 1, 1, 1, 1]);
        assert!(found.batch.columns().iter().all(|array| array.is_null(0)));
    }

    #[test]
    fn numbers_that_are_rounded_are_kept_and_counted() {
        let found = batch(&[Kind::Number], "9007199254740993\n0.1\n", &[0]);
        assert_eq!((found.inexact, found.unreadable), (vec![1], vec![0]));
        assert_eq!(found.batch.column(0).as_primitive::<Float64Type>().value(0), 9_007_199_254_740_992.0);
    }

    #[test]
    fn what_is_not_certain_is_asked_for() {
        let found =
            batch(&[Kind::Integer, Kind::Number, Kind::Instant], "1e18,1e999,2023-01-01T24:00:00Z\n", &[0, 1, 2]);
        assert_eq!(found.batch.column(0).as_primitive::<Int64Type>().value(0), 7);
        assert_eq!(found.batch.column(1).as_primitive::<Float64Type>().value(0), 0.5);
        assert_eq!((found.inexact, found.unreadable), (vec![0, 1, 0], vec![0, 0, 1]));
    }

    #[test]
    fn columns_come_in_the_order_asked_for() {
        let found = batch(&[Kind::Text, Kind::Integer], "7,a\n", &[1, 0]).batch;
        assert_eq!(found.column(0).as_string::<i32>().value(0), "a");
        assert_eq!(found.schema().field(1).name(), "F1");
    }
}
