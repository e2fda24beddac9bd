//! What is expected of answers and of what backends have received.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use steelyard_model::routing::pattern::Expression;

use crate::client::{Answer, status_class};
use crate::record::Received;

/// Whether values are as a matcher says: the exact value, or a mapping of which all must hold.
pub(crate) fn matches(matcher: &Value, values: &[&str]) -> Result<()> {
    let first = values.first().copied();
    let Value::Object(conditions) = matcher else {
        let wanted = text(matcher);
        ensure!(first == Some(&wanted), "{wanted:?} is wanted, there is {values:?}");
        return Ok(());
    };
    for (kind, wanted) in conditions {
        let holds = condition(kind, wanted, values)?;
        ensure!(holds, "{kind}: {wanted} is wanted, there is {values:?}");
    }
    Ok(())
}

fn condition(kind: &str, wanted: &Value, values: &[&str]) -> Result<bool> {
    let first = values.first().copied();
    let is_one_of = |wanted: &Value| first.is_some_and(|it| it == text(wanted));
    let all = || match wanted {
        Value::Array(list) => list.iter().map(text).collect(),
        other => vec![text(other)],
    };
    Ok(match kind {
        "present" => first.is_some() == (wanted != &Value::Bool(false)),
        "absent" => first.is_none() == (wanted != &Value::Bool(false)),
        "equals" => is_one_of(wanted),
        "not" => !is_one_of(wanted),
        "one_of" => wanted.as_array().into_iter().flatten().any(is_one_of),
        "contains" => {
            all().iter().all(|part| values.iter().any(|value| value.contains(part.as_str())))
        }
        "excludes" => {
            !all().iter().any(|part| values.iter().any(|value| value.contains(part.as_str())))
        }
        "regex" => {
            let expression = Expression::new(&text(wanted));
            let expression = expression.map_err(|why| anyhow::anyhow!("{wanted}: {why}"))?;
            values.iter().any(|value| expression.is_found_in(value))
        }
        "media_type" => {
            first.is_some_and(|it| it.split(';').next().unwrap_or(it).trim() == text(wanted))
        }
        "length" => Some(first.map_or(0, str::len) as u64) == wanted.as_u64(),
        "count" => Some(values.len() as u64) == wanted.as_u64(),
        other => bail!("no matcher {other}"),
    })
}

/// A scalar as text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether one of several answers has a status that is wanted.
pub(crate) fn status(wanted: &Value, got: u16) -> Result<()> {
    let is_it = |wanted: &Value| match wanted {
        Value::Number(number) => Ok(number.as_u64() == Some(got.into())),
        Value::String(text) => match text.parse::<u16>() {
            Ok(number) => Ok(number == got),
            Err(_) => status_class(got, text),
        },
        other => bail!("no status: {other}"),
    };
    let holds = match wanted {
        Value::Array(list) => list.iter().map(is_it).collect::<Result<Vec<_>>>()?.contains(&true),
        one => is_it(one)?,
    };
    ensure!(holds, "status {wanted} is wanted, there is {got}");
    Ok(())
}

/// Header lines, body and cookies of an answer.
pub(crate) fn answer(expected: &Value, got: &Answer) -> Result<()> {
    for (name, matcher) in expected["headers"].as_object().into_iter().flatten() {
        matches(matcher, &got.all(name)).with_context(|| format!("header {name}"))?;
    }
    if !expected["body"].is_null() {
        let body = String::from_utf8_lossy(&got.body);
        matches(&expected["body"], &[&body]).context("body")?;
    }
    for (name, wanted) in expected["cookies"].as_object().into_iter().flatten() {
        cookie(wanted, got.cookies().get(name)).with_context(|| format!("cookie {name}"))?;
    }
    Ok(())
}

fn cookie(wanted: &Value, got: Option<&(String, String)>) -> Result<()> {
    for (kind, wanted) in wanted.as_object().into_iter().flatten() {
        let attribute = |name: &str| {
            let parts = got.map(|(_, attributes)| attributes.split(';')).into_iter().flatten();
            let mut parts = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
            let found = parts.find(|(it, _)| it.trim().eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().to_owned())
        };
        let of = |name| attribute(name).into_iter().collect::<Vec<String>>();
        let values = match kind.as_str() {
            "present" => {
                ensure!(got.is_some(), "it is not set");
                continue;
            }
            "absent" => {
                ensure!(got.is_none(), "it is set: {got:?}");
                continue;
            }
            "secure" => {
                let is_so = attribute("secure").is_some();
                ensure!(Some(is_so) == wanted.as_bool(), "secure: {is_so}");
                continue;
            }
            "expires_in" => {
                let at = attribute("expires").context("it has no Expires")?;
                let left = from_now(&at).with_context(|| at.clone())?;
                let wanted = wanted.as_f64().context("seconds")?;
                ensure!((left - wanted).abs() < 60.0, "it ends in {left} s");
                continue;
            }
            "value" => got.map(|(value, _)| value.clone()).into_iter().collect(),
            "max_age" => of("max-age"),
            other => of(other),
        };
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        matches(wanted, &values).with_context(|| kind.clone())?;
    }
    Ok(())
}

