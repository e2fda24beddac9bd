//! What is spoken to Redis and its kin (Valkey): commands, and replies, as RESP2 has them
//! (redis.io, "Redis serialization protocol").
//!
//! Invariant: nothing of a reply is believed to be as large as it says; one that is larger than
//! [`MOST_BYTES`], deeper than [`MOST_DEPTH`], or no reply at all is a [`BadReply`].

use thiserror::Error;

/// Bytes of a reply, at most: those who ask want numbers and short texts.
pub const MOST_BYTES: usize = 16 * 1024;

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// Lists within each other, at most.
pub const MOST_DEPTH: usize = 4;

/// The slot of a cluster that has a key (redis.io, "Redis cluster specification"): by what of it
/// stands in braces, where something does.
pub fn slot(key: &[u8]) -> u16 {
    let mut tags = key.splitn(2, |byte| *byte == b'{').nth(1).into_iter();
    let tag = tags.find_map(|rest| {
        let end = rest.iter().position(|byte| *byte == b'}')?;
        (end > 0).then_some(&rest[..end])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum, _| {
            if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 }
        })
    })
}

/// What a server replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// That it is done: `OK`.
    Status(Box<[u8]>),
    /// That it is not: a word in capitals, and what is said of it.
    Error(Box<[u8]>),
    /// A number.
    Number(i64),
    /// Bytes; none where there are none.
    Bytes(Option<Box<[u8]>>),
    /// Several; none where there are none.
    List(Option<Vec<Self>>),
}

/// A reply that is none.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadReply {
    /// It begins with no sign of a reply, or a number in it is none.
    #[error("what the server replies is no RESP")]
    Unreadable,
    /// It has more bytes, parts or depth than a reply may.
    #[error("the server replies more than is taken")]
    TooLarge,
}

impl Reply {
    /// The reply at the begin of `bytes` and its length; none while more of it is to come.
    ///
    /// # Errors
    /// When it is none, or is to be larger than may be.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, BadReply> {
        let mut rest = bytes;
        match read(&mut rest, MOST_DEPTH)? {
            Some(reply) => Ok(Some((reply, bytes.len() - rest.len()))),
            None if bytes.len() >= MOST_BYTES => Err(BadReply::TooLarge),
            None => Ok(None),
        }
    }

    /// The first word of an error; none of what is none.
    pub fn fault(&self) -> Option<&[u8]> {
        match self {
            Self::Error(text) => text.split(|byte| *byte == b' ').next(),
            _ => None,
        }
    }

    /// The text or number that it is, as bytes.
    pub fn text(&self) -> Option<Box<[u8]>> {
        match self {
            Self::Status(text) | Self::Bytes(Some(text)) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string().into_bytes().into()),
            Self::Error(_) | Self::Bytes(None) | Self::List(_) => None,
        }
    }
}

fn read(rest: &mut &[u8], depth: usize) -> Result<Option<Reply>, BadReply> {
    let Some(&sign) = rest.first() else { return Ok(None) };
    if !b"+-:$*".contains(&sign) {
        return Err(BadReply::Unreadable);
    }
    let Some(line) = line(rest)? else { return Ok(None) };
    match sign {
        b'+' => Ok(Some(Reply::Status(line.into()))),
        b'-' => Ok(Some(Reply::Error(line.into()))),
        b':' => Ok(Some(Reply::Number(number(line)?))),
        b'$' => match size(line)? {
            None => Ok(Some(Reply::Bytes(None))),
            Some(size) => Ok(content(rest, size)?.map(|it| Reply::Bytes(Some(it.into())))),
        },
        _ => match size(line)? {
            None => Ok(Some(Reply::List(None))),
            Some(size) => {
                let depth = depth.checked_sub(1).ok_or(BadReply::TooLarge)?;
                // Each takes three bytes at least: none is made room for before it is there.
                let mut all = Vec::new();
                for _ in 0..size {
                    match read(rest, depth)? {
                        Some(reply) => all.push(reply),
                        None => return Ok(None),
                    }
                }
                Ok(Some(Reply::List(Some(all))))
            }
        },
    }
}

/// The line behind a sign; what follows it is left.
fn line<'b>(rest: &mut &'b [u8]) -> Result<Option<&'b [u8]>, BadReply> {
    let Some(end) = rest.windows(2).position(|it| it == b"\r\n") else { return Ok(None) };
    let line = &rest[1..end.max(1)];
    *rest = &rest[end + 2..];
    Ok(Some(line))
}

/// So many bytes, and the line's end behind them.
fn content<'b>(rest: &mut &'b [u8], size: usize) -> Result<Option<&'b [u8]>, BadReply> {
    if rest.len() < size + 2 {
        return Ok(None);
    }
    let (content, behind) = rest.split_at(size);
    *rest = behind.strip_prefix(b"\r\n").ok_or(BadReply::Unreadable)?;
    Ok(Some(content))
}

