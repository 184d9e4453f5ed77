//! Lines as a Python object whose memory can be read without a copy.
//!
//! The only module with `unsafe`, because Python's buffer protocol uses a raw pointer.

use std::collections::BTreeMap;
use std::ffi::c_int;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Finished lines: an immutable buffer of bytes, as `memoryview`, `bytes`, `os.write` and files take it.
#[pyclass(frozen, module = "salesforce_bulk_core")]
pub struct Lines {
    text: Vec<u8>,
    /// The number of lines.
    #[pyo3(get)]
    rows: usize,
    /// By column, the number of cells that are null because they are not of its type, if there are any.
    #[pyo3(get)]
    unreadable: BTreeMap<String, u64>,
}

impl Lines {
    pub fn new(text: Vec<u8>, rows: usize, unreadable: BTreeMap<String, u64>) -> Self {
        Self { text, rows, unreadable }
    }
}

#[pymethods]
impl Lines {
    fn __len__(&self) -> usize {
        self.text.len()
    }

    unsafe fn __getbuffer__(slf: &Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let text = &slf.get().text;
        let size = ffi::Py_ssize_t::try_from(text.len()).map_err(|_too_long| PyBufferError::new_err("too long"))?;
        // SAFETY: `view` is Python's, valid to be filled for the length of this call. The memory it is filled with
        // outlives it: a view holds a reference to `slf`, which owns `text`. Nothing writes to it: the class is frozen
        // and has no method that changes `text`, and PyBuffer_FillInfo refuses a writable view of a read-only buffer.
        let result =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), text.as_ptr().cast_mut().cast(), size, 1, flags) };
        if result == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}
