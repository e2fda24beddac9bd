//! What a hash may cost at most: about a second of one core and 128 MiB, so that who asks for
//! passwords to be verified can exhaust neither.

use crate::fault::HashFault;

/// Bytes of a hash as it is written.
pub(crate) const LONGEST: usize = 512;
/// Cost of bcrypt: two to its power rounds.
const BCRYPT: u32 = 14;
/// Rounds of SHA-crypt.
const SHA_CRYPT: u32 = 1_000_000;
/// Memory of argon2 and yescrypt, in KiB.
const MEMORY: u64 = 128 << 10;
/// The same times how often argon2 passes over it, in KiB.
const PASSES: u64 = 512 << 10;
/// Lanes of argon2.
const LANES: u32 = 64;

/// Two to the power of `cost` rounds.
pub(crate) fn bcrypt(cost: u32) -> Result<u32, HashFault> {
    match cost {
        4..=BCRYPT => Ok(cost),
        0..4 => Err(HashFault::Malformed),
        _ => Err(HashFault::Cost("bcrypt", "a cost of 14 at most")),
    }
}

pub(crate) fn sha_crypt(rounds: u32) -> Result<u32, HashFault> {
    match rounds {
        1_000..=SHA_CRYPT => Ok(rounds),
        0..1_000 => Err(HashFault::Malformed),
        _ => Err(HashFault::Cost("SHA-crypt", "1,000,000 rounds at most")),
    }
}

/// `memory` in KiB.
pub(crate) fn argon2(memory: u32, passes: u32, lanes: u32) -> Result<(), HashFault> {
    let memory = u64::from(memory);
    let all = memory.saturating_mul(passes.into());
    match memory <= MEMORY && all <= PASSES && lanes <= LANES {
        true => Ok(()),
        false => Err(HashFault::Cost("argon2", "m=131072 at most, and m times t 524288 at most")),
    }
}

/// `n` blocks of 128 `r` bytes.
pub(crate) fn yescrypt(n: u64, r: u32, p: u32) -> Result<(), HashFault> {
    let memory = n.saturating_mul(r.into()).saturating_mul(p.into()) / 8;
    match memory <= MEMORY {
        true => Ok(()),
        false => Err(HashFault::Cost("yescrypt", "128 MiB of memory at most")),
    }
}
