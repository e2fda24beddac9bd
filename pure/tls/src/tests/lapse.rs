use rcgen::KeyPair;

use super::{params, secret};
use crate::{certificate, lapse};

const DAY: i64 = 86_400;

#[test]
fn who_lapses_is_spoken_of_in_time() {
    let key = KeyPair::generate().unwrap();
    let own = params("a", &["a.test"]).self_signed(&key).unwrap();
    let mut made = certificate(&secret("a", &own.pem(), &key.serialize_pem())).unwrap();
    for (life, now, expected) in [
        (90 * DAY, 0, ""),
        (90 * DAY, 76 * DAY, ""),
        (90 * DAY, 76 * DAY + 1, "warning valid until 1970-04-01 only"),
        (90 * DAY, 90 * DAY - 7_200, "warning valid until 1970-04-01 only"),
        (90 * DAY, 91 * DAY, "error not valid any more, since 1970-04-01"),
        (90 * DAY, -3 * DAY, "error not valid before 1970-01-01"),
        (6 * DAY, 4 * DAY, ""),
        (6 * DAY, 5 * DAY, "warning valid until 1970-01-07 only"),
    ] {
        made.validity = (0, life);
        let said = lapse(&made, now).map(|it| format!("{} {}", it.severity, it.message));
        let said = said.unwrap_or_default();
        let (severity, words) = expected.split_once(' ').unwrap_or_default();
        let is_it = said.starts_with(severity) && said.ends_with(words);
        assert!(is_it && said.is_empty() == expected.is_empty(), "{now} of {life}: {said}");
    }
}

#[test]
fn days_are_those_of_the_calendar() {
    for (seconds, expected) in [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (951_782_400, "2000-02-29"),
        (1_709_164_799, "2024-02-28"),
        (4_107_542_400, "2100-03-01"),
    ] {
        assert_eq!(crate::lapse::date(seconds), expected);
    }
}
