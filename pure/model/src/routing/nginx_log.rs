//! How requests and connections are logged where class nginx serves, in nginx's words. What a word
//! is for a request is said where the request is known (`io/gateway/src/tell/access_log/nginx.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::routing::filter::nginx::NginxWord;
use crate::routing::variables::{Variable, VariableFault, parts};

/// What ingress-nginx logs where nothing is said.
pub const USUAL: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
    $body_bytes_sent \"$http_referer\" \"$http_user_agent\" $request_length $request_time \
    [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr \
    $upstream_response_length $upstream_response_time $upstream_status $req_id";

/// The same of connections.
pub const USUAL_OF_STREAMS: &str = "[$remote_addr] [$time_local] $protocol $status $bytes_sent \
    $bytes_received $session_time";

/// A log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxLog {
    /// A file; none is standard output.
    pub path: Option<Arc<str>>,
    /// How lines look.
    pub text: LogText,
    /// Requests for these have none (`skip-access-log-urls`).
    pub skips: Vec<NginxWord>,
    /// Those that no route takes have one (`enable-access-log-for-default-backend`).
    pub has_strays: bool,
    /// Its place or its form is written: it is kept also where the program has an access log of
    /// its own.
    pub is_asked: bool,
}

/// A line: texts and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogText {
    /// In their order.
    pub parts: Vec<LogPart>,
    /// How values are spelled.
    pub escape: LogEscape,
    /// Header lines of requests that it says something of, in lower case.
    pub headers: Box<[Arc<str>]>,
    /// Whether it says something of lines of answers.
    pub has_answers: bool,
}

/// A part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPart {
    /// As it is.
    Plain(Arc<str>),
    /// What the request has under this name.
    Asked(Variable),
    /// What came of it.
    Known(LogWord),
    /// What an answer has.
    Answered(AnsweredLine),
}

/// A line of an answer, by its name in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnsweredLine {
    /// What the client was sent (`$sent_http_NAME`).
    Sent(Arc<str>),
    /// What the endpoint has sent (`$upstream_http_NAME`).
    Came(Arc<str>),
    /// A cookie that the endpoint sets (`$upstream_cookie_NAME`).
    Cookie(Arc<str>),
}

impl AnsweredLine {
    /// The one of this name, without `$`.
    pub fn of(name: &str) -> Option<Self> {
        let header = |name: &str| Arc::from(name.to_ascii_lowercase().replace('_', "-"));
        let after = |prefix: &str| name.strip_prefix(prefix).filter(|it| !it.is_empty());
        let sent = after("sent_http_").map(|it| Self::Sent(header(it)));
        let came = || after("upstream_http_").map(|it| Self::Came(header(it)));
        let cookie = || after("upstream_cookie_").map(|it| Self::Cookie(it.into()));
        sent.or_else(came).or_else(cookie)
    }
}

