//! A question, and the beginning of its answer.

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use kube::client::Body;
use steelyard_manifest::Verb;

use crate::connection::Connection;
use crate::lines::Lines;
use crate::trouble::{Trouble, chain};

/// Asks for `path`; what is done that way is `verb`, and the answer begins within `patience`.
pub(crate) async fn get(
    connection: &Connection,
    path: &str,
    verb: Verb,
    patience: Duration,
) -> Result<Lines, Trouble> {
    let request = Request::get(path).header("accept", "application/json").body(Body::empty());
    let request = request.map_err(|error| Trouble::Unreachable(error.to_string()))?;
    let (client, age) = connection.current();
    let answer = tokio::time::timeout(patience, client.send(request)).await;
    let answer = answer.map_err(|_| Trouble::Silent(patience))?;
    let answer = answer.map_err(|error| Trouble::Unreachable(chain(&error)))?;
    if let Some(trouble) = trouble(answer.status(), answer.headers(), verb) {
        if trouble == Trouble::Unauthorized {
            connection.renew(age);
        }
        return Err(trouble);
    }
    Ok(Lines::new(answer.into_body()))
}

/// What an answer says that is not 200.
fn trouble(status: StatusCode, headers: &HeaderMap, verb: Verb) -> Option<Trouble> {
    if status == StatusCode::OK {
        return None;
    }
    let wait = headers.get("retry-after").and_then(|it| it.to_str().ok()?.parse().ok());
    Some(of_status(status.as_u16(), verb, wait.map(Duration::from_secs)))
}

/// The same where it is said inside of an answer.
pub(crate) fn of_status(status: u16, verb: Verb, wait: Option<Duration>) -> Trouble {
    match status {
        401 => Trouble::Unauthorized,
        403 => Trouble::Refused(verb),
        404 => Trouble::Absent,
        410 => Trouble::Expired,
        429 | 503 => Trouble::Busy { status, wait },
        status => Trouble::Failed(status),
    }
}

/// As a value within a query: versions and the rest of a list are an API server's words, and may be
/// any.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}
