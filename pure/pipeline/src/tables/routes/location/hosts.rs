//! Hosts as a whole: their other names, and what leads from one to another.
//!
//! Of two Ingresses that say something of a host the older one counts, as in ingress-nginx; a name
//! that is some Ingress's host is nobody's other name.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::routing::backend::Internal;
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::id::{ListenerId, RouteId};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::{HostSpecificity, PathSpecificity, Rank};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::{Diagnostic, NamespacedName, OwnFilter, Provenance, RouteDraft, Severity};

use super::{Location, id, of_filter, settings};
use crate::codes;
use crate::engine::Links;
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::routes::clients;
use crate::tables::row::{Class, ReadSet, Row};

/// What hangs on the hosts of an Ingress.
pub(in crate::tables) fn link_hosts(read: &ReadSet<'_>, links: &mut Links<Cell>) {
    let (aliases, _) = asked_names(read).unwrap_or_default();
    for host in hosts(read) {
        links.entry(Cell::Hosts(host.clone()));
        if read.class == Class::Nginx && read.set.tls.is_some() {
            links.entry(Cell::SecureHosts(host.clone()));
        }
        if !aliases.is_empty() {
            let entry = Cell::Renamed(host.clone());
            links.cell(Cell::Oldest(Arc::new(entry.clone())));
            links.entry(entry);
        }
        if read.class == Class::Nginx {
            let entry = Cell::Locations(host.clone());
            links.cell(Cell::Oldest(Arc::new(entry.clone())));
            links.entry(entry);
        }
    }
    for alias in aliases {
        let entry = Cell::Alias(Arc::new(alias.clone()));
        links.cell(Cell::Oldest(Arc::new(entry.clone())));
        links.entry(entry);
    }
}

/// The hosts of its rules, each once.
pub(super) fn hosts<'s>(read: &ReadSet<'s>) -> Vec<&'s HostPattern> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for draft in read.routes().iter().filter(|it| !it.rank.specific.is_fallback) {
        let host = draft.rule.host();
        if seen.insert(host) {
            found.push(host);
        }
    }
    found
}

/// The first of them.
fn first_host<'s>(read: &ReadSet<'s>) -> Option<&'s HostPattern> {
    let first = read.routes().iter().find(|it| !it.rank.specific.is_fallback);
    first.map(|it| it.rule.host())
}

/// Whether a default backend stands in for what else there is at the Ingress's own hosts, and for
/// no others.
pub(in crate::tables::routes) fn is_of_hosts(draft: &RouteDraft, read: &ReadSet<'_>) -> bool {
    read.class == Class::Nginx && draft.rank.specific.is_fallback && first_host(read).is_some()
}

/// Hosts to which an Ingress lets clients in by certificates.
pub(in crate::tables) fn hosts_of_clients(read: &ReadSet<'_>) -> Vec<HostPattern> {
    if read.reading.clients.is_none() {
        return Vec::new();
    }
    let is_other = |it: &&RouteDraft| !is_of_hosts(it, read);
    let mut hosts: Vec<HostPattern> =
        read.routes().iter().filter(is_other).map(|it| it.rule.host().clone()).collect();
    hosts.dedup();
    hosts
}

impl Location {
    /// A route once for each name that its hosts have.
    pub(in crate::tables::routes) fn named(
        &self,
        route: Route,
        draft: &RouteDraft,
        read: &ReadSet<'_>,
        reads: &mut Reads<'_>,
    ) -> Vec<Route> {
        let mut all = Vec::new();
        let of_hosts = is_of_hosts(draft, read);
        let names = if of_hosts { hosts(read) } else { vec![draft.rule.host()] };
        for host in names {
            let mut own = route.clone();
            let terms = (read, &self.to_tls, self.is_unasked(draft));
            clients::guard(&mut own, host, terms, reads);
            let others = aliases(host, reads);
            all.extend(others.iter().map(|alias| renamed(&own, alias)));
            match of_hosts {
                true => all.push(renamed(&own, &Matcher::Host(host.clone()))),
                false => all.push(own),
            }
        }
        all
    }

