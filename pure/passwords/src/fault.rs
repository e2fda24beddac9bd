//! Why nobody can be let in by what is written, as data.

use std::fmt;

/// Why a hash is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashFault {
    /// It has more than 512 bytes.
    TooLong,
    /// It is of no kind that is known.
    Unknown,
    /// It is of a kind that is known, and not whole.
    Malformed,
    /// To verify a password by it takes more time or memory than may be: which kind, and what is
    /// allowed.
    Cost(&'static str, &'static str),
}

/// Why a line names no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserFault {
    /// It is not `name:hash`, or not `name:realm:hash` where a proof is asked for.
    Parts,
    /// The name is empty, or has more than 256 bytes.
    Name,
    /// Its hash is of no use.
    Hash(HashFault),
}

impl fmt::Display for HashFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the hash has more than 512 bytes"),
            Self::Unknown => f.write_str("the hash is of no kind that is known"),
            Self::Malformed => f.write_str("the hash is not whole"),
            Self::Cost(kind, most) => {
                write!(f, "the hash costs too much to verify: of {kind}, {most}")
            }
        }
    }
}

impl fmt::Display for UserFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parts => f.write_str("it is no name and hash with a colon between them"),
            Self::Name => f.write_str("its name is empty, or has more than 256 bytes"),
            Self::Hash(why) => why.fmt(f),
        }
    }
}

impl UserFault {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Hash(HashFault::Cost(..)) => "hash the password again, at a lower cost",
            _ => {
                "write what `htpasswd -B` prints: bcrypt, apr1, SHA-1, argon2, yescrypt and \
                 SHA-crypt are known"
            }
        }
    }
}
