//! The echo server's answer as a page for a browser: one file, no scripts, light and dark.

use super::Identity;
use super::facts::Facts;

/// Each replica gets a hue of its own, so that a reload shows who answered before it is read.
const HUE_STEP: u32 = 137;

const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) fn render(facts: &Facts<'_>, who: &Identity) -> String {
    let hue = facts.replica.wrapping_mul(HUE_STEP) % 360;
    let request = format!("{} {} {}", facts.method, facts.target, facts.version);
    let mut rows = String::new();
    row(&mut rows, "", "host", facts.host.unwrap_or("-"));
    row(&mut rows, "", "from", &facts.peer.to_string());
    row(&mut rows, "", "answered at", &facts.local.to_string());
    if facts.body_bytes > 0 {
        row(&mut rows, "", "body", &format!("{} bytes", facts.body_bytes));
    }
    for (index, (name, value)) in facts.headers.iter().enumerate() {
        row(&mut rows, if index == 0 { " class=\"first\"" } else { "" }, name, value);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{who}</title><style>{STYLE}</style></head>\n\
         <body style=\"--hue:{hue}\"><main>\n\
         <header><h1>{name} <small>replica {replica}</small></h1><p>{request}</p></header>\n\
         <table>\n{rows}</table>\n</main></body></html>\n",
        who = escape(&who.to_string()),
        name = escape(facts.name),
        replica = facts.replica,
        request = escape(&request),
    )
}

fn row(rows: &mut String, class: &str, name: &str, value: &str) {
    rows.push_str(&format!(
        "<tr{class}><td>{}</td><td>{}</td></tr>\n",
        escape(name),
        escape(value)
    ));
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
