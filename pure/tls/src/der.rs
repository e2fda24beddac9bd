//! Distinguished Encoding Rules (X.690), as far as certificates need them: one value after the
//! other, by tag, with lengths of definite form.

/// Values that stand one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Der<'a>(&'a [u8]);

/// Tags that certificates have.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

impl<'a> Der<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The tag of the next value.
    pub(crate) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next value with its header: tag, content, and both together.
    fn next(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let (&tag, &first) = (self.0.first()?, self.0.get(1)?);
        // Tags of more than one byte are in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (len, header) = match first {
            0..=0x7f => (usize::from(first), 2),
            0x81..=0x83 => {
                let count = usize::from(first & 0x7f);
                let bytes = self.0.get(2..2 + count)?;
                (bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), 2 + count)
            }
            _ => return None,
        };
        let whole = self.0.get(..header + len)?;
        self.0 = &self.0[header + len..];
        Some((tag, &whole[header..], whole))
    }

    /// Whatever comes next.
    pub(crate) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        self.next().map(|(tag, content, _)| (tag, content))
    }

    /// The content of the next value, if it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.tag() == Some(tag) { self.any().map(|(_, content)| content) } else { None }
    }

    /// The same with its header.
    pub(crate) fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.tag() == Some(tag) { self.next().map(|(_, _, whole)| whole) } else { None }
    }

    /// The values within the next one.
    pub(crate) fn within(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }
}

/// A value of this tag, of these bytes one behind the other: fewer than 64 KiB.
pub(crate) fn written(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [.., high, low] = content.len().to_be_bytes();
    let mut all = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    all.extend(content);
    all
}
