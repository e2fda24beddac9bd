//! Any bytes as a certificate and its key.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_tls::exercise(bytes));
