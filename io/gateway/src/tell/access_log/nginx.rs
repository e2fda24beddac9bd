//! How a line looks in nginx's words.
//!
//! Values are spelled so that none is taken for another part of the line, or for a line of its own,
//! whatever clients and endpoints say.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use steelyard_filters::{VariableSource, recall};
use steelyard_http::push_number;
use steelyard_model::NamespacedName;
use steelyard_model::routing::nginx_log::{AnsweredLine, LogEscape, LogPart, LogText, LogWord};
use steelyard_model::routing::route::Route;
use steelyard_model::routing::variables::Variable;

use super::Entry;
use super::lines::is_active;
use crate::tell::date::Civil;
use crate::wire::secured::Secured;

/// The line that names a request.
static REQUEST_ID: LazyLock<Arc<str>> = LazyLock::new(|| "x-request-id".into());

/// A request that is over, with what nginx says of it.
pub(crate) struct NginxEntry<'a> {
    pub(crate) entry: &'a Entry<'a>,
    /// The route that took it.
    pub(crate) route: Option<&'a Route>,
    /// The Service that was asked, and its port.
    pub(crate) service: Option<(&'a NamespacedName, u16)>,
    /// The port that it came to.
    pub(crate) port: u16,
    /// The machine's name.
    pub(crate) machine: &'a str,
}

/// A connection that is over.
pub(crate) struct StreamEntry<'a> {
    pub(crate) client: IpAddr,
    pub(crate) client_port: u16,
    pub(crate) protocol: &'static str,
    pub(crate) status: u16,
    /// Bytes to the client, and of it.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) took: Duration,
    pub(crate) port: u16,
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) machine: &'a str,
}

/// Says what a word is; whether it is anything.
pub(super) trait LogSource {
    fn known(&self, word: LogWord, out: &mut Vec<u8>) -> bool;
    fn asked(&self) -> &dyn VariableSource;
    fn answered(&self, line: &AnsweredLine, out: &mut Vec<u8>) -> bool;
}

/// Appends a line.
pub(super) fn line(
    text: &LogText,
    of: &dyn LogSource,
    stamp: &str,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    for part in &text.parts {
        scratch.clear();
        let is_there = match part {
            LogPart::Plain(plain) => {
                out.extend_from_slice(plain.as_bytes());
                continue;
            }
            LogPart::Known(LogWord::TimeLocal) => {
                out.extend_from_slice(stamp.as_bytes());
                continue;
            }
            LogPart::Known(word) => of.known(*word, scratch),
            LogPart::Asked(variable) => recall(variable, of.asked(), scratch),
            LogPart::Answered(line) => of.answered(line, scratch),
        };
        match text.escape {
            LogEscape::Usual if !is_there => out.push(b'-'),
            LogEscape::Usual => usual(scratch, out),
            LogEscape::Json => json(scratch, out),
            LogEscape::Nothing => bare(scratch, out),
        }
    }
    out.push(b'\n');
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

fn hexadecimal(byte: u8, out: &mut Vec<u8>) {
    let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
    out.extend_from_slice(&[b'\\', b'x', high, low]);
}

fn usual(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'"' | b'\\' | 0..=31 | 127.. => hexadecimal(*byte, out),
            byte => out.push(*byte),
        }
    }
}

/// Nothing is spelled otherwise but what would end the line, or change how it is shown.
fn bare(value: &[u8], out: &mut Vec<u8>) {
    for chunk in value.utf8_chunks() {
        for char in chunk.valid().chars() {
            let mut bytes = [0; 4];
            let bytes = char.encode_utf8(&mut bytes).as_bytes();
            match is_active(char) {
                true => bytes.iter().for_each(|byte| hexadecimal(*byte, out)),
                false => out.extend_from_slice(bytes),
            }
        }
        chunk.invalid().iter().for_each(|byte| hexadecimal(*byte, out));
    }
}

