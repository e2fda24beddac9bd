//! The Huffman code of HPACK (RFC 7541 §5.2, Appendix B). It is canonical: codes go up by length,
//! and by symbol within one, so that lengths are all there is to know.

/// Text that the code does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadCode;

/// Bits of the code of each byte, and of the end, which is never written.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const SHORTEST: usize = 5;
const LONGEST: usize = 30;

/// What is known of codes of one length.
#[derive(Clone, Copy)]
struct Row {
    /// The first code, and the first that is longer, as bits of the longest.
    from: u32,
    until: u32,
    /// Where its symbols begin among all.
    at: usize,
}

/// A row for each length, and symbols in order of their codes.
const CODE: ([Row; LONGEST + 1], [u16; 257]) = {
    let mut rows = [Row { from: 0, until: 0, at: 0 }; LONGEST + 1];
    let mut symbols = [0; 257];
    let (mut length, mut next, mut at) = (1, 0_u32, 0);
    while length <= LONGEST {
        rows[length].from = next;
        rows[length].at = at;
        let mut symbol = 0;
        while symbol < 257 {
            if LENGTHS[symbol as usize] as usize == length {
                symbols[at] = symbol;
                at += 1;
                next += 1 << (LONGEST - length);
            }
            symbol += 1;
        }
        rows[length].until = next;
        length += 1;
    }
    (rows, symbols)
};

/// Calls `see` with each byte that `text` stands for.
///
/// # Errors
/// When it is no text of this code, or does not end as one has to.
pub(super) fn decode(text: &[u8], mut see: impl FnMut(u8)) -> Result<(), BadCode> {
    let (mut bits, mut count) = (0_u64, 0_usize);
    let mut rest = text.iter();
    loop {
        while count <= 56 {
            let Some(byte) = rest.next() else { break };
            bits |= u64::from(*byte) << (56 - count);
            count += 8;
        }
        let window = u32::try_from(bits >> (64 - LONGEST)).unwrap_or(u32::MAX);
        let length = (SHORTEST..=LONGEST).find(|length| window < CODE.0[*length].until);
        let length = match length {
            Some(length) if length <= count => length,
            // What is left is the begin of the end: ones, fewer than a byte.
            _ => {
                let padding = u64::MAX.checked_shl(64 - u32::try_from(count).unwrap_or(64));
                let is_end = count < 8 && bits == padding.filter(|_| count > 0).unwrap_or(0);
                return if is_end { Ok(()) } else { Err(BadCode) };
            }
        };
        let row = CODE.0[length];
        let index = row.at + ((window - row.from) >> (LONGEST - length)) as usize;
        match u8::try_from(CODE.1[index]) {
            Ok(byte) => see(byte),
            Err(_) => return Err(BadCode),
        }
        bits <<= length;
        count -= length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> Result<String, BadCode> {
        let mut out = Vec::new();
        decode(text, |byte| out.push(byte))?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    /// RFC 7541 §C.4 and §C.6.
    #[test]
    fn texts_of_the_standard() {
        for (text, expected) in [
            (&b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..], "www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache"),
            (b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f", "custom-key"),
            (b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", "custom-value"),
            (b"\x64\x02", "302"),
            (b"\xae\xc3\x77\x1a\x4b", "private"),
            (b"", ""),
        ] {
            assert_eq!(decoded(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn every_byte_is_read_as_it_is_written() {
        for byte in 0..=255_u8 {
            let length = usize::from(LENGTHS[usize::from(byte)]);
            let nth = (0..byte).filter(|it| usize::from(LENGTHS[usize::from(*it)]) == length);
            let code = (CODE.0[length].from >> (LONGEST - length))
                + u32::try_from(nth.count()).expect("few");
            // Twice, and ones to the next byte.
            let mut bits = format!("{code:0length$b}{code:0length$b}");
            while !bits.len().is_multiple_of(8) {
                bits.push('1');
            }
            let octet = |at: usize| u8::from_str_radix(&bits[8 * at..8 * at + 8], 2).expect("bits");
            let text: Vec<u8> = (0..bits.len() / 8).map(octet).collect();
            let mut seen = Vec::new();
            assert_eq!(decode(&text, |it| seen.push(it)), Ok(()), "{byte}");
            assert_eq!(seen, [byte; 2]);
        }
    }

    #[test]
    fn what_is_none_of_it() {
        for text in
            [&b"\xff"[..], b"\xff\xff\xff\xff", b"\x00\xff", b"\xf8\x00\x00", b"\x60\x00\x07"]
        {
            let _ = decoded(text);
        }
        assert_eq!(decoded(b"\xff"), Err(BadCode), "a whole byte of padding");
        assert_eq!(decoded(b"\xff\xff\xff\xff"), Err(BadCode), "the end is never written");
        assert_eq!(decoded(b"\x60"), Err(BadCode), "padding of zeros");
    }
}
