//! Any bytes as a request, as a response and as a body: what is accepted means one thing.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_http::exercise(bytes));
