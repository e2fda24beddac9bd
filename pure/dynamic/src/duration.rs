//! Durations as they are written (`10`, `"1m30s"`), and as Go prints them.

use serde_json::Value;

/// Units, longest first, in nanoseconds.
const UNITS: [(&str, i128); 8] = [
    ("h", 3_600_000_000_000),
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ns", 1),
    ("s", 1_000_000_000),
];

/// A duration that is written, as Go prints it; none where it is not one. A number without a unit
/// is of seconds.
pub(crate) fn duration(written: &Value) -> Option<String> {
    match written {
        Value::Number(seconds) => Some(printed(i128::from(seconds.as_i64()?) * 1_000_000_000)),
        Value::String(text) => match text.parse::<i64>() {
            Ok(seconds) => Some(printed(i128::from(seconds) * 1_000_000_000)),
            Err(_) => Some(printed(parsed(text)?)),
        },
        _ => None,
    }
}

/// The same; what is not written is `default`.
pub(crate) fn duration_or(written: &Value, default: &str) -> Option<String> {
    if written.is_null() { Some(default.to_owned()) } else { duration(written) }
}

/// So many seconds, as Go prints them.
pub(crate) fn seconds(count: i64) -> String {
    printed(i128::from(count) * 1_000_000_000)
}

fn parsed(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(end);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let (name, nanos) = UNITS.iter().find(|(name, _)| unit.starts_with(name))?;
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse().ok() };
        let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
        let whole: i128 = digits(whole)?;
        let part: i128 = digits(part)?;
        sum += whole.checked_mul(*nanos)? + part.checked_mul(*nanos)? / scale;
        rest = &unit[name.len()..];
    }
    Some(sign * sum)
}

/// As Go prints it: `1h0m0s`, `1.5s`, `100ms`, `0s`.
fn printed(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let below = |unit: u128, name: &str| format!("{sign}{}{name}", fraction(nanos, unit));
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => below(1, "ns"),
        1_000..1_000_000 => below(1_000, "µs"),
        1_000_000..1_000_000_000 => below(1_000_000, "ms"),
        _ => {
            let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
            let seconds = format!("{}s", fraction(rest, 1_000_000_000));
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

/// So many units, with the part of one that is left.
fn fraction(nanos: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    let part = format!("{:0digits$}", nanos % unit);
    let part = part.trim_end_matches('0');
    if part.is_empty() { (nanos / unit).to_string() } else { format!("{}.{part}", nanos / unit) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        for (written, shown) in [
            (json!(42), "42s"),
            (json!("42"), "42s"),
            (json!("1.5h"), "1h30m0s"),
            (json!("90s"), "1m30s"),
            (json!("100ms"), "100ms"),
            (json!("1500us"), "1.5ms"),
            (json!("0"), "0s"),
            (json!("-1s"), "-1s"),
            (json!("2m0.5s"), "2m0.5s"),
        ] {
            assert_eq!(duration(&written).as_deref(), Some(shown), "{written}");
        }
        for wrong in [json!("soon"), json!(""), json!("1"), json!("1x"), json!(true)] {
            assert_eq!(duration(&wrong).is_some(), wrong == json!("1"), "{wrong}");
        }
    }
}
