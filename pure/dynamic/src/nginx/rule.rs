//! Rules of routers.

use super::canary::Canary;
use super::location::Location;
use crate::names::quoted;

impl Location<'_> {
    /// What must hold: one of the hosts, and the path. It is never nothing.
    pub(super) fn rule(&self) -> String {
        let parts: Vec<String> = self.host_rule().into_iter().chain(self.path_rule()).collect();
        if parts.is_empty() { "PathPrefix(\"/\")".to_owned() } else { parts.join(" && ") }
    }

    fn host_rule(&self) -> Option<String> {
        if self.host.is_empty() {
            return None;
        }
        let hosts = [self.host].into_iter().chain(self.aliases.iter().copied());
        let hosts: Vec<String> = hosts.map(host).collect();
        Some(if hosts.len() > 1 { format!("({})", hosts.join(" || ")) } else { hosts.join("") })
    }

    fn path_rule(&self) -> Option<String> {
        match self.path {
            "" => None,
            path if self.kind == "Exact" => Some(format!("Path({})", quoted(path))),
            path if self.has_patterns => {
                Some(format!("PathRegexp({})", quoted(&format!("(?i)^{path}"))))
            }
            path => Some(prefix(path)),
        }
    }
}

/// A host, which may begin with `*.`.
pub(super) fn host(name: &str) -> String {
    format!("Host({})", quoted(name))
}

/// A prefix that ends at a path element.
fn prefix(path: &str) -> String {
    match path.strip_suffix('/').unwrap_or(path) {
        "" => "PathPrefix(\"/\")".to_owned(),
        path => {
            let below = quoted(&format!("{path}/"));
            format!("(Path({}) || PathPrefix({below}))", quoted(path))
        }
    }
}

impl Canary<'_> {
    /// Who is led to the canary, of those for whom `rule` holds.
    pub(super) fn led(&self, rule: &str) -> String {
        let header = self.header_rule();
        let cookie = (!self.cookie.is_empty()).then(|| {
            let always = self.cookie_rule("always");
            if self.decides_by_words() {
                format!("({always} && !{})", header_rule("Header", self.header, "never"))
            } else {
                always
            }
        });
        both(rule, header.into_iter().chain(cookie))
    }

    /// Who is never.
    pub(super) fn kept(&self, rule: &str) -> String {
        let header = self.decides_by_words().then(|| header_rule("Header", self.header, "never"));
        let cookie = (!self.cookie.is_empty()).then(|| self.cookie_rule("never"));
        both(rule, header.into_iter().chain(cookie))
    }

    fn header_rule(&self) -> Option<String> {
        match (self.header, self.value, self.pattern) {
            ("", ..) => None,
            (header, "", "") => Some(header_rule("Header", header, "always")),
            (header, "", pattern) => Some(header_rule("HeaderRegexp", header, pattern)),
            (header, value, _) => Some(header_rule("Header", header, value)),
        }
    }

    fn cookie_rule(&self, word: &str) -> String {
        let pattern = format!(r"(^|;\s*){}={word}(;|$)", literal(self.cookie));
        header_rule("HeaderRegexp", "Cookie", &pattern)
    }
}

fn header_rule(matcher: &str, name: &str, value: &str) -> String {
    format!("{matcher}({}, {})", quoted(name), quoted(value))
}

/// `rule`, and one of others.
fn both(rule: &str, others: impl Iterator<Item = String>) -> String {
    format!("({rule}) && ({})", others.collect::<Vec<_>>().join(" || "))
}

/// A pattern that is met by this text alone.
fn literal(text: &str) -> String {
    let mut pattern = String::new();
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
