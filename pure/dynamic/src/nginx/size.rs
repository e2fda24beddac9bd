//! Sizes, as nginx writes them.

/// Bytes: a number, and `b`, `k`, `m` or `g` in any case; none where it is no size.
pub(super) fn bytes(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|it: char| !it.is_ascii_digit());
    let unit: i64 = match text.get(digits.len()..)?.trim_start() {
        "" | "b" | "B" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| digits.parse::<i64>().ok())??.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("8K", Some(8 << 10)),
            (" 10 m ", Some(10 << 20)),
            ("1g", Some(1 << 30)),
            ("7B", Some(7)),
            ("", None),
            ("m", None),
            ("-1", None),
            ("1.5m", None),
            ("1mm", None),
            ("9223372036854775807g", None),
            ("99999999999999999999", None),
            ("1€", None),
        ] {
            assert_eq!(bytes(text), wanted, "{text}");
        }
    }
}
