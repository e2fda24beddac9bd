//! One hash of a password.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::digest::{Algorithm as Sum, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::fault::HashFault;
use crate::md5_crypt::md5_crypt;
use crate::{are_equal, costs, crypt64, sha_crypt};

/// One hash of a password, by which passwords are verified.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    kind: Kind,
    mark: [u8; 32],
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// `$2a$`, `$2b$`, `$2x$` and `$2y$`, which are taken for one.
    Bcrypt { cost: u32, salt: [u8; 16], sum: [u8; 23] },
    /// `$apr1$` and `$1$`.
    Md5 { magic: &'static str, salt: Box<[u8]>, sum: Box<[u8]> },
    /// `$5$` and `$6$`.
    Sha { is_512: bool, params: ::sha_crypt::Params, salt: Box<[u8]>, sum: Box<[u8]> },
    /// `$argon2id$`, `$argon2i$` and `$argon2d$`.
    Argon2 {
        algorithm: Algorithm,
        version: Version,
        params: Params,
        salt: Box<[u8]>,
        sum: Box<[u8]>,
    },
    /// `$y$`
    Yescrypt { params: yescrypt::Params, salt: Box<[u8]>, sum: Box<[u8]> },
    /// `{SHA}`, `{SSHA}` (with a salt), `{SHA256}`.
    Sum { algorithm: &'static Sum, salt: Box<[u8]>, sum: Box<[u8]> },
    /// `{PLAIN}`, which is none.
    Plain(Box<[u8]>),
}

impl PasswordHash {
    /// Reads one as `htpasswd`, crypt(3) and argon2 write it.
    ///
    /// # Errors
    /// Where it is none, or costs more than may be.
    pub fn read(text: &str) -> Result<Self, HashFault> {
        if text.len() > costs::LONGEST {
            return Err(HashFault::TooLong);
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Ok(Self { kind: kind(text)?, mark })
    }

    /// Another one for each hash that is written otherwise (SHA-256 of it).
    pub fn mark(&self) -> &[u8; 32] {
        &self.mark
    }

    /// Whether it is of this password. Takes as long whether it is or not.
    pub fn is_of(&self, password: &[u8]) -> bool {
        match &self.kind {
            Kind::Bcrypt { cost, salt, sum } => {
                // It ends with a zero, and 72 bytes of it count.
                let mut ended = password.to_vec();
                ended.push(0);
                ended.truncate(72);
                are_equal(&bcrypt::bcrypt(*cost, *salt, &ended)[..23], sum)
            }
            Kind::Md5 { magic, salt, sum } => {
                are_equal(&md5_crypt(password, magic.as_bytes(), salt), sum)
            }
            Kind::Sha { is_512: true, params, salt, sum } => {
                are_equal(&sha_crypt::sha512(password, salt, *params), sum)
            }
            Kind::Sha { is_512: false, params, salt, sum } => {
                are_equal(&sha_crypt::sha256(password, salt, *params), sum)
            }
            Kind::Argon2 { algorithm, version, params, salt, sum } => {
                let mut found = vec![0; sum.len()];
                let argon2 = Argon2::new(*algorithm, *version, params.clone());
                let done = argon2.hash_password_into(password, salt, &mut found);
                done.is_ok() && are_equal(&found, sum)
            }
            Kind::Yescrypt { params, salt, sum } => {
                let mut found = vec![0; sum.len()];
                let done = yescrypt::yescrypt(password, salt, params, &mut found);
                done.is_ok() && are_equal(&found, sum)
            }
            Kind::Sum { algorithm, salt, sum } => {
                let salted = [password, salt].concat();
                are_equal(digest(algorithm, &salted).as_ref(), sum)
            }
            Kind::Plain(known) => {
                // Their lengths are not to be told apart either.
                let sum = |it: &[u8]| digest(&SHA256, it);
                are_equal(sum(password).as_ref(), sum(known).as_ref())
            }
        }
    }

    /// Whether it takes longer than others can be kept waiting for.
    pub fn is_slow(&self) -> bool {
        !matches!(self.kind, Kind::Sum { .. } | Kind::Plain(_))
    }
}

/// Only of which kind it is.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Bcrypt { .. } => "bcrypt",
            Kind::Md5 { .. } => "MD5-crypt",
            Kind::Sha { .. } => "SHA-crypt",
            Kind::Argon2 { .. } => "argon2",
            Kind::Yescrypt { .. } => "yescrypt",
            Kind::Sum { .. } => "sum",
            Kind::Plain(_) => "plain",
        })
    }
}

