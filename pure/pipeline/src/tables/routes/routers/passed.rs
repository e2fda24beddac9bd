//! What requests and connections pass: filters that objects define, and who uses them.
//!
//! A filter that is not there, may not be named, cannot be had, or is not carried out yet closes
//! whoever uses it, and nobody else.

use std::sync::Arc;

use steelyard_dialects::traefik::users::{BASIC, credentials, users, users_of_file};
use steelyard_login::Keys;
use steelyard_model::filter_draft::SecretPurpose;
use steelyard_model::handshake_draft::{MaterialPart, SecretLink};
use steelyard_model::router_draft::{LinkTarget, ObjectLink};
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::filter::access::FilterTls;
use steelyard_model::routing::filter::key::{KeyAuth, secret_place};
use steelyard_model::routing::filter::login::{LoginAuth, SecretText};
use steelyard_model::routing::filter::token::{TokenAuth, TokenKeys};
use steelyard_model::routing::filter::{Filter, FilterNode, MOST_DEPTH, MOST_LOOKS, Use};
use steelyard_model::routing::id::FilterId;
use steelyard_model::routing::route::RouteKind;
use steelyard_model::{
    Diagnostic, FilterDraft, Item, Missing, NamespacedName, ObjectRef, Provenance, Secret, Severity,
};
use steelyard_passwords::PasswordHash;
use steelyard_tls::{AUTHORITIES_KEY, CERTIFICATE_KEY, Unfit, authorities, identity};
use steelyard_tokens::KeyRing;

use super::super::elsewhere;
use super::super::users::{KeptUsers, count_of_users, say_users, set_users, users_of};
use super::guarded::ENTRY_POINT;
use super::plugins::instead_of_plugin;
use super::{Maker, UNSERVED};
use crate::codes;
use crate::options::ResolveOptions;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{Routed, Row};
use crate::tables::{Reads, material};

/// What stands around a filter that is looked at.
#[derive(Default)]
struct Above {
    /// It is used by a route, and not by an entry point or on a way beyond a route.
    is_of_route: bool,
    chains: Vec<FilterId>,
    /// How many were looked at so far.
    looks: usize,
}

/// A filter that closes who uses it, if it is there, and why.
type Unusable = (Option<Arc<FilterNode>>, RefusalReason);

/// What an Ingress uses, and why its routes are closed by it, if they are.
pub(in super::super) fn passed_by(
    links: &[ObjectLink],
    owner: &str,
    options: &ResolveOptions,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<Use>, Option<RefusalReason>) {
    let (kind, routed, so) = (RouteKind::Http, Routed::default(), UNSERVED);
    Maker { kind, options, reads, diagnostics, routed, so }.passed(links, owner)
}

impl Maker<'_, '_> {
    /// What a route uses of these, in their order; and why it is closed, if it is.
    pub(super) fn passed(
        &mut self,
        links: &[ObjectLink],
        owner: &str,
    ) -> (Vec<Use>, Option<RefusalReason>) {
        self.passed_at(links, owner, true)
    }

    /// The same of an entry point, or of a way beyond a route: nobody goes by times there.
    pub(super) fn passed_elsewhere(
        &mut self,
        links: &[ObjectLink],
        owner: &str,
    ) -> (Vec<Use>, Option<RefusalReason>) {
        self.passed_at(links, owner, false)
    }

    pub(super) fn passed_at(
        &mut self,
        links: &[ObjectLink],
        owner: &str,
        is_of_route: bool,
    ) -> (Vec<Use>, Option<RefusalReason>) {
        let (mut uses, mut closed) = (Vec::new(), None);
        for link in links {
            match self.usable(link, &mut Above { is_of_route, ..Above::default() }) {
                Ok((node, true)) => uses.push(Use::counted(owner, &node.id)),
                Ok((node, false)) => uses.push(Use::of(owner, &node.id, &node.filter)),
                Err((node, why)) => {
                    uses.extend(node.map(|node| Use::of(owner, &node.id, &node.filter)));
                    closed.get_or_insert(why);
                }
            }
        }
        (uses, closed)
    }

