//! What a connection over TLS is, once its handshake is over.

/// What was agreed on in a handshake.
#[derive(Debug)]
pub(crate) struct Secured {
    /// The name that the client wanted: lower case, without a trailing dot; empty where it named
    /// none.
    pub(crate) server_name: Box<str>,
    /// `1.3`, as metrics and logs have it.
    pub(crate) version: &'static str,
    /// `TLS_AES_128_GCM_SHA256`.
    pub(crate) cipher: &'static str,
    /// HTTP/2 is spoken.
    pub(crate) is_http2: bool,
}
