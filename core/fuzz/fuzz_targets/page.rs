//! Whatever bytes come, the page core keeps its word; `property.rs` says which.
//!
//! `cargo +nightly fuzz run page corpus/page ../../unit_tests/fuzz/corpus/blocks`, in this folder.

#![no_main]

mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::holds(data));
