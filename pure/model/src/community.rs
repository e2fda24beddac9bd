//! BGP communities: RFC 1997 (`65000:100`) and RFC 8092 (`large:1:2:3`).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// One community. Ordered by number; large ones come before standard ones, as in MetalLB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Community {
    /// RFC 8092: global administrator and two local parts.
    Large(u32, u32, u32),
    /// RFC 1997: AS number and value.
    Standard(u16, u16),
}

/// Why a text is no community.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommunityFault {
    /// It has the shape of one, with parts that cannot be.
    Parts,
    /// It has not even the shape; it may be the name of one.
    Shape,
}

impl FromStr for Community {
    type Err = CommunityFault;

    fn from_str(text: &str) -> Result<Self, CommunityFault> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [high, low] => Ok(Self::Standard(number(high)?, number(low)?)),
            ["large", a, b, c] => Ok(Self::Large(number(a)?, number(b)?, number(c)?)),
            [_, _, _, _] => Err(CommunityFault::Parts),
            _ => Err(CommunityFault::Shape),
        }
    }
}

/// Digits only: no sign, no blank.
fn number<T: FromStr>(text: &str) -> Result<T, CommunityFault> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(CommunityFault::Parts)
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(high, low) => write!(f, "{high}:{low}"),
            Self::Large(a, b, c) => write!(f, "large:{a}:{b}:{c}"),
        }
    }
}

impl Community {
    /// Order of the texts, as lists of communities are shown.
    pub fn by_text(&self, other: &Self) -> Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{Community, CommunityFault};

    #[test]
    fn texts() {
        for (text, expected) in [
            ("65000:100", Ok(Community::Standard(65000, 100))),
            ("0:0", Ok(Community::Standard(0, 0))),
            ("large:4294967295:0:1", Ok(Community::Large(u32::MAX, 0, 1))),
            ("65536:1", Err(CommunityFault::Parts)),
            ("1:65536", Err(CommunityFault::Parts)),
            ("+1:1", Err(CommunityFault::Parts)),
            (":", Err(CommunityFault::Parts)),
            ("large:1:2:4294967296", Err(CommunityFault::Parts)),
            ("small:1:2:3", Err(CommunityFault::Parts)),
            ("1:2:3", Err(CommunityFault::Shape)),
            ("no-export", Err(CommunityFault::Shape)),
            ("", Err(CommunityFault::Shape)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
            if let Ok(community) = expected {
                assert_eq!(community.to_string(), text);
            }
        }
    }

    #[test]
    fn order() {
        let read = |text: &str| text.parse::<Community>().unwrap();
        for (less, more) in
            [("large:1:0:0", "large:1:0:1"), ("large:9:9:9", "0:0"), ("2:1", "10:0")]
        {
            assert!(read(less) < read(more), "{less} {more}");
        }
    }
}
