//! The reasons for rejecting a page. The sentences are those of the exact path.

use std::fmt;

use crate::machine::NotCsv;
use crate::rows::BadRow;

/// The page is rejected. No variant contains a row's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The gzip stream is cut, or its checks fail.
    Gzip,
    NotUtf8,
    NotCsv(NotCsv),
    /// The header line does not name the selected fields.
    Header {
        columns: usize,
    },
    /// The header line is repeated among the rows.
    HeaderAgain,
    Width {
        found: usize,
        width: usize,
    },
    /// The page has another number of rows than its response header says.
    Count {
        found: u64,
        expected: u64,
    },
    /// A row has more than `most` bytes.
    RowTooLong {
        most: usize,
    },
    /// The text is larger than the caller allows.
    TooLarge {
        most: u64,
    },
}

impl From<BadRow> for Rejection {
    fn from(bad: BadRow) -> Self {
        match bad {
            BadRow::NotCsv(error) => Self::NotCsv(error),
            BadRow::Width { found, width } => Self::Width { found, width },
            BadRow::TooLong { most } => Self::RowTooLong { most },
        }
    }
}

impl From<NotCsv> for Rejection {
    fn from(error: NotCsv) -> Self {
        Self::NotCsv(error)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Gzip => write!(out, "its gzip encoding is damaged or cut"),
            Self::NotUtf8 => write!(out, "the page is not UTF-8"),
            Self::NotCsv(error) => write!(out, "the page is not CSV: {}", error.message()),
            Self::Header { columns } => write!(out, "the header line does not name the {columns} selected fields"),
            Self::HeaderAgain => write!(out, "the header line stands again among the rows"),
            Self::Width { found, width } => write!(out, "a row has {found} cells where the header has {width}"),
            Self::Count { found, expected } => write!(out, "it holds {found} rows where its header says {expected}"),
            Self::RowTooLong { most } => write!(out, "a row is longer than {most} bytes"),
            Self::TooLarge { most } => write!(out, "it is longer than {most} bytes"),
        }
    }
}
