//! Why a token is not believed, as data.

use std::fmt;

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// More than 64 KiB.
    TooLong,
    /// No three parts of base64url with JSON objects in the first two, in which each name stands
    /// once and `kid`, if it is there, is text.
    Unreadable,
    /// None of its keys is for the algorithm it names, or it names none that is known.
    Algorithm,
    /// It demands what is not understood (`crit`, RFC 7515 §4.1.11).
    Critical,
    /// It was not signed by one of the keys; the name of the key that it says, if it says one.
    Signature(Option<String>),
    /// Its time is over (`exp`).
    Expired,
    /// Its time has not come (`nbf`).
    Early,
    /// `exp` or `nbf` says no time.
    Timeless,
}

impl TokenFault {
    /// The same in words.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLong => "the token has more than 64 KiB",
            Self::Unreadable => "it is no signed JSON Web Token",
            Self::Algorithm => "no key is for the algorithm of the token's signature",
            Self::Critical => "the token demands an extension that is not known (crit)",
            Self::Signature(_) => "the token's signature is by none of the keys",
            Self::Expired => "the token has expired",
            Self::Early => "the token is not valid yet",
            Self::Timeless => "exp or nbf of the token is no time",
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}
