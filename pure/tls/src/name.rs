//! Distinguished names and alternative names of a certificate as texts (RFC 5280 §4.1.2.4 and
//! §4.2.1.6).

use std::net::IpAddr;

use crate::der::{Der, tag};

/// `id-at` (X.520): its attributes have one more byte.
const ATTRIBUTE: [u8; 2] = [0x55, 0x04];
/// `domainComponent` (RFC 4519 §2.4), 0.9.2342.19200300.100.1.25.
const DOMAIN_COMPONENT: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19];

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
}

impl DistinguishedName {
    /// Reads one; what cannot be read is left out.
    pub(crate) fn read(der: &[u8]) -> Self {
        let mut name = Self::default();
        let mut sets = Der::new(der).within(tag::SEQUENCE).unwrap_or_else(|| Der::new(b""));
        while let Some(mut set) = sets.within(tag::SET) {
            while let Some(mut pair) = set.within(tag::SEQUENCE) {
                if let (Some(kind), Some((tag, value))) = (pair.take(tag::OID), pair.any()) {
                    name.add(kind, text(tag, value));
                }
            }
        }
        name
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