/// Seconds from now to a moment as HTTP writes it (RFC 9110, section 5.6.7; with hyphens as well).
fn from_now(text: &str) -> Option<f64> {
    let text = text.replace('-', " ");
    let mut words = text.split_whitespace().skip(1);
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (day, mut year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    if year < 100 {
        year += 2000;
    }
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = i64::try_from(MONTHS.find(month)? / 3).ok()? + 1;
    let mut clock = words.next()?.split(':').map(|it| it.parse::<i64>().unwrap_or_default());
    let seconds = clock.next()? * 3600 + clock.next()? * 60 + clock.next()?;
    // Days since 1970, by years that begin in March.
    let (of, shifted) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = of * 365 + of / 4 - of / 100 + of / 400 + (shifted * 153 + 2) / 5 + day - 719_469;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    Some((days * 86_400 + seconds) as f64 - now.as_secs_f64())
}

/// Series of a metric in what was scraped: whether there are some with these labels, and how many.
pub(crate) fn series(expected: &Value, scraped: &str) -> Result<()> {
    let name = expected["name"].as_str().context("a name")?;
    let labels = expected["labels"].as_object().into_iter().flatten();
    let labels: Vec<String> =
        labels.map(|(label, value)| format!("{label}=\"{}\"", text(value))).collect();
    // A histogram is there by its counts.
    let is_of = |line: &&str| {
        let (family, rest) = line.split_once(['{', ' ']).unwrap_or((line, ""));
        let is_named = family == name || family.strip_suffix("_count") == Some(name);
        is_named && labels.iter().all(|label| rest.contains(label.as_str()))
    };
    let found: Vec<&str> = scraped.lines().filter(is_of).collect();
    if let Some(wanted) = expected["present"].as_bool() {
        ensure!(wanted != found.is_empty(), "{name} {labels:?}: {found:?}");
    }
    if let Some(count) = expected["series"].as_u64() {
        ensure!(found.len() as u64 == count, "{name} {labels:?}: {found:?}");
    }
    Ok(())
}

/// What a backend received.
pub(crate) fn received(expected: &Value, got: &Received) -> Result<()> {
    for (key, wanted) in expected.as_object().into_iter().flatten() {
        let check = || -> Result<()> {
            match key.as_str() {
                "method" => matches(wanted, &[&got.method]),
                "path" => matches(wanted, &[&got.target]),
                "host" => matches(wanted, &[got.header("host")]),
                "http_version" => matches(wanted, &[got.version.trim_start_matches("HTTP/")]),
                "tls" => {
                    ensure!(Some(got.is_tls) == wanted.as_bool(), "TLS: {}", got.is_tls);
                    Ok(())
                }
                "body" => matches(wanted, &[&String::from_utf8_lossy(&got.body)]),
                "body_size" => {
                    ensure!(Some(got.body.len() as u64) == wanted.as_u64(), "{}", got.body.len());
                    Ok(())
                }
                "via" => {
                    matches(wanted, &[if got.is_via_service { "service" } else { "endpoint" }])
                }
                "headers" => {
                    for (name, matcher) in wanted.as_object().into_iter().flatten() {
                        matches(matcher, &got.all(name)).with_context(|| name.clone())?;
                    }
                    Ok(())
                }
                "body_before_end" => {
                    let long = got.body_at.map(|(begin, end)| end - begin).unwrap_or_default();
                    let is_so = long.as_millis() > 500;
                    ensure!(Some(is_so) == wanted.as_bool(), "its body took {long:?} to come");
                    Ok(())
                }
                // Of all that came, and so beside this.
                "max_requests_per_connection" => Ok(()),
                other => bail!("the runner knows no {other}"),
            }
        };
        check().with_context(|| format!("the backend got another {key}"))?;
    }
    Ok(())
}
