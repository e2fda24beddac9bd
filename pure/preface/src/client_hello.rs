//! A TLS ClientHello as routing needs it: server name and protocols (RFC 8446 §4.1.2).
//!
//! Read leniently: what is not routed by is skipped whatever it is, since the endpoint behind a
//! passthrough may know what we do not. Where bytes could be read in two ways, they are refused.

use crate::fields::{Fields, Short};

/// Types of records and messages, and numbers of extensions (RFC 8446 §5.1, §4, §4.2).
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// Bytes of a record's head, and of a message's.
const RECORD_HEAD: usize = 5;
const MESSAGE_HEAD: usize = 4;

/// The longest fragment of a record (RFC 8446 §5.1).
const LONGEST_FRAGMENT: usize = 1 << 14;

/// The longest message that is read, in bytes: post-quantum shares and tickets take a few
/// thousand; Go's library takes as many.
pub const LONGEST: usize = 1 << 16;

/// The most records it may come in: of whole ones 4 are enough.
const MOST_RECORDS: usize = 64;

/// What a client asks for in its handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The name of the server (SNI, RFC 6066 §3), in lower case and without a dot at its end; none
    /// if it names none, or an address, which is no name there.
    pub server_name: Option<Box<str>>,
    /// The protocols it offers (ALPN, RFC 7301), in its order.
    pub protocols: Vec<Box<[u8]>>,
}

/// Why what came is no ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloFault {
    /// Something else than records of a handshake.
    #[error("no TLS handshake")]
    NotTls,
    /// Another message of a handshake.
    #[error("a handshake that begins with another message than ClientHello")]
    NotClientHello,
    /// Longer than [`LONGEST`], or in more pieces than anybody makes.
    #[error("a ClientHello that is too long")]
    TooLong,
    /// Lengths that contradict each other, or an extension that stands there twice.
    #[error("a ClientHello that cannot be read")]
    Malformed,
}

/// Puts a ClientHello together from records, which may come in pieces.
#[derive(Clone, Debug, Default)]
pub struct HelloReader {
    /// Bytes that are read already: whole records.
    read: usize,
    records: usize,
    message: Vec<u8>,
}

impl HelloReader {
    /// Reads on. `bytes` is all that has come on the connection, from its first byte; none if that
    /// takes more of them.
    ///
    /// # Errors
    /// When it will not become a ClientHello however much follows.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<ClientHello>, HelloFault> {
        while let Some(fragment) = fragment(bytes.get(self.read..).unwrap_or_default())? {
            self.read += RECORD_HEAD + fragment.len();
            self.records += 1;
            self.message.extend_from_slice(fragment);
            if let Some(message) = message(&self.message)? {
                return hello(message).map(Some);
            }
            if self.records == MOST_RECORDS {
                return Err(HelloFault::TooLong);
            }
        }
        Ok(None)
    }
}

/// What the record carries that `bytes` begin with; none if it is not whole.
fn fragment(bytes: &[u8]) -> Result<Option<&[u8]>, HelloFault> {
    let is_record = bytes.first().is_none_or(|kind| *kind == HANDSHAKE)
        && bytes.get(1).is_none_or(|major| *major == 3);
    if !is_record {
        return Err(HelloFault::NotTls);
    }
    let Some((head, rest)) = bytes.split_first_chunk::<RECORD_HEAD>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    // Records of a handshake are never empty.
    if !(1..=LONGEST_FRAGMENT).contains(&length) {
        return Err(HelloFault::Malformed);
    }
    Ok(rest.get(..length))
}

/// The body of the ClientHello that `bytes` begin with; none if it is not whole.
fn message(bytes: &[u8]) -> Result<Option<&[u8]>, HelloFault> {
    if bytes.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(HelloFault::NotClientHello);
    }
    let Some((head, rest)) = bytes.split_first_chunk::<MESSAGE_HEAD>() else { return Ok(None) };
    let length = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
    if length > LONGEST {
        return Err(HelloFault::TooLong);
    }
    Ok(rest.get(..length))
}

fn hello(message: &[u8]) -> Result<ClientHello, HelloFault> {
    let mut fields = Fields(message);
    let _version: [u8; 2] = fields.array()?;
    let _random: [u8; 32] = fields.array()?;
    let _session = fields.after_u8()?;
    let _ciphers = fields.after_u16()?;
    let _compressions = fields.after_u8()?;
    let mut hello = ClientHello::default();
    // Before TLS 1.3 there need not be any.
    if fields.is_empty() {
        return Ok(hello);
    }
    let mut extensions = Fields(fields.after_u16()?);
    let mut seen = [false; 2];
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        let content = Fields(extensions.after_u16()?);
        let at = match kind {
            SERVER_NAME => 0,
            ALPN => 1,
            _ => continue,
        };
        if std::mem::replace(&mut seen[at], true) {
            return Err(HelloFault::Malformed);
        }
        match kind {
            SERVER_NAME => hello.server_name = server_name(content)?,
            _ => hello.protocols = protocols(content)?,
        }
    }
    if fields.is_empty() { Ok(hello) } else { Err(HelloFault::Malformed) }
}

/// RFC 6066 §3: of names of one type there is one at most, and there is one type, 0.
fn server_name(mut content: Fields<'_>) -> Result<Option<Box<str>>, HelloFault> {
    let mut names = Fields(content.after_u16()?);
    let is_host = names.u8()? == 0;
    let name = names.after_u16()?;
    if !(is_host && names.is_empty() && content.is_empty()) {
        return Err(HelloFault::Malformed);
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_name = name.iter().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(it));
    let name = str::from_utf8(name).ok().filter(|name| is_name && !name.is_empty());
    let name = name.ok_or(HelloFault::Malformed)?;
    let is_address = name.parse::<std::net::Ipv4Addr>().is_ok();
    Ok((!is_address).then(|| name.to_ascii_lowercase().into()))
}

/// RFC 7301 §3.1: at least one, none of them empty.
fn protocols(mut content: Fields<'_>) -> Result<Vec<Box<[u8]>>, HelloFault> {
    let mut list = Fields(content.after_u16()?);
    let mut protocols: Vec<Box<[u8]>> = Vec::new();
    while !list.is_empty() {
        protocols.push(list.after_u8()?.into());
    }
    let is_whole = content.is_empty() && !protocols.is_empty();
    let is_valid = is_whole && protocols.iter().all(|it| !it.is_empty());
    if is_valid { Ok(protocols) } else { Err(HelloFault::Malformed) }
}

impl From<Short> for HelloFault {
    fn from(_: Short) -> Self {
        Self::Malformed
    }
}
