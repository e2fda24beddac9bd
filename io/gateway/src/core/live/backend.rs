//! Where requests end: which leaf takes the next one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_balance::budget::RetryBudget;
use steelyard_balance::pick::Attempts;
use steelyard_balance::tree::{DEEPEST, Portion, Shape, Tree, token};
use steelyard_balance::{Lot, SmoothWeighted};
use steelyard_filters::Recipe;
use steelyard_model::routing::backend::{
    Backend, BackendNode, Edge, Internal, RefusalReason, SentHost,
};
use steelyard_model::routing::care::Care;
use steelyard_model::routing::id::{BackendId, EndpointSetId, TransportId};
use steelyard_model::routing::transport::{
    ForwardingTimes, OriginProtocol, ProxyVersion, Transport,
};

use super::endpoints::Roster;
use super::picking::Picking;
use super::uses::have_lapsed;
use super::{Link, Recipes, Scene, SetState, Target};
use crate::options::OwnAnswers;
use crate::shared::origins::OriginHandshakes;
use crate::shared::standing::{EndpointStanding, EndpointStandings, Line, Lineup, Spot};
use crate::up::upstream::Upstream;

/// Backends below one that are looked at for filters on the way, at most.
const MOST_LOOKS: usize = 256;

/// Status where a backend asks for what is not built yet.
pub(super) const UNSERVED: u16 = 503;

/// A backend on one core.
pub(crate) struct BackendState {
    pub(super) id: BackendId,
    /// As metrics and logs call it.
    pub(crate) name: Arc<str>,
    form: RefCell<Rc<Form>>,
    /// Whose turn it is among its edges.
    shares: SmoothWeighted<EdgeKey>,
    /// How far each edge is from the next request that it has a part in.
    portions: RefCell<BTreeMap<EdgeKey, Portion>>,
    /// How it chooses among its endpoints.
    picking: RefCell<Option<Picking>>,
    /// What its endpoints speak.
    speech: Cell<Speech>,
    /// How TLS is spoken to them; none where it is not.
    handshakes: RefCell<Option<Arc<OriginHandshakes>>>,
    /// Whose name they are asked by.
    host: Cell<SentHost>,
    /// What the paths that they are asked for are below.
    below: RefCell<Option<Arc<str>>>,
    /// How long what may take with them.
    times: Cell<ForwardingTimes>,
    /// What its endpoints are spoken to by, and how they are looked after.
    terms: RefCell<Option<(TransportId, Arc<Care>)>>,
    /// Its endpoints by their fitness, and which ones these are.
    lineup: RefCell<Option<LinedUp>>,
    /// How often its requests may be tried again.
    pub(crate) budget: RetryBudget,
    /// Who waits for a place at one of its endpoints.
    line: RefCell<Option<Arc<Line>>>,
    is_gone: Cell<bool>,
}

/// Endpoints, and which of them may be asked.
type LinedUp = (Rc<Roster>, Rc<Lineup>);

/// What is spoken to endpoints, as they are known to speak.
#[derive(Clone, Copy, Debug, Default)]
enum Speech {
    #[default]
    Http1,
    Http2,
    /// What a handshake agrees on.
    Negotiated,
    /// What clients speak: bytes as they come.
    Bytes(Carriage),
}

/// How bytes are carried to an endpoint, as far as it is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carriage {
    pub(crate) proxy_protocol: Option<ProxyVersion>,
    pub(crate) connect: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) half_closed: Option<Duration>,
    pub(crate) alive: Option<Duration>,
}

/// What a backend does.
pub(super) enum Form {
    /// Sends to endpoints.
    Leaf(Arc<BackendNode>, EndpointSetId, RefCell<Rc<SetState>>),
    /// Sends to others.
    Inner(Arc<BackendNode>, Vec<Branch>),
    /// Answers by itself: a service of the program.
    Own(Internal, OwnAnswers),
    /// Answers that it must not serve.
    Refused(u16, Arc<str>),
    /// Leads to nothing.
    Nothing,
}

/// An edge by its backend, and how many to the same one stand before it: it is the same one also
/// when others come and go.
type EdgeKey = (BackendId, usize);

