//! Which annotations the ConfigMap forbids: such as may do more than its `annotations-risk-level`
//! lets, and such as have a word of its `annotation-value-word-blocklist`. An Ingress with one is
//! left out, as ingress-nginx leaves it out.

use std::sync::Arc;

use steelyard_model::Labels;

use crate::location::{value, written_at};

/// What an annotation may do to a server, by ingress-nginx's own word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Risk {
    Low,
    Medium,
    #[default]
    High,
    Critical,
}

/// What the ConfigMap says of what Ingresses may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    level: Risk,
    words: Vec<Arc<str>>,
    /// Paths that are no expressions have plain letters alone (`strict-validate-path-type`).
    pub is_strict: bool,
}

/// What is forbidden of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The annotation.
    pub key: String,
    /// Why.
    pub why: String,
    /// What to do about it.
    pub help: &'static str,
}

/// Those that are not of the lowest.
const MEDIUM: [&str; 45] = [
    "allowlist-source-range",
    "affinity-mode",
    "app-root",
    "auth-cache-duration",
    "auth-cache-key",
    "auth-proxy-set-headers",
    "auth-realm",
    "auth-request-redirect",
    "auth-response-headers",
    "auth-secret",
    "auth-signin-redirect-param",
    "auth-tls-secret",
    "auth-tls-verify-client",
    "canary-by-cookie",
    "canary-by-header",
    "canary-by-header-pattern",
    "canary-by-header-value",
    "cors-allow-headers",
    "cors-allow-methods",
    "cors-allow-origin",
    "cors-expose-headers",
    "custom-headers",
    "denylist-source-range",
    "fastcgi-index",
    "fastcgi-params-configmap",
    "force-ssl-redirect",
    "opentelemetry-operation-name",
    "permanent-redirect",
    "preserve-trailing-slash",
    "proxy-cookie-domain",
    "proxy-cookie-path",
    "proxy-next-upstream",
    "proxy-redirect-from",
    "proxy-redirect-to",
    "proxy-ssl-ciphers",
    "proxy-ssl-secret",
    "rewrite-target",
    "session-cookie-domain",
    "session-cookie-expires",
    "session-cookie-max-age",
    "session-cookie-name",
    "session-cookie-path",
    "temporal-redirect",
    "whitelist-source-range",
    "x-forwarded-prefix",
];
const HIGH: [&str; 10] = [
    "auth-signin",
    "auth-tls-error-page",
    "auth-tls-match-cn",
    "auth-url",
    "mirror-host",
    "mirror-target",
    "modsecurity-transaction-id",
    "proxy-ssl-name",
    "server-alias",
    "upstream-hash-by",
];

/// The level of this name.
pub(super) fn level(text: &str) -> Option<Risk> {
    match text {
        "Low" => Some(Risk::Low),
        "Medium" => Some(Risk::Medium),
        "High" => Some(Risk::High),
        "Critical" => Some(Risk::Critical),
        _ => None,
    }
}

fn risk(name: &str) -> Risk {
    match name {
        // Text for nginx's configuration is refused by itself, whatever is allowed.
        name if name.ends_with("-snippet") => Risk::Low,
        name if HIGH.contains(&name) => Risk::High,
        name if MEDIUM.contains(&name) => Risk::Medium,
        _ => Risk::Low,
    }
}

impl Inspection {
    /// What lines of the ConfigMap say; what cannot be read is as if it were not there, which is
    /// said where all of them are read.
    pub fn of(settings: &Labels) -> Self {
        let written = |key: &str| written_at(settings, key).map(str::trim);
        let words = written("annotation-value-word-blocklist").unwrap_or_default();
        let words = words.split(',').map(str::trim).filter(|it| !it.is_empty());
        let is_strict = written("strict-validate-path-type").and_then(value::boolean);
        Self {
            level: written("annotations-risk-level").and_then(level).unwrap_or_default(),
            words: words.map(Arc::from).collect(),
            is_strict: is_strict.unwrap_or(true),
        }
    }

    /// The first annotation in words of ingress-nginx that is forbidden.
    pub fn forbids(&self, written: &Labels) -> Option<Forbidden> {
        written.iter().find_map(|(key, value)| self.forbids_one(key, value))
    }

    fn forbids_one(&self, key: &str, value: &str) -> Option<Forbidden> {
        let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
        let forbidden = |why: String, help| Some(Forbidden { key: key.to_owned(), why, help });
        if let Some(word) = self.words.iter().find(|word| value.contains(&***word)) {
            let why = format!("has `{word}`, a word of `annotation-value-word-blocklist`");
            return forbidden(why, "take the word out, or out of the ConfigMap's list");
        }
        if risk(name) > self.level {
            let level = self.level;
            let why = format!("may do more than `annotations-risk-level: {level:?}` allows");
            return forbidden(why, "remove it, or raise the level in the ConfigMap");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotation::NGINX;

    fn labels(lines: &[(&str, &str)]) -> Labels {
        lines.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn all_that_have_a_risk_are_annotations() {
        for name in MEDIUM.iter().chain(&HIGH) {
            assert!(NGINX.rows().any(|row| row.name == *name), "{name}");
        }
    }

    #[test]
    fn what_is_above_the_level_or_has_a_word_is_forbidden() {
        let of = |name: &str, value: &str, key: &str, setting: &str| {
            let written = labels(&[(&format!("p/{name}"), value)]);
            let found = Inspection::of(&labels(&[(key, setting)])).forbids(&written);
            found.map(|it| it.key)
        };
        let level = "annotations-risk-level";
        for (name, setting, is_let) in [
            ("auth-url", "", true),
            ("auth-url", "nonsense", true),
            ("auth-url", "High", true),
            ("auth-url", "Medium", false),
            ("rewrite-target", "Medium", true),
            ("rewrite-target", "Low", false),
            ("ssl-redirect", "Low", true),
        ] {
            assert_eq!(of(name, "/", level, setting).is_none(), is_let, "{name} {setting}");
        }
        let list = "annotation-value-word-blocklist";
        assert_eq!(of("app-root", "/a{b", list, "load_module, {"), Some("p/app-root".to_owned()));
        assert_eq!(of("app-root", "/a", list, "load_module,{"), None);
        assert_eq!(of("app-root", "/a", list, ","), None);
    }
}
