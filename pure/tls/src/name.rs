//! Distinguished names and alternative names of a certificate as texts (RFC 5280 §4.1.2.4 and
//! §4.2.1.6).

use std::net::IpAddr;

use crate::der::{Der, tag};

/// `id-at` (X.520): its attributes have one more byte.
const ATTRIBUTE: [u8; 2] = [0x55, 0x04];
/// `domainComponent` (RFC 4519 §2.4), 0.9.2342.19200300.100.1.25.
const DOMAIN_COMPONENT: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19];

/// `emailAddress` (RFC 2985 §5.2.1), 1.2.840.113549.1.9.1.
const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];
/// `uid` (RFC 4519 §2.39), 0.9.2342.19200300.100.1.1.
const USER_ID: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01];

/// Strings of other alphabets than ASCII's (X.680).
const TELETEX_STRING: u8 = 0x14;
const BMP_STRING: u8 = 0x1e;

/// Context-specific tags of a `GeneralName`.
const EMAIL: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;

/// A distinguished name, as far as somebody is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistinguishedName {
    /// `DC`
    pub domain_components: Vec<String>,
    /// `C`
    pub countries: Vec<String>,
    /// `ST`
    pub provinces: Vec<String>,
    /// `L`
    pub localities: Vec<String>,
    /// `O`
    pub organizations: Vec<String>,
    /// `OU`
    pub organizational_units: Vec<String>,
    /// `serialNumber`: the last one.
    pub serial_number: String,
    /// `CN`: the last one.
    pub common_name: String,
    /// Whole, a part each, the last first and spelled as OpenSSL does by RFC 2253: `CN=a`,
    /// `O=Acme\\, Inc.`
    pub parts: Vec<String>,
}

impl DistinguishedName {
    /// Reads one; what cannot be read is left out.
    pub(crate) fn read(der: &[u8]) -> Self {
        let mut name = Self::default();
        let mut sets = Der::new(der).within(tag::SEQUENCE).unwrap_or_else(|| Der::new(b""));
        while let Some(mut set) = sets.within(tag::SET) {
            let mut part = Vec::new();
            while let Some(mut pair) = set.within(tag::SEQUENCE) {
                if let (Some(kind), Some((tag, value))) = (pair.take(tag::OID), pair.any()) {
                    let value = text(tag, value);
                    part.push(format!("{}={}", written_kind(kind), escaped(&value)));
                    name.add(kind, value);
                }
            }
            name.parts.insert(0, part.join("+"));
        }
        name
    }

    /// Whole, in one line.
    pub fn written(&self) -> String {
        self.parts.join(",")
    }

    fn add(&mut self, kind: &[u8], value: String) {
        let many = match kind {
            DOMAIN_COMPONENT => &mut self.domain_components,
            [first, second, attribute] if [*first, *second] == ATTRIBUTE => match attribute {
                3 => return self.common_name = value,
                5 => return self.serial_number = value,
                6 => &mut self.countries,
                7 => &mut self.localities,
                8 => &mut self.provinces,
                10 => &mut self.organizations,
                11 => &mut self.organizational_units,
                _ => return,
            },
            _ => return,
        };
        many.push(value);
    }
}

/// What an attribute is called (RFC 4514 §3, and OpenSSL's names for others).
fn written_kind(kind: &[u8]) -> String {
    let known = match kind {
        DOMAIN_COMPONENT => Some("DC"),
        EMAIL_ADDRESS => Some("emailAddress"),
        USER_ID => Some("UID"),
        [first, second, attribute] if [*first, *second] == ATTRIBUTE => match attribute {
            3 => Some("CN"),
            4 => Some("SN"),
            5 => Some("serialNumber"),
            6 => Some("C"),
            7 => Some("L"),
            8 => Some("ST"),
            9 => Some("street"),
            10 => Some("O"),
            11 => Some("OU"),
            12 => Some("title"),
            42 => Some("GN"),
            _ => None,
        },
        _ => None,
    };
    known.map_or_else(|| dotted(kind), str::to_owned)
}

/// An object identifier in digits (X.690 §8.19).
fn dotted(kind: &[u8]) -> String {
    let (mut numbers, mut number) = (Vec::new(), 0_u64);
    for byte in kind {
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    let first = numbers.first().copied().unwrap_or_default();
    let root = (first / 40).min(2);
    let all = [root, first - root * 40].into_iter().chain(numbers.into_iter().skip(1));
    all.map(|it| it.to_string()).collect::<Vec<_>>().join(".")
}

/// A value in a name (RFC 2253 §2.4), in ASCII: what else there is stands in hexadecimal digits, so
/// nothing in it ends a line.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (at, byte) in value.bytes().enumerate() {
        let is_edge = (at == 0 && matches!(byte, b' ' | b'#')) || (at == last && byte == b' ');
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            _ if is_edge => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out
}

/// Alternative names as they are told: names, mail addresses, addresses, URIs.
pub(crate) fn alternative(extension: &[u8]) -> Vec<String> {
    let mut sorted: [Vec<String>; 4] = Default::default();
    let mut names = Der::new(extension).within(tag::SEQUENCE).unwrap_or_else(|| Der::new(b""));
    while let Some((tag, content)) = names.any() {
        let plain = || String::from_utf8_lossy(content).into_owned();
        match tag {
            DNS_NAME => sorted[0].push(plain()),
            EMAIL => sorted[1].push(plain()),
            IP_ADDRESS => sorted[2].extend(address(content).map(|it| it.to_string())),
            URI => sorted[3].push(plain()),
            _ => {}
        }
    }
    sorted.concat()
}

/// An address of four or sixteen bytes.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)).map(|it| it.to_canonical())
}

fn text(tag: u8, value: &[u8]) -> String {
    match tag {
        TELETEX_STRING => value.iter().map(|byte| char::from(*byte)).collect(),
        BMP_STRING => {
            let (units, _) = value.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(value).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_nothing_beside_themselves() {
        for (value, expected) in [
            ("Acme Co", "Acme Co"),
            ("a,CN=b+c", "a\\,CN=b\\+c"),
            (" #a ", "\\ #a\\ "),
            ("#", "\\#"),
            ("a\r\nX: \u{e4}\u{0}", "a\\0D\\0AX: \\C3\\A4\\00"),
            ("\\\"<>;", "\\\\\\\"\\<\\>\\;"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), expected, "{value:?}");
        }
    }

    #[test]
    fn attributes_have_names_or_numbers() {
        for (kind, expected) in [
            (&[0x55, 4, 3][..], "CN"),
            (DOMAIN_COMPONENT, "DC"),
            (EMAIL_ADDRESS, "emailAddress"),
            (&[0x55, 4, 97], "2.5.4.97"),
            (&[0x2b, 6, 1, 4, 1, 0x82, 0x37], "1.3.6.1.4.1.311"),
            (&[], "0.0"),
        ] {
            assert_eq!(written_kind(kind), expected);
        }
    }
}
