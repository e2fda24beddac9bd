//! Any bytes as a story of frames that come in on an interface.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    steelyard_layer2::fuzz::play(std::time::Instant::now(), bytes);
});
