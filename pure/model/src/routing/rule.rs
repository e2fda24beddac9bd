//! What must hold for a route: a tree of conditions.

use crate::routing::matcher::Matcher;
use crate::routing::pattern::{HostPattern, PathPattern};
use crate::routing::subject::Subject;

/// A rule. [`Rule::holds`] is its plain definition, which the compiled table must equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// All of them; none means always.
    All(Vec<Self>),
    /// At least one of them; none means never.
    Any(Vec<Self>),
    /// Not this one.
    Not(Box<Self>),
    /// One condition.
    One(Matcher),
}

impl Rule {
    /// A rule that always holds.
    pub fn always() -> Self {
        Self::All(Vec::new())
    }

    /// Not this rule.
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// The host that it is for, where it says so in one condition; every host where it says
    /// nothing of hosts.
    pub fn host(&self) -> &HostPattern {
        let named = self.conditions().iter().find_map(|rule| match rule {
            Self::One(Matcher::Host(pattern)) => Some(pattern),
            _ => None,
        });
        named.unwrap_or(&HostPattern::Any)
    }

    /// The server name that it is for, where it says so in one condition.
    pub fn server_name(&self) -> Option<&HostPattern> {
        self.conditions().iter().find_map(|rule| match rule {
            Self::One(Matcher::Sni(pattern)) => Some(pattern),
            _ => None,
        })
    }

    /// The path that it is for, where it says so in one condition.
    pub fn path(&self) -> Option<&PathPattern> {
        self.conditions().iter().find_map(|rule| match rule {
            Self::One(Matcher::Path(pattern)) => Some(pattern),
            _ => None,
        })
    }

    /// Whether any of its conditions, wherever it stands in it, is such.
    pub fn has(&self, is_such: &dyn Fn(&Matcher) -> bool) -> bool {
        match self {
            Self::All(rules) | Self::Any(rules) => rules.iter().any(|rule| rule.has(is_such)),
            Self::Not(rule) => rule.has(is_such),
            Self::One(matcher) => is_such(matcher),
        }
    }

    /// The same for strangers: without what headers and queries are to say, which may be a secret
    /// that opens the route.
    pub fn discreet(&self) -> Self {
        let each = |rules: &[Self]| rules.iter().map(Self::discreet).collect();
        match self {
            Self::All(rules) => Self::All(each(rules)),
            Self::Any(rules) => Self::Any(each(rules)),
            Self::Not(rule) => Self::Not(Box::new(rule.discreet())),
            Self::One(matcher) => Self::One(matcher.discreet()),
        }
    }

    /// What must hold all together.
    fn conditions(&self) -> &[Self] {
        match self {
            Self::All(rules) => rules,
            other => std::slice::from_ref(other),
        }
    }

    /// Whether it holds for `subject`.
    pub fn holds(&self, subject: &impl Subject) -> bool {
        self.is(true, subject)
    }

    /// Whether the rule, or its negation where `wanted` is false, holds. Negation is pushed down
    /// to the conditions, so that one with an invalid argument counts as true everywhere.
    fn is(&self, wanted: bool, subject: &impl Subject) -> bool {
        match self {
            Self::All(rules) if wanted => rules.iter().all(|rule| rule.is(true, subject)),
            Self::All(rules) => rules.iter().any(|rule| rule.is(false, subject)),
            Self::Any(rules) if wanted => rules.iter().any(|rule| rule.is(true, subject)),
            Self::Any(rules) => rules.iter().all(|rule| rule.is(false, subject)),
            Self::Not(rule) => rule.is(!wanted, subject),
            Self::One(Matcher::Invalid(_)) => true,
            Self::One(matcher) => matcher.holds(subject) == wanted,
        }
    }

    /// The first condition that fails for `subject`, in the order they are written; none when the
    /// rule holds. Of a negation it is the first condition inside it that should not hold.
    pub fn first_failure(&self, subject: &impl Subject) -> Option<&Matcher> {
        self.failure(true, subject)
    }

    fn failure(&self, wanted: bool, subject: &impl Subject) -> Option<&Matcher> {
        if self.is(wanted, subject) {
            return None;
        }
        match self {
            Self::All(rules) | Self::Any(rules) => {
                rules.iter().find_map(|rule| rule.failure(wanted, subject))
            }
            Self::Not(rule) => rule.failure(!wanted, subject),
            Self::One(matcher) => Some(matcher),
        }
    }
}
