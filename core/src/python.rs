//! The Python module. Other Python threads can run during every call that works on a page.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use arrow_array::{Array, RecordBatch, StructArray};
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ArrowError;
use arrow_schema::ffi::FFI_ArrowSchema;
use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};

use crate::columns::{Column, ExactPath, Kind, Scalar};
use crate::compounds::{Compounds, Named};
use crate::decoder::{Decoder, Failure};
use crate::page::{LONGEST_ROW, Proof, Wanted};
use crate::rejection::Rejection;
use crate::{arrays, lines, python_buffer};

create_exception!(
    salesforce_bulk_core,
    PageRejected,
    PyValueError,
    "The page cannot be what Salesforce meant to send. The message says why and quotes no value of a row."
);
create_exception!(
    salesforce_bulk_core,
    PageTooLarge,
    PageRejected,
    "The page has more bytes than the caller allows; to ask for it again would be no help."
);
create_exception!(
    salesforce_bulk_core,
    CoreDefect,
    PyRuntimeError,
    "This module has a defect. The message says where, and quotes no value of a row."
);

/// The facts about a complete page. Immutable.
#[pyclass(frozen, module = "salesforce_bulk_core", name = "Proof")]
struct PyProof(Proof);

#[pymethods]
impl PyProof {
    /// The number of its rows.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// Bytes of its text, the header line included.
    #[getter]
    fn size(&self) -> u64 {
        self.0.size
    }

    /// Whether its text ends with a line feed, or is empty.
    #[getter]
    fn ended(&self) -> bool {
        self.0.ended
    }

    /// The first row's cell of the key column; None if there is no row or no such column.
    #[getter]
    fn first_key(&self) -> Option<&str> {
        self.0.first_key.as_deref()
    }

    /// A digest of its text.
    #[getter]
    fn digest(&self) -> String {
        format!("{:032x}", self.0.digest)
    }
}

/// The format of a stream's lines: created once, used by any number of threads.
#[pyclass(frozen, module = "salesforce_bulk_core")]
struct LineFormat {
    format: lines::LineFormat,
    names: Vec<String>,
}

#[pymethods]
impl LineFormat {
    /// `columns` are names and kinds in the order of the lines; `stream` makes them RECORD messages. `compounds` are
    /// built from columns, and the columns in `hidden` are only parts of them.
    #[new]
    #[pyo3(signature = (columns, stream=None, *, compounds=Vec::new(), hidden=Vec::new()))]
    fn new(
        columns: Vec<(String, String)>,
        stream: Option<&str>,
        compounds: Vec<Named>,
        hidden: Vec<usize>,
    ) -> PyResult<Self> {
        let columns = columns_of(columns)?;
        let compounds = compounds_of(&columns, compounds, &hidden)?;
        let format = lines::LineFormat::with_compounds(&columns, stream, compounds);
        Ok(Self { format, names: columns.into_iter().map(|column| column.name).collect() })
    }
}

/// The format of an object's batches: created once, used by any number of threads.
#[pyclass(frozen, module = "salesforce_bulk_core")]
struct ArrayFormat {
    format: arrays::ArrayFormat,
    names: Vec<String>,
}

#[pymethods]
impl ArrayFormat {
    /// `columns` are names and kinds in the order of the arrays; the others as for lines.
    #[new]
    #[pyo3(signature = (columns, *, compounds=Vec::new(), hidden=Vec::new()))]
    fn new(columns: Vec<(String, String)>, compounds: Vec<Named>, hidden: Vec<usize>) -> PyResult<Self> {
        let columns = columns_of(columns)?;
        let compounds = compounds_of(&columns, compounds, &hidden)?;
        let format = arrays::ArrayFormat::with_compounds(&columns, compounds);
        Ok(Self { format, names: columns.into_iter().map(|column| column.name).collect() })
    }
}