    /// A filter that may be used, with all that stands within it, and whether it, or what it has
    /// exemptions from, counts; else why not, and it, if it is there.
    fn usable(
        &mut self,
        link: &ObjectLink,
        above: &mut Above,
    ) -> Result<(Arc<FilterNode>, bool), Unusable> {
        let (cell, id) = self.named(link).map_err(|why| (None, why))?;
        let Some((draft, node)) = self.defined(&cell, &id) else {
            return Err((None, self.unusable(link)));
        };
        let is_built = match self.kind.is_of_requests() {
            true => node.filter.is_built(),
            false => node.filter.is_built_for_bytes(),
        };
        if !is_built {
            let why = match &node.filter {
                Filter::Plugin(name) => self.plugin(link, name),
                filter => self.unbuilt(link, filter.kind()),
            };
            return Err((Some(node), why));
        }
        if matches!(node.filter, Filter::Timeouts(_)) && !above.is_of_route {
            return Err((Some(node), self.of_routes_alone(link)));
        }
        above.looks += 1;
        let is_within = above.chains.contains(&id);
        if is_within || above.chains.len() >= MOST_DEPTH || above.looks > MOST_LOOKS {
            return Err((Some(node), self.circle(link)));
        }
        above.chains.push(id);
        let mut counts = node.filter.counts();
        for member in &draft.members {
            let why = match self.usable(member, above) {
                Ok((inner, is_counted)) => {
                    counts |= is_counted && matches!(node.filter, Filter::When(..));
                    self.fits(&node, &inner, member).err()
                }
                Err((_, why)) => Some(why),
            };
            if let Some(why) = why {
                return Err((Some(node), why));
            }
        }
        above.chains.pop();
        Ok((node, counts))
    }

    /// The object that a link means, and what its filter is called.
    fn named(&mut self, link: &ObjectLink) -> Result<(Cell, FilterId), RefusalReason> {
        let (tag, kind, suffix) = match self.kind.is_of_requests() {
            true => (Tag::Middleware, "Middleware", ""),
            false => (Tag::MiddlewareTcp, "MiddlewareTCP", "#tcp"),
        };
        match &link.to {
            LinkTarget::Object(id) => {
                self.may_name(id, &link.place)?;
                let cell = Cell::Object(tag, id.clone());
                if self.reads.row(&cell).is_none() {
                    self.absent(kind, id, &link.place, self.so);
                    return Err(RefusalReason::Filter(link.place.clone()));
                }
                match elsewhere::is_of_file(id) {
                    true => Ok((cell, elsewhere::backend_name(id).into())),
                    false => Ok((cell, format!("{id}{suffix}@kubernetescrd").into())),
                }
            }
            LinkTarget::Provided(name) => {
                if !names_anybody(link) && !elsewhere::is_of_file(&link.place.object.id()) {
                    self.may_name_provided(name, &link.place)?;
                }
                let called = Cell::Called(tag == Tag::MiddlewareTcp, name.clone());
                let keys = self.reads.keys(&called);
                match keys.as_slice() {
                    [cell @ Cell::Object(_, id)] if name.ends_with("@kubernetescrd") => {
                        self.may_name_called(id, link)?;
                        Ok((cell.clone(), format!("{id}{suffix}@kubernetescrd").into()))
                    }
                    [cell @ Cell::Object(_, id)] if elsewhere::is_of_file(id) => {
                        Ok((cell.clone(), elsewhere::backend_name(id).into()))
                    }
                    [cell] => Ok((cell.clone(), (&**name).into())),
                    [] => {
                        let help =
                            format!("name a {kind}: NAMESPACE-NAME@kubernetescrd, or NAME@file");
                        self.unprovided(name, &link.place, self.so, &help);
                        Err(RefusalReason::Filter(link.place.clone()))
                    }
                    _ => Err(self.ambiguous(name, link)),
                }
            }
        }
    }