fn json(value: &[u8], out: &mut Vec<u8>) {
    for chunk in value.utf8_chunks() {
        for char in chunk.valid().chars() {
            let _ = match char {
                '"' | '\\' => write!(out, "\\{char}"),
                '\n' => write!(out, "\\n"),
                '\r' => write!(out, "\\r"),
                '\t' => write!(out, "\\t"),
                '\u{8}' => write!(out, "\\b"),
                '\u{c}' => write!(out, "\\f"),
                char if is_active(char) => write!(out, "\\u{:04X}", u32::from(char)),
                char => write!(out, "{char}"),
            };
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Whole seconds and milliseconds.
fn seconds(duration: Duration, out: &mut Vec<u8>) -> bool {
    let _ = write!(out, "{}.{:03}", duration.as_secs(), duration.subsec_millis());
    true
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn number(value: u64, out: &mut Vec<u8>) -> bool {
    push_number(out, value);
    true
}

/// A text that may not be there.
fn text(value: Option<&str>, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(value.unwrap_or_default().as_bytes());
    value.is_some()
}

/// What is the same for requests and connections.
fn common(word: LogWord, machine: &str, out: &mut Vec<u8>) -> bool {
    match word {
        LogWord::TimeIso => {
            let _ = write!(out, "{}", Civil::from_unix(now().as_secs()).iso());
            true
        }
        LogWord::Seconds => seconds(now(), out),
        LogWord::HostName => text(Some(machine), out),
        LogWord::ProcessId => number(u64::from(std::process::id()), out),
        _ => false,
    }
}

impl NginxEntry<'_> {
    /// What came of it in total.
    fn numbers(&self, word: LogWord, out: &mut Vec<u8>) -> bool {
        let entry = self.entry;
        match word {
            LogWord::Status => number(u64::from(entry.status), out),
            LogWord::BodyBytesSent | LogWord::BytesSent => number(entry.bytes_out, out),
            LogWord::RequestLength | LogWord::BytesReceived => {
                number(entry.note.head_length + entry.bytes_in, out)
            }
            LogWord::RequestTime | LogWord::SessionTime => seconds(entry.duration, out),
            LogWord::RemotePort => number(u64::from(entry.peer.port()), out),
            LogWord::ServerPort => number(u64::from(self.port), out),
            _ => self.upstream(word, out),
        }
    }

    /// Where it went.
    fn upstream(&self, word: LogWord, out: &mut Vec<u8>) -> bool {
        let entry = self.entry;
        let is_asked = entry.endpoint.is_some();
        match word {
            LogWord::UpstreamAddress => text(entry.endpoint, out),
            LogWord::UpstreamLength if is_asked => {
                number(entry.note.shrunk.map_or(entry.bytes_out, |it| it.0), out)
            }
            LogWord::UpstreamTime if is_asked => seconds(entry.origin, out),
            LogWord::UpstreamStatus if is_asked => number(u64::from(entry.status), out),
            LogWord::UpstreamName => match self.service {
                Some((id, port)) => {
                    let _ = write!(out, "{}-{}-{port}", id.namespace, id.name);
                    true
                }
                None => false,
            },
            // It is said to be none.
            LogWord::AlternativeName => true,
            LogWord::ServiceName => text(self.service.map(|(id, _)| &*id.name), out),
            LogWord::ServicePort => {
                self.service.is_some_and(|(_, port)| number(u64::from(port), out))
            }
            _ => common(word, self.machine, out),
        }
    }
}

impl LogSource for NginxEntry<'_> {
    fn known(&self, word: LogWord, out: &mut Vec<u8>) -> bool {
        let (entry, note) = (self.entry, self.entry.note);
        let object = self.route.map(|route| &route.place.object);
        match word {
            LogWord::RequestLine if note.method.is_empty() => true,
            LogWord::RequestLine => {
                let parts = [&note.method, " ", note.asked(), " ", note.protocol()];
                parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
                true
            }
            LogWord::RemoteUser => text(Some(&*note.user).filter(|it| !it.is_empty()), out),
            LogWord::ServerProtocol => text(Some(note.protocol()), out),
            LogWord::Protocol => text(Some("TCP"), out),
            LogWord::SslProtocol => text(entry.tls.map(Secured::protocol), out),
            LogWord::SslCipher => text(entry.tls.map(|tls| tls.cipher), out),
            LogWord::RequestId if !note.name.is_empty() => text(Some(&note.name), out),
            LogWord::RequestId => {
                let given = Variable::Header(Arc::clone(&REQUEST_ID));
                recall(&given, self, out)
            }
            LogWord::PeerAddress => {
                let _ = write!(out, "{}", entry.peer.ip().to_canonical());
                true
            }
            LogWord::RealIp => {
                let _ = write!(out, "{}", entry.client.to_canonical());
                true
            }
            LogWord::Namespace => text(object.map(|it| &*it.namespace), out),
            LogWord::IngressName => text(object.map(|it| &*it.name), out),
            word => self.numbers(word, out),
        }
    }

    fn asked(&self) -> &dyn VariableSource {
        self
    }

    fn answered(&self, line: &AnsweredLine, out: &mut Vec<u8>) -> bool {
        let Some(heads) = &self.entry.note.heads else { return false };
        match line {
            AnsweredLine::Sent(name) => named(heads.went_lines(), name, out),
            AnsweredLine::Came(name) => named(heads.came_lines(), name, out),
            AnsweredLine::Cookie(name) => {
                let set = heads.came_lines().filter(|it| it.0.eq_ignore_ascii_case(b"set-cookie"));
                let pair = |value: &'_ [u8]| value.split(|it| *it == b';').next().map(<[u8]>::len);
                let mut found = set.filter_map(|(_, value)| {
                    let rest = value[..pair(value)?].strip_prefix(name.as_bytes())?;
                    rest.strip_prefix(b"=")
                });
                let value = found.next();
                out.extend_from_slice(value.unwrap_or_default());
                value.is_some()
            }
        }
    }
}

/// All values of a name, with commas between; whether there is one.
fn named<'l>(
    lines: impl Iterator<Item = (&'l [u8], &'l [u8])>,
    name: &str,
    out: &mut Vec<u8>,
) -> bool {
    let mut is_there = false;
    for (_, value) in lines.filter(|(it, _)| it.eq_ignore_ascii_case(name.as_bytes())) {
        out.extend_from_slice(if is_there { b", " } else { b"" });
        out.extend_from_slice(value);
        is_there = true;
    }
    is_there
}

impl VariableSource for NginxEntry<'_> {
    fn is_tls(&self) -> bool {
        self.entry.tls.is_some()
    }

    fn access_scheme(&self) -> &str {
        if self.entry.note.is_secure { "https" } else { "http" }
    }

    fn authority(&self) -> &str {
        &self.entry.note.host
    }

    fn path(&self) -> &str {
        self.entry.note.asked().split('?').next().unwrap_or_default()
    }

    fn query(&self) -> Option<&str> {
        Some(self.entry.note.asked().split_once('?')?.1)
    }

    fn method(&self) -> &str {
        &self.entry.note.method
    }

    fn client(&self) -> IpAddr {
        self.entry.client
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        self.entry.note.each(see);
    }
}

