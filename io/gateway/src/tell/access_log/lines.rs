//! How a line looks.

use std::fmt::Display;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use steelyard_http::push_number;

use super::{Entry, Note};
use crate::options::access_log::REDACTED;
use crate::options::{LogFields, Shown};
use crate::tell::date::Civil;

/// Writes fields of a JSON object.
struct Fields<'o> {
    out: &'o mut Vec<u8>,
    chosen: &'o LogFields,
}

impl Entry<'_> {
    /// [`Entry::combined`] without its end, and ` <count> "<router>" "<url>" <milliseconds>ms`.
    pub(super) fn common(&self, out: &mut Vec<u8>, chosen: &LogFields, stamp: &str, count: u64) {
        self.combined(out, chosen, stamp);
        out.pop();
        out.push(b' ');
        push_number(out, count);
        out.extend_from_slice(b" \"");
        or_dash(chosen.of("RouterName"), self.router.unwrap_or_default().as_bytes(), out);
        out.extend_from_slice(b"\" \"");
        let shown = chosen.of("ServiceURL");
        if shown == Shown::Keep && self.endpoint.is_some() {
            out.extend_from_slice(b"http://");
        }
        or_dash(shown, self.endpoint.unwrap_or_default().as_bytes(), out);
        out.extend_from_slice(b"\" ");
        push_number(out, u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX));
        out.extend_from_slice(b"ms\n");
    }

    /// `<client> - <user> [<date>] "<request>" <status> <bytes> "<referer>" "<user agent>"`.
    pub(super) fn combined(&self, out: &mut Vec<u8>, chosen: &LogFields, stamp: &str) {
        let note = self.note;
        match chosen.of("ClientHost") {
            Shown::Keep => address(self.client.to_canonical(), out),
            Shown::Drop => out.push(b'-'),
            Shown::Redact => out.extend_from_slice(REDACTED.as_bytes()),
        }
        out.extend_from_slice(b" - ");
        match chosen.of("ClientUsername") {
            Shown::Keep => user(note.user.as_bytes(), out),
            Shown::Redact if !note.user.is_empty() => user(REDACTED.as_bytes(), out),
            Shown::Drop | Shown::Redact => out.push(b'-'),
        }
        for part in [" [", stamp, "] \""] {
            out.extend_from_slice(part.as_bytes());
        }
        if note.method.is_empty() {
            out.push(b'-');
        } else {
            quote(note.method.as_bytes(), out);
            out.push(b' ');
            or_dash(chosen.of("RequestPath"), chosen.target(&note.target).as_bytes(), out);
            out.push(b' ');
            out.extend_from_slice(note.protocol().as_bytes());
        }
        out.extend_from_slice(b"\" ");
        push_number(out, u64::from(self.status));
        out.push(b' ');
        push_number(out, self.bytes_out);
        out.extend_from_slice(b" \"");
        or_dash(chosen.of_usual_header("Referer"), &note.referer, out);
        out.extend_from_slice(b"\" \"");
        or_dash(chosen.of_usual_header("User-Agent"), &note.user_agent, out);
        out.extend_from_slice(b"\"\n");
    }

    /// One object, with Traefik's names of fields. Nothing of it takes memory but `out`.
    pub(super) fn json(&self, out: &mut Vec<u8>, chosen: &LogFields, count: u64) {
        out.push(b'{');
        let mut fields = Fields { out, chosen };
        self.client(&mut fields);
        self.sizes_and_times(&mut fields);
        self.request(&mut fields, count);
        self.way(&mut fields);
        let now = SystemTime::now();
        let start = rfc3339(now.checked_sub(self.duration).unwrap_or(UNIX_EPOCH));
        fields.plain("StartLocal", start);
        fields.plain("StartUTC", start);
        if let Some(tls) = self.tls {
            fields.text("TLSCipher", tls.cipher);
            fields.text("TLSVersion", tls.version);
        }
        fields.text("entryPointName", self.entry_point);
        fields.text("level", "info");
        fields.text("msg", self.why.unwrap_or_default());
        self.headers(&mut fields);
        fields.plain("time", rfc3339(now));
        out.extend_from_slice(b"}\n");
    }

    fn client(&self, fields: &mut Fields<'_>) {
        let peer = SocketAddr::new(self.peer.ip().to_canonical(), self.peer.port());
        fields.plain("ClientAddr", peer);
        fields.plain("ClientHost", self.client.to_canonical());
        fields.plain("ClientPort", peer.port());
        let user = &self.note.user;
        fields.text("ClientUsername", if user.is_empty() { "-" } else { user });
    }

    fn sizes_and_times(&self, fields: &mut Fields<'_>) {
        let shrunk = self.note.shrunk;
        fields.number("DownstreamContentSize", self.bytes_out);
        fields.number("DownstreamStatus", u64::from(self.status));
        fields.number("Duration", nanoseconds(self.duration));
        if let Some((before, after)) = shrunk.filter(|(_, after)| *after > 0) {
            #[allow(clippy::cast_precision_loss, reason = "a ratio, for people")]
            fields.number("GzipRatio", before as f64 / after as f64);
        }
        fields.number("OriginContentSize", shrunk.map_or(self.bytes_out, |it| it.0));
        fields.number("OriginDuration", nanoseconds(self.origin));
        fields.number("OriginStatus", u64::from(self.endpoint.map_or(0, |_| self.status)));
        fields.number("Overhead", nanoseconds(self.duration.saturating_sub(self.origin)));
    }

    fn request(&self, fields: &mut Fields<'_>, count: u64) {
        let note = self.note;
        let (host, port) = split_port(&note.host);
        fields.text("RequestAddr", &note.host);
        fields.number("RequestContentSize", self.bytes_in);
        fields.number("RequestCount", count);
        fields.text("RequestHost", host);
        if let Some(id) = self.id {
            fields.plain("RequestId", id);
        }
        fields.text("RequestMethod", &note.method);
        let target = fields.chosen.target(&note.target);
        fields.text("RequestPath", &target);
        fields.text("RequestPort", port);
        fields.text("RequestProtocol", note.protocol());
        fields.text("RequestScheme", if self.tls.is_some() { "https" } else { "http" });
    }

    /// Where the request went.
    fn way(&self, fields: &mut Fields<'_>) {
        fields.number("RetryAttempts", u64::from(self.retries));
        fields.optional("RouterName", self.router);
        fields.optional("ServiceAddr", self.endpoint);
        fields.optional("ServiceName", self.service);
        if let Some(endpoint) = self.endpoint {
            fields.texts("ServiceURL", ["http://", endpoint]);
        }
        if let Some((trace, span)) = self.traced {
            fields.plain("SpanId", format_args!("{span:016x}"));
            fields.plain("TraceId", format_args!("{trace:032x}"));
        }
    }

    /// Lines of heads, the request's and those of the response.
    fn headers(&self, fields: &mut Fields<'_>) {
        let note = self.note;
        fields.header("request_", b"Referer", &note.referer);
        fields.header("request_", b"User-Agent", &note.user_agent);
        for (name, value) in note.kept_lines() {
            if !["referer", "user-agent"].iter().any(|it| name.eq_ignore_ascii_case(it.as_bytes()))
            {
                fields.header("request_", name, value);
            }
        }
        let Some(heads) = &note.heads else { return };
        heads.came_lines().for_each(|(name, value)| fields.header("origin_", name, value));
        heads.went_lines().for_each(|(name, value)| fields.header("downstream_", name, value));
    }
}

