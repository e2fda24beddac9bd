//! Pieces of what others sent, fit for a log: bounded and escaped.

use std::fmt;

/// The beginning of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt {
    bytes: [u8; Self::MAX],
    len: usize,
    is_cut: bool,
}

impl Excerpt {
    /// Most bytes shown.
    pub const MAX: usize = 80;

    /// The line at the start of `text`, with its end.
    pub fn line(text: &[u8]) -> Self {
        let end = memchr::memchr(b'\n', text).map_or(text.len(), |at| at + 1);
        let len = end.min(Self::MAX);
        let mut bytes = [0; Self::MAX];
        bytes[..len].copy_from_slice(&text[..len]);
        Self { bytes, len, is_cut: len < end }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dots = if self.is_cut { "…" } else { "" };
        write!(f, "\"{}\"{dots}", self.bytes[..self.len].escape_ascii())
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_escaped() {
        assert_eq!(Excerpt::line(b"a\x1b[\"\r\nb").to_string(), r#""a\x1b[\"\r\n""#);
        let long = Excerpt::line(&[b'x'; 500]).to_string();
        assert_eq!(long, format!("\"{}\"…", "x".repeat(80)));
        assert_eq!(Excerpt::line(b"").to_string(), "\"\"");
    }
}
