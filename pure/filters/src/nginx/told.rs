//! Lines that all backends are told (`proxy-set-headers`), and all clients (`add-headers`).

use steelyard_http::{RequestEdits, ResponseEdits};
use steelyard_model::routing::filter::nginx::NginxLines;

use crate::context::Context;
use crate::frame::Enter;
use crate::spellings;
use crate::variables::filled;

/// All are looked at as the request came, so that no line hangs on one before it. What a client
/// says in a line that others take for one of these is told nobody.
pub(super) fn enter(lines: &NginxLines, cx: &Context<'_>, head: &mut RequestEdits<'_>) -> Enter {
    let made: Vec<String> = lines.iter().map(|(_, value)| filled(value, cx, head)).collect();
    lines.iter().for_each(|(name, _)| spellings::remove(head, name));
    for ((name, _), value) in lines.iter().zip(made) {
        if name.eq_ignore_ascii_case("host") {
            // What is no authority is not said.
            _ = head.set_authority(&value);
        } else if !value.is_empty() {
            // What would end its line is refused there.
            _ = head.lines().set(name, value.as_bytes());
        }
    }
    Enter::Next
}

/// What lines of the answer to a request say.
pub(super) fn said(lines: &NginxLines, cx: &Context<'_>, head: &RequestEdits<'_>) -> Vec<String> {
    lines.iter().map(|(_, value)| filled(value, cx, head)).collect()
}

/// Writes them.
pub(super) fn leave(lines: &NginxLines, said: &[String], head: &mut ResponseEdits<'_>) {
    for ((name, _), value) in lines.iter().zip(said) {
        // What would end its line is refused there.
        _ = match value.is_empty() {
            true => head.lines().remove(name),
            false => head.lines().set(name, value.as_bytes()),
        };
    }
}