impl LogSource for StreamEntry<'_> {
    fn known(&self, word: LogWord, out: &mut Vec<u8>) -> bool {
        match word {
            LogWord::Protocol => text(Some(self.protocol), out),
            LogWord::Status => number(u64::from(self.status), out),
            LogWord::BytesSent => number(self.sent, out),
            LogWord::BytesReceived => number(self.received, out),
            LogWord::SessionTime => seconds(self.took, out),
            LogWord::RemotePort => number(u64::from(self.client_port), out),
            LogWord::ServerPort => number(u64::from(self.port), out),
            LogWord::UpstreamAddress => text(self.endpoint, out),
            word => common(word, self.machine, out),
        }
    }

    fn asked(&self) -> &dyn VariableSource {
        self
    }

    fn answered(&self, _: &AnsweredLine, _: &mut Vec<u8>) -> bool {
        false
    }
}

/// A connection has nothing of a request but who has made it.
impl VariableSource for StreamEntry<'_> {
    fn is_tls(&self) -> bool {
        false
    }

    fn access_scheme(&self) -> &str {
        ""
    }

    fn authority(&self) -> &str {
        ""
    }

    fn path(&self) -> &str {
        ""
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn method(&self) -> &str {
        ""
    }

    fn client(&self) -> IpAddr {
        self.client
    }

    fn each(&self, _: &mut dyn FnMut(&str, &[u8])) {}
}

#[cfg(test)]
mod tests {
    use steelyard_http::{RequestHead, Slots};
    use steelyard_model::routing::nginx_log::{NginxLog, USUAL, USUAL_OF_STREAMS};

    use super::*;
    use crate::tell::access_log::{Note, Wanted};

