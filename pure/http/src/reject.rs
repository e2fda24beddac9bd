//! Why a message is refused, as closed sets: the status, the log reason and the metric label are
//! functions of them.

use std::fmt;

/// What is wrong with a request; it is answered with [`Reject::status`] and the connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reject {
    /// Not an HTTP/1 request line, or a header line that is none (RFC 9112 §3, §5).
    Syntax,
    /// A line that ends in a bare LF, or a bare CR (RFC 9112 §2.2).
    LineEnding,
    /// The target is in none of the four forms, or has bytes that no URI has (RFC 9112 §3.2).
    Target,
    /// Percent signs that encode nothing, encoded slashes or parameters that hide a dot segment, or
    /// that make it another route's path to some servers.
    Path,
    /// No Host, several, or one that is not `host[:port]` (RFC 9112 §3.2).
    Host,
    /// Content-Length repeated or not a number (RFC 9112 §6.3).
    ContentLength,
    /// Transfer-Encoding together with Content-Length, repeated, in HTTP/1.0, or without a final
    /// `chunked` (RFC 9112 §6.1, §6.3).
    TransferEncoding,
    /// A transfer coding other than `chunked` (RFC 9112 §6.1).
    UnknownCoding,
    /// A Connection header with more names than anybody needs.
    Connection,
    /// A body that is not in chunks as announced (RFC 9112 §7.1).
    Chunk,
    /// CONNECT (RFC 9110 §9.3.6): this is no forward proxy.
    Connect,
    /// HTTP/0.9, HTTP/2 without negotiation, or anything newer.
    Version,
    /// The request line alone is larger than the limit for heads.
    TargetTooLong,
    /// The head is larger than the limit.
    HeadTooLarge,
    /// More header lines than the limit.
    TooManyHeaders,
    /// Of HTTP/2: pseudo-header fields that are missing, or are none (RFC 9113 §8.3).
    Pseudo,
    /// A line whose name has an underscore, where the entry point lets none in.
    Underscore,
    /// Of HTTP/2: a field that is about a connection, or whose name or value has what none may
    /// have (RFC 9113 §8.2).
    Field,
}

/// What is wrong with an upstream's response; the client gets 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadResponse {
    /// Not an HTTP/1 response head.
    Syntax,
    /// Content-Length is no number, or two that differ, or beside Transfer-Encoding.
    ContentLength,
    /// Transfer-Encoding other than exactly `chunked`.
    TransferEncoding,
    /// 101 that nobody asked for, or to what nobody asked for.
    Upgrade,
    /// Success without the switch that was all that the request asked for (RFC 8441 §5).
    NoTunnel,
    /// A Connection header with more names than anybody needs.
    Connection,
    /// The head is larger than the limit.
    HeadTooLarge,
    /// More header lines than the limit.
    TooManyLines,
    /// A body that is not in chunks as announced.
    Chunk,
    /// More interim responses than anybody has to say.
    TooManyInterims,
    /// Of HTTP/2: a field that is about a connection, or whose name or value has what none may
    /// have (RFC 9113 §8.2).
    Field,
}

impl std::error::Error for Reject {}

impl Reject {
    /// The status it is answered with.
    pub fn status(self) -> u16 {
        match self {
            Self::Syntax
            | Self::LineEnding
            | Self::Target
            | Self::Path
            | Self::Host
            | Self::ContentLength
            | Self::TransferEncoding
            | Self::Connection
            | Self::Chunk
            | Self::Pseudo
            | Self::Field
            | Self::Underscore => 400,
            Self::TargetTooLong => 414,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::UnknownCoding | Self::Connect => 501,
            Self::Version => 505,
        }
    }

    /// For people: what is wrong with the request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "malformed request head",
            Self::LineEnding => "line that does not end in CR LF",
            Self::Target => "malformed request target",
            Self::Path => "ambiguous path",
            Self::Host => "missing, repeated or malformed Host",
            Self::ContentLength => "repeated or malformed Content-Length",
            Self::TransferEncoding => "ambiguous Transfer-Encoding",
            Self::UnknownCoding => "unknown transfer coding",
            Self::Connection => "too many names in Connection",
            Self::Chunk => "malformed chunked body",
            Self::Connect => "CONNECT is not supported",
            Self::Version => "unsupported HTTP version",
            Self::TargetTooLong => "request target too long",
            Self::HeadTooLarge => "request head too large",
            Self::TooManyHeaders => "too many header lines",
            Self::Pseudo => "missing or malformed pseudo-header field",
            Self::Field => "header field that HTTP/2 does not allow",
            Self::Underscore => "header field with an underscore in its name",
        }
    }
}

impl BadResponse {
    /// For the log: what is wrong with the response.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "malformed response head",
            Self::ContentLength => "ambiguous Content-Length in the response",
            Self::TransferEncoding => "ambiguous Transfer-Encoding in the response",
            Self::Upgrade => "101 to what the request did not ask for",
            Self::NoTunnel => "success without the switch that the request asked for",
            Self::Connection => "too many names in Connection of the response",
            Self::HeadTooLarge => "response head too large",
            Self::TooManyLines => "too many header lines in the response",
            Self::Chunk => "malformed chunked response body",
            Self::TooManyInterims => "too many interim responses",
            Self::Field => "header field in the response that HTTP/2 does not allow",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for BadResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_status_and_its_words() {
        for (reject, status, words) in [
            (Reject::Syntax, 400, "malformed request head"),
            (Reject::Host, 400, "missing, repeated or malformed Host"),
            (Reject::TargetTooLong, 414, "request target too long"),
            (Reject::TooManyHeaders, 431, "too many header lines"),
            (Reject::Connect, 501, "CONNECT is not supported"),
            (Reject::Version, 505, "unsupported HTTP version"),
            (Reject::Pseudo, 400, "missing or malformed pseudo-header field"),
            (Reject::Field, 400, "header field that HTTP/2 does not allow"),
            (Reject::Underscore, 400, "header field with an underscore in its name"),
        ] {
            assert_eq!((reject.status(), reject.as_str()), (status, words));
        }
        assert_eq!(BadResponse::Chunk.as_str(), "malformed chunked response body");
        assert_eq!(BadResponse::Syntax.as_str(), "malformed response head");
    }
}