/// How values are spelled, so that nothing in them is taken for a part of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogEscape {
    /// Quotes, backslashes and what is not printable as `\xHH`; `-` where there is none.
    #[default]
    Usual,
    /// As texts of JSON.
    Json,
    /// As they are, but for what would end or change a line.
    Nothing,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident $spelled:literal),* $(,)?) => {
        /// What came of a request or a connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum LogWord { $($(#[$doc])* $name),* }

        impl LogWord {
            /// The one of this name, without `$`.
            pub fn of(name: &str) -> Option<Self> {
                match name {
                    $($spelled => Some(Self::$name),)*
                    "request_id" => Some(Self::RequestId),
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// `06/Nov/1994:08:49:37 +0000`.
    TimeLocal "time_local",
    /// `1994-11-06T08:49:37+00:00`.
    TimeIso "time_iso8601",
    /// Seconds since 1970, with milliseconds.
    Seconds "msec",
    /// The first line of the request.
    RequestLine "request",
    /// Status of the answer; of a connection how it ended.
    Status "status",
    /// Bytes of the answer's body.
    BodyBytesSent "body_bytes_sent",
    /// Bytes to the client.
    BytesSent "bytes_sent",
    /// Bytes of the client.
    BytesReceived "bytes_received",
    /// Bytes of the request, with its head.
    RequestLength "request_length",
    /// Seconds that it took, with milliseconds.
    RequestTime "request_time",
    /// The same of a connection.
    SessionTime "session_time",
    /// Who the client is, by its password.
    RemoteUser "remote_user",
    /// The client's port.
    RemotePort "remote_port",
    /// Where the connection comes from, whoever is named.
    PeerAddress "realip_remote_addr",
    /// The client's address, whoever has said it.
    RealIp "the_real_ip",
    /// The same, where a PROXY header says it.
    ProxyProtocolAddress "proxy_protocol_addr",
    /// `HTTP/1.1`.
    ServerProtocol "server_protocol",
    /// `TCP` or `UDP`.
    Protocol "protocol",
    /// The port that was connected to.
    ServerPort "server_port",
    /// `TLSv1.3`.
    SslProtocol "ssl_protocol",
    /// How it is encrypted.
    SslCipher "ssl_cipher",
    /// `NAMESPACE-SERVICE-PORT` of the Service that was asked.
    UpstreamName "proxy_upstream_name",
    /// The same of a canary.
    AlternativeName "proxy_alternative_upstream_name",
    /// The endpoint that was asked last.
    UpstreamAddress "upstream_addr",
    /// Bytes of the body that it has sent.
    UpstreamLength "upstream_response_length",
    /// Seconds that it took.
    UpstreamTime "upstream_response_time",
    /// What it has answered.
    UpstreamStatus "upstream_status",
    /// What the request is called (`X-Request-ID`).
    RequestId "req_id",
    /// Namespace of the Ingress.
    Namespace "namespace",
    /// Name of the Ingress.
    IngressName "ingress_name",
    /// Name of the Service.
    ServiceName "service_name",
    /// Port of the Service.
    ServicePort "service_port",
    /// Name of the machine.
    HostName "hostname",
    /// Number of the process.
    ProcessId "pid",
    /// Nothing: what the name stands for elsewhere is not known here.
    Unknown "-",
}

impl LogText {
    /// Reads a format; the names in it that stand for nothing.
    ///
    /// # Errors
    /// What of it cannot be read at all.
    pub fn read(text: &str, escape: LogEscape) -> Result<(Self, Vec<Arc<str>>), VariableFault> {
        let mut unknown = Vec::new();
        let of = |name: &str| {
            let known = LogWord::of(name).map(LogPart::Known);
            let known = known.or_else(|| AnsweredLine::of(name).map(LogPart::Answered));
            known.or_else(|| Variable::of(name).map(LogPart::Asked)).unwrap_or_else(|| {
                unknown.push(name.into());
                LogPart::Known(LogWord::Unknown)
            })
        };
        let parts = parts(text, LogPart::Plain, of)?;
        Ok((Self::new(parts, escape), unknown))
    }

    /// One of these parts.
    pub fn new(parts: Vec<LogPart>, escape: LogEscape) -> Self {
        let named = parts.iter().filter_map(|part| match part {
            LogPart::Asked(Variable::Header(name)) => Some(Arc::clone(name)),
            LogPart::Asked(Variable::Cookie(_)) => Some("cookie".into()),
            LogPart::Asked(Variable::Passed) => Some("x-forwarded-for".into()),
            LogPart::Known(LogWord::RequestId) => Some("x-request-id".into()),
            LogPart::Plain(_) | LogPart::Asked(_) | LogPart::Known(_) | LogPart::Answered(_) => {
                None
            }
        });
        let headers: BTreeSet<Arc<str>> = named.collect();
        let has_answers = parts.iter().any(|it| matches!(it, LogPart::Answered(_)));
        Self { headers: headers.into_iter().collect(), parts, escape, has_answers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_words_and_texts() {
        let (usual, unknown) = LogText::read(USUAL, LogEscape::Usual).unwrap();
        assert!(unknown.is_empty());
        assert_eq!(usual.parts[0], LogPart::Asked(Variable::RemoteAddress));
        assert_eq!(usual.parts[1], LogPart::Plain(" - ".into()));
        let headers: Vec<&str> = usual.headers.iter().map(|it| &**it).collect();
        assert_eq!(headers, ["referer", "user-agent", "x-request-id"]);
        let (_, unknown) = LogText::read(USUAL_OF_STREAMS, LogEscape::Usual).unwrap();
        assert!(unknown.is_empty());
        let (_, unknown) = LogText::read("$a_b ${c}$status", LogEscape::Json).unwrap();
        assert_eq!(unknown, ["a_b".into(), "c".into()]);
        let format = "$sent_http_X_A $upstream_http_content_type $upstream_cookie_a";
        let (answers, unknown) = LogText::read(format, LogEscape::Usual).unwrap();
        let sent = AnsweredLine::Sent("x-a".into());
        assert!(unknown.is_empty() && answers.has_answers && !usual.has_answers);
        assert_eq!(answers.parts[0], LogPart::Answered(sent));
        let (_, unknown) = LogText::read("$sent_http_", LogEscape::Usual).unwrap();
        assert_eq!(unknown, ["sent_http_".into()]);
        for text in ["$", "${a", "a$-"] {
            assert!(LogText::read(text, LogEscape::Usual).is_err(), "{text}");
        }
    }
}