/// Rows as an Arrow record batch, by the Arrow PyCapsule interface.
#[pyclass(frozen, module = "salesforce_bulk_core")]
struct Batch {
    batch: RecordBatch,
    #[pyo3(get)]
    unreadable: BTreeMap<String, u64>,
    #[pyo3(get)]
    inexact: BTreeMap<String, u64>,
}

#[pymethods]
impl Batch {
    /// The number of rows.
    #[getter]
    fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The size of its arrays in bytes.
    #[getter]
    fn size(&self) -> usize {
        self.batch.get_array_memory_size()
    }

    /// See the Arrow PyCapsule interface. The requested schema is ignored.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _whatever = requested_schema;
        let data = StructArray::from(self.batch.clone()).into_data();
        let schema = FFI_ArrowSchema::try_from(self.batch.schema_ref().as_ref()).map_err(arrow_defect)?;
        let schema = PyCapsule::new_with_value(py, schema, c"arrow_schema")?;
        let array = PyCapsule::new_with_value(py, FFI_ArrowArray::new(&data), c"arrow_array")?;
        Ok((schema, array))
    }
}

fn arrow_defect(error: ArrowError) -> PyErr {
    CoreDefect::new_err(format!("the page core has a defect: {error}"))
}

/// Decodes one page, by one thread at a time. See the type stub for the contract of each method.
#[pyclass(module = "salesforce_bulk_core")]
struct PageDecoder(Decoder);

#[pymethods]
impl PageDecoder {
    #[new]
    #[pyo3(signature = (columns, *, gzipped, key=None, most=1 << 34, longest_row=LONGEST_ROW, early=false))]
    fn new(
        columns: Vec<String>,
        gzipped: bool,
        key: Option<usize>,
        most: u64,
        longest_row: usize,
        early: bool,
    ) -> PyResult<Self> {
        if columns.is_empty() || key.is_some_and(|key| key >= columns.len()) {
            return Err(PyValueError::new_err("a page has at least one column, and its key is one of them"));
        }
        let wanted = Wanted { columns, key, most, longest_row };
        Ok(Self(Decoder::new(wanted, gzipped, early)))
    }

    /// The bytes of rows that have arrived and were not taken yet.
    #[getter]
    fn kept_size(&self) -> usize {
        self.0.text().kept_size()
    }

    fn feed(&mut self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let decoder = &mut self.0;
        detached(py, || decoder.feed(data))
    }

    #[pyo3(signature = (expected=None))]
    fn finish(&mut self, py: Python<'_>, expected: Option<u64>) -> PyResult<PyProof> {
        let decoder = &mut self.0;
        detached(py, || decoder.finish(expected)).map(PyProof)
    }

    #[pyo3(signature = (form, exact, *, emitted_at=0, size=1 << 20))]
    fn lines(
        &mut self,
        py: Python<'_>,
        form: &LineFormat,
        exact: Py<PyAny>,
        emitted_at: i64,
        size: usize,
    ) -> PyResult<Option<python_buffer::Lines>> {
        let decoder = &mut self.0;
        let mut exact = Callback(exact);
        let taken = detached(py, || decoder.lines(&form.format, emitted_at, size, &mut exact))?;
        Ok(taken.map(|taken| {
            let unreadable = counts(&form.names, &taken.unreadable);
            python_buffer::Lines::new(taken.text, taken.rows, unreadable)
        }))
    }

    #[pyo3(signature = (form, exact, *, size=16 << 20))]
    fn batch(&mut self, py: Python<'_>, form: &ArrayFormat, exact: Py<PyAny>, size: usize) -> PyResult<Option<Batch>> {
        let decoder = &mut self.0;
        let mut exact = Callback(exact);
        let taken = detached(py, || decoder.batch(&form.format, size, &mut exact))?;
        Ok(taken.map(|taken| Batch {
            unreadable: counts(&form.names, &taken.unreadable),
            inexact: counts(&form.names, &taken.inexact),
            batch: taken.batch,
        }))
    }
}