impl Note {
    pub(super) fn protocol(&self) -> &'static str {
        let of_head = if self.http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        self.protocol.unwrap_or(of_head)
    }
}

impl Fields<'_> {
    fn text(&mut self, name: &str, value: &str) {
        self.texts(name, [value, ""]);
    }

    /// A text in two pieces.
    fn texts(&mut self, name: &str, pieces: [&str; 2]) {
        match self.chosen.of(name) {
            Shown::Keep => {
                self.name(name);
                self.out.push(b'"');
                pieces.into_iter().for_each(|piece| self.piece(piece));
                self.out.push(b'"');
            }
            Shown::Drop => {}
            Shown::Redact => self.redacted(name),
        }
    }

    /// What has no characters that end a text.
    fn plain(&mut self, name: &str, value: impl Display) {
        match self.chosen.of(name) {
            Shown::Keep => {
                self.name(name);
                let _ = write!(self.out, "\"{value}\"");
            }
            Shown::Drop => {}
            Shown::Redact => self.redacted(name),
        }
    }

    fn piece(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                '"' | '\\' => self.out.extend_from_slice(&[b'\\', char as u8]),
                char if is_active(char) => {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(char));
                }
                char => self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A header line, whose name is written as most write it: each word begins with a capital.
    fn header(&mut self, of: &str, name: &[u8], value: &[u8]) {
        let Ok(name) = str::from_utf8(name) else { return };
        let shown = self.chosen.of_header(name);
        if value.is_empty() || shown == Shown::Drop {
            return;
        }
        self.comma();
        let _ = write!(self.out, "\"{of}");
        let mut before = b'-';
        for byte in name.bytes() {
            let is_first = before == b'-';
            self.out.push(if is_first {
                byte.to_ascii_uppercase()
            } else {
                byte.to_ascii_lowercase()
            });
            before = byte;
        }
        self.out.extend_from_slice(b"\":\"");
        if shown == Shown::Redact {
            self.piece(REDACTED);
        } else {
            self.bytes(value);
        }
        self.out.push(b'"');
    }

    /// What is no text is shown as that.
    fn bytes(&mut self, value: &[u8]) {
        for chunk in value.utf8_chunks() {
            self.piece(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.piece("\u{fffd}");
            }
        }
    }

    fn number(&mut self, name: &str, value: impl Display) {
        match self.chosen.of(name) {
            Shown::Keep => {
                self.name(name);
                let _ = write!(self.out, "{value}");
            }
            Shown::Drop => {}
            Shown::Redact => self.redacted(name),
        }
    }

    fn redacted(&mut self, name: &str) {
        self.name(name);
        let _ = write!(self.out, "\"{REDACTED}\"");
    }

    fn name(&mut self, name: &str) {
        self.comma();
        let _ = write!(self.out, "\"{name}\":");
    }

    fn comma(&mut self) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
    }
}

