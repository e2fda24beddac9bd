//! What backends answer, by role.

use std::fmt::Write;
use std::time::Duration;

use crate::backend::Instance;
use crate::record::Received;

/// Says to this test who has answered.
pub(crate) const SERVED: &str = "X-Compat-Served";

struct Answer {
    status: u16,
    lines: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, lines: Vec::new(), body: body.into() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.lines.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The answer of an instance, as bytes.
pub(crate) fn of(instance: &Instance, received: &Received) -> Vec<u8> {
    let (path, query) = received.target.split_once('?').unwrap_or((&received.target, ""));
    let answer = match &*instance.role {
        "slow-echo" => slow(path),
        "httpbun" => httpbun(instance, received, path, query),
        "netexec" => netexec(instance, received, path, query),
        "programmable" => programmable(query),
        "auth-cookie" => auth_cookie(path),
        "status-502" => Answer::new(502, ""),
        _ => echo(instance, received, path, query),
    };
    let mut head = format!("HTTP/1.1 {} Reason\r\n", answer.status);
    let served = (SERVED.to_owned(), format!("{}#{}", instance.backend, instance.number));
    for (name, value) in answer.lines.iter().chain([&served]) {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\n\r\n", answer.body.len());
    let mut bytes = head.into_bytes();
    if received.method != "HEAD" {
        bytes.extend(answer.body);
    }
    bytes
}

fn echo(instance: &Instance, received: &Received, path: &str, query: &str) -> Answer {
    let scheme = if received.is_tls { "https" } else { "http" };
    let name = instance.backend.rsplit('/').next().unwrap_or_default();
    let (method, target) = (&received.method, &received.target);
    let host = received.header("host").split(':').next().unwrap_or_default();
    let mut body = format!(
        "Hostname: {name}-{}\nclient_address={}\nmethod={method}\nreal path={target}\nquery={query}\n\
         request_version={}\nrequest_scheme={scheme}\nrequest_uri={scheme}://{host}:8080{target}\n",
        instance.number,
        received.from.map(|it| it.ip().to_string()).unwrap_or_default(),
        received.version.trim_start_matches("HTTP/"),
    );
    let lines = received.headers.iter();
    let mut lines: Vec<String> =
        lines.map(|(name, value)| format!("{}={value}\n", name.to_ascii_lowercase())).collect();
    lines.sort();
    body.extend(lines);
    body.push_str(&String::from_utf8_lossy(&received.body));
    let answer = Answer::new(200, body).with("Content-Type", "text/plain");
    let answer = answer.with("Server", "echoserver");
    let _ = path;
    match query.split('&').any(|it| it == "hsts=true") {
        true => answer.with("Strict-Transport-Security", "max-age=3600; preload"),
        false => answer,
    }
}

fn slow(path: &str) -> Answer {
    match path.strip_prefix("/sleep/").and_then(|it| it.parse().ok()) {
        Some(seconds) => {
            std::thread::sleep(Duration::from_secs(seconds));
            Answer::new(200, format!("ok after {seconds} seconds"))
        }
        None => Answer::new(200, "ok"),
    }
}

fn httpbun(instance: &Instance, received: &Received, path: &str, query: &str) -> Answer {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["info"] => {
            let name = instance.backend.rsplit('/').next().unwrap_or_default();
            Answer::new(200, name).with("Content-Type", "text/plain")
        }
        ["get"] => {
            let lines = received.headers.iter();
            let lines: serde_json::Map<String, serde_json::Value> =
                lines.map(|(name, value)| (name.clone(), value.clone().into())).collect();
            let body = serde_json::json!({ "headers": lines }).to_string();
            Answer::new(200, body).with("Content-Type", "application/json")
        }
        ["status", status] => Answer::new(status.parse().unwrap_or(400), ""),
        ["basic-auth", user, password] => {
            let expected = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
            match received.header("authorization") == expected {
                true => Answer::new(200, "ok"),
                false => Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"Fake\""),
            }
        }
        ["response-headers"] => pairs(query)
            .into_iter()
            .fold(Answer::new(200, "ok"), |answer, (name, value)| answer.with(&name, &value)),
        ["bytes", count] => {
            let count: usize = count.parse().unwrap_or(0);
            let body: Vec<u8> = (0..=250).cycle().take(count).collect();
            Answer::new(200, body).with("Content-Type", "application/octet-stream")
        }
        ["xml"] => {
            let body = format!("<?xml version=\"1.0\"?><all>{}</all>", "<one/>".repeat(60));
            Answer::new(200, body).with("Content-Type", "application/xml")
        }
        ["html"] => {
            let body = format!("<!doctype html><p>{}</p>", "one ".repeat(100));
            Answer::new(200, body).with("Content-Type", "text/html")
        }
        _ => Answer::new(200, "ok"),
    }
}

fn netexec(instance: &Instance, received: &Received, path: &str, query: &str) -> Answer {
    let name = instance.backend.rsplit('/').next().unwrap_or_default();
    match path {
        "/hostname" => Answer::new(200, format!("{name}-{}", instance.number)),
        "/clientip" => Answer::new(200, received.from.map(|it| it.to_string()).unwrap_or_default()),
        "/shell" => {
            let asked = pairs(query).into_iter().find(|(name, _)| name == "cmd");
            let asked = asked.map(|(_, value)| value).unwrap_or_default();
            let seconds = asked.strip_prefix("sleep ").unwrap_or_default();
            let seconds = seconds.split(';').next().and_then(|it| it.trim().parse().ok());
            std::thread::sleep(Duration::from_secs(seconds.unwrap_or(0)));
            Answer::new(200, "{\"output\":\"done\\n\"}")
        }
        _ => Answer::new(200, "NOW"),
    }
}

fn programmable(query: &str) -> Answer {
    let mut answer = Answer::new(200, "ok");
    for (name, value) in pairs(query) {
        match &*name {
            "status" => answer.status = value.parse().unwrap_or(400),
            "set" => {
                let (name, value) = value.split_once(':').unwrap_or((&value, ""));
                answer = answer.with(name, value);
            }
            "fill" => answer = answer.with("X-Fill", &"f".repeat(value.parse().unwrap_or(0))),
            "bytes" => answer.body = vec![b'b'; value.parse().unwrap_or(0)],
            _ => {}
        }
    }
    answer
}

fn auth_cookie(path: &str) -> Answer {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["cookies", "set", key, value] => {
            Answer::new(200, "").with("Set-Cookie", &format!("{key}={value}"))
        }
        ["error"] => Answer::new(503, ""),
        _ => Answer::new(200, ""),
    }
}

/// A query taken apart, decoded.
fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let parts = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
    parts.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        match (first, hex.and_then(|it| u8::from_str_radix(it, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                out.push(b' ');
                rest = after;
            }
            (byte, _) => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// As in RFC 4648, section 4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}
