//! Any bytes as a story of what a node is told on its segment, and as what is behind a seal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    steelyard_membership::fuzz::content(bytes);
    steelyard_membership::fuzz::play(std::time::Instant::now(), bytes);
});
