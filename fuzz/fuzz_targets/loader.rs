//! Any bytes as a manifest: loaded, read, rendered, and parsed as a lock file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steelyard_manifest::exercise(bytes));
