//! Filters: what is done to a request on its way and to its answer on the way back.
//!
//! A filter is a definition; a use of it is an instance with a state of its own. The list is
//! closed: each is a variant here and a frame in `pure/filters`. Options are typed and have their
//! defaults; what they name elsewhere (users, certificates, backends) was looked up.

pub mod access;
pub mod content;
pub mod key;
pub mod limit;
pub mod login;
pub mod nginx;
pub mod token;
pub mod told;
pub mod trigger;

use std::sync::Arc;

use crate::object::Provenance;
use crate::routing::asked::AskedUrl;
use crate::routing::id::FilterId;
use crate::routing::pattern::Expression;
use crate::routing::rule::Rule;
use crate::routing::times::RouteTimeouts;
use crate::sorted::Sorted;
use access::{AllowedClients, AskedAuth, CertificateHeader, PasswordAuth};
use content::{Compression, EncodedCharacters, ErrorPages, HeaderRules};
use key::KeyAuth;
use limit::{BodyBuffers, CircuitBreaker, InFlightLimit, RateLimit, RetryRule};
use login::LoginAuth;
use nginx::NginxStep;
use token::{SignatureAuth, TokenAuth, TokenKeys};

/// Chains that stand within each other, at most.
pub const MOST_DEPTH: usize = 16;

/// Filters that a chain comes to, at most.
pub const MOST_MEMBERS: usize = 256;

/// Filters and chains that are looked at for that, at most: chains that stand twice in each other
/// may have more ways than anybody can walk.
pub const MOST_LOOKS: usize = 1024;

/// A filter with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterNode {
    /// Its name: `default/auth@kubernetescrd`.
    pub id: FilterId,
    /// The part of an object that defines it.
    pub place: Option<Provenance>,
    /// What it does.
    pub filter: Filter,
}

impl FilterNode {
    /// Whether it, or what it has exemptions from, counts.
    fn counts_within(&self, filters: &Sorted<FilterId, Arc<Self>>) -> bool {
        let mut node = self;
        for _ in 0..MOST_DEPTH {
            let Filter::When(_, inner) = &node.filter else { break };
            let Some(found) = filters.get(inner) else { break };
            node = found;
        }
        node.filter.counts()
    }
}

/// A use of a filter on a listener, a route or an edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// The definition.
    pub filter: FilterId,
    /// Whose state it is: uses of one key share it, also over a reload.
    pub state: Arc<str>,
}

/// What a filter does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Answers with a redirection.
    Redirect(Redirection),
    /// Answers with a redirection to another scheme.
    RedirectScheme(SchemeRedirection),
    /// Answers with a redirection where an expression matches.
    RedirectRegex(RegexRedirection),
    /// Changes the path that is sent on.
    Rewrite(Rewrite),
    /// Refuses encoded characters in paths.
    EncodedCharacters(EncodedCharacters),
    /// Lets clients of some addresses in.
    AllowAddresses(AllowedClients),
    /// Keeps clients of some addresses out: of these, not of others.
    RefuseAddresses(AllowedClients),
    /// Asks for a key.
    ApiKey(KeyAuth),
    /// Asks for a name and a password.
    BasicAuth(PasswordAuth),
    /// Asks for a name and the proof of a password.
    DigestAuth(PasswordAuth),
    /// Asks for requests that are signed.
    Signature(SignatureAuth),
    /// Asks for a token.
    Token(Box<TokenAuth>),
    /// Has people log in.
    Login(Box<LoginAuth>),
    /// Asks a backend whether a request may pass.
    ForwardAuth(Box<AskedAuth>),
    /// Tells endpoints of clients' certificates.
    ClientCertificate(Box<CertificateHeader>),
    /// Writes header lines.
    Headers(Box<HeaderRules>),
    /// Lets only so many requests in over time.
    RateLimit(Box<RateLimit>),
    /// Lets only so many requests in at once.
    InFlight(InFlightLimit),
    /// Keeps bodies until they are whole.
    Buffers(BodyBuffers),
    /// Asks nobody who has failed too often.
    CircuitBreaker(CircuitBreaker),
    /// Asks again.
    Retry(RetryRule),
    /// Answers with what a backend says to a status.
    ErrorPages(Box<ErrorPages>),
    /// Makes responses smaller.
    Compress(Box<Compression>),
    /// Says what bodies are that say nothing of it.
    ContentType,
    /// gRPC for browsers, from pages of these origins.
    GrpcWeb(Vec<Arc<str>>),
    /// What ingress-nginx does to requests of a location.
    Nginx(Arc<NginxStep>),
    /// Others, the first outermost.
    Chain(Vec<FilterId>),
    /// A program of somebody else, which is never carried out: its name.
    Plugin(Arc<str>),
    /// How long what may take on a route that uses it, where the route itself says nothing of it.
    Timeouts(RouteTimeouts),
    /// Lets only so many connections of one address in at once.
    InFlightConnections(u64),
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

/// Leads to another scheme, in Traefik's manner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeRedirection {
    /// Which.
    pub scheme: Arc<str>,
    /// At which port; none is the scheme's own.
    pub port: Option<Arc<str>>,
    /// For ever.
    pub is_permanent: bool,
}

