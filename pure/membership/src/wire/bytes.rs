//! Reading and writing of numbers and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Malformed;

const V4: u8 = 4;
const V6: u8 = 6;

/// What is left to read.
pub(super) struct Reader<'a>(&'a [u8]);

/// What is written so far.
pub(super) struct Writer(Vec<u8>);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn address(&mut self) -> Result<IpAddr, Malformed> {
        match self.u8()? {
            V4 => self.array::<4>().map(|it| Ipv4Addr::from(it).into()),
            V6 => self.array::<16>().map(|it| Ipv6Addr::from(it).into()),
            _ => Err(Malformed),
        }
    }
}

impl Writer {
    pub(super) fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// A number of things that is known to be small.
    pub(super) fn count(&mut self, value: usize) {
        self.u8(u8::try_from(value).expect("lists in a datagram have at most 255 members"));
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(it) => {
                self.u8(V4);
                self.bytes(&it.octets());
            }
            IpAddr::V6(it) => {
                self.u8(V6);
                self.bytes(&it.octets());
            }
        }
    }
}