    /// Routes of hosts that no rule has: what leads to the host beside them, and where who asks for
    /// `/` is led.
    pub(in crate::tables::routes) fn leading(
        &self,
        read: &ReadSet<'_>,
        listeners: &[ListenerId],
        reads: &mut Reads<'_>,
    ) -> Vec<Route> {
        let Some(own) = read.nginx() else { return Vec::new() };
        let mut all = Vec::new();
        let Some(first) = read.routes().first() else { return all };
        for host in hosts(read) {
            if own.leads_www {
                all.extend(self.www(host, first, listeners, reads));
            }
            let asked = read.reading.passes.iter().find(|it| *it.name == *"app-root");
            if let Some(to) = asked.filter(|_| own.root.is_some()) {
                let mut root = self.root(host, first, listeners, (read, to));
                clients::guard(&mut root, host, (read, &self.to_tls, true), reads);
                all.push(root);
            }
        }
        all
    }

    fn www(
        &self,
        host: &HostPattern,
        first: &RouteDraft,
        listeners: &[ListenerId],
        reads: &mut Reads<'_>,
    ) -> Option<Route> {
        let name = host.as_exact()?;
        let (beside, to) = match name.strip_prefix("www.") {
            Some(bare) => (bare.to_owned(), settings::TO_WWW),
            None => (format!("www.{name}"), settings::TO_BARE),
        };
        let beside = HostPattern::Exact(beside.into());
        let alias = Cell::Alias(Arc::new(Matcher::Host(beside.clone())));
        if reads.any(&Cell::Hosts(beside.clone())) || reads.any(&alias) {
            return None;
        }
        let path = PathPattern::normal(PathShape::elements("/"));
        let usage = of_filter(&settings::id(to));
        Some(self.leads(("www", &beside, path), usage, first, listeners))
    }

    fn root(
        &self,
        host: &HostPattern,
        first: &RouteDraft,
        listeners: &[ListenerId],
        (read, to): (&ReadSet<'_>, &OwnFilter),
    ) -> Route {
        let path = PathPattern::normal(PathShape::Exact("/".into()));
        self.leads(("root", host, path), of_filter(&id(read, &to.name)), first, listeners)
    }

    /// A route that lets nobody through.
    fn leads(
        &self,
        (what, host, path): (&str, &HostPattern, PathPattern),
        usage: Use,
        first: &RouteDraft,
        listeners: &[ListenerId],
    ) -> Route {
        let mut specific = first.rank.specific.clone();
        specific.host = narrowness(&Matcher::Host(host.clone()));
        specific.is_fallback = false;
        specific.path = match path.shape {
            PathShape::Exact(_) => PathSpecificity::Exact,
            _ => PathSpecificity::Length(Reverse(0)),
        };
        Route {
            id: suffixed(&first.id, &format!("{what}/{host}")),
            place: first.place.clone(),
            kind: RouteKind::Http,
            listeners: listeners.to_vec(),
            rank: Rank { specific, index: u32::MAX, ..first.rank.clone() },
            rule: Arc::new(rule(&Matcher::Host(host.clone()), path)),
            uses: self.around().chain([usage]).collect(),
            to: Destination::Backend(Internal::Noop.into()),
            timeouts: None,
            manner: Manner::Nginx,
            tls_policy: None,
            observability: Default::default(),
        }
    }
}

/// Other names of a host.
fn aliases(host: &HostPattern, reads: &mut Reads<'_>) -> Vec<Matcher> {
    let Some(oldest) = oldest(Cell::Renamed(host.clone()), reads) else { return Vec::new() };
    let Some(row) = reads.row(&Cell::Set(oldest.clone())) else { return Vec::new() };
    let set = row.set();
    // Each of its hosts wants the names, and the first has them.
    let Some((asked, _)) = asked_names(&set).filter(|_| first_host(&set) == Some(host)) else {
        return Vec::new();
    };
    let is_free = |alias: &&Matcher| taken(alias, &oldest, reads).is_none();
    asked.iter().filter(is_free).cloned().collect()
}

/// The other names that an Ingress wants for its first host, and where it says so.
fn asked_names<'s>(read: &ReadSet<'s>) -> Option<(&'s [Matcher], Option<&'s Provenance>)> {
    let (names, place) = read.nginx()?.aliases.as_ref()?;
    Some((names, Some(place)))
}

/// Why a name that an Ingress wants for a host is not its to give.
enum Taken {
    /// It is a host by itself, of this Ingress among others.
    Host(NamespacedName),
    /// An older Ingress has it for its own host.
    Name(NamespacedName),
}