/// Leads elsewhere where an expression matches the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexRedirection {
    /// The expression.
    pub expression: Expression,
    /// Where to; `$1` and `${name}` stand for its groups.
    pub replacement: Arc<str>,
    /// For ever.
    pub is_permanent: bool,
}

/// How a path is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// This comes before it.
    AddPrefix(Arc<str>),
    /// The first of these that it begins with is taken off.
    StripPrefix(Vec<Arc<str>>),
    /// The first of these that matches at its begin is taken off.
    StripExpression(Vec<Expression>),
    /// It is replaced.
    Replace(Arc<str>),
    /// What the expression matches is replaced; `$1` stands for its groups.
    Expression(Expression, Arc<str>),
}

impl Use {
    /// The use of `filter` on what is called `owner`. What counts requests is one for each that
    /// uses it, as with Traefik; what others keep (who is known) is one wherever it is used.
    pub fn of(owner: &str, id: &FilterId, filter: &Filter) -> Self {
        let state = match filter {
            Filter::Chain(_) => owner.into(),
            _ if filter.counts() => return Self::counted(owner, id),
            _ => id.as_str().into(),
        };
        Self { filter: id.clone(), state }
    }

    /// The use of a filter on what is called `owner` that counts, or within which one does.
    pub fn counted(owner: &str, id: &FilterId) -> Self {
        Self { filter: id.clone(), state: format!("{owner}>{id}").into() }
    }

    /// The use of a chain's member, of which it is known what stands within it.
    fn member(owner: &str, node: &FilterNode, filters: &Sorted<FilterId, Arc<FilterNode>>) -> Self {
        match node.counts_within(filters) {
            true => Self::counted(owner, &node.id),
            false => Self::of(owner, &node.id, &node.filter),
        }
    }

    /// The same where it is by another owner, whose state it is if it was `owner`'s.
    #[must_use]
    pub fn by(&self, owner: &str, other: &str) -> Self {
        let rest = self.state.strip_prefix(owner);
        let own = rest.filter(|rest| rest.is_empty() || rest.starts_with('>'));
        let state = own.map_or_else(|| self.state.clone(), |rest| format!("{other}{rest}").into());
        Self { filter: self.filter.clone(), state }
    }

    /// The use of a filter within the one that is used: its state is its own, and one with that of
    /// this use. Where a filter stands within it does not matter.
    pub fn within(&self, filter: &FilterId) -> Self {
        Self { filter: filter.clone(), state: format!("{}>{filter}", self.state).into() }
    }

    /// This use, and those of all filters within it, also where they stand within each other.
    /// Each filter is seen once for each use that it stands within: what is used, or a member of a
    /// chain.
    pub fn each_within(
        &self,
        filters: &Sorted<FilterId, Arc<FilterNode>>,
        see: &mut dyn FnMut(&Self),
    ) {
        let mut known = vec![(self.clone(), self.clone())];
        let mut at = 0;
        while let Some((usage, root)) = known.get(at).cloned() {
            see(&usage);
            at += 1;
            let Some(node) = filters.get(&usage.filter) else { continue };
            for id in node.filter.inner() {
                let (inner, within) = match (&node.filter, filters.get(id)) {
                    (Filter::Chain(_), Some(member)) => {
                        let member = Self::member(&usage.state, member, filters);
                        (member.clone(), member)
                    }
                    _ => (root.within(id), root.clone()),
                };
                let is_it = |(known, root): &(Self, Self)| {
                    known.filter == inner.filter && root.state == within.state
                };
                if known.len() < MOST_LOOKS && !known.iter().any(is_it) {
                    known.push((inner, within));
                }
            }
        }
    }

    /// What is used in its place: of a chain its members, in their order, and else itself. None
    /// where one of them is not there, or they are too many or too deep to be meant.
    pub fn expanded(&self, filters: &Sorted<FilterId, Arc<FilterNode>>) -> Option<Vec<Self>> {
        let mut all = Vec::new();
        self.expand(filters, MOST_DEPTH, &mut 0, &mut all)?;
        Some(all)
    }

    fn expand(
        &self,
        filters: &Sorted<FilterId, Arc<FilterNode>>,
        depth: usize,
        looks: &mut usize,
        all: &mut Vec<Self>,
    ) -> Option<()> {
        *looks += 1;
        if *looks > MOST_LOOKS {
            return None;
        }
        let node = filters.get(&self.filter);
        let Some(Filter::Chain(members)) = node.map(|node| &node.filter) else {
            all.push(self.clone());
            return (all.len() <= MOST_MEMBERS).then_some(());
        };
        for id in members {
            let member = filters.get(id)?;
            let usage = Self::member(&self.state, member, filters);
            usage.expand(filters, depth.checked_sub(1)?, looks, all)?;
        }
        Some(())
    }
}

