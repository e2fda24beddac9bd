//! Passwords as others have hashed them (`htpasswd`, crypt(3), PHC strings), the lines that say
//! whose they are, and what clients prove by them: basic (RFC 7617) and digest authentication
//! (RFC 7616, with MD5).
//!
//! Invariants: what a hash costs is known before it is computed, and bounded; comparisons take the
//! same time wherever two differ; nothing of a password or a hash is shown by `Debug`; input of any
//! content ends in a value.

mod basic;
mod costs;
mod crypt64;
mod digest;
mod exercise;
mod fault;
mod hash;
mod md5_crypt;
mod sha_crypt;
mod user;

#[cfg(test)]
mod tests;

pub use basic::{BasicCredentials, MOST_PASSWORD};
pub use digest::{DigestCredentials, DigestUser, DigestUsers};
pub use exercise::exercise;
pub use fault::{HashFault, UserFault};
pub use hash::PasswordHash;
pub use user::Users;

/// Compares in the same time wherever they differ.
fn are_equal(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// MD5, in lower-case hexadecimal: 32 bytes.
fn md5_hex(parts: &[&[u8]]) -> String {
    use md5::Digest as _;
    let mut sum = md5::Md5::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            sum.update(b":");
        }
        sum.update(part);
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
