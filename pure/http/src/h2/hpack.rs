//! Heads of HTTP/2 as they are compressed (RFC 7541), as far as it takes to know what is odd about
//! them: nothing of them is kept but sizes and what kinds of names there are.
//!
//! Whoever reads the messages decodes them again, and ends a connection whose heads cannot be read:
//! nothing is said of that here.

use std::collections::VecDeque;

use super::huffman;

/// What was seen in one head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SeenHead {
    /// There is a pseudo-header field.
    pub(super) has_pseudo: bool,
    /// The path has a `#`, which no path has (RFC 9113 §8.3.1, RFC 3986 §3.3).
    pub(super) has_fragment: bool,
}

/// It cannot be read, and so nothing that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What the heads of one side refer to.
#[derive(Clone, Debug)]
pub(super) struct Dictionary {
    /// The youngest first.
    fields: VecDeque<Known>,
    size: usize,
    most: usize,
    /// What the other side may make of `most`.
    limit: usize,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    length: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Field,
    Path,
    OtherPseudo,
}

/// A field that may be referred to.
#[derive(Clone, Copy, Debug)]
struct Known {
    name: Name,
    size: usize,
    has_fragment: bool,
}

/// What is known of a text.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    length: usize,
    /// Its first bytes.
    begin: [u8; PATH.len()],
    has_fragment: bool,
}

const PATH: &[u8; 5] = b":path";

/// What a field takes besides its texts (§4.1).
const OVERHEAD: usize = 32;

/// What the table has before anybody says otherwise (RFC 9113 §6.5.2).
const USUAL: usize = 4096;

/// Names that are always known, by their number less one (Appendix A).
const ALWAYS: [&str; 61] = [
    ":authority",
    ":method",
    ":method",
    ":path",
    ":path",
    ":scheme",
    ":scheme",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    ":status",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

impl Dictionary {
    /// One of a connection that begins, where the other side may use so many bytes of it, or as
    /// many as are usual.
    pub(super) fn new(limit: Option<u32>) -> Self {
        let limit = limit.and_then(|it| usize::try_from(it).ok()).unwrap_or(USUAL);
        Self { fields: VecDeque::new(), size: 0, most: USUAL, limit: limit.max(USUAL) }
    }

    /// Reads a whole head.
    pub(super) fn read(&mut self, mut block: &[u8]) -> Result<SeenHead, Unreadable> {
        let mut seen = SeenHead::default();
        while let Some(&first) = block.first() {
            if first & 0xe0 == 0x20 {
                self.resize(integer(&mut block, 5)?)?;
                continue;
            }
            let field = if first & 0x80 != 0 {
                self.known(integer(&mut block, 7)?)?
            } else {
                let is_kept = first & 0x40 != 0;
                let field = self.literal(&mut block, if is_kept { 6 } else { 4 })?;
                if is_kept {
                    self.keep(field);
                }
                field
            };
            seen.has_pseudo |= field.name.kind != Kind::Field;
            seen.has_fragment |= field.name.kind == Kind::Path && field.has_fragment;
        }
        Ok(seen)
    }

    fn literal(&self, block: &mut &[u8], prefix: u8) -> Result<Known, Unreadable> {
        let name = match integer(block, prefix)? {
            0 => Name::of(text(block)?),
            index => self.known(index)?.name,
        };
        let value = text(block)?;
        let size = name.length + value.length + OVERHEAD;
        Ok(Known { name, size, has_fragment: value.has_fragment })
    }

    fn known(&self, index: usize) -> Result<Known, Unreadable> {
        let index = index.checked_sub(1).ok_or(Unreadable)?;
        if let Some(name) = ALWAYS.get(index) {
            let name = Name::called(name);
            return Ok(Known { name, size: 0, has_fragment: false });
        }
        self.fields.get(index - ALWAYS.len()).copied().ok_or(Unreadable)
    }

    fn keep(&mut self, field: Known) {
        self.size += field.size;
        self.fields.push_front(field);
        self.trim();
    }

    fn resize(&mut self, most: usize) -> Result<(), Unreadable> {
        if most > self.limit {
            return Err(Unreadable);
        }
        self.most = most;
        self.trim();
        Ok(())
    }

    /// The oldest go (§4.4).
    fn trim(&mut self) {
        while self.size > self.most {
            let Some(gone) = self.fields.pop_back() else { return };
            self.size -= gone.size;
        }
    }
}

impl Name {
    fn of(text: Text) -> Self {
        let kind = match text.begin {
            begin if begin == *PATH && text.length == PATH.len() => Kind::Path,
            [b':', ..] => Kind::OtherPseudo,
            _ => Kind::Field,
        };
        Self { length: text.length, kind }
    }

    fn called(name: &str) -> Self {
        let mut text = Text::default();
        name.bytes().for_each(|byte| text.push(byte));
        Self::of(text)
    }
}

impl Text {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.begin.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
        self.has_fragment |= byte == b'#';
    }
}