/// The one field without quotes that others choose: nothing in it looks like the next one.
fn user(name: &[u8], out: &mut Vec<u8>) {
    for part in name.chunk_by(|a, b| !is_border(*a) && !is_border(*b)) {
        match part {
            [byte] if is_border(*byte) => {
                let _ = write!(out, "\\x{byte:02x}");
            }
            part => quote(part, out),
        }
    }
    if name.is_empty() {
        out.push(b'-');
    }
}

fn is_border(byte: u8) -> bool {
    matches!(byte, b' ' | b'[' | b']')
}

/// An address as people write it. That of IPv4, which is on most lines, without the detour by a
/// formatter.
fn address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            // "255.255.255.255", of which the dot before the first is left out.
            let (mut text, mut len) = ([0; 16], 0);
            for octet in address.octets() {
                let digits = [octet / 100, octet / 10 % 10, octet % 10];
                let first = if octet > 99 { 0 } else { 2 - usize::from(octet > 9) };
                text[len] = b'.';
                for digit in &digits[first..] {
                    len += 1;
                    text[len] = b'0' + digit;
                }
                len += 1;
            }
            out.extend_from_slice(&text[1..len]);
        }
        IpAddr::V6(address) => {
            let _ = write!(out, "{address}");
        }
    }
}

/// A missing value is a dash.
fn or_dash(shown: Shown, value: &[u8], out: &mut Vec<u8>) {
    match shown {
        Shown::Keep if !value.is_empty() => quote(value, out),
        Shown::Redact if !value.is_empty() => out.extend_from_slice(REDACTED.as_bytes()),
        _ => out.push(b'-'),
    }
}

