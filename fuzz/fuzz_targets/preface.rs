//! Any bytes as what a connection says first.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_preface::exercise(bytes));
