//! The rule of a path.

use super::View;
use super::annotation::RouterWish;
use crate::names::quoted;
use crate::tree::Tree;

/// Matchers that a path may be asked to be matched by.
const MATCHERS: [&str; 3] = ["PathPrefix", "Path", "PathRegexp"];

impl View<'_> {
    /// What must hold; none where a path is to be matched by what is no matcher of paths.
    pub(super) fn rule(self, rule: Tree<'_>, path: Tree<'_>, wish: &RouterWish) -> Option<String> {
        let is_v2 = wish.syntax == "v2" || (wish.syntax.is_empty() && self.is_v2);
        let host = match rule.text("host") {
            "" => None,
            host => Some(host_rule(host, is_v2)),
        };
        let path = match path.text("path") {
            "" => None,
            text => Some(self.path_rule(text, path.text("pathType"), wish)?),
        };
        Some(host.into_iter().chain(path).collect::<Vec<_>>().join(" && "))
    }

    fn path_rule(self, path: &str, kind: &str, wish: &RouterWish) -> Option<String> {
        let matcher = match kind {
            "" | "ImplementationSpecific" => MATCHERS.iter().find(|it| **it == wish.matcher)?,
            "Exact" => "Path",
            _ => "PathPrefix",
        };
        let is_strict = self.options.strict_prefix_matching && matcher == "PathPrefix";
        Some(if is_strict { strict(path) } else { format!("{matcher}({})", quoted(path)) })
    }
}

/// A prefix that ends at a path element.
fn strict(path: &str) -> String {
    match path.strip_suffix('/').unwrap_or(path) {
        "" => "PathPrefix(\"/\")".to_owned(),
        path => {
            let below = quoted(&format!("{path}/"));
            format!("(Path({}) || PathPrefix({below}))", quoted(path))
        }
    }
}

/// A host; in the older language one with a wildcard is a template.
fn host_rule(host: &str, is_v2: bool) -> String {
    match host.strip_prefix("*.") {
        Some(rest) if is_v2 => {
            format!("HostRegexp({})", quoted(&format!("{{subdomain:[a-zA-Z0-9-]+}}.{rest}")))
        }
        _ => format!("Host({})", quoted(host)),
    }
}