fn number(line: &[u8]) -> Result<i64, BadReply> {
    let text = str::from_utf8(line).map_err(|_| BadReply::Unreadable)?;
    text.parse().map_err(|_| BadReply::Unreadable)
}

/// A size; none where it is -1.
fn size(line: &[u8]) -> Result<Option<usize>, BadReply> {
    match number(line)? {
        -1 => Ok(None),
        size => match usize::try_from(size) {
            Ok(size) if size <= MOST_BYTES => Ok(Some(size)),
            Ok(_) => Err(BadReply::TooLarge),
            Err(_) => Err(BadReply::Unreadable),
        },
    }
}

/// Appends a command of these parts.
pub fn write(parts: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// For the fuzzer: whatever comes, it is read to its end or not at all, and what is read of the
/// first bytes of a reply stays so when more come.
pub fn exercise(bytes: &[u8]) {
    let whole = Reply::read(bytes);
    if let Ok(Some((reply, len))) = &whole {
        assert!(*len <= bytes.len(), "no more than there is");
        assert_eq!(Reply::read(&bytes[..*len]), Ok(Some((reply.clone(), *len))));
        assert!(!matches!(Reply::read(&bytes[..len - 1]), Ok(Some(_))), "nor less than it takes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Reply {
        Reply::Bytes(Some(text.as_bytes().into()))
    }

    #[test]
    fn keys_have_slots() {
        for (key, expected) in [
            ("", 0),
            ("123456789", 12_739),
            ("foo", 12_182),
            ("{foo}bar", 12_182),
            ("a{foo}{bar}", 12_182),
            ("foo{}", slot(b"foo{}")),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
        assert_ne!(slot(b"foo{}"), slot(b""), "nothing in braces is no part");
        assert_ne!(slot(b"{foo"), slot(b"foo"));
    }

    #[test]
    fn replies_are_read_to_their_end_and_no_further() {
        for (text, expected) in [
            ("+OK\r\n", Reply::Status((*b"OK").into())),
            ("+\r\n", Reply::Status((*b"").into())),
            ("-NOSCRIPT No matching\r\n", Reply::Error((*b"NOSCRIPT No matching").into())),
            (":-12\r\n", Reply::Number(-12)),
            ("$-1\r\n", Reply::Bytes(None)),
            ("$0\r\n\r\n", bytes("")),
            ("$4\r\na\r\nb\r\n", bytes("a\r\nb")),
            ("*-1\r\n", Reply::List(None)),
            ("*0\r\n", Reply::List(Some(vec![]))),
            (
                "*3\r\n$1\r\na\r\n:7\r\n*1\r\n$-1\r\n",
                Reply::List(Some(vec![
                    bytes("a"),
                    Reply::Number(7),
                    Reply::List(Some(vec![Reply::Bytes(None)])),
                ])),
            ),
        ] {
            for end in 0..text.len() {
                assert_eq!(Reply::read(&text.as_bytes()[..end]), Ok(None), "{text:?} {end}");
            }
            let more = format!("{text}+MORE\r\n");
            assert_eq!(Reply::read(more.as_bytes()), Ok(Some((expected, text.len()))), "{text:?}");
            exercise(more.as_bytes());
        }
    }

    #[test]
    fn what_is_none_or_too_large_is_told_apart() {
        let deep = "*1\r\n".repeat(MOST_DEPTH + 1);
        let long = format!("+{}", "x".repeat(MOST_BYTES));
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\n", BadReply::Unreadable),
            (":x\r\n", BadReply::Unreadable),
            (":\r\n", BadReply::Unreadable),
            ("$-2\r\n", BadReply::Unreadable),
            ("$1\r\nabc", BadReply::Unreadable),
            ("*1\r\n?", BadReply::Unreadable),
            ("$16385\r\n", BadReply::TooLarge),
            ("*16385\r\n", BadReply::TooLarge),
            ("$99999999999999999999\r\n", BadReply::Unreadable),
            (&*deep, BadReply::TooLarge),
            (&*long, BadReply::TooLarge),
        ] {
            assert_eq!(Reply::read(text.as_bytes()), Err(expected), "{text:.40}");
        }
        assert_eq!(Reply::read(&long.as_bytes()[..MOST_BYTES - 1]), Ok(None));
    }

    #[test]
    fn replies_say_what_they_are() {
        let error = Reply::Error((*b"NOSCRIPT No matching script").into());
        assert_eq!(error.fault(), Some(&b"NOSCRIPT"[..]));
        assert_eq!((error.text(), Reply::Number(1).fault()), (None, None));
        assert_eq!(Reply::Number(-3).text().as_deref(), Some(&b"-3"[..]));
        assert_eq!(bytes("a").text().as_deref(), Some(&b"a"[..]));
        assert_eq!(Reply::Bytes(None).text(), None);
    }

    #[test]
    fn commands_are_lists_of_bytes() {
        let mut out = b"x".to_vec();
        write(&[b"GET", b"", b"a\r\nb"], &mut out);
        assert_eq!(out, b"x*3\r\n$3\r\nGET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n");
    }
}