/// Whether a character does something to a line or a terminal: controls, also those beyond ASCII,
/// ends of lines and paragraphs, and what turns the direction of text.
pub(super) fn is_active(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What would end the quotes or the line, or confuse a terminal, is escaped.
fn quote(mut value: &[u8], out: &mut Vec<u8>) {
    // Nearly always, and many bytes at a time.
    let (chunks, rest) = value.as_chunks::<16>();
    let are_plain = |chunk: &[u8; 16]| chunk.iter().fold(true, |all, it| all & is_plain(*it));
    if chunks.iter().all(are_plain) && rest.iter().all(|byte| PLAIN[usize::from(*byte)]) {
        return out.extend_from_slice(value);
    }
    while let Some(at) = value.iter().position(|byte| !is_plain(*byte)) {
        out.extend_from_slice(&value[..at]);
        match value[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
        value = &value[at + 1..];
    }
    out.extend_from_slice(value);
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') & !matches!(byte, b'"' | b'\\')
}

/// The same, for the few bytes that are looked at one by one.
const PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], 0_u8);
    while byte.is_ascii() {
        plain[byte as usize] = is_plain(byte);
        byte += 1;
    }
    plain
};

fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, "-"),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn rfc3339(time: SystemTime) -> impl Display + Copy {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Civil::from_unix(since.as_secs()).rfc3339(since.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(note: &Note) -> Entry<'_> {
        Entry {
            note,
            client: "192.0.2.1".parse().unwrap(),
            peer: "192.0.2.1:999".parse().unwrap(),
            entry_point: "web",
            status: 200,
            bytes_in: 1,
            bytes_out: 2,
            duration: Duration::from_micros(3500),
            origin: Duration::from_micros(3000),
            router: Some("r@ingress"),
            service: Some("s@ingress"),
            endpoint: Some("10.0.0.1:80"),
            retries: 1,
            why: Some("w"),
            traced: None,
            tls: None,
            id: None,
        }
    }

    fn note() -> Note {
        Note {
            method: "GET".into(),
            target: "/a\"b".into(),
            host: "a.b:81".into(),
            user: String::new(),
            shrunk: Some((10, 4)),
            protocol: None,
            http10: false,
            head_length: 0,
            asked: String::new(),
            name: String::new(),
            is_secure: false,
            referer: Vec::new(),
            user_agent: b"x\"\n\xff".to_vec(),
            lines: b"x-token:secret\nuser-agent:x\nX-A:\"1\"\n".to_vec(),
            heads: None,
        }
    }

    #[test]
    fn common_lines() {
        let mut out = Vec::new();
        entry(&note()).common(&mut out, &LogFields::default(), "21/Nov/2026:10:00:00 +0000", 7);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] \"GET /a\\\"b HTTP/1.1\" 200 2 \"-\" \
             \"x\\\"\\x0a\\xff\" 7 \"r@ingress\" \"http://10.0.0.1:80\" 3ms\n"
        );
        let note = Note::default();
        let mut out = Vec::new();
        Entry { router: None, endpoint: None, ..entry(&note) }.common(
            &mut out,
            &LogFields::default(),
            "s",
            8,
        );
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line, "192.0.2.1 - - [s] \"-\" 200 2 \"-\" \"-\" 8 \"-\" \"-\" 3ms\n");
    }

    #[test]
    fn json_lines() {
        let mut out = Vec::new();
        entry(&note()).json(&mut out, &LogFields::default(), 7);
        let line = String::from_utf8(out).unwrap();
        for part in [
            "{\"ClientAddr\":\"192.0.2.1:999\",",
            "\"Duration\":3500000,\"GzipRatio\":2.5,\"OriginContentSize\":10,",
            "\"Overhead\":500000,",
            "\"RequestHost\":\"a.b\",",
            "\"RequestPath\":\"/a\\\"b\",",
            "\"RequestPort\":\"81\",",
            "\"RetryAttempts\":1,",
            "\"msg\":\"w\",",
            "\"ServiceURL\":\"http://10.0.0.1:80\",",
            "\"request_User-Agent\":\"x\\\"\\u000a\u{fffd}\"",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(line.ends_with("}\n") && line.lines().count() == 1);
    }

    #[test]
    fn nothing_in_a_json_line_moves_a_terminal_or_ends_a_line() {
        let odd = "\u{9b}31m\u{85}\u{2028}\u{2029}\u{202e}\u{2066}\u{7f}é€";
        let note = Note { user_agent: odd.into(), ..note() };
        let mut out = Vec::new();
        entry(&note).json(&mut out, &LogFields::default(), 7);
        let line = String::from_utf8(out).unwrap();
        let shown = r#""request_User-Agent":"\u009b31m\u0085\u2028\u2029\u202e\u2066\u007fé€""#;
        assert!(line.contains(shown), "{line}");
    }

    #[test]
    fn fields_are_kept_dropped_or_redacted() {
        let of = |all: &[(&str, Shown)]| -> Vec<(Box<str>, Shown)> {
            all.iter().map(|(name, shown)| ((*name).into(), *shown)).collect()
        };
        let fields = LogFields {
            named: of(&[
                ("clienthost", Shown::Redact),
                ("requestpath", Shown::Drop),
                ("duration", Shown::Redact),
                ("routername", Shown::Drop),
            ]),
            headers: of(&[
                ("x-token", Shown::Redact),
                ("x-a", Shown::Keep),
                ("user-agent", Shown::Drop),
            ]),
            ..LogFields::default()
        };
        let mut out = Vec::new();
        entry(&note()).json(&mut out, &fields, 7);
        let line = String::from_utf8(out).unwrap();
        for part in [
            "\"ClientHost\":\"REDACTED\",",
            "\"Duration\":\"REDACTED\",",
            "\"request_X-Token\":\"REDACTED\",\"request_X-A\":\"\\\"1\\\"\",",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        for part in ["RequestPath", "RouterName", "User-Agent", "secret"] {
            assert!(!line.contains(part), "{part} in {line}");
        }
        let mut out = Vec::new();
        entry(&note()).common(&mut out, &fields, "s", 8);
        let line = String::from_utf8(out).unwrap();
        let want = "REDACTED - - [s] \"GET - HTTP/1.1\" 200 2 \"-\" \"-\" 8 \"-\" \
                    \"http://10.0.0.1:80\" 3ms\n";
        assert_eq!(line, want);
        let mut out = Vec::new();
        entry(&note()).combined(&mut out, &LogFields::default(), "s");
        let line = String::from_utf8(out).unwrap();
        let want = "192.0.2.1 - - [s] \"GET /a\\\"b HTTP/1.1\" 200 2 \"-\" \"x\\\"\\x0a\\xff\"\n";
        assert_eq!(line, want);
    }

    #[test]
    fn times_and_ratios_are_what_they_are_called() {
        let mut out = Vec::new();
        let mut nothing_left = note();
        nothing_left.shrunk = Some((10, 0));
        nothing_left.host = "[::1]".into();
        entry(&nothing_left).json(&mut out, &LogFields::default(), 7);
        let line = String::from_utf8(out).unwrap();
        assert!(!line.contains("GzipRatio"), "{line}");
        assert!(
            line.contains("\"RequestHost\":\"[::1]\",") && line.contains("\"RequestPort\":\"-\"")
        );
        for name in ["StartLocal", "StartUTC", "time"] {
            let (_, value) = line.split_once(&format!("\"{name}\":\"")).unwrap();
            let (value, _) = value.split_once('"').unwrap();
            assert!(
                value.len() == 30 && value.starts_with("20") && value.ends_with('Z'),
                "{value}"
            );
        }
    }
}
