//! Which names will do.
//!
//! What Kubernetes would refuse is a warning only: people try names in a folder first, and
//! nothing here breaks by an upper-case letter. What would break paths, lock files or terminals
//! is an error.

use steelyard_model::Severity;

use crate::codes;
use crate::nameless::Nameless;
use crate::tree::{Mark, shortened};

/// What Kubernetes wants of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// DNS label (RFC 1123).
    Label,
    /// DNS subdomain (RFC 1123); parts between dots may be longer than 63, as in Kubernetes.
    Subdomain,
    /// Whatever can be in a path: `system:node` of RBAC.
    Segment,
}

impl Rule {
    /// The rule for names of `kind`.
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "Service" | "Namespace" => Self::Label,
            "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => Self::Segment,
            _ => Self::Subdomain,
        }
    }

    fn allows(self, name: &str) -> bool {
        match self {
            Self::Label => name.len() <= 63 && is_part(name),
            Self::Subdomain => name.split('.').all(is_part),
            Self::Segment => true,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Label => "up to 63 lower-case letters, digits and `-`",
            Self::Subdomain => "up to 253 lower-case letters, digits, `-` and `.`",
            Self::Segment => "up to 253 letters, digits, `-`, `.`, `_` and `:`",
        }
    }
}

/// Nothing where `name` is fine, a remark where only Kubernetes would refuse it, an error where
/// it cannot be used.
pub(crate) fn judge(
    rule: Rule,
    path: &'static str,
    name: &str,
    mark: Mark,
) -> Result<Option<Nameless>, Nameless> {
    let usable = is_usable(name);
    if usable && rule.allows(name) {
        return Ok(None);
    }
    let better = corrected(name);
    let help = if is_part(&better) {
        format!("use {}, e.g. `{better}`", rule.in_words())
    } else {
        format!("use {}", rule.in_words())
    };
    let shown = shortened(name);
    let remark = |severity, message| {
        let code = codes::OBJECT_NAME;
        Nameless { severity, code, mark, path, message, help }
    };
    if usable {
        let message = format!("Kubernetes would refuse the name {shown:?}");
        Ok(Some(remark(Severity::Warning, message)))
    } else {
        let message = format!("{shown:?} cannot be a name; the object is not used");
        Err(remark(Severity::Error, message))
    }
}

/// Whether `name` can stand in a path, a lock file and a terminal.
pub(crate) fn is_usable(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    (1..=253).contains(&name.len()) && name.bytes().all(fine) && !matches!(name, "." | "..")
}

fn is_part(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

fn corrected(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(keep).take(63).collect();
    text.trim_matches('-').to_owned()
}