/// An edge to another backend.
pub(super) struct Branch {
    key: EdgeKey,
    to: Link,
    recipes: Recipes,
    /// What cookies say of it.
    token: Arc<str>,
}

/// A backend as it is while one choice is made.
#[derive(Clone)]
pub(crate) struct Standing {
    pub(super) state: Rc<BackendState>,
    pub(super) form: Rc<Form>,
}

/// Backends as the choice among them sees them.
pub(super) struct Wood<'s>(pub(super) &'s Scene<'s>);

/// How what asks for something that is never carried out is refused.
pub(crate) fn unserved() -> (u16, Arc<str>) {
    (UNSERVED, "a filter or a service that it names cannot be carried out".into())
}

impl BackendState {
    /// One of so many cores has it.
    pub(super) fn new(id: &BackendId, cores: usize) -> Self {
        Self {
            id: id.clone(),
            name: id.traefik_name().into(),
            form: RefCell::new(Rc::new(Form::Nothing)),
            shares: SmoothWeighted::default(),
            portions: RefCell::default(),
            picking: RefCell::default(),
            speech: Cell::default(),
            handshakes: RefCell::default(),
            host: Cell::default(),
            below: RefCell::default(),
            times: Cell::default(),
            terms: RefCell::default(),
            lineup: RefCell::default(),
            budget: RetryBudget::of_one_in(cores),
            line: RefCell::default(),
            is_gone: Cell::new(false),
        }
    }

    /// The leaf that it is, if it is one.
    pub(crate) fn node(&self) -> Option<Arc<BackendNode>> {
        match &**self.form.borrow() {
            Form::Leaf(node, ..) => Some(node.clone()),
            _ => None,
        }
    }

    /// Becomes what the configuration says.
    pub(super) fn form(&self, scene: &Scene<'_>) {
        let node = scene.live.config.routing.backends.get(&self.id);
        let form = node.map_or(Form::Nothing, |node| Form::of(node, scene));
        let (speech, handshakes) =
            node.and_then(|node| speech(&node.backend, scene)).unwrap_or_default();
        self.speech.set(speech);
        *self.handshakes.borrow_mut() = handshakes;
        let leaf = node.and_then(|node| match &node.backend {
            Backend::Endpoints(leaf) => Some(leaf),
            _ => None,
        });
        self.host.set(leaf.map(|leaf| leaf.host).unwrap_or_default());
        *self.below.borrow_mut() = leaf.and_then(|leaf| leaf.below.clone());
        let transports = &scene.live.config.routing.transports;
        let transport = leaf.and_then(|leaf| transports.get(&leaf.transport));
        self.times.set(transport.map(|it| it.times()).unwrap_or_default());
        *self.terms.borrow_mut() = leaf.map(|leaf| (leaf.transport.clone(), leaf.care.clone()));
        let edges = match &form {
            Form::Inner(_, edges) => &edges[..],
            _ => &[],
        };
        let is_known = |key: &EdgeKey| edges.iter().any(|edge| edge.key == *key);
        self.shares.retain(is_known);
        self.portions.borrow_mut().retain(|key, _| is_known(key));
        self.follow(&form);
        *self.lineup.borrow_mut() = None;
        *self.line.borrow_mut() = self.care().most.map(|_| scene.shared.standings.line(&self.id));
        *self.form.borrow_mut() = Rc::new(form);
    }

