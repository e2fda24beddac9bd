//! Times as objects have them.

use std::time::{SystemTime, UNIX_EPOCH};

/// RFC 3339 in UTC, with so many digits behind the second.
pub fn rfc3339(time: SystemTime, digits: usize) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, of_day) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if digits > 0 {
        let fraction = format!("{:09}", since.subsec_nanos());
        text += &format!(".{}", &fraction[..digits.min(9)]);
    }
    text + "Z"
}

/// Year, month and day, of days since 1970. Years begin in March here, so that the leap day comes
/// last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + later, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_as_the_calendar_says() {
        for (seconds, digits, expected) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_399, 6, "2000-02-28T23:59:59.000000Z"),
            (951_868_800, 0, "2000-03-01T00:00:00Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds), digits), expected);
        }
        let late = UNIX_EPOCH + Duration::from_micros(1_500_000);
        assert_eq!(rfc3339(late, 6), "1970-01-01T00:00:01.500000Z");
    }
}
