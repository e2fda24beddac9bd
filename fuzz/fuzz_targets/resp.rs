//! Any bytes as what a server that counts replies.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_resp::exercise(bytes));