    /// The configuration has it no more, and it leads nowhere: also not in a circle, which would
    /// keep it.
    pub(super) fn end(&self) {
        self.is_gone.set(true);
        *self.form.borrow_mut() = Rc::new(Form::Nothing);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    pub(crate) fn id(&self) -> &BackendId {
        &self.id
    }

    /// Whether requests to its endpoints may share a connection: HTTP/2 is spoken there, or may be.
    pub(crate) fn may_share(&self) -> bool {
        matches!(self.speech.get(), Speech::Http2 | Speech::Negotiated)
    }

    /// The endpoint as it is spoken to, by its name where it is known by one.
    pub(crate) fn origin(&self, upstream: &Rc<Upstream>, host: Option<&str>) -> Rc<Upstream> {
        let upstream = match &*self.handshakes.borrow() {
            None => upstream.clone(),
            Some(handshakes) => upstream.over(handshakes, host),
        };
        upstream.keep_by(self.times.get().upkeep);
        upstream
    }

    /// Whether TLS is spoken to its endpoints.
    pub(crate) fn is_secure(&self) -> bool {
        self.handshakes.borrow().is_some()
    }

    /// The name that an endpoint is asked by, where that is its own.
    pub(super) fn host_of(&self, target: &Target) -> Option<String> {
        let usual = if self.is_secure() { 443 } else { 80 };
        match self.host.get() {
            SentHost::Client => None,
            SentHost::Endpoint => Some(target.host(usual)),
        }
    }

    /// What the paths that its endpoints are asked for are below, where they are.
    pub(crate) fn below(&self) -> Option<Arc<str>> {
        self.below.borrow().clone()
    }

    /// How long what may take with its endpoints, where they are asked by HTTP.
    pub(crate) fn times(&self) -> ForwardingTimes {
        self.times.get()
    }

    /// How its endpoints are looked after.
    pub(crate) fn care(&self) -> Arc<Care> {
        self.terms.borrow().as_ref().map_or_else(Care::usual, |(_, care)| care.clone())
    }

    /// Who waits for a place at one of its endpoints, where they have so many and no more.
    pub(crate) fn line(&self) -> Option<Arc<Line>> {
        self.line.borrow().clone()
    }

    /// Which of its endpoints may be asked. Where nothing has changed since the last time, that is
    /// one atomic look.
    pub(super) fn lineup(&self, standings: &EndpointStandings, roster: &Rc<Roster>) -> Rc<Lineup> {
        let changes = standings.changes();
        let mut known = self.lineup.borrow_mut();
        let made = match &*known {
            Some((of, lineup)) if Rc::ptr_eq(of, roster) => {
                if lineup.is_present(changes, Instant::now) {
                    return lineup.clone();
                }
                lineup.anew(changes, Instant::now())
            }
            _ => {
                let all = self.stand(standings, &roster.targets);
                Lineup::new(all, roster.open, changes, Instant::now())
            }
        };
        let made = Rc::new(made);
        *known = Some((roster.clone(), made.clone()));
        made
    }

    /// Whether it is counted what each endpoint has under way: who chooses by that wants to know,
    /// and who limits it.
    pub(super) fn counts(&self) -> bool {
        self.line.borrow().is_some() || self.picking.borrow().as_ref().is_some_and(Picking::counts)
    }

    /// What all cores share of its endpoints.
    fn stand(
        &self,
        standings: &EndpointStandings,
        targets: &[Target],
    ) -> Vec<Arc<EndpointStanding>> {
        let terms = self.terms.borrow();
        let Some((transport, care)) = terms.as_ref() else { return Vec::new() };
        let spot = |target: &Target| {
            let (host, port) = target.place();
            Spot { host, port, transport: transport.clone(), care: care.clone() }
        };
        targets.iter().map(|target| standings.of(spot(target))).collect()
    }

    /// How bytes are carried to its endpoints; none where they speak something else.
    pub(crate) fn carriage(&self) -> Option<Carriage> {
        match self.speech.get() {
            Speech::Bytes(carriage) => Some(carriage),
            Speech::Http1 | Speech::Http2 | Speech::Negotiated => None,
        }
    }

    /// Whether what is counted for it is to be counted for it.
    pub(crate) fn is_known(&self) -> bool {
        !self.is_gone.get()
    }

    /// It chooses among endpoints as it is asked to.
    fn follow(&self, form: &Form) {
        let mut picking = self.picking.borrow_mut();
        let Form::Leaf(node, ..) = form else { return *picking = None };
        let Backend::Endpoints(endpoints) = &node.backend else { return };
        match &mut *picking {
            Some(picking) => picking.follow(endpoints, self.url_scheme()),
            None => *picking = Some(Picking::new(endpoints, self.url_scheme())),
        }
    }

    /// How the URLs of its endpoints begin.
    fn url_scheme(&self) -> &'static str {
        match self.speech.get() {
            _ if self.handshakes.borrow().is_some() => "https",
            Speech::Http2 => "h2c",
            Speech::Http1 | Speech::Negotiated | Speech::Bytes(_) => "http",
        }
    }

