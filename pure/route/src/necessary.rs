//! What must be so for a rule to hold, as far as it can be looked up: hosts, and path prefixes or
//! header lines.
//!
//! It may say less than the rule (then more candidates are tried), never more; and what is found by
//! a look-up is not asked once more ([`Left`]).

use std::sync::Arc;

use crate::candidate::Indexed;
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::pattern::{HostPattern, PathForm, PathPattern, PathShape};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::subject::Subject;

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

/// A place among the paths of a host; of what names no path, among header lines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PathKey {
    Exact(PathForm, Arc<str>),
    Elements(PathForm, Arc<str>),
    Bytes(PathForm, Arc<str>),
    /// A header by its name, and its value.
    Header(Arc<str>, Arc<str>),
    Any,
}

/// A place at which a rule has to be looked for.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) host: HostKey,
    pub(crate) path: PathKey,
    /// What is to be asked there.
    pub(crate) left: Left,
}

/// What is left of a rule for who is at its place. Ordered: what asks for less first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Left {
    /// Nothing: it holds.
    Nothing,
    /// That the path is one at all, and no `*`: so it is for all below `/`.
    Root(PathForm),
    /// The rule.
    Rule,
}

/// The places at which a rule has to be looked for. Never empty, unless the rule cannot hold.
pub(crate) fn places(rule: &Rule, indexed: Indexed) -> Vec<Place> {
    let hosts = named_hosts(rule, indexed).map(|patterns| patterns.iter().map(host_key).collect());
    let hosts: Vec<HostKey> = hosts.unwrap_or_else(|| vec![HostKey::Any]);
    let named = keys(rule, &path_key).or_else(|| keys(rule, &header_key));
    let few = named.filter(|named| hosts.len() * named.len() <= MAX_PLACES);
    let paths = few.unwrap_or_else(|| vec![PathKey::Any]);
    let each = hosts.iter().flat_map(|host| paths.iter().map(move |path| (host, path)));
    let place = |(host, path): (&HostKey, &PathKey)| Place {
        host: host.clone(),
        path: path.clone(),
        left: Left::of(rule, indexed, host, path),
    };
    each.map(place).collect()
}

impl Left {
    fn of(rule: &Rule, indexed: Indexed, host: &HostKey, path: &PathKey) -> Self {
        let left = |rule| Self::of(rule, indexed, host, path);
        match rule {
            Rule::All(rules) => {
                let all = rules.iter().map(left);
                all.fold(Self::Nothing, |one, other| one.and(other))
            }
            Rule::Any(rules) if rules.iter().any(|rule| left(rule) == Self::Nothing) => {
                Self::Nothing
            }
            Rule::Any(_) | Rule::Not(_) => Self::Rule,
            Rule::One(matcher) => Self::of_one(matcher, indexed, host, path),
        }
    }

    /// Of a wildcard's place it is not known how many labels are before it, and of an expression's
    /// only how it begins.
    fn of_one(matcher: &Matcher, indexed: Indexed, host: &HostKey, path: &PathKey) -> Self {
        let is_found = match matcher {
            Matcher::Host(HostPattern::Any) | Matcher::Sni(HostPattern::Any) => true,
            Matcher::Host(pattern @ HostPattern::Exact(_)) => {
                indexed == Indexed::Host && host_key(pattern) == *host
            }
            Matcher::Sni(pattern @ HostPattern::Exact(_)) => {
                indexed == Indexed::Sni && host_key(pattern) == *host
            }
            Matcher::Path(PathPattern { shape: PathShape::Regex(_), .. }) => false,
            Matcher::Path(PathPattern { form, shape: PathShape::Elements(prefix) })
                if prefix.is_empty() =>
            {
                return Self::Root(*form);
            }
            Matcher::Path(_) => path_key(matcher).is_some_and(|key| key == *path),
            Matcher::Header(..) => header_key(matcher).is_some_and(|key| key == *path),
            _ => false,
        };
        if is_found { Self::Nothing } else { Self::Rule }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Root(one), Self::Root(other)) if one != other => Self::Rule,
            (one, other) => one.max(other),
        }
    }

    /// Whether `rule` holds, of which this is left.
    pub(crate) fn holds(self, rule: impl FnOnce() -> bool, subject: &impl Subject) -> bool {
        match self {
            Self::Nothing => true,
            Self::Root(form) => {
                let path = subject.path(form);
                path.is_empty() || path.starts_with('/')
            }
            Self::Rule => rule(),
        }
    }
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
        PathShape::Regex(expression) => {
            let begins = expression.beginning().filter(|text| text.len() > 1)?;
            Some(PathKey::Bytes(*form, begins.into()))
        }
    }
}

fn header_key(matcher: &Matcher) -> Option<PathKey> {
    let Matcher::Header(name, Values::Exact(value)) = matcher else { return None };
    Some(PathKey::Header(name.clone(), value.clone()))
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::pattern::Expression;

    use super::*;

    fn hosts(count: usize) -> Rule {
        let host = |n| Rule::One(Matcher::Host(HostPattern::Exact(format!("h{n}.lan").into())));
        Rule::Any((0..count).map(host).collect())
    }

    fn path(shape: PathShape) -> Rule {
        Rule::One(Matcher::Path(PathPattern::normal(shape)))
    }

    fn regex(source: &str) -> PathShape {
        PathShape::Regex(Expression::new(source).unwrap())
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
            (regex("^/ab?[0-9]"), PathKey::Bytes(form, "/a".into())),
            (regex("/a"), PathKey::Any),
        ] {
            let places = places(&path(shape), Indexed::Host);
            let found: Vec<_> = places.iter().map(|it| (&it.host, &it.path)).collect();
            assert_eq!(found, [(&HostKey::Any, &key)]);
        }
    }

    #[test]
    fn what_a_place_says_is_not_asked_again() {
        let form = PathForm::Normal;
        let host = |name: &str| Rule::One(Matcher::Host(HostPattern::Exact(name.into())));
        let label = || Rule::One(Matcher::Host(HostPattern::Label("lan".into())));
        let method = || Rule::One(Matcher::Method("GET".into()));
        let line = || Rule::One(Matcher::Header("a".into(), Values::Exact("b".into())));
        let prefix = |text: &str| path(PathShape::elements(text));
        for (rule, left) in [
            (host("a.lan"), vec![Left::Nothing]),
            (Rule::Any(vec![host("a.lan"), host("b.lan")]), vec![Left::Nothing; 2]),
            (Rule::All(vec![host("a.lan"), prefix("/")]), vec![Left::Root(form)]),
            (Rule::All(vec![host("a.lan"), prefix("/a")]), vec![Left::Nothing]),
            (Rule::All(vec![host("a.lan"), prefix("/a"), prefix("/a/b")]), vec![Left::Rule]),
            (Rule::All(vec![host("a.lan"), method()]), vec![Left::Rule]),
            (Rule::All(vec![host("a.lan"), line()]), vec![Left::Nothing]),
            (Rule::All(vec![prefix("/a"), line()]), vec![Left::Rule]),
            (label(), vec![Left::Rule]),
            (host("a.lan").negated(), vec![Left::Rule]),
            (path(regex("^/abc")), vec![Left::Rule]),
            (Rule::Any(vec![host("a.lan"), method()]), vec![Left::Rule]),
        ] {
            let found: Vec<Left> = places(&rule, Indexed::Host).iter().map(|it| it.left).collect();
            assert_eq!(found, left, "{rule:?}");
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