fn kind(text: &str) -> Result<Kind, HashFault> {
    if let Some(rest) = text.strip_prefix('{') {
        let (scheme, value) = rest.split_once('}').ok_or(HashFault::Unknown)?;
        return in_braces(scheme, value);
    }
    let rest = text.strip_prefix('$').ok_or(HashFault::Unknown)?;
    let (name, rest) = rest.split_once('$').ok_or(HashFault::Unknown)?;
    match name {
        "2a" | "2b" | "2x" | "2y" => bcrypt(rest),
        "apr1" => md5("$apr1$", rest),
        "1" => md5("$1$", rest),
        "5" => sha(false, rest),
        "6" => sha(true, rest),
        "argon2id" => argon2(Algorithm::Argon2id, rest),
        "argon2i" => argon2(Algorithm::Argon2i, rest),
        "argon2d" => argon2(Algorithm::Argon2d, rest),
        "y" => yescrypt(rest),
        _ => Err(HashFault::Unknown),
    }
}

fn in_braces(scheme: &str, value: &str) -> Result<Kind, HashFault> {
    if scheme == "PLAIN" {
        return Ok(Kind::Plain(value.as_bytes().into()));
    }
    let (algorithm, is_salted) = match scheme {
        "SHA" => (&SHA1_FOR_LEGACY_USE_ONLY, false),
        "SSHA" => (&SHA1_FOR_LEGACY_USE_ONLY, true),
        "SHA256" => (&SHA256, false),
        _ => return Err(HashFault::Unknown),
    };
    let bytes = STANDARD.decode(value).map_err(|_| HashFault::Malformed)?;
    let (sum, salt) = bytes.split_at_checked(algorithm.output_len()).ok_or(HashFault::Malformed)?;
    if !is_salted && !salt.is_empty() {
        return Err(HashFault::Malformed);
    }
    Ok(Kind::Sum { algorithm, salt: salt.into(), sum: sum.into() })
}

/// `12$` with 22 characters of salt and 31 of the sum.
fn bcrypt(text: &str) -> Result<Kind, HashFault> {
    let (cost, rest) = text.split_once('$').ok_or(HashFault::Malformed)?;
    let (salt, sum) = rest.split_at_checked(22).ok_or(HashFault::Malformed)?;
    if cost.len() != 2 || sum.len() != 31 {
        return Err(HashFault::Malformed);
    }
    let cost = costs::bcrypt(cost.parse().map_err(|_| HashFault::Malformed)?)?;
    // The last characters have bits that count for nothing, and that some write as they like.
    let bytes = |text: &str| bcrypt_bytes(text).ok_or(HashFault::Malformed);
    let salt = bytes(salt)?.try_into().map_err(|_| HashFault::Malformed)?;
    let sum = bytes(sum)?.try_into().map_err(|_| HashFault::Malformed)?;
    Ok(Kind::Bcrypt { cost, salt, sum })
}

/// The base 64 of bcrypt: `./A-Za-z0-9`, the high bits first.
fn bcrypt_bytes(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'.' => Some(0),
        b'/' => Some(1),
        b'A'..=b'Z' => Some(byte - b'A' + 2),
        b'a'..=b'z' => Some(byte - b'a' + 28),
        b'0'..=b'9' => Some(byte - b'0' + 54),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for at in 0..4 {
            let digit = group.get(at).map_or(Some(0), |it| value(*it))?;
            bits = bits << 6 | u32::from(digit);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..][..group.len() * 6 / 8]);
    }
    Some(bytes)
}

/// `salt$sum`
fn md5(magic: &'static str, text: &str) -> Result<Kind, HashFault> {
    let (salt, sum) = text.split_once('$').ok_or(HashFault::Malformed)?;
    crypt64::decode(sum.as_bytes()).filter(|it| it.len() == 16).ok_or(HashFault::Malformed)?;
    Ok(Kind::Md5 { magic, salt: salt.as_bytes().into(), sum: sum.as_bytes().into() })
}

