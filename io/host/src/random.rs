//! The kernel's randomness.

use std::io::{self, Read};

/// Fresh random bytes, fit for keys.
///
/// # Errors
/// Those of reading `/dev/urandom`.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
