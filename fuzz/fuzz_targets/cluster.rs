//! What an API server sends, as an object of any kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(raw) = serde_json::from_slice(bytes) {
        steelyard_manifest::exercise_cluster(&raw);
    }
});