    /// Ingresses name filters of any namespace, as Traefik has it: their namespace stands in the
    /// name. Objects of Traefik's kinds have a field for it, and are held to what is said of that.
    fn may_name_called(
        &mut self,
        id: &NamespacedName,
        link: &ObjectLink,
    ) -> Result<(), RefusalReason> {
        if names_anybody(link) {
            return Ok(());
        }
        self.may_name(id, &link.place)
    }

    /// A filter as it is written, and as it is made, if it could be.
    fn defined(&mut self, cell: &Cell, id: &FilterId) -> Option<(FilterDraft, Arc<FilterNode>)> {
        let Cell::Object(tag, object) = cell else { return None };
        let written = self.reads.row(cell)?;
        let made = self.reads.row(&Cell::Filter(*tag, object.clone()))?;
        let Row::Routed(made) = made else { return None };
        let node = made.more().filters.iter().find(|node| node.id == *id)?.clone();
        let draft = written.items().iter().find_map(|item| match item {
            Item::Filter(draft) if draft.id == *id => Some((**draft).clone()),
            _ => None,
        })?;
        Some((draft, node))
    }

    fn refuse(
        &mut self,
        link: &ObjectLink,
        code: steelyard_model::Code,
        message: String,
        help: impl Into<String>,
    ) -> RefusalReason {
        self.diagnostics.push(Diagnostic::at(Severity::Error, code, &link.place, message, help));
        RefusalReason::Filter(link.place.clone())
    }

    /// Says of a filter that is not carried out yet.
    pub(super) fn unbuilt(&mut self, link: &ObjectLink, what: &str) -> RefusalReason {
        let message =
            format!("middleware `{}` ({what}) is not carried out yet: {}", target(link), self.so);
        let help = "take it off to open the route to everybody, or keep it: a later version \
                    carries it out";
        self.refuse(link, codes::FILTER_NOT_CARRIED_OUT, message, help)
    }

    fn plugin(&mut self, link: &ObjectLink, name: &str) -> RefusalReason {
        let message = format!(
            "middleware `{}` is the plugin `{name}`, a program that is never run here: {}",
            target(link),
            self.so
        );
        self.refuse(link, codes::FILTER_NOT_CARRIED_OUT, message, instead_of_plugin(name))
    }

    fn unusable(&mut self, link: &ObjectLink) -> RefusalReason {
        let message = format!("middleware `{}` cannot be had: {}", target(link), self.so);
        let help = "mend what is said of it";
        self.refuse(link, codes::FILTER_UNUSABLE, message, help)
    }

    /// Whether a filter may stand within another one: one of several must say who may pass, and
    /// nothing else; what is exempted from must be one, and no chain.
    fn fits(
        &mut self,
        outer: &FilterNode,
        inner: &FilterNode,
        link: &ObjectLink,
    ) -> Result<(), RefusalReason> {
        let (fits, help) = match &outer.filter {
            Filter::AnyOf(_) => {
                (inner.filter.restricts(), "name middlewares that say who may pass, alone")
            }
            Filter::When(..) => (
                !matches!(inner.filter, Filter::Chain(_) | Filter::Timeouts(_)),
                "name a middleware of its own that requests pass; a chain may have several with \
                 exemptions",
            ),
            _ => (true, ""),
        };
        if fits {
            return Ok(());
        }
        let (kind, what) = (inner.filter.kind(), target(link));
        let message = format!("middleware `{what}` ({kind}) may not stand there: {}", self.so);
        Err(self.refuse(link, codes::FILTER_UNUSABLE, message, help))
    }

