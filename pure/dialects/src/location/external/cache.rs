//! `auth-cache-key` and `auth-cache-duration`: how long answers count.
//!
//! What a key says of a request's lines tells clients apart; one that says nothing of them does not
//! make one client of all, as it does with nginx: all lines count then. And an answer counts for
//! what was asked for alone, not for the whole location.

use std::sync::Arc;
use std::time::Duration;

use steelyard_model::routing::filter::access::AskedCache;
use steelyard_model::routing::variables::{Variable, VariableText};

use super::{AuthFault, AuthWords, refused};

const USUAL: &str = "200 202 401 5m";
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// None where nothing is kept.
pub(super) fn read(words: &mut AuthWords<'_>) -> Result<Option<AskedCache>, AuthFault> {
    let name = "auth-cache-duration";
    let durations = durations(words.written(name).unwrap_or(USUAL));
    let durations =
        durations.ok_or_else(|| refused(name, "write statuses and a time: `200 202 401 5m`"))?;
    let is_part = |it: char| it.is_ascii_alphanumeric() || "-_${}".contains(it);
    let key = |text: &str| {
        let read = || VariableText::read(&by_its_line(text), &[]).ok();
        text.chars().all(is_part).then(read).flatten()
    };
    let key = words.value("auth-cache-key", key, "write variables such as `$cookie_NAME`");
    Ok(key.map(|key| AskedCache { lines: lines(&key), durations }))
}

/// Who asks, `$remote_user`, is said in the line that a key hangs on then.
fn by_its_line(text: &str) -> String {
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut parts = text.split("$remote_user");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_longer = part.starts_with(is_of_name);
        whole += if is_longer { "$remote_user" } else { "$http_authorization" };
        whole += part;
    }
    whole.replace("${remote_user}", "$http_authorization")
}

/// Lines of a request that a key hangs on.
fn lines(key: &VariableText) -> Vec<Arc<str>> {
    let line = |it: &Variable| match it {
        Variable::Header(name) => Some(name.clone()),
        Variable::Cookie(_) => Some("cookie".into()),
        _ => None,
    };
    key.variables().filter_map(line).collect()
}

/// `200 202 401 5m, 404 1m`: statuses, and how long answers of them count; without statuses those
/// that nginx keeps.
fn durations(text: &str) -> Option<Vec<((u16, u16), Duration)>> {
    let mut all = Vec::new();
    for item in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        let mut words: Vec<&str> = item.split_whitespace().collect();
        let duration = duration(words.pop()?)?.min(LONGEST);
        if words.is_empty() {
            words = vec!["200", "301", "302"];
        }
        for word in words {
            let range = match word {
                "any" => (100, 599),
                word => {
                    let status = word.parse().ok().filter(|it| (100..600).contains(it))?;
                    (status, status)
                }
            };
            all.push((range, duration));
        }
    }
    Some(all)
}

/// `30m`, `1h30m`, `500ms`, or a number of seconds (nginx's "time").
fn duration(text: &str) -> Option<Duration> {
    let (mut whole, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let number: u32 = number.parse().ok()?;
        let unit = after.find(|it: char| it.is_ascii_digit()).unwrap_or(after.len());
        let (unit, further) = after.split_at(unit);
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "" | "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86400),
            "w" => Duration::from_secs(7 * 86400),
            "M" => Duration::from_secs(30 * 86400),
            "y" => Duration::from_secs(365 * 86400),
            _ => return None,
        };
        whole = whole.checked_add(unit.checked_mul(number)?)?;
        rest = further;
    }
    (!text.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_said_in_a_line() {
        for (text, expected) in [
            ("$remote_user$http_authorization", "$http_authorization$http_authorization"),
            ("a${remote_user}-$remote_user", "a$http_authorization-$http_authorization"),
            ("$remote_users$http_cookie", "$remote_users$http_cookie"),
        ] {
            assert_eq!(by_its_line(text), expected);
        }
    }

    #[test]
    fn times_are_read_as_nginx_does() {
        let seconds = |count| Some(Duration::from_secs(count));
        for (text, expected) in [
            ("5m", seconds(300)),
            ("1h30m", seconds(5400)),
            ("7", seconds(7)),
            ("250ms", Some(Duration::from_millis(250))),
            ("1x", None),
            ("m", None),
            ("", None),
            ("-1s", None),
            ("99999999999s", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
        let of = |from, to, count| ((from, to), Duration::from_secs(count));
        for (text, expected) in [
            ("200 401 5m", Some(vec![of(200, 200, 300), of(401, 401, 300)])),
            ("any 1s, 204 9s", Some(vec![of(100, 599, 1), of(204, 204, 9)])),
            ("1s", Some(vec![of(200, 200, 1), of(301, 301, 1), of(302, 302, 1)])),
            ("200 5y", Some(vec![of(200, 200, 86400)])),
            ("200", Some(vec![of(200, 200, 200), of(301, 301, 200), of(302, 302, 200)])),
            ("x 1s", None),
            ("600 1s", None),
        ] {
            assert_eq!(durations(text), expected, "{text}");
        }
    }

    #[test]
    fn a_key_says_which_lines_tell_clients_apart() {
        for (key, expected) in [
            ("$http_authorization", &["authorization"][..]),
            ("$cookie_session$http_x_user", &["cookie", "x-user"]),
            ("$remote_addr", &[]),
            ("fixed", &[]),
        ] {
            let found = lines(&VariableText::read(key, &[]).unwrap());
            assert_eq!(found.iter().map(|it| &**it).collect::<Vec<_>>(), expected, "{key}");
        }
    }
}
