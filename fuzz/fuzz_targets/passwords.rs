//! Any bytes as lines of users and as what clients say they are.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_passwords::exercise(bytes));