    fn of_routes_alone(&mut self, link: &ObjectLink) -> RefusalReason {
        let message = format!(
            "middleware `{}` says how long what may take, which counts on routes alone: who uses \
             it here answers 503",
            target(link)
        );
        self.refuse(link, codes::FILTER_UNUSABLE, message, "name it on the routes, and not here")
    }

    fn circle(&mut self, link: &ObjectLink) -> RefusalReason {
        let message = format!(
            "middleware `{}` stands within itself, too deep or too often: {}",
            target(link),
            self.so
        );
        self.refuse(link, codes::FILTER_UNUSABLE, message, "take it out of the chain")
    }

    fn ambiguous(&mut self, name: &str, link: &ObjectLink) -> RefusalReason {
        let message = format!("more than one middleware is called `{name}`: {}", self.so);
        let help = "give one of them another name: namespace and name are joined by a hyphen";
        self.refuse(link, codes::FILTER_UNUSABLE, message, help)
    }

    /// The filter that is written, with all that it names; none where that cannot be had.
    pub(super) fn filter(&mut self, draft: &FilterDraft) -> Option<FilterNode> {
        let mut filter = draft.filter.clone();
        for (purpose, link) in &draft.secrets {
            self.fill(&mut filter, *purpose, link)?;
        }
        if let Some(file) = &draft.users_file {
            self.fill_users(&mut filter, file)?;
        }
        let named = draft.members.iter();
        match &mut filter {
            Filter::Chain(members) | Filter::AnyOf(members) => {
                *members = named.map(|link| self.member(link)).collect();
            }
            Filter::When(_, member) => *member = named.map(|it| self.member(it)).next()?,
            _ => {}
        }
        if let (Filter::ErrorPages(pages), Some(way)) = (&mut filter, &draft.pages) {
            if let Some(link) = self.on_way(way).first().map(|(link, _)| link.clone()) {
                self.unbuilt(&link, "it is used for error pages");
                return None;
            }
            pages.backend = self.way(way, draft.id.as_str()).ok()?;
        }
        self.reach(&mut filter, draft)?;
        Some(FilterNode { id: draft.id.clone(), place: Some(draft.place.clone()), filter })
    }

    /// What a member is called; one that is not there, or may not be named, by what is written,
    /// which is no filter's: so nobody passes the others without it. Who uses them says what is
    /// wrong with it.
    fn member(&mut self, link: &ObjectLink) -> FilterId {
        let mut said = Vec::new();
        let mut quiet = Maker {
            kind: self.kind,
            options: self.options,
            reads: self.reads,
            diagnostics: &mut said,
            routed: Default::default(),
            so: self.so,
        };
        quiet.named(link).map_or_else(|_| format!("{} (none)", target(link)).into(), |(_, id)| id)
    }

    /// Writes what a Secret has where the filter wants it.
    fn fill(
        &mut self,
        filter: &mut Filter,
        purpose: SecretPurpose,
        link: &SecretLink,
    ) -> Option<()> {
        let row = self.reads.row(&Cell::Object(Tag::Secret, link.secret.clone()));
        let Some(secret) = row.as_ref().and_then(Row::secret) else {
            self.no_secret(link);
            return None;
        };
        let filled = match (&mut *filter, purpose) {
            (Filter::BasicAuth(auth) | Filter::DigestAuth(auth), SecretPurpose::Users) => {
                let filled = users(secret).map(|all| auth.users = all.into());
                filled.map_err(|why| why.to_string())
            }
            (Filter::RateLimit(limit), SecretPurpose::Credentials) => credentials(secret)
                .map(|found| {
                    if let Some(redis) = &mut limit.redis {
                        redis.credentials = Some(found);
                    }
                })
                .map_err(|why| why.to_string()),
            (Filter::Token(auth), SecretPurpose::Signing) => signing(auth, secret),
            (Filter::Login(auth), purpose) if purpose.is_of_login() => login(auth, purpose, secret),
            (Filter::ApiKey(auth), SecretPurpose::Keys) => key_hashes(auth, secret, link),
            (filter, purpose) => match filter_tls(filter) {
                Some(tls) => fill_tls(tls, purpose, secret).map_err(|why| why.to_string()),
                None => Ok(()),
            },
        };
        let whose = format!("of Secret {}", link.secret);
        let filled = match purpose {
            SecretPurpose::Users => {
                let kept = (secret.kind != BASIC).then_some(KeptUsers(secret));
                filled.and_then(|()| self.has_users(filter, (&whose, kept), &link.place))
            }
            _ => filled,
        };
        if let Err(why) = &filled {
            let message = format!("Secret {} is of no use here: {why}", link.secret);
            let help = "write into it what is wanted, or name another";
            let (severity, code) = (Severity::Error, codes::FILTER_SECRET);
            let found = Diagnostic::at(severity, code, &link.place, message, help);
            self.diagnostics.push(found.beside(&secret_object(&link.secret)));
        }
        filled.ok()
    }

