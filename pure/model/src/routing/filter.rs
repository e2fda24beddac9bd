//! Filters: what is done to a request on its way and to its answer on the way back.
//!
//! A filter is a definition; a use of it is an instance with a state of its own. Of the closed
//! list those stand here that the routing model needs to be shown whole; each other one is a
//! variant and a frame.

use std::sync::Arc;

use ipnet::IpNet;

use crate::object::Provenance;
use crate::routing::id::{BackendId, FilterId};
use crate::routing::pattern::Expression;
use crate::routing::rule::Rule;

/// A filter with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterNode {
    /// Its name: `default-auth@kubernetescrd`.
    pub id: FilterId,
    /// The part of an object that defines it.
    pub place: Option<Provenance>,
    /// What it does.
    pub filter: Filter,
}

/// A use of a filter on a listener, a route or an edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// The definition.
    pub filter: FilterId,
    /// Whose state it is: uses of one key share it, also over a reload.
    pub state: Arc<str>,
}

impl Use {
    /// The use of a filter within the one that is used: its state is its own, and one with that of
    /// this use. Where a filter stands within it does not matter.
    pub fn within(&self, filter: &FilterId) -> Self {
        Self { filter: filter.clone(), state: format!("{}>{filter}", self.state).into() }
    }
}

impl Filter {
    /// What it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Redirect(_) => "redirect",
            Self::Rewrite(_) => "rewrite",
            Self::AllowAddresses(..) => "allow-addresses",
            Self::BasicAuth(_) => "basic-auth",
            Self::ForwardAuth(_) => "forward-auth",
            Self::ErrorPages(..) => "error-pages",
            Self::AnyOf(_) => "any-of",
            Self::When(..) => "when",
        }
    }

    /// The filters that stand within it.
    pub fn inner(&self) -> &[FilterId] {
        match self {
            Self::AnyOf(filters) => filters,
            Self::When(_, filter) => std::slice::from_ref(filter),
            Self::Redirect(_)
            | Self::Rewrite(_)
            | Self::AllowAddresses(..)
            | Self::BasicAuth(_)
            | Self::ForwardAuth(_)
            | Self::ErrorPages(..) => &[],
        }
    }
}

/// What a filter does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Answers with a redirection.
    Redirect(Redirection),
    /// Changes the path that is sent on.
    Rewrite(Rewrite),
    /// Lets clients of some addresses in, and answers the status to others.
    AllowAddresses(Vec<IpNet>, u16),
    /// Asks for a name and a password: `name:hash` lines.
    BasicAuth(Arc<[Arc<str>]>),
    /// Asks a backend whether a request may pass.
    ForwardAuth(BackendId),
    /// Answers with what a backend says to a status: ranges.
    ErrorPages(Vec<(u16, u16)>, BackendId),
    /// Passes what one of these passes (nginx's `satisfy any`); else answers as the last.
    AnyOf(Vec<FilterId>),
    /// Is applied only where the rule holds: exemptions, preflights.
    When(Rule, FilterId),
}

/// Where a redirection leads: what is none stays as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// Scheme.
    pub scheme: Option<Arc<str>>,
    /// Host.
    pub host: Option<Arc<str>>,
    /// Port; none is the scheme's own.
    pub port: Option<u16>,
    /// Ports that belong together: who has asked at the first is led to the second, where `port`
    /// is none and scheme or host is another.
    pub beside: Vec<(u16, u16)>,
    /// Path.
    pub path: Option<Arc<str>>,
    /// Status.
    pub status: u16,
}

/// How a path is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// This comes before it.
    AddPrefix(Arc<str>),
    /// The first of these that it begins with is taken off.
    StripPrefix(Vec<Arc<str>>),
    /// It is replaced.
    Replace(Arc<str>),
    /// What the expression matches is replaced; `$1` stands for its groups.
    Expression(Expression, Arc<str>),
}
