//! What a certificate says of itself (RFC 5280 §4.1), as far as somebody here asks.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::routing::pattern::HostPattern;

use crate::der::{Der, tag};
use crate::name::address;

/// A certificate.
pub(crate) struct X509<'a> {
    /// Big-endian, as written.
    pub(crate) serial: &'a [u8],
    /// 1, 2 or 3.
    pub(crate) version: u8,
    /// The algorithm that it was signed by.
    pub(crate) signature: &'a [u8],
    /// Who signed it, and whose it is, as written.
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    /// Seconds since 1970.
    pub(crate) validity: (i64, i64),
    /// Algorithm of the key with its parameters (the curve), and the key.
    pub(crate) algorithm: &'a [u8],
    pub(crate) parameters: &'a [u8],
    pub(crate) public_key: &'a [u8],
    /// Both, as written.
    pub(crate) whole_key: &'a [u8],
    /// One behind the other.
    extensions: Option<Der<'a>>,
}

/// `id-ce-subjectAltName`.
pub(crate) const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// `id-at-commonName`.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Context-specific tags: version and extensions of a certificate, names of a `GeneralName`.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// From when to when a certificate is valid, in seconds since 1970; none where it is none.
pub fn validity(der: &[u8]) -> Option<(i64, i64)> {
    X509::read(der).map(|it| it.validity)
}

impl<'a> X509<'a> {
    /// Reads a certificate; none where it is none.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let mut body = Der::new(der).within(tag::SEQUENCE)?.within(tag::SEQUENCE)?;
        let version = body.within(VERSION).and_then(|mut it| it.take(tag::INTEGER));
        let version = version.and_then(|it| it.last()).map_or(1, |it| it.saturating_add(1));
        let serial = body.take(tag::INTEGER)?;
        let signature = body.within(tag::SEQUENCE)?.take(tag::OID)?;
        let issuer = body.whole(tag::SEQUENCE)?;
        let mut validity = body.within(tag::SEQUENCE)?;
        let validity = (time(&mut validity)?, time(&mut validity)?);
        let subject = body.whole(tag::SEQUENCE)?;
        let whole_key = body.whole(tag::SEQUENCE)?;
        let mut key = Der::new(whole_key).within(tag::SEQUENCE)?;
        let mut algorithm = key.within(tag::SEQUENCE)?;
        let (oid, parameters) = (algorithm.take(tag::OID)?, algorithm.take(tag::OID));
        let [0, public_key @ ..] = key.take(tag::BIT_STRING)? else { return None };
        let parameters = parameters.unwrap_or_default();
        let mut extensions = None;
        while let Some((tag, content)) = body.any() {
            if tag == EXTENSIONS {
                extensions = Der::new(content).within(tag::SEQUENCE);
            }
        }
        Some(Self {
            serial,
            version,
            signature,
            issuer,
            subject,
            validity,
            algorithm: oid,
            parameters,
            public_key,
            whole_key,
            extensions,
        })
    }

    /// The common name of the subject.
    pub(crate) fn common_name(&self) -> Option<&'a str> {
        let mut parts = Der::new(self.subject).within(tag::SEQUENCE)?;
        while let Some(mut part) = parts.within(tag::SET) {
            while let Some(mut pair) = part.within(tag::SEQUENCE) {
                if pair.take(tag::OID)? == COMMON_NAME {
                    return std::str::from_utf8(pair.any()?.1).ok();
                }
            }
        }
        None
    }

    /// The names and addresses that it is for: its alternative names; where it has none, its
    /// common name (as Traefik and ingress-nginx have it; browsers do not).
    pub(crate) fn names(&self) -> (Vec<HostPattern>, Vec<IpAddr>) {
        let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
        let names = self.extension(ALTERNATIVE_NAMES);
        let Some(mut names) = names.and_then(|it| Der::new(it).within(tag::SEQUENCE)) else {
            return (self.common_name().and_then(pattern).into_iter().collect(), addresses);
        };
        while let Some((tag, content)) = names.any() {
            match tag {
                DNS_NAME => hosts.extend(std::str::from_utf8(content).ok().and_then(pattern)),
                IP_ADDRESS => addresses.extend(address(content)),
                _ => {}
            }
        }
        (hosts, addresses)
    }

    /// What an extension holds, by its name.
    pub(crate) fn extension(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut all = self.extensions?;
        while let Some(mut extension) = all.within(tag::SEQUENCE) {
            let oid = extension.take(tag::OID)?;
            extension.take(tag::BOOLEAN);
            let content = extension.take(tag::OCTET_STRING)?;
            if oid == name {
                return Some(content);
            }
        }
        None
    }

    /// Its serial number in decimal digits.
    pub(crate) fn serial_digits(&self) -> String {
        let mut digits = vec![0_u8];
        // No longer than RFC 5280 §4.1.2.2 allows.
        for byte in self.serial.iter().take(21) {
            let mut carry = u32::from(*byte);
            for digit in &mut digits {
                carry += u32::from(*digit) << 8;
                *digit = u8::try_from(carry % 10).unwrap_or_default();
                carry /= 10;
            }
            while carry > 0 {
                digits.push(u8::try_from(carry % 10).unwrap_or_default());
                carry /= 10;
            }
        }
        digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
    }
}

/// A name as rules have it; a wildcard stands for one label (RFC 6125 §6.4.3).
fn pattern(name: &str) -> Option<HostPattern> {
    match name.strip_prefix("*.") {
        Some(suffix) => Some(HostPattern::Label(host(suffix)?)),
        None => Some(HostPattern::Exact(host(name)?)),
    }
}

/// A name in lower case, without a trailing dot; none for what nobody asks for.
pub(crate) fn host(name: &str) -> Option<Arc<str>> {
    /// RFC 1035 §2.3.4.
    const LONGEST: usize = 253;
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_fit = |byte: u8| byte.is_ascii_graphic() && byte != b'*';
    let is_name = (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_fit);
    is_name.then(|| name.to_ascii_lowercase().into())
}

/// UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5.
pub(crate) fn time(der: &mut Der<'_>) -> Option<i64> {
    let (tag, text) = der.any()?;
    let (digits, is_short) = match tag {
        tag::UTC_TIME => (text.strip_suffix(b"Z")?, true),
        tag::GENERALIZED_TIME => (text.strip_suffix(b"Z")?, false),
        _ => return None,
    };
    let two = |at: usize| {
        let pair = digits.get(at..at + 2)?;
        let is_number = pair.iter().all(u8::is_ascii_digit);
        is_number.then(|| i64::from(pair[0] - b'0') * 10 + i64::from(pair[1] - b'0'))
    };
    let (year, at) = match is_short {
        true => (two(0).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
        false => (two(0)? * 100 + two(2)?, 4),
    };
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|part| two(at + part));
    let days = days_of_civil(year, month?, day?);
    Some(((days * 24 + hour?) * 60 + minute?) * 60 + second?)
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days_of_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their odd day last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}