    fn written(format: &str, escape: LogEscape, asked: &str, endpoint: Option<&str>) -> String {
        let (text, _) = LogText::read(format, escape).unwrap();
        let log =
            NginxLog { path: None, text, skips: Vec::new(), has_strays: true, is_asked: true };
        let mut slots = Slots::default();
        let head = RequestHead::parse(asked.as_bytes(), &mut slots).unwrap().unwrap();
        let mut note = Note::default();
        note.take(&head, Wanted { fields: None, nginx: Some(&log) });
        note.user.push_str("ann");
        let entry = Entry {
            note: &note,
            client: [192, 0, 2, 1].into(),
            peer: ([10, 0, 0, 1], 4711).into(),
            entry_point: "web",
            status: 200,
            bytes_in: 5,
            bytes_out: 18,
            duration: Duration::from_millis(1_002),
            origin: Duration::from_millis(1),
            router: None,
            service: Some("default-echo-80"),
            endpoint,
            retries: 0,
            why: None,
            traced: None,
            tls: None,
            id: None,
        };
        let id = NamespacedName::new("default", "echo");
        let service = endpoint.map(|_| (&id, 80));
        let entry = NginxEntry { entry: &entry, route: None, service, port: 80, machine: "node-1" };
        let (mut out, mut scratch) = (Vec::new(), Vec::new());
        line(&log.text, &entry, "06/Nov/1994:08:49:37 +0000", &mut scratch, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    const ASKED: &str = "GET /a%20b?c=\"d\" HTTP/1.1\r\nHost: A.test:81\r\nUser-Agent: curl\r\n\
        X-Request-ID: 4711\r\nX-A: \"q\" \\ \u{e9}\r\nCookie: s=1\r\n\r\n";

    #[test]
    fn a_line_is_that_of_ingress_nginx() {
        let line = written(USUAL, LogEscape::Usual, ASKED, Some("10.0.0.7:8080"));
        let expected = "192.0.2.1 - ann [06/Nov/1994:08:49:37 +0000] \
            \"GET /a%20b?c=\\x22d\\x22 HTTP/1.1\" 200 18 \"-\" \"curl\" ";
        let length = ASKED.len() + 5;
        let expected = format!(
            "{expected}{length} 1.002 [default-echo-80] [] 10.0.0.7:8080 18 0.001 200 4711\n"
        );
        assert_eq!(line, expected);
        let line = written("$upstream_addr|$upstream_status|$x", LogEscape::Usual, ASKED, None);
        assert_eq!(line, "-|-|-\n");
    }

    #[test]
    fn values_are_spelled_so_that_none_gets_out() {
        let format = "$http_x_a|$http_no|$cookie_s|$arg_c|$host|$uri|$request_uri";
        for (escape, expected) in [
            (
                LogEscape::Usual,
                "\\x22q\\x22 \\x5C \\xC3\\xA9|-|1|\\x22d\\x22|a.test|/a b|/a%20b?c=\\x22d\\x22\n",
            ),
            (
                LogEscape::Json,
                "\\\"q\\\" \\\\ \u{e9}||1|\\\"d\\\"|a.test|/a b|/a%20b?c=\\\"d\\\"\n",
            ),
            (LogEscape::Nothing, "\"q\" \\ \u{e9}||1|\"d\"|a.test|/a b|/a%20b?c=\"d\"\n"),
        ] {
            assert_eq!(written(format, escape, ASKED, None), expected, "{escape:?}");
        }
        // What a path comes to is not what it was: there may be anything in it.
        let asked = "GET /%0d%0a%1b%7f%22 HTTP/1.1\r\nHost: a\r\n\r\n";
        for escape in [LogEscape::Usual, LogEscape::Json, LogEscape::Nothing] {
            let line = written("<$uri>", escape, asked, None);
            assert_eq!(line.lines().count(), 1, "{line:?}");
            let is_plain = |byte: u8| (32..127).contains(&byte) || byte == b'\n';
            assert!(line.bytes().all(is_plain) && line.ends_with(">\n"), "{escape:?} {line:?}");
        }
    }

    #[test]
    fn connections_have_lines_of_their_own() {
        let (text, _) = LogText::read(USUAL_OF_STREAMS, LogEscape::Usual).unwrap();
        let entry = StreamEntry {
            client: [192, 0, 2, 1].into(),
            client_port: 4711,
            protocol: "TCP",
            status: 200,
            sent: 20,
            received: 10,
            took: Duration::from_millis(1_500),
            port: 9000,
            endpoint: None,
            machine: "node-1",
        };
        let (mut out, mut scratch) = (Vec::new(), Vec::new());
        line(&text, &entry, "now", &mut scratch, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "[192.0.2.1] [now] TCP 200 20 10 1.500\n");
    }
}
