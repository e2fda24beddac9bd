//! Any bytes as requests, beside what hyper (and httparse below it) makes of them.
//! `cargo +nightly fuzz run http_peers corpus/http_peers corpus/http_head`
#![no_main]

#[path = "../../io/gateway/tests/peers/hyper.rs"]
mod hyper_peer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hyper_peer::agree(bytes));
