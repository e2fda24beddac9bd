//! What of requests is logged: which of them, and which of their fields.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Where and how requests are logged.
#[derive(Clone, Debug, Default)]
pub struct AccessLog {
    /// A file, or standard output when there is none.
    pub path: Option<PathBuf>,
    /// How lines look.
    pub format: LogFormat,
    /// Lines that may wait to be written; some megabytes of them where nothing is said.
    pub buffered: Option<u64>,
    /// Which requests.
    pub filters: LogFilters,
    /// Which of their fields.
    pub fields: LogFields,
}

/// How access log lines look; all as Traefik writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// The Common Log Format and some more fields.
    #[default]
    Common,
    /// The same without these: the Combined Log Format.
    GenericClf,
    /// One JSON object per line.
    Json,
}

/// Which requests are logged: those of which one of these is true, or all where none is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFilters {
    /// They were answered with one of these.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// More than one attempt was made.
    pub retried: bool,
    /// They took at least as long.
    pub at_least: Option<Duration>,
}

/// Which fields are shown, by Traefik's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFields {
    /// Those that are not named.
    pub otherwise: Shown,
    /// Those that are.
    pub named: Vec<(Box<str>, Shown)>,
    /// Header lines that are not named; where nothing is said `Referer` and `User-Agent` alone are
    /// shown.
    pub headers_otherwise: Option<Shown>,
    /// Header lines that are.
    pub headers: Vec<(Box<str>, Shown)>,
    /// Parameters of queries that are not named.
    pub queries_otherwise: Shown,
    /// Parameters of queries that are.
    pub queries: Vec<(Box<str>, Shown)>,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// It is written.
    #[default]
    Keep,
    /// It is left out.
    Drop,
    /// That there is one is written.
    Redact,
}

/// What stands in the place of a field that is not to be known.
pub(crate) const REDACTED: &str = "REDACTED";

impl LogFilters {
    pub(crate) fn pass(&self, status: u16, retries: u32, duration: Duration) -> bool {
        if *self == Self::default() {
            return true;
        }
        self.statuses.iter().any(|range| range.contains(&status))
            || self.retried && retries > 0
            || self.at_least.is_some_and(|least| duration >= least)
    }
}

impl LogFields {
    /// What becomes of the field `name`.
    pub(crate) fn of(&self, name: &str) -> Shown {
        find(&self.named, name).unwrap_or(self.otherwise)
    }

    /// What becomes of header lines called `name`.
    pub(crate) fn of_header(&self, name: &str) -> Shown {
        self.said_of_header(name).unwrap_or_else(|| {
            let is_usual = ["referer", "user-agent"].iter().any(|it| name.eq_ignore_ascii_case(it));
            if is_usual { Shown::Keep } else { Shown::Drop }
        })
    }

    /// The same of one that is shown where nothing is said.
    pub(crate) fn of_usual_header(&self, name: &str) -> Shown {
        self.said_of_header(name).unwrap_or_default()
    }

    fn said_of_header(&self, name: &str) -> Option<Shown> {
        find(&self.headers, name).or(self.headers_otherwise)
    }

    /// A path with its query, of which what is not to be known is not there.
    pub(crate) fn target<'t>(&self, target: &'t str) -> Cow<'t, str> {
        let is_kept = |shown: &Shown| *shown == Shown::Keep;
        let are_kept = self.queries.iter().all(|(_, shown)| is_kept(shown));
        let parts = target.split_once('?');
        let Some((path, query)) = parts.filter(|_| !(are_kept && is_kept(&self.queries_otherwise)))
        else {
            return Cow::Borrowed(target);
        };
        let (mut shown, mut mark) = (path.to_owned(), '?');
        // Some servers take semicolons for ends of parameters.
        for part in query.split(['&', ';']) {
            let name = part.split('=').next().unwrap_or_default();
            let piece = match self.of_query(&plain(name)) {
                Shown::Drop => continue,
                Shown::Redact if name.len() < part.len() => format!("{name}={REDACTED}"),
                Shown::Keep | Shown::Redact => part.to_owned(),
            };
            shown.push(std::mem::replace(&mut mark, '&'));
            shown.push_str(&piece);
        }
        Cow::Owned(shown)
    }

    fn of_query(&self, name: &str) -> Shown {
        find(&self.queries, name).unwrap_or(self.queries_otherwise)
    }

    /// Whether lines are shown besides the usual ones.
    pub(crate) fn wants_headers(&self) -> bool {
        let is_shown = |shown: &Shown| *shown != Shown::Drop;
        self.headers_otherwise.as_ref().is_some_and(is_shown)
            || self.headers.iter().any(|(_, shown)| is_shown(shown))
    }
}

