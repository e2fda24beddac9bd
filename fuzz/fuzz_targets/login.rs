//! Any bytes as cookies, a state, parameters and answers of an issuer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_login::exercise(bytes));
