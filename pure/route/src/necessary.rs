//! What must be so for a rule to hold, as far as it can be looked up: hosts and path prefixes.
//!
//! It may say less than the rule (then more candidates are tried), never more.

use std::sync::Arc;

use crate::candidate::Indexed;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{HostPattern, PathForm, PathPattern, PathShape};
use steelyard_model::routing::rule::Rule;

/// Most places of the table that one rule may take; a rule of more is found by its hosts alone,
/// or without an index.
const MAX_PLACES: usize = 64;

/// A place among hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HostKey {
    Exact(Arc<str>),
    /// A wildcard of one or of many labels.
    Suffix(Arc<str>),
    Any,
}

/// A place among the paths of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PathKey {
    Exact(PathForm, Arc<str>),
    Elements(PathForm, Arc<str>),
    Bytes(PathForm, Arc<str>),
    Any,
}

/// The places at which a rule has to be looked for. Never empty, unless the rule cannot hold.
pub(crate) fn places(rule: &Rule, indexed: Indexed) -> Vec<(HostKey, PathKey)> {
    let hosts = named_hosts(rule, indexed).map(|patterns| patterns.iter().map(host_key).collect());
    let hosts: Vec<HostKey> = hosts.unwrap_or_else(|| vec![HostKey::Any]);
    let paths = keys(rule, &path_key).unwrap_or_else(|| vec![PathKey::Any]);
    let paths = if hosts.len() * paths.len() > MAX_PLACES { vec![PathKey::Any] } else { paths };
    hosts.iter().flat_map(|host| paths.iter().map(|path| (host.clone(), path.clone()))).collect()
}

/// The hosts, or server names, of which one is necessary; none where a rule is for every host.
pub(crate) fn named_hosts(rule: &Rule, indexed: Indexed) -> Option<Vec<HostPattern>> {
    keys(rule, &|matcher| match (matcher, indexed) {
        (Matcher::Host(HostPattern::Any) | Matcher::Sni(HostPattern::Any), _) => None,
        (Matcher::Host(pattern), Indexed::Host) | (Matcher::Sni(pattern), Indexed::Sni) => {
            Some(pattern.clone())
        }
        _ => None,
    })
}

/// The names of hosts of which one is necessary, each once; none where a rule may hold for others.
pub fn exact_hosts(rule: &Rule) -> Option<Vec<Arc<str>>> {
    named_hosts(rule, Indexed::Host)?.iter().map(|host| host.as_exact().cloned()).collect()
}

/// One of these must hold; none when nothing is known.
fn keys<K: PartialEq>(rule: &Rule, of: &impl Fn(&Matcher) -> Option<K>) -> Option<Vec<K>> {
    match rule {
        Rule::One(matcher) => of(matcher).map(|key| vec![key]),
        Rule::All(rules) => rules.iter().filter_map(|rule| keys(rule, of)).min_by_key(Vec::len),
        Rule::Any(rules) => {
            let mut all = Vec::new();
            for rule in rules {
                for key in keys(rule, of)? {
                    if !all.contains(&key) {
                        all.push(key);
                    }
                }
                if all.len() > MAX_PLACES {
                    return None;
                }
            }
            Some(all)
        }
        Rule::Not(_) => None,
    }
}

fn host_key(pattern: &HostPattern) -> HostKey {
    match pattern {
        HostPattern::Exact(name) => HostKey::Exact(name.clone()),
        HostPattern::Label(suffix) | HostPattern::Labels(suffix) => HostKey::Suffix(suffix.clone()),
        HostPattern::Any => HostKey::Any,
    }
}

fn path_key(matcher: &Matcher) -> Option<PathKey> {
    let Matcher::Path(PathPattern { form, shape }) = matcher else { return None };
    match shape {
        PathShape::Exact(path) => Some(PathKey::Exact(*form, path.clone())),
        PathShape::Elements(prefix) if prefix.is_empty() => None,
        PathShape::Elements(prefix) => Some(PathKey::Elements(*form, prefix.clone())),
        PathShape::Bytes(prefix) if prefix.len() <= 1 => None,
        PathShape::Bytes(prefix) => Some(PathKey::Bytes(*form, prefix.clone())),
        PathShape::Regex(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(count: usize) -> Rule {
        let host = |n| Rule::One(Matcher::Host(HostPattern::Exact(format!("h{n}.lan").into())));
        Rule::Any((0..count).map(host).collect())
    }

    fn path(shape: PathShape) -> Rule {
        Rule::One(Matcher::Path(PathPattern::normal(shape)))
    }

    fn paths(count: usize) -> Rule {
        Rule::Any((0..count).map(|n| path(PathShape::Exact(format!("/p{n}").into()))).collect())
    }

    #[test]
    fn a_path_is_looked_up_by_what_it_begins_with() {
        let form = PathForm::Normal;
        for (shape, key) in [
            (PathShape::Exact("/a".into()), PathKey::Exact(form, "/a".into())),
            (PathShape::elements("/a"), PathKey::Elements(form, "/a".into())),
            (PathShape::elements("/"), PathKey::Any),
            (PathShape::Bytes("/a".into()), PathKey::Bytes(form, "/a".into())),
            (PathShape::Bytes("/".into()), PathKey::Any),
            (PathShape::Bytes("".into()), PathKey::Any),
        ] {
            let places = places(&path(shape), Indexed::Host);
            assert_eq!(places, [(HostKey::Any, key)]);
        }
    }

    #[test]
    fn a_rule_of_too_many_places_is_found_by_its_hosts_or_tried_for_all() {
        for (hosts_named, paths_named, expected) in
            [(8, 8, 64), (8, 9, 8), (64, 1, 64), (65, 1, 1), (1, 64, 64), (1, 65, 1)]
        {
            let rule = Rule::All(vec![hosts(hosts_named), paths(paths_named)]);
            let count = places(&rule, Indexed::Host).len();
            assert_eq!(count, expected, "{hosts_named} hosts, {paths_named} paths");
        }
    }
}
