//! crypt(3) with MD5, as FreeBSD had it first (`$1$`), and as Apache has it (`$apr1$`): a thousand
//! rounds of MD5. No kept crate has it.

use md5::{Digest as _, Md5};

use crate::crypt64;

/// Characters of a salt that count.
const SALT: usize = 8;
const ROUNDS: usize = 1_000;

/// The last part of the hash: 22 characters. `magic` is `$1$` or `$apr1$`.
pub(crate) fn md5_crypt(password: &[u8], magic: &[u8], salt: &[u8]) -> Vec<u8> {
    let salt = &salt[..salt.len().min(SALT)];
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password);
    let inner = inner.finalize();
    let mut first = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    first.update(inner.iter().cycle().take(password.len()).copied().collect::<Vec<u8>>());
    let mut length = password.len();
    while length > 0 {
        first.update([if length & 1 == 1 { 0 } else { password[0] }]);
        length >>= 1;
    }
    let mut sum = first.finalize();
    for round in 0..ROUNDS {
        let mut next = Md5::new();
        next.update(if round % 2 == 1 { password } else { &sum });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round % 2 == 1 { &sum[..] } else { password });
        sum = next.finalize();
    }
    let order = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11];
    crypt64::encode(&order.map(|at: usize| sum[at]))
}