impl Filter {
    /// What all are answered, where it lets nobody in: nothing says who may pass.
    pub fn denies_all(&self) -> Option<u16> {
        match self {
            Self::AllowAddresses(it) if it.ranges.is_empty() => Some(it.status),
            Self::Nginx(step) => match &**step {
                NginxStep::Clients(it) if it.terms.is_none() => Some(403),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Redirect(_) => "redirect",
            Self::RedirectScheme(_) => "redirect-scheme",
            Self::RedirectRegex(_) => "redirect-regex",
            Self::Rewrite(_) => "rewrite",
            Self::EncodedCharacters(_) => "encoded-characters",
            Self::AllowAddresses(_) => "allow-addresses",
            Self::RefuseAddresses(_) => "refuse-addresses",
            Self::ApiKey(_) => "api-key",
            Self::BasicAuth(_) => "basic-auth",
            Self::DigestAuth(_) => "digest-auth",
            Self::Signature(_) => "signature",
            Self::Token(_) => "token",
            Self::Login(_) => "login",
            Self::ForwardAuth(_) => "forward-auth",
            Self::ClientCertificate(_) => "client-certificate",
            Self::Headers(_) => "headers",
            Self::RateLimit(_) => "rate-limit",
            Self::InFlight(_) => "in-flight",
            Self::Buffers(_) => "buffering",
            Self::CircuitBreaker(_) => "circuit-breaker",
            Self::Retry(_) => "retry",
            Self::ErrorPages(_) => "error-pages",
            Self::Compress(_) => "compress",
            Self::ContentType => "content-type",
            Self::GrpcWeb(_) => "grpc-web",
            Self::Nginx(step) => step.kind(),
            Self::Chain(_) => "chain",
            Self::Plugin(_) => "plugin",
            Self::Timeouts(_) => "timeouts",
            Self::InFlightConnections(_) => "in-flight-connections",
            Self::AnyOf(_) => "any-of",
            Self::When(..) => "when",
        }
    }

    /// Whether there is a frame that carries it out. What is not built closes who uses it.
    pub fn is_built(&self) -> bool {
        matches!(
            self,
            Self::Redirect(_)
                | Self::RedirectScheme(_)
                | Self::RedirectRegex(_)
                | Self::Rewrite(_)
                | Self::EncodedCharacters(_)
                | Self::AllowAddresses(_)
                | Self::RefuseAddresses(_)
                | Self::ApiKey(_)
                | Self::BasicAuth(_)
                | Self::DigestAuth(_)
                | Self::Headers(_)
                | Self::Signature(_)
                | Self::Token(_)
                | Self::Login(_)
                | Self::ForwardAuth(_)
                | Self::ErrorPages(_)
                | Self::RateLimit(_)
                | Self::InFlight(_)
                | Self::Buffers(_)
                | Self::CircuitBreaker(_)
                | Self::Retry(_)
                | Self::Compress(_)
                | Self::ContentType
                | Self::Timeouts(_)
                | Self::GrpcWeb(_)
                | Self::ClientCertificate(_)
                | Self::Nginx(_)
                | Self::Chain(_)
                | Self::AnyOf(_)
                | Self::When(..)
        )
    }

    /// Whether there is something that carries it out for connections as they come.
    pub fn is_built_for_bytes(&self) -> bool {
        matches!(self, Self::InFlightConnections(_) | Self::AllowAddresses(_))
    }

    /// Where it asks others.
    pub fn asked(&self) -> impl Iterator<Item = &AskedUrl> {
        let (url, several) = match self {
            Self::ForwardAuth(auth) => (Some(&auth.address), &[][..]),
            Self::Login(auth) => (None, &auth.issuer.origins[..]),
            Self::RateLimit(limit) => {
                (None, limit.redis.as_ref().map_or(&[][..], |redis| &redis.servers))
            }
            Self::Token(auth) => match &auth.keys {
                TokenKeys::Address(address) => (Some(&address.url), &[][..]),
                _ => (None, &[][..]),
            },
            _ => (None, &[][..]),
        };
        url.into_iter().chain(several.iter().map(|(url, _)| url))
    }

    /// Whether it lets some clients in only, by itself.
    pub fn restricts(&self) -> bool {
        matches!(
            self,
            Self::BasicAuth(_)
                | Self::DigestAuth(_)
                | Self::Signature(_)
                | Self::Token(_)
                | Self::ForwardAuth(_)
                | Self::ApiKey(_)
                | Self::AllowAddresses(_)
                | Self::RefuseAddresses(_)
                | Self::AnyOf(_)
        )
    }

    /// Whether it counts requests or connections, by itself.
    pub fn counts(&self) -> bool {
        match self {
            Self::CircuitBreaker(_) | Self::InFlight(_) | Self::InFlightConnections(_) => true,
            // What is counted elsewhere has one name for all.
            Self::RateLimit(limit) => limit.redis.is_none(),
            _ => false,
        }
    }

    /// Whether it sends clients elsewhere.
    pub fn redirects(&self) -> bool {
        matches!(self, Self::Redirect(_) | Self::RedirectScheme(_) | Self::RedirectRegex(_))
    }

    /// The filters that stand within it.
    pub fn inner(&self) -> &[FilterId] {
        match self {
            Self::AnyOf(filters) | Self::Chain(filters) => filters,
            Self::When(_, filter) => std::slice::from_ref(filter),
            _ => &[],
        }
    }
}