    /// Its endpoints in the order in which one request tries them.
    pub(super) fn attempts(&self, roster: &Rc<Roster>, lineup: &Lineup, lot: Lot) -> Attempts {
        let mut picking = self.picking.borrow_mut();
        picking.as_mut().map(|it| it.attempts(roster, lineup, lot)).unwrap_or_default()
    }

    /// The endpoint that a cookie speaks of, if it may be asked, and whether it would be told so
    /// now.
    pub(super) fn endpoint_of(&self, roster: &Rc<Roster>, word: &str) -> Option<(usize, bool)> {
        self.picking.borrow_mut().as_mut()?.endpoint_of(roster, word)
    }

    /// What a cookie says of an endpoint.
    pub(super) fn word_for(&self, roster: &Rc<Roster>, at: usize) -> Option<Box<str>> {
        self.picking.borrow_mut().as_mut()?.word_for(roster, at)
    }
}

impl Scene<'_> {
    /// The endpoints of a set, as they are now.
    pub(super) fn present(&self, id: &EndpointSetId, set: &RefCell<Rc<SetState>>) -> Rc<Roster> {
        let mut set = set.borrow_mut();
        if set.is_gone() {
            *set = self.set(id);
        }
        set.roster()
    }
}

impl Standing {
    pub(super) fn of(state: Rc<BackendState>) -> Self {
        let form = state.form.borrow().clone();
        Self { state, form }
    }
}

impl Standing {
    /// Adds what an edge uses.
    pub(super) fn extend(&self, edge: usize, scene: &Scene<'_>, recipes: &mut Vec<Recipe>) {
        let Form::Inner(node, edges) = &*self.form else { return };
        if !have_lapsed(&edges[edge].recipes) {
            return recipes.extend_from_slice(&edges[edge].recipes);
        }
        // It is made again for who comes next, too.
        self.state.form(scene);
        let made = node.backend.edges().get(edge).and_then(|edge| scene.recipes(&edge.uses));
        recipes.extend_from_slice(&made.unwrap_or_else(|| edges[edge].recipes.clone()));
    }
}

impl Tree for Wood<'_> {
    type Node = Standing;

    fn shape<'n>(&self, node: &'n Standing) -> Shape<'n> {
        match &*node.form {
            Form::Leaf(leaf, id, set) => {
                let roster = self.0.present(id, set);
                // Who leads elsewhere where nobody is there leads elsewhere where nobody is well.
                let lineup = || node.state.lineup(&self.0.shared.standings, &roster);
                let is_there = roster.open > 0 && lineup().has_any();
                if is_there { Shape::of(&leaf.backend) } else { Shape::Nothing }
            }
            Form::Own(..) | Form::Refused(..) => Shape::Leaf(None),
            Form::Inner(node, _) => Shape::Inner(&node.backend),
            Form::Nothing => Shape::Nothing,
        }
    }

    fn follow(&self, node: &Standing, edge: usize) -> Standing {
        let Form::Inner(_, edges) = &*node.form else { return Standing::of(node.state.clone()) };
        Standing::of(edges[edge].to.get(self.0))
    }

    fn turn(&self, node: &Standing, weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
        let Form::Inner(_, edges) = &*node.form else { return None };
        node.state.shares.pick(edges.iter().map(|edge| &edge.key).zip(weights))
    }

    fn token(&self, node: &Standing, edge: usize) -> Arc<str> {
        match &*node.form {
            Form::Inner(_, edges) => edges[edge].token.clone(),
            _ => "".into(),
        }
    }

    fn is_drawn(&self, node: &Standing, edge: usize, share: (u32, u32)) -> bool {
        let Form::Inner(_, edges) = &*node.form else { return false };
        let mut portions = node.state.portions.borrow_mut();
        let key = &edges[edge].key;
        if !portions.contains_key(key) {
            portions.insert(key.clone(), Portion::default());
        }
        portions.get(key).is_some_and(|portion| portion.draws(share))
    }

    fn is_filtered(&self, node: &Standing) -> bool {
        self.has_filters(node, DEEPEST, &mut 0)
    }
}