    /// Adds the users of a file before those that are written: of two of one name the last counts.
    fn fill_users(&mut self, filter: &mut Filter, file: &MaterialPart) -> Option<()> {
        let written = users_of(filter).map(std::mem::take).unwrap_or_default();
        let filled = self.users_in(file).and_then(|users| {
            set_users(filter, users);
            let own = self.has_users(filter, ("of this file", None), &file.place);
            let mut all = users_of(filter).map_or(Vec::new(), |all| all.to_vec());
            all.extend(written.iter().cloned());
            set_users(filter, all);
            let is_anybody = count_of_users(filter).is_some_and(|count| count > 0);
            own.or_else(|why| if is_anybody { Ok(()) } else { Err(why) })
                .map_err(|why| format!("is of no use here: {why}"))
        });
        if let Err(why) = &filled {
            let message = format!("this file {why}");
            let help = "mend that, or write another path: relative ones begin where the program \
                        was started";
            let (severity, code) = (Severity::Error, codes::FILTER_SECRET);
            self.diagnostics.push(Diagnostic::at(severity, code, &file.place, message, help));
        }
        filled.ok()
    }

    fn users_in(&mut self, file: &MaterialPart) -> Result<Vec<Arc<str>>, String> {
        let text = material::text(file, self.reads);
        let text = text.map_err(|why| format!("cannot be read: {why}"))?;
        users_of_file(&text).map_err(|why| format!("is of no use here: {why}"))
    }

