//! The page core: verifies a result page of a Bulk API 2.0 query job while its bytes arrive, and encodes it as lines of
//! JSON or as Arrow arrays.
//!
//! ```text
//! bytes ── gzip ──> text ── page ──> proven pieces of whole rows ──> lines: RECORD messages, JSON lines
//!                            │                                  └──> arrays: Arrow
//!                 rows ── masks, machine
//! ```
//!
//! The exact path in Python (`csv_page`, `cells`) defines the content of a page. This crate produces the same result
//! faster, and calls the exact path for what it leaves to it ([`columns::ExactPath`]).

#![deny(unsafe_code)]

pub mod arrays;
pub mod columns;
pub mod compounds;
pub mod decoder;
pub mod gzip;
pub mod header;
pub mod instants;
pub mod lines;
pub mod machine;
mod masks;
pub mod numbers;
mod out;
pub mod page;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
#[allow(unsafe_code)]
mod python_buffer;
pub mod rejection;
pub mod rows;
mod values;