/// `salt$sum`, or `rounds=1000$salt$sum`.
fn sha(is_512: bool, text: &str) -> Result<Kind, HashFault> {
    let (rounds, rest) = match text.strip_prefix("rounds=") {
        Some(rest) => {
            let (rounds, rest) = rest.split_once('$').ok_or(HashFault::Malformed)?;
            (rounds.parse().map_err(|_| HashFault::Malformed)?, rest)
        }
        None => (::sha_crypt::Params::RECOMMENDED_ROUNDS, text),
    };
    let (salt, sum) = rest.split_once('$').ok_or(HashFault::Malformed)?;
    let length = if is_512 { 64 } else { 32 };
    crypt64::decode(sum.as_bytes()).filter(|it| it.len() == length).ok_or(HashFault::Malformed)?;
    let params = ::sha_crypt::Params::new(costs::sha_crypt(rounds)?);
    let params = params.map_err(|_| HashFault::Malformed)?;
    let (salt, sum) = (salt.as_bytes().into(), sum.as_bytes().into());
    Ok(Kind::Sha { is_512, params, salt, sum })
}

/// `v=19$m=65536,t=3,p=4$salt$sum`; without `v` it is the first version.
fn argon2(algorithm: Algorithm, text: &str) -> Result<Kind, HashFault> {
    let (version, rest) = match text.strip_prefix("v=") {
        Some(rest) => rest.split_once('$').ok_or(HashFault::Malformed)?,
        None => ("16", text),
    };
    let version = match version {
        "19" => Version::V0x13,
        "16" => Version::V0x10,
        _ => return Err(HashFault::Malformed),
    };
    let mut parts = rest.split('$');
    let (Some(costs_of), Some(salt), Some(sum), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HashFault::Malformed);
    };
    let number = |text: Option<&str>, name: &str| {
        let value = text.and_then(|it| it.strip_prefix(name)).ok_or(HashFault::Malformed)?;
        value.parse::<u32>().map_err(|_| HashFault::Malformed)
    };
    let mut all = costs_of.split(',');
    let memory = number(all.next(), "m=")?;
    let passes = number(all.next(), "t=")?;
    let lanes = number(all.next(), "p=")?;
    if all.next().is_some() {
        return Err(HashFault::Malformed);
    }
    costs::argon2(memory, passes, lanes)?;
    let bytes = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| HashFault::Malformed);
    let (salt, sum): (Box<[u8]>, Box<[u8]>) = (bytes(salt)?.into(), bytes(sum)?.into());
    let params = Params::new(memory, passes, lanes, Some(sum.len()));
    let params = params.map_err(|_| HashFault::Malformed)?;
    if salt.len() < argon2::MIN_SALT_LEN || sum.len() < 16 {
        return Err(HashFault::Malformed);
    }
    Ok(Kind::Argon2 { algorithm, version, params, salt, sum })
}

/// `j9T$salt$sum`
fn yescrypt(text: &str) -> Result<Kind, HashFault> {
    let mut parts = text.split('$');
    let (Some(written), Some(salt), Some(sum), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HashFault::Malformed);
    };
    let params: yescrypt::Params = written.parse().map_err(|_| HashFault::Malformed)?;
    costs::yescrypt(params.n(), params.r(), params.p())?;
    // What else may be asked for, crypt(3) never writes: more time, other modes.
    let plain =
        yescrypt::Params::new(yescrypt::Mode::default(), params.n(), params.r(), params.p());
    if plain.ok() != Some(params) {
        return Err(HashFault::Unknown);
    }
    let bytes = |text: &str| crypt64::decode(text.as_bytes()).ok_or(HashFault::Malformed);
    let (salt, sum): (Box<[u8]>, Box<[u8]>) = (bytes(salt)?.into(), bytes(sum)?.into());
    if sum.len() != 32 {
        return Err(HashFault::Malformed);
    }
    Ok(Kind::Yescrypt { params, salt, sum })
}
