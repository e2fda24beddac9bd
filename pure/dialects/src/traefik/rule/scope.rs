//! Whose requests a rule is about, where some of its matchers mean nothing.
//!
//! Such a matcher counts as true, so that its route, which is refused, opens nothing. But one that
//! nobody else narrows would take the requests of every host: of alternatives those are kept that
//! something else narrows, and a host that means nothing is narrowed by another host alone.

use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::rule::Rule;

/// A part of a rule, and whose requests it is about.
pub(super) struct Part {
    pub(super) rule: Rule,
    pub(super) scope: Scope,
}

/// What a part says of whose requests it is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scope {
    /// A matcher that means something narrows it.
    pub(super) is_known: bool,
    /// One of hosts does.
    names_host: bool,
    /// One of hosts was to, and means nothing.
    lost_host: bool,
}

impl Scope {
    /// Of a matcher that means something.
    pub(super) fn of(rule: &Rule, wanted: bool) -> Self {
        use Matcher::{Host, HostRegex, RootedHostRegex, Sni, SniRegex};
        let is_of_hosts = |it: &Matcher| {
            matches!(it, Host(_) | HostRegex(_) | RootedHostRegex(_) | Sni(_) | SniRegex(_))
        };
        Self { is_known: true, names_host: wanted && rule.has(&is_of_hosts), lost_host: false }
    }

    /// Of one that means nothing.
    pub(super) fn lost(lost_host: bool) -> Self {
        Self { lost_host, ..Self::default() }
    }
}

/// Parts of which all must hold: any of them narrows all.
pub(super) fn together(parts: Vec<Part>, join: fn(Vec<Rule>) -> Rule) -> Part {
    let names_host = parts.iter().any(|part| part.scope.names_host);
    let lost_host = parts.iter().any(|part| part.scope.lost_host);
    let is_known = parts.iter().any(|part| part.scope.is_known) && (names_host || !lost_host);
    let rule = join(parts.into_iter().map(|part| part.rule).collect());
    Part { rule, scope: Scope { is_known, names_host, lost_host: lost_host && !names_host } }
}

/// Parts of which one must hold: those of which nobody knows whom they are about are left out.
pub(super) fn either(parts: Vec<Part>, join: fn(Vec<Rule>) -> Rule) -> Part {
    let lost_host = parts.iter().any(|part| part.scope.lost_host);
    let (known, lost): (Vec<_>, Vec<_>) = parts.into_iter().partition(|it| it.scope.is_known);
    let is_known = !known.is_empty();
    let kept = if is_known { known } else { lost };
    let names_host = is_known && kept.iter().all(|part| part.scope.names_host);
    let rule = join(kept.into_iter().map(|part| part.rule).collect());
    Part { rule, scope: Scope { is_known, names_host, lost_host: lost_host && !is_known } }
}
