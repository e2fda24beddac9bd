//! Any bytes as a token, a set of keys and a key.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_tokens::exercise(bytes));
