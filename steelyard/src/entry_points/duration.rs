//! Times in options.

use std::time::Duration;

/// As Go writes them (`90s`, `1m30s`, `1.5h`), to the millisecond; a bare number is seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit: f64 = match unit {
            "us" | "µs" | "ns" => 0.0,
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let seconds = number.parse::<f64>().ok()? * unit;
        let milliseconds = Duration::try_from_secs_f64((seconds * 1000.0).round() / 1000.0);
        total = total.checked_add(milliseconds.ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_go_writes_them() {
        for (text, milliseconds) in [
            ("0", Some(0)),
            ("90", Some(90_000)),
            ("10ms", Some(10)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("2h45m0.5s", Some(9_900_500)),
            ("500us", Some(0)),
            ("", None),
            ("soon", None),
            ("s", None),
            ("1", Some(1_000)),
            ("1.5", None),
            ("-1s", None),
            ("1d", None),
            ("1m 30s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration(text), milliseconds.map(Duration::from_millis), "{text}");
        }
    }
}