    /// Says which lines of users let nobody in; an error where none does.
    fn has_users(
        &mut self,
        filter: &Filter,
        (whose, kept): (&str, Option<KeptUsers<'_>>),
        place: &Provenance,
    ) -> Result<(), String> {
        let Some(count) = say_users(filter, (whose, kept, false), place, self.diagnostics) else {
            return Ok(());
        };
        if count == 0 { Err("it names nobody who could be let in".to_owned()) } else { Ok(()) }
    }

    fn no_secret(&mut self, link: &SecretLink) {
        let NamespacedName { namespace, name } = &link.secret;
        let say = |no: &str| format!("there is {no} Secret `{name}` in namespace {namespace}");
        let help = format!("add the Secret to {namespace}, or name another");
        let code = codes::FILTER_SECRET;
        let found = Diagnostic::at(Severity::Error, code, &link.place, say("no"), help);
        let missing = Missing::named("Secret", name).within(namespace).sought();
        let found = found.beside(&secret_object(&link.secret));
        self.diagnostics.push(found.missing(missing.if_invalid(say("no valid"))));
    }
}

fn secret_object(NamespacedName { namespace, name }: &NamespacedName) -> ObjectRef {
    ObjectRef::new("Secret", &**namespace, &**name)
}

/// Whether who names a filter by its whole name may name one of any namespace: Ingresses, and
/// whoever starts this.
fn names_anybody(link: &ObjectLink) -> bool {
    matches!(&*link.place.object.kind, "Ingress" | "Service" | ENTRY_POINT)
}

fn target(link: &ObjectLink) -> String {
    match &link.to {
        LinkTarget::Object(id) => id.to_string(),
        LinkTarget::Provided(name) => name.to_string(),
    }
}

/// How TLS is spoken by a filter.
fn filter_tls(filter: &mut Filter) -> Option<&mut FilterTls> {
    match filter {
        Filter::ForwardAuth(auth) => auth.tls.as_mut(),
        Filter::Login(auth) => auth.issuer.tls.as_mut(),
        Filter::Token(auth) => match &mut auth.keys {
            TokenKeys::Address(address) => address.tls.as_mut(),
            _ => None,
        },
        Filter::RateLimit(limit) => limit.redis.as_mut()?.tls.as_mut(),
        _ => None,
    }
}

fn fill_tls(tls: &mut FilterTls, purpose: SecretPurpose, secret: &Secret) -> Result<(), Unfit> {
    match purpose {
        SecretPurpose::Authorities => {
            let pem = authorities(secret)?.ok_or(Unfit::Absent(AUTHORITIES_KEY))?;
            tls.ca = Some(pem);
        }
        SecretPurpose::Identity => {
            identity(secret)?.ok_or(Unfit::Absent(CERTIFICATE_KEY))?;
            let text = |key: &str| {
                let value = secret.data.get(key)?;
                str::from_utf8(&value.0).ok().map(Arc::from)
            };
            tls.identity = text(CERTIFICATE_KEY).zip(text("tls.key"));
        }
        _ => {}
    }
    Ok(())
}

/// The secret that tokens are signed with.
fn signing(auth: &mut TokenAuth, secret: &Secret) -> Result<(), String> {
    let TokenKeys::Kept(key) = &auth.keys else { return Ok(()) };
    let value = secret.data.get(&**key).ok_or_else(|| format!("it has no key `{key}`"))?;
    KeyRing::secret(&value.0).map_err(|why| why.to_string())?;
    auth.keys = TokenKeys::Secret(value.0.clone());
    Ok(())
}

/// What a login needs a Secret for.
fn login(auth: &mut LoginAuth, purpose: SecretPurpose, secret: &Secret) -> Result<(), String> {
    let texts = match purpose {
        SecretPurpose::ClientName => Some(&mut auth.client.id),
        SecretPurpose::ClientSecret => auth.client.secret.as_mut(),
        _ => auth.sealing.as_mut(),
    };
    let Some(text) = texts else { return Ok(()) };
    let SecretText::Kept(key) = text else { return Ok(()) };
    let value = secret.data.get(&**key).ok_or_else(|| format!("it has no key `{key}`"))?;
    *text = SecretText::Known(value.0.clone());
    if purpose != SecretPurpose::Sealing && text.text().is_none() {
        return Err("what is under the key is no text".to_owned());
    }
    let is_sealing = match purpose {
        SecretPurpose::ClientName => false,
        SecretPurpose::ClientSecret => auth.sealing.is_none(),
        _ => true,
    };
    match auth.seal().filter(|_| is_sealing).map(|secret| Keys::derive(secret, "")) {
        Some(Err(why)) => Err(why.reason().to_owned()),
        _ => Ok(()),
    }
}

/// Hashes of keys that stand in this Secret.
fn key_hashes(auth: &mut KeyAuth, secret: &Secret, link: &SecretLink) -> Result<(), String> {
    for hash in &mut auth.hashes {
        let Some((name, key)) = secret_place(hash) else { continue };
        if *name != *link.secret.name {
            continue;
        }
        let value = secret.data.get(key).ok_or_else(|| format!("it has no key `{key}`"))?;
        let text = str::from_utf8(&value.0).map_err(|_| format!("`{key}` is no text"))?;
        PasswordHash::read(text.trim()).map_err(|why| format!("`{key}`: {why}"))?;
        *hash = text.trim().into();
    }
    Ok(())
}
