//! The options of the access log, as Traefik has them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use steelyard_gateway::{AccessLog, LogFields, LogFilters, LogFormat, Shown};

use super::duration::duration;

const NAMES: &str = "accesslog.fields.names.";
const HEADERS: &str = "accesslog.fields.headers.names.";
const QUERIES: &str = "accesslog.fields.queryparameters.names.";
const QUERIES_MODE: &str = "accesslog.fields.queryparameters.defaultmode";
const MODE: &str = "accesslog.fields.defaultmode";
const HEADERS_MODE: &str = "accesslog.fields.headers.defaultmode";
const STATUS_CODES: &str = "accesslog.filters.statuscodes";
const MIN_DURATION: &str = "accesslog.filters.minduration";
const RETRY_ATTEMPTS: &str = "accesslog.filters.retryattempts";
const BUFFERING: &str = "accesslog.bufferingsize";
const FORMAT: &str = "accesslog.format";
const PATH: &str = "accesslog.filepath";

/// Whether `name` may have this value; none where there is no such option.
pub(super) fn check(name: &str, value: &str) -> Option<Result<(), String>> {
    let (is_fine, wanted) = match name {
        PATH => (true, ""),
        FORMAT => (format(value).is_some(), "common, genericCLF or json"),
        BUFFERING => (value.parse::<u64>().is_ok(), "a number of lines"),
        STATUS_CODES => (statuses(value).is_some(), "codes and ranges of them: 404,500-599"),
        MIN_DURATION => (duration(value).is_some(), "a time: 10ms, 2s"),
        MODE | HEADERS_MODE | QUERIES_MODE => (Shown::parse(value).is_some(), MODES),
        _ if [NAMES, HEADERS, QUERIES].iter().any(|of| super::names::is_of(name, of)) => {
            (Shown::parse(value).is_some(), MODES)
        }
        _ => return None,
    };
    let wrong = || format!("{name} wants {wanted}, not {value:?}");
    Some(is_fine.then_some(()).ok_or_else(wrong))
}

const MODES: &str = "keep, drop or redact";

/// What options that were checked come to.
pub(super) fn chosen(options: &BTreeMap<String, String>) -> AccessLog {
    let get = |name: &str| options.get(name).map(String::as_str);
    let named = |prefix: &str| {
        let all = options.iter().filter_map(|(name, value)| {
            Some((name.strip_prefix(prefix)?.into(), Shown::parse(value)?))
        });
        all.collect()
    };
    let buffered = get(BUFFERING).and_then(|size| size.parse().ok()).filter(|size| *size > 0);
    AccessLog {
        path: get(PATH).map(Into::into),
        format: get(FORMAT).and_then(format).unwrap_or_default(),
        buffered,
        filters: LogFilters {
            statuses: get(STATUS_CODES).and_then(statuses).unwrap_or_default(),
            retried: get(RETRY_ATTEMPTS) == Some("true"),
            at_least: get(MIN_DURATION).and_then(duration),
        },
        fields: LogFields {
            otherwise: get(MODE).and_then(Shown::parse).unwrap_or_default(),
            named: named(NAMES),
            headers_otherwise: get(HEADERS_MODE).and_then(Shown::parse),
            headers: named(HEADERS),
            queries_otherwise: get(QUERIES_MODE).and_then(Shown::parse).unwrap_or_default(),
            queries: named(QUERIES),
        },
    }
}

fn format(word: &str) -> Option<LogFormat> {
    match word.to_ascii_lowercase().as_str() {
        "common" => Some(LogFormat::Common),
        "genericclf" => Some(LogFormat::GenericClf),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

fn statuses(list: &str) -> Option<Vec<RangeInclusive<u16>>> {
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|it| (100..=999).contains(it));
    let each = list.split(',').map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(code(first)?..=code(last)?)
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn options_come_to_what_they_say() {
        let options = [
            (FORMAT, "genericCLF"),
            (BUFFERING, "100"),
            (STATUS_CODES, "404, 500-599"),
            (MIN_DURATION, "10ms"),
            (RETRY_ATTEMPTS, "true"),
            (MODE, "drop"),
            (HEADERS_MODE, "redact"),
            ("accesslog.fields.names.clienthost", "keep"),
            ("accesslog.fields.headers.names.cookie", "drop"),
            (QUERIES_MODE, "redact"),
            ("accesslog.fields.queryparameters.names.page", "keep"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (name, value) in &options {
            if name != RETRY_ATTEMPTS {
                assert_eq!(check(name, value), Some(Ok(())), "{name}");
            }
        }
        let log = chosen(&options.into_iter().collect());
        assert_eq!((log.format, log.buffered), (LogFormat::GenericClf, Some(100)));
        let at_least = Some(Duration::from_millis(10));
        let statuses = vec![404..=404, 500..=599];
        assert_eq!(log.filters, LogFilters { statuses, retried: true, at_least });
        let fields = LogFields {
            otherwise: Shown::Drop,
            named: vec![("clienthost".into(), Shown::Keep)],
            headers_otherwise: Some(Shown::Redact),
            headers: vec![("cookie".into(), Shown::Drop)],
            queries_otherwise: Shown::Redact,
            queries: vec![("page".into(), Shown::Keep)],
        };
        assert_eq!(log.fields, fields);
        let least = chosen(&BTreeMap::new());
        assert_eq!((least.fields, least.filters), Default::default());
    }
}
