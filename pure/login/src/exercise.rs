//! Any input, for tests and fuzzing.

use crate::{Grant, Jar, Keys, Parameters, ProviderDocument, Session, Trip, return_path};

/// Reads `bytes` as all that comes from browsers and issuers: nothing of it is taken for what was
/// sealed here, and no path leads away.
///
/// # Panics
/// When something is believed that nobody has made.
pub fn exercise(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let keys = Keys::derive(b"nobody has sealed with this", "exercise");
    let Ok(keys) = keys else { return };
    assert!(Trip::read(&keys, &text).is_none(), "believed: {text}");
    let mut jar = Jar::default();
    jar.add(bytes);
    let kept = jar.whole("a").and_then(|it| Session::open(&keys, &it));
    assert!(kept.is_none() && Session::open(&keys, &text).is_none(), "believed: {text}");
    _ = (jar.others(&["a"]), jar.pieces("a"), Parameters::read(&text).get("code"));
    _ = (Grant::read(200, bytes), Grant::read(400, bytes), ProviderDocument::read(bytes, "a"));
    if let Some(path) = return_path(&text) {
        let is_here = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
        assert!(is_here && path.bytes().all(|byte| byte.is_ascii_graphic()), "away: {path}");
    }
}