impl Shown {
    /// By Traefik's word for it.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "keep" => Some(Self::Keep),
            "drop" => Some(Self::Drop),
            "redact" => Some(Self::Redact),
            _ => None,
        }
    }
}

/// A name without escapes: who is to be hidden is hidden however it is spelled.
fn plain(name: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(name.len()), name.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let escaped = behind.get(..2).filter(|_| *first == b'%');
        let escaped = escaped.and_then(|two| str::from_utf8(two).ok());
        match escaped.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn find(all: &[(Box<str>, Shown)], name: &str) -> Option<Shown> {
    all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, shown)| *shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_requests() {
        let of = |statuses: &[RangeInclusive<u16>], retried, at_least: Option<u64>| LogFilters {
            statuses: statuses.to_vec(),
            retried,
            at_least: at_least.map(Duration::from_millis),
        };
        for (filters, status, retries, milliseconds, passes) in [
            (of(&[], false, None), 200, 0, 0, true),
            (of(&[404..=404, 500..=599], false, None), 200, 0, 0, false),
            (of(&[404..=404, 500..=599], false, None), 404, 0, 0, true),
            (of(&[404..=404, 500..=599], false, None), 599, 0, 0, true),
            (of(&[500..=599], true, Some(10)), 200, 0, 9, false),
            (of(&[500..=599], true, Some(10)), 200, 1, 9, true),
            (of(&[500..=599], true, Some(10)), 200, 0, 10, true),
        ] {
            let told = format!("{filters:?} {status} {retries} {milliseconds}");
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(filters.pass(status, retries, duration), passes, "{told}");
        }
    }

    #[test]
    fn which_fields() {
        let fields = LogFields {
            named: vec![("clienthost".into(), Shown::Redact)],
            headers: vec![("authorization".into(), Shown::Redact)],
            ..LogFields::default()
        };
        assert_eq!((fields.of("ClientHost"), fields.of("Other")), (Shown::Redact, Shown::Keep));
        assert_eq!(fields.of_header("Authorization"), Shown::Redact);
        assert_eq!(fields.of_header("User-Agent"), Shown::Keep);
        assert_eq!(fields.of_header("Cookie"), Shown::Drop);
        assert!(fields.wants_headers() && !LogFields::default().wants_headers());
        let none = LogFields { headers_otherwise: Some(Shown::Drop), ..LogFields::default() };
        assert!(none.of_header("Referer") == Shown::Drop && !none.wants_headers());
        assert_eq!(Shown::parse("Redact"), Some(Shown::Redact));
        assert_eq!(Shown::parse("hide"), None);
    }

    #[test]
    fn what_of_queries() {
        let named = |name: &str, shown| (name.into(), shown);
        let secret = vec![named("token", Shown::Redact), named("sid", Shown::Drop)];
        let alone = vec![named("page", Shown::Keep)];
        for (queries_otherwise, queries, target, expected) in [
            (Shown::Keep, Vec::new(), "/a?token=1;b", "/a?token=1;b"),
            (Shown::Keep, secret.clone(), "/a", "/a"),
            (Shown::Keep, secret.clone(), "/a?b&token=1&sid=2", "/a?b&token=REDACTED"),
            (Shown::Keep, secret.clone(), "/?Tok%65n=1;sid", "/?Tok%65n=REDACTED"),
            (Shown::Keep, secret, "/?sid=1", "/"),
            (Shown::Redact, alone.clone(), "/?page=1&x=a=b&y", "/?page=1&x=REDACTED&y"),
            (Shown::Drop, alone, "/?x=1&page=2", "/?page=2"),
        ] {
            let fields = LogFields { queries_otherwise, queries, ..LogFields::default() };
            assert_eq!(fields.target(target), expected);
        }
    }
}
