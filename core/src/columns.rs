//! The columns of a page, and the exact path, which reads the cells that this crate leaves to it.

/// The kind of a column's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Boolean,
    Integer,
    Number,
    Date,
    Instant,
    Time,
}

impl Kind {
    /// The kind that the connector calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "string" => Some(Self::Text),
            "boolean" => Some(Self::Boolean),
            "integer" => Some(Self::Integer),
            "number" => Some(Self::Number),
            "date" => Some(Self::Date),
            "datetime" => Some(Self::Instant),
            "time" => Some(Self::Time),
            _ => None,
        }
    }

    /// Whether its values are quoted in JSON.
    pub fn is_quoted(self) -> bool {
        !matches!(self, Self::Boolean | Self::Integer | Self::Number)
    }
}

/// A selected field.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// A value of an Arrow column, as the exact path reads one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// The cell is not of its type, or does not fit the column's.
    Unreadable,
    Integer(i64),
    Double(f64),
}

/// Reads the cells that this crate leaves to it.
pub trait ExactPath {
    type Error;

    /// The value as JSON without quotes around it; None if the cell is not of its type.
    fn json(&mut self, column: usize, cell: &str) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The value for Arrow, and whether it differs from the cell's number or instant.
    fn scalar(&mut self, column: usize, cell: &str) -> Result<(Scalar, bool), Self::Error>;
}
