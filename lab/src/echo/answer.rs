//! What the echo server answers: the same facts as text, JSON or a page, whichever the client
//! likes best.

use std::net::SocketAddr;

use steelyard_http::Reject;

use super::Identity;
use super::facts::{Facts, Scene};
use super::input::Head;
use super::page;

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) content_type: &'static str,
    pub(super) replica: String,
    pub(super) content: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Page,
}

/// The answer to a datagram.
pub(super) fn datagram(who: &Identity, peer: SocketAddr, received: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("{who}\nname:    {}\nreplica: {}\npeer:    {peer}\n\n", who.name, who.replica)
            .into_bytes();
    answer.extend_from_slice(received);
    answer
}

// === impl Answer ===

impl Answer {
    /// The answer to a well-formed request.
    pub(super) fn to(head: &Head, body_bytes: u64, scene: &Scene<'_>) -> Self {
        let facts = Facts::of(head, body_bytes, scene);
        let (content_type, content) = match preferred(head.get("accept").unwrap_or_default()) {
            Form::Text => ("text/plain; charset=utf-8", text(&facts, scene.who)),
            Form::Json => ("application/json", json(&facts)),
            Form::Page => ("text/html; charset=utf-8", page::render(&facts, scene.who)),
        };
        Self { status: "200 OK".into(), content_type, replica: scene.who.to_string(), content }
    }

    /// The answer to what is no request.
    pub(super) fn refusal(reject: Reject) -> Self {
        Self {
            // The words are free (RFC 9112 §4).
            status: format!("{} {reject}", reject.status()),
            content_type: "text/plain; charset=utf-8",
            replica: String::new(),
            content: format!("{reject}\n"),
        }
    }
}

fn json(facts: &Facts<'_>) -> String {
    let mut text = serde_json::to_string_pretty(facts).expect("strings and numbers serialize");
    text.push('\n');
    text
}

fn text(facts: &Facts<'_>, who: &Identity) -> String {
    let mut text = format!(
        "{who}\nname:    {}\nreplica: {}\nrequest: {} {} {}\nhost:    {}\npeer:    {}\nlocal:   {}\n",
        facts.name,
        facts.replica,
        facts.method,
        facts.target,
        facts.version,
        facts.host.unwrap_or("-"),
        facts.peer,
        facts.local,
    );
    if facts.body_bytes > 0 {
        text.push_str(&format!("body:    {} bytes\n", facts.body_bytes));
    }
    text.push('\n');
    for (name, value) in &facts.headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    text
}

/// The form with the highest weight; the first named wins a tie, and text what is left.
fn preferred(accept: &str) -> Form {
    let mut best = (Form::Text, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "text/html" | "application/xhtml+xml" => Form::Page,
            "application/json" => Form::Json,
            "text/plain" | "text/*" | "*/*" => Form::Text,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, parse_weight);
        if weight > best.1 {
            best = (form, weight);
        }
    }
    best.0
}

fn parse_weight(text: &str) -> f32 {
    text.parse().unwrap_or(0.0)
}