fn taken(alias: &Matcher, by: &NamespacedName, reads: &mut Reads<'_>) -> Option<Taken> {
    if let Matcher::Host(host) = alias {
        let whose = |key: &Cell| match key {
            Cell::Set(id) => Some(id.clone()),
            _ => None,
        };
        if let Some(whose) = reads.keys(&Cell::Hosts(host.clone())).iter().find_map(whose) {
            return Some(Taken::Host(whose));
        }
    }
    let first = oldest(Cell::Alias(Arc::new(alias.clone())), reads);
    first.filter(|it| it != by).map(Taken::Name)
}

/// Names that an Ingress wants for its hosts and does not get, each with whose it is: whoever asks
/// by one of them is led there.
pub(super) fn names_of_others(read: &ReadSet<'_>, reads: &mut Reads<'_>) -> Vec<Diagnostic> {
    let Some((names, Some(place))) = asked_names(read) else { return Vec::new() };
    let Some(host) = first_host(read) else { return Vec::new() };
    let own = read.set.object.id();
    let elder = oldest(Cell::Renamed(host.clone()), reads).filter(|it| *it != own);
    let said = names.iter().filter_map(|alias| {
        let why = match (taken(alias, &own, reads), &elder) {
            (Some(Taken::Host(other)), _) => format!("is a host of Ingress/{other}"),
            (Some(Taken::Name(other)), _) => {
                format!("is another name already by Ingress/{other}, which is older, or first by name")
            }
            (None, Some(elder)) => format!(
                "is for {host}, which has the other names that Ingress/{elder} gives it, since that \
                 is older, or first by name"
            ),
            (None, None) => return None,
        };
        let message = format!("other name `{}` {why}: it is left out", shown(alias));
        let help = "take the name out, or give the host the rules that are meant";
        Some(Diagnostic::at(Severity::Warning, codes::ALIAS_TAKEN, place, message, help))
    });
    said.collect()
}

/// As it is written.
fn shown(alias: &Matcher) -> String {
    match alias {
        Matcher::Host(host) => host.to_string(),
        Matcher::HostRegex(expression) => {
            let source = expression.source();
            format!("~{}", source.strip_prefix("(?i)").unwrap_or(source))
        }
        other => other.to_string(),
    }
}

/// Of those at an entry of an index the oldest.
fn oldest(entry: Cell, reads: &mut Reads<'_>) -> Option<NamespacedName> {
    match reads.row(&Cell::Oldest(Arc::new(entry))) {
        Some(Row::Oldest(oldest)) => Some(oldest.id()),
        _ => None,
    }
}

/// The same for another host.
fn renamed(route: &Route, host: &Matcher) -> Route {
    let mut specific = route.rank.specific.clone();
    specific.host = narrowness(host);
    let everything = || PathPattern::normal(PathShape::elements("/"));
    let path = route.rule.path().cloned().unwrap_or_else(everything);
    Route {
        id: suffixed(&route.id, &called(host)),
        rank: Rank { specific, ..route.rank.clone() },
        rule: Arc::new(rule(host, path)),
        ..route.clone()
    }
}

fn called(host: &Matcher) -> String {
    match host {
        Matcher::Host(host) => format!("of/{host}"),
        Matcher::HostRegex(expression) => format!("of/~{}", expression.source()),
        _ => "of".to_owned(),
    }
}

pub(super) fn rule(host: &Matcher, path: PathPattern) -> Rule {
    let path = Rule::One(Matcher::Path(path));
    match host {
        Matcher::Host(HostPattern::Any) => Rule::All(vec![path]),
        host => Rule::All(vec![Rule::One(host.clone()), path]),
    }
}

pub(super) fn narrowness(host: &Matcher) -> HostSpecificity {
    match host {
        Matcher::Host(HostPattern::Exact(_)) => HostSpecificity::Exact,
        Matcher::Host(HostPattern::Label(suffix) | HostPattern::Labels(suffix)) => {
            let length = u16::try_from(suffix.len()).unwrap_or(u16::MAX);
            HostSpecificity::Wildcard(Reverse(length))
        }
        Matcher::Host(HostPattern::Any) => HostSpecificity::Any,
        _ => HostSpecificity::Wildcard(Reverse(0)),
    }
}

/// `default/web/0/alias@ingress` beside `default/web/0@ingress`.
pub(in crate::tables::routes) fn suffixed(id: &RouteId, more: &str) -> RouteId {
    let (name, provider) = id.as_str().rsplit_once('@').unwrap_or((id.as_str(), "ingress"));
    format!("{name}/{more}@{provider}").into()
}