impl Wood<'_> {
    /// Whether a request may pass filters on its way from a node on, as far as that can be seen;
    /// who looks no further says so.
    fn has_filters(&self, node: &Standing, depth: usize, looks: &mut usize) -> bool {
        *looks += 1;
        if depth == 0 || *looks > MOST_LOOKS {
            return true;
        }
        match &*node.form {
            Form::Inner(_, edges) => (0..edges.len()).any(|edge| {
                let to = || self.follow(node, edge);
                !edges[edge].recipes.is_empty() || self.has_filters(&to(), depth - 1, looks)
            }),
            // It answers in a frame.
            Form::Own(..) => true,
            Form::Leaf(..) | Form::Refused(..) | Form::Nothing => false,
        }
    }
}

impl Form {
    /// What asks for more than is built is refused, since it may restrict.
    fn of(node: &Arc<BackendNode>, scene: &Scene<'_>) -> Self {
        match &node.backend {
            Backend::Endpoints(leaf) if speech_by(&leaf.transport, scene).is_some() => {
                let set = RefCell::new(scene.set(&leaf.set));
                Self::Leaf(node.clone(), leaf.set.clone(), set)
            }
            inner if !inner.edges().is_empty() || matches!(inner, Backend::Weighted { .. }) => {
                let edges = scene.branches(inner);
                edges.map_or_else(Self::unserved, |edges| Self::Inner(node.clone(), edges))
            }
            Backend::Refused { why: RefusalReason::Reference(_), status: UNSERVED, .. } => {
                Self::Nothing
            }
            Backend::Internal(service) => match &scene.shared.options.own {
                Some(answers) => Self::Own(*service, answers.clone()),
                None => Self::unserved(),
            },
            Backend::Refused { status, why, .. } => Self::Refused(*status, why.to_string().into()),
            _ => Self::unserved(),
        }
    }

    fn unserved() -> Self {
        let (status, why) = unserved();
        Self::Refused(status, why)
    }
}

impl Scene<'_> {
    /// Its edges; none if what one of them uses is not built.
    fn branches(&self, backend: &Backend) -> Option<Vec<Branch>> {
        let edges = backend.edges();
        let branch = |(at, edge): (usize, &&Edge)| {
            let earlier = edges[..at].iter().filter(|it| it.backend == edge.backend).count();
            let recipes = self.recipes(&edge.uses)?;
            let key = (edge.backend.clone(), earlier);
            let token = token(&edge.backend);
            Some(Branch { key, to: self.link(&edge.backend), recipes, token })
        };
        edges.iter().enumerate().map(branch).collect()
    }
}

/// What is spoken, and how TLS is, where it is.
type Spoken = (Speech, Option<Arc<OriginHandshakes>>);

fn speech(backend: &Backend, scene: &Scene<'_>) -> Option<Spoken> {
    let Backend::Endpoints(leaf) = backend else { return None };
    speech_by(&leaf.transport, scene)
}

/// What is spoken by a transport; none where that is not built.
fn speech_by(id: &TransportId, scene: &Scene<'_>) -> Option<Spoken> {
    let config = &scene.live.config;
    let transport = config.routing.transports.get(id)?;
    let Transport { proxy_protocol, connect, idle, half_closed, alive, .. } = **transport;
    let speech = match transport.protocol {
        OriginProtocol::Bytes => {
            Speech::Bytes(Carriage { proxy_protocol, connect, idle, half_closed, alive })
        }
        protocol => speech_of_requests(protocol, transport)?,
    };
    let handshakes = match &transport.tls {
        None => None,
        Some(_) => Some(config.terms.origin(id)?),
    };
    Some((speech, handshakes))
}

/// The same where nothing else is asked for.
fn speech_of_requests(protocol: OriginProtocol, transport: &Transport) -> Option<Speech> {
    let is_secure = transport.tls.is_some();
    let bare = Transport { tls: None, protocol: OriginProtocol::Http1, ..transport.clone() };
    let bare = bare.within(ForwardingTimes::default());
    match protocol {
        _ if !bare.is_plain() => None,
        OriginProtocol::Http1 => Some(Speech::Http1),
        OriginProtocol::Http2 => Some(Speech::Http2),
        OriginProtocol::Negotiated if is_secure => Some(Speech::Negotiated),
        OriginProtocol::Negotiated | OriginProtocol::Bytes => None,
    }
}
