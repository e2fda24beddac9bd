//! Any bytes as a small world: joined, planned, planned again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_plan::exercise(bytes));
