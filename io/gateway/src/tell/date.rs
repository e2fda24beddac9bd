//! Dates as HTTP and access logs write them. Always UTC.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time, taken apart in the civil calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: u8,
    /// 1 to 31.
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    /// 0 is Sunday.
    pub(crate) weekday: u8,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Time since 1970.
pub(crate) fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970 now.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Now, as in `Date: Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
pub(crate) fn http_date() -> String {
    Civil::from_unix(unix_now()).http()
}

/// The same in so many seconds.
pub(crate) fn http_date_in(seconds: i64) -> String {
    Civil::from_unix(unix_now().saturating_add_signed(seconds)).http()
}

/// `1994-11-06T08:49:37.000000000Z` (RFC 3339).
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Civil::from_unix(since.as_secs()).rfc3339(since.subsec_nanos()).to_string()
}

impl Civil {
    /// From seconds since 1970. Counts in eras of 400 years that begin in March, so that leap
    /// days come last.
    pub(crate) fn from_unix(seconds: u64) -> Self {
        let narrow = |value: i64| u8::try_from(value).expect("fields of a date are small");
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: narrow(month),
            day: narrow(day_of_year - (153 * from_march + 2) / 5 + 1),
            hour: narrow(rest / 3_600),
            minute: narrow(rest / 60 % 60),
            second: narrow(rest % 60),
            weekday: narrow((days + 4) % 7),
        }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub(crate) fn http(&self) -> String {
        let day = DAYS[usize::from(self.weekday)];
        let Self { year, hour, minute, second, .. } = self;
        let (date, month) = (self.day, self.month_name());
        format!("{day}, {date:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// `06/Nov/1994:08:49:37 +0000`.
    pub(crate) fn log(&self) -> String {
        let Self { year, day, hour, minute, second, .. } = self;
        let month = self.month_name();
        format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000")
    }

    /// `1994-11-06T08:49:37+00:00`.
    pub(crate) fn iso(&self) -> impl fmt::Display {
        let Self { year, month, day, hour, minute, second, .. } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
    }

    /// `1994-11-06T08:49:37.000000000Z`.
    pub(crate) fn rfc3339(self, nanoseconds: u32) -> impl fmt::Display + Copy {
        Rfc3339(self, nanoseconds)
    }

    fn month_name(&self) -> &'static str {
        MONTHS[usize::from(self.month) - 1]
    }
}

/// As it is written, with its nanoseconds.
#[derive(Clone, Copy)]
struct Rfc3339(Civil, u32);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Civil { year, month, day, hour, minute, second, .. }, nanoseconds) = self;
        write!(f, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT"),
            (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
        ] {
            assert_eq!(Civil::from_unix(seconds).http(), expected);
        }
    }

    /// Day after day, by the rule of leap years alone.
    #[test]
    fn every_day_of_four_centuries() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097_u64 {
            let civil = Civil::from_unix(days * 86_400);
            assert_eq!((civil.year, civil.month, civil.day), (year, month, day), "{days}");
            assert_eq!(u64::from(civil.weekday), (days + 4) % 7);
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, last) if last == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn each_spelling() {
        let civil = Civil::from_unix(784_111_777);
        assert_eq!(civil.log(), "06/Nov/1994:08:49:37 +0000");
        assert_eq!(civil.rfc3339(5_000).to_string(), "1994-11-06T08:49:37.000005000Z");
    }

    #[test]
    fn now_is_now() {
        // The system's clock is no other than its own a moment before and after.
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let before = clock();
        let now = unix_now();
        assert!((before..=clock()).contains(&now), "{now}");
        let before = clock();
        let written = http_date();
        let mut seconds = before..=clock();
        assert!(seconds.any(|it| Civil::from_unix(it).http() == written), "{written}");
    }
}
