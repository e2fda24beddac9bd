//! Heads as rules and filters see them, whatever protocol they came by.

/// Whether a request came by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// The header lines of a head, in order. Names are compared without case.
pub trait Head {
    /// The value of the first line called `name`.
    fn first(&self, name: &str) -> Option<&[u8]>;

    /// Calls `see` with each line.
    fn each(&self, see: &mut dyn FnMut(&str, &[u8]));
}

/// A request's head.
pub trait RequestView: Head {
    /// As sent; case-sensitive.
    fn method(&self) -> &str;

    /// How it came.
    fn scheme(&self) -> Scheme;

    /// Whose site is meant, as named: host and perhaps port; empty where nothing is named.
    fn authority(&self) -> &str;

    /// In normal form; `*` for the whole server.
    fn path(&self) -> &str;

    /// As it was asked for, as far as that is known.
    fn asked_path(&self) -> &str {
        self.path()
    }

    /// Without its question mark; none where there is no question mark.
    fn query(&self) -> Option<&str>;
}

/// A response's head.
pub trait ResponseView: Head {
    /// Its status.
    fn status(&self) -> u16;
}

impl Scheme {
    /// As it is written in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