/// An integer whose first `prefix` bits are the last of the first byte (§5.1).
fn integer(block: &mut &[u8], prefix: u8) -> Result<usize, Unreadable> {
    let (&first, mut rest) = block.split_first().ok_or(Unreadable)?;
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(first) & most;
    if value == most {
        for shift in (0..28).step_by(7) {
            let (&byte, behind) = rest.split_first().ok_or(Unreadable)?;
            rest = behind;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *block = rest;
                return Ok(value);
            }
        }
        return Err(Unreadable);
    }
    *block = rest;
    Ok(value)
}

/// A text, plain or in Huffman's code (§5.2).
fn text(block: &mut &[u8]) -> Result<Text, Unreadable> {
    let is_coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(length).ok_or(Unreadable)?;
    *block = rest;
    let mut text = Text::default();
    if is_coded {
        huffman::decode(bytes, |byte| text.push(byte)).map_err(|_| Unreadable)?;
    } else {
        let count = bytes.len().min(text.begin.len());
        text.begin[..count].copy_from_slice(&bytes[..count]);
        text.length = bytes.len();
        text.has_fragment = memchr::memchr(b'#', bytes).is_some();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(blocks: &[&[u8]]) -> (Vec<Result<SeenHead, Unreadable>>, Vec<usize>) {
        let mut all = Dictionary::new(None);
        let seen = blocks.iter().map(|block| all.read(block)).collect();
        (seen, all.fields.iter().map(|it| it.size).collect())
    }

    /// RFC 7541 §C.3 and §C.4: three requests, plain and in Huffman's code.
    #[test]
    fn requests_of_the_standard() {
        let plain: [&[u8]; 3] = [
            b"\x82\x86\x84\x41\x0fwww.example.com",
            b"\x82\x86\x84\xbe\x58\x08no-cache",
            b"\x82\x87\x85\xbf\x40\x0acustom-key\x0ccustom-value",
        ];
        let coded: [&[u8]; 3] = [
            b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
            b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf",
            b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
        ];
        for blocks in [plain, coded] {
            let (seen, sizes) = read(&blocks);
            assert_eq!(seen, [Ok(SeenHead { has_pseudo: true, has_fragment: false }); 3]);
            assert_eq!(sizes, [54, 53, 57], "as the standard has it");
        }
    }

    /// RFC 7541 §C.5: what goes when the table is full.
    #[test]
    fn the_oldest_go() {
        let mut all = Dictionary::new(None);
        let long = [&b"\x3f\xe1\x01\x40\x01a\x7f\x01"[..], &[b'x'; 128]].concat();
        assert!(all.read(&long).is_ok(), "256 bytes of table, and a field of 161");
        assert_eq!((all.size, all.most), (161, 256));
        assert!(
            all.read(
                b"\x40\x01b\x3fx123456789012345678901234567890123456789012345678901234567890xx"
            )
            .is_ok()
        );
        assert_eq!((all.size, all.fields.len()), (96, 1), "both do not fit");
        assert!(all.read(b"\x20").is_ok(), "nothing is kept any more");
        assert_eq!((all.size, all.fields.len()), (0, 0));
        assert_eq!(all.read(b"\xbe"), Err(Unreadable));
        assert_eq!(all.read(b"\x3f\xe2\x1f"), Err(Unreadable), "more than is allowed");
    }

    #[test]
    fn what_is_odd_is_seen_however_it_is_written() {
        let odd = |has_pseudo, has_fragment| Ok(SeenHead { has_pseudo, has_fragment });
        for (block, expected) in [
            (&b"\x0f\x06\x01#"[..], odd(false, false)),
            (b"\x04\x04/a#b", odd(true, true)),
            (b"\x44\x04/a#b", odd(true, true)),
            (b"\x14\x04/a#b", odd(true, true)),
            (b"\x00\x05:path\x04/a#b", odd(true, true)),
            // In Huffman's code: `#` is fffa of twelve bits.
            (b"\x04\x82\xff\xaf", odd(true, true)),
            (b"\x00\x05:patx\x02/#", odd(true, false)),
            (b"\x00\x06:pathx\x02/#", odd(true, false)),
            (b"\x00\x02:x\x01#", odd(true, false)),
            (b"\x00\x01x\x01#", odd(false, false)),
            (b"\x88", odd(true, false)),
            (b"\x00", Err(Unreadable)),
            (b"\x80", Err(Unreadable)),
            (b"\xff\xff\xff\xff\xff\xff", Err(Unreadable)),
            (b"\x00\x01x\x05abc", Err(Unreadable)),
        ] {
            assert_eq!(read(&[block]).0, [expected], "{block:?}");
        }
        // By a number that it got before, of the whole field, and of its name alone.
        let (seen, _) = read(&[b"\x44\x04/a#b", b"\xbe", b"\x7e\x01/", b"\xbe", b"\xbf"]);
        let has = seen.into_iter().map(|it| it.map(|it| it.has_fragment));
        assert!(has.eq([Ok(true), Ok(true), Ok(false), Ok(false), Ok(true)]));
    }

    proptest! {
        #[test]
        fn whatever_comes_ends_in_a_value(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
            let mut all = Dictionary::new(Some(9_000));
            for block in &blocks {
                let _ = all.read(block);
                prop_assert!(all.size <= all.most && all.most <= 9_000);
                prop_assert_eq!(all.size, all.fields.iter().map(|it| it.size).sum::<usize>());
            }
        }
    }
}
