//! What the first bytes of a connection are.

/// Postgres' SSLRequest: a length of 8, and a version that no server has ("SSLRequest" in the
/// message formats of PostgreSQL's documentation). Answered with [`ACCEPTED`], a handshake
/// follows.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// The same for encryption by GSSAPI, which clients with a Kerberos ticket ask for first. Answered
/// with [`DECLINED`], a client goes on with SSLRequest or in plain text.
pub const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

/// A Postgres server's yes to SSLRequest.
pub const ACCEPTED: u8 = b'S';

/// A Postgres server's no to a request for encryption.
pub const DECLINED: u8 = b'N';

/// Type of a TLS record that carries a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// With a TLS record of a handshake.
    Tls,
    /// With Postgres' SSLRequest.
    SslRequest,
    /// With Postgres' GSSENCRequest.
    GssRequest,
    /// With anything else.
    Plain,
}

/// What `bytes` begin with; none if that takes more of them.
pub fn first_bytes(bytes: &[u8]) -> Option<FirstBytes> {
    let first = *bytes.first()?;
    if first == HANDSHAKE {
        return Some(FirstBytes::Tls);
    }
    for (request, kind) in
        [(SSL_REQUEST, FirstBytes::SslRequest), (GSS_REQUEST, FirstBytes::GssRequest)]
    {
        if bytes.starts_with(&request) {
            return Some(kind);
        }
        if request.starts_with(bytes) {
            return None;
        }
    }
    Some(FirstBytes::Plain)
}