/// The counts that are not zero, by column.
fn counts(names: &[String], counts: &[u64]) -> BTreeMap<String, u64> {
    let counted = names.iter().zip(counts.iter().copied()).filter(|(_, count)| *count > 0);
    counted.map(|(name, count)| (name.clone(), count)).collect()
}

fn columns_of(columns: Vec<(String, String)>) -> PyResult<Vec<Column>> {
    let read = |(name, kind): (String, String)| match Kind::named(&kind) {
        Some(kind) => Ok(Column { name, kind }),
        None => Err(PyValueError::new_err(format!("{kind} is not a kind of cell"))),
    };
    columns.into_iter().map(read).collect()
}

fn compounds_of(columns: &[Column], compounds: Vec<Named>, hidden: &[usize]) -> PyResult<Compounds> {
    Compounds::new(columns, compounds, hidden)
        .ok_or_else(|| PyValueError::new_err("a compound is built from columns of the page"))
}

/// A Python object with the methods `json` and `scalar`.
struct Callback(Py<PyAny>);

impl ExactPath for Callback {
    type Error = PyErr;

    fn json(&mut self, column: usize, cell: &str) -> PyResult<Option<Vec<u8>>> {
        Python::attach(|py| {
            let json: Option<Bound<'_, PyBytes>> = self.0.call_method1(py, "json", (column, cell))?.extract(py)?;
            Ok(json.map(|json| json.as_bytes().to_vec()))
        })
    }

    fn scalar(&mut self, column: usize, cell: &str) -> PyResult<(Scalar, bool)> {
        Python::attach(|py| {
            let answer = self.0.call_method1(py, "scalar", (column, cell))?;
            let (value, inexact): (Option<Bound<'_, PyAny>>, bool) = answer.extract(py)?;
            let scalar = match value {
                None => Scalar::Unreadable,
                Some(value) => match value.extract::<i64>() {
                    Ok(integer) => Scalar::Integer(integer),
                    Err(_not_an_integer) => Scalar::Double(value.extract()?),
                },
            };
            Ok((scalar, inexact))
        })
    }
}

/// Runs `work` while other Python threads may run. A panic becomes a [`CoreDefect`].
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure<PyErr>> + Send) -> PyResult<T> {
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    done.unwrap_or_else(|_panic| defect()).map_err(|failure| match failure {
        Failure::Rejected(rejection @ Rejection::TooLarge { .. }) => PageTooLarge::new_err(rejection.to_string()),
        Failure::Rejected(rejection) => PageRejected::new_err(rejection.to_string()),
        Failure::Misused(refusal) => PyRuntimeError::new_err(refusal),
        Failure::Exact(error) => error,
        Failure::Arrow(error) => arrow_defect(error),
    })
}

thread_local! {
    /// The place of this thread's last panic.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

fn defect<T>() -> Result<T, Failure<PyErr>> {
    Err(Failure::Exact(CoreDefect::new_err(format!("the page core has a defect: {}", PANICKED_AT.take()))))
}

/// Records the place of a panic. The usual report goes to stderr and may quote a row.
fn note_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or(String::new(), |location| {
        let file = location.file().rsplit(['/', '\\']).next().unwrap_or_default();
        format!("{file}, line {}", location.line())
    });
    PANICKED_AT.set(place);
}

/// Verifies and encodes result pages of Bulk API 2.0 query jobs.
#[pymodule]
mod salesforce_bulk_core {
    #[pymodule_export]
    use super::{ArrayFormat, Batch, CoreDefect, LineFormat, PageDecoder, PageRejected, PageTooLarge, PyProof};
    #[pymodule_export]
    use crate::python_buffer::Lines;

    /// Increases with every incompatible change.
    #[pymodule_export]
    const API: u32 = 3;

    #[pymodule_init]
    fn silence_panics() {
        std::panic::set_hook(Box::new(super::note_panic));
    }
}
