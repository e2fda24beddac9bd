//! Endpoints of one backend that take a request: in which order, and the cookies that lead back.

use std::rc::Rc;
use std::sync::Arc;

use steelyard_balance::pick::{Attempts, hash, mixed};
use steelyard_balance::tree::{Asker, Copied, Pin, Rescue};
use steelyard_balance::{Lot, sticky};
use steelyard_http::ResponseChanges;
use steelyard_model::routing::backend::{Algorithm, Endpoints, Sticky, StickyValue};

use super::Scene;
use super::backend::{BackendState, Standing};
use super::caller::Caller;
use super::endpoints::{Roster, Target};
use crate::shared::standing::{EndpointStanding, Lineup, Seat};
use crate::tell::date::http_date_in;

/// Keys that are tried for one that leads to an endpoint: many more than a backend has endpoints.
const MOST_WORDS: u64 = 4096;

/// Endpoints that take a request, and what else is to be done about it.
pub(crate) struct Leaf {
    pub(crate) backend: Rc<BackendState>,
    roster: Rc<Roster>,
    /// Which of them may be asked.
    lineup: Rc<Lineup>,
    lot: Lot,
    beside: Option<Box<Beside>>,
}

/// Endpoints in the order in which a request tries them. It waits as long as the request does, so
/// it is small.
pub(crate) struct Tries<'l> {
    leaf: &'l Leaf,
    /// The one that a cookie leads to has been told.
    is_led: bool,
    /// Those that are fit; chosen when somebody asks for one.
    others: Option<Attempts>,
    /// So many of the shunned have been told.
    shunned: usize,
    /// Those that come last, and how many of them have been told.
    past: &'l [usize],
    repeated: usize,
}

/// Endpoints that a request was tried at and came to nothing: when a filter has it sent again,
/// they come last.
#[derive(Clone, Default)]
pub(crate) struct PastAttempts {
    /// By their places in this.
    roster: Option<Rc<Roster>>,
    all: Vec<usize>,
}

/// What else is to be done about a request.
#[derive(Default)]
pub(super) struct Beside {
    /// Whether it came over TLS.
    is_tls: bool,
    /// Whether its client takes `SameSite=None` for something else, where that matters.
    misreads_none: bool,
    /// Cookies of inner backends, to be set.
    pins: Vec<Pin>,
    /// That of the endpoints.
    own: Option<Own>,
    /// Where it leads.
    lead: Option<usize>,
    copies: Vec<Copied<Standing>>,
    rescues: Vec<Rescue<Standing>>,
}

/// The cookie of endpoints.
struct Own {
    sticky: Sticky,
    /// Which backend it was, where a canary asks: it stands before what is said of the endpoint.
    prefix: Option<Box<str>>,
    says: Says,
}

/// What it says behind that.
enum Says {
    /// A key, which the client may have already.
    Key(Box<str>, Known),
    /// The endpoint that answers; the client may have the word for this one.
    Endpoint(Option<usize>),
}

#[derive(PartialEq)]
enum Known {
    Yes,
    No,
}

impl Leaf {
    /// The endpoints of a backend, for who asks.
    pub(super) fn new(
        backend: Rc<BackendState>,
        endpoints: &Endpoints,
        roster: Rc<Roster>,
        scene: &Scene<'_>,
        caller: &Caller<'_>,
        beside: Option<Box<Beside>>,
    ) -> Self {
        let key = match &endpoints.algorithm {
            Algorithm::Maglev(key) | Algorithm::Rendezvous(key) | Algorithm::Subset(key, _) => {
                caller.key(key)
            }
            _ => None,
        };
        let lot = Lot { draw: scene.chance.draw(), key };
        let lineup = backend.lineup(&scene.shared.standings, &roster);
        let mut it = Self { backend, roster, lineup, lot, beside };
        if let Some(sticky) = endpoints.sticky.as_deref() {
            let mut beside = it.beside.take().unwrap_or_default();
            beside.own = Some(it.own(sticky, &mut beside, caller));
            it.beside = Some(beside);
        }
        if let Some(beside) = &mut it.beside {
            beside.is_tls = caller.is_tls();
            let own = beside.own.iter().map(|own| &own.sticky);
            let mut all = own.chain(beside.pins.iter().map(|pin| &pin.sticky));
            beside.misreads_none = all.any(|it| it.spares_old) && caller.misreads_none();
        }
        it
    }

    /// Reads the cookie of the endpoints, and goes by it.
    fn own(&mut self, sticky: &Sticky, beside: &mut Beside, caller: &Caller<'_>) -> Own {
        let came = caller.cookie(&sticky.cookie);
        let (was, word) = match came.and_then(|came| came.split_once('|')) {
            Some((backend, word)) => (Some(backend), Some(word)),
            None => (None, came),
        };
        let is_led = |pin: &&Pin| pin.sticky.cookie == sticky.cookie;
        let is = beside.pins.iter().find(is_led).map(|pin| &*pin.value);
        let prefix: Option<Box<str>> = is.or(was).map(Into::into);
        let says = match sticky.says {
            StickyValue::Key => {
                let known = word.filter(|word| is_key(word));
                let word: Box<str> =
                    known.map_or_else(|| format!("{:016x}", self.lot.draw).into(), Into::into);
                self.lot.key = Some(hash(word.bytes()));
                Says::Key(
                    word,
                    if known.is_some() && is.is_none() { Known::Yes } else { Known::No },
                )
            }
            StickyValue::Server | StickyValue::Endpoint => {
                let found = word.and_then(|word| self.backend.endpoint_of(&self.roster, word));
                beside.lead = found.map(|(at, _)| at);
                let kept = found.filter(|(_, is_current)| *is_current && is.is_none());
                Says::Endpoint(kept.map(|(at, _)| at))
            }
        };
        Own { sticky: sticky.clone(), prefix, says }
    }

    /// The endpoints in the order in which a request tries them, each once: those that are shunned
    /// last, and never those whose check fails.
    pub(crate) fn attempts(&self) -> Tries<'_> {
        Tries { leaf: self, is_led: false, others: None, shunned: 0, past: &[], repeated: 0 }
    }

    /// The same of a request that was tried before.
    pub(crate) fn attempts_after<'l>(&'l self, past: Option<&'l PastAttempts>) -> Tries<'l> {
        let past = past.filter(|past| past.is_of(&self.roster));
        Tries { past: past.map_or(&[], |past| &past.all), ..self.attempts() }
    }

    /// Notes that a request has come to nothing there.
    pub(crate) fn note(&self, at: usize, past: &mut Option<Rc<PastAttempts>>) {
        let past = Rc::make_mut(past.get_or_insert_default());
        if !past.is_of(&self.roster) {
            *past = PastAttempts { roster: Some(self.roster.clone()), all: Vec::new() };
        }
        if !past.all.contains(&at) {
            past.all.push(at);
        }
    }

    /// Where a cookie leads, if it leads to somebody who may be asked: also where that has come to
    /// nothing, if it is one that stays.
    fn led(&self, past: &[usize]) -> Option<usize> {
        let beside = self.beside.as_deref()?;
        let stays = beside.own.as_ref().is_some_and(|own| own.sticky.stays_on_failure);
        let is_due = |at: &usize| self.lineup.is_fit(*at) && (stays || !past.contains(at));
        beside.lead.filter(is_due)
    }

    /// What all cores share of an endpoint.
    pub(crate) fn standing(&self, at: usize) -> &Arc<EndpointStanding> {
        &self.lineup.all[at]
    }

    /// A place at an endpoint, where that is counted; none where it has as much as it may.
    pub(crate) fn seat(&self, at: usize) -> Option<Option<Seat>> {
        if !self.backend.counts() {
            return Some(None);
        }
        self.standing(at).enter(self.backend.line().as_ref()).map(Some)
    }

    pub(crate) fn target(&self, at: usize) -> &Target {
        &self.roster.targets[at]
    }

    /// The name that an endpoint is asked by, where that is not the one that the client asks for.
    pub(crate) fn host(&self, at: usize) -> Option<String> {
        self.backend.host_of(self.target(at))
    }

    /// What is changed about the response of an endpoint: cookies are set.
    pub(crate) fn changes(&self, at: usize) -> Option<Arc<ResponseChanges>> {
        let Beside { pins, own, is_tls, misreads_none, .. } = self.beside.as_deref()?;
        let mut changes = ResponseChanges::default();
        let mut set = |sticky: &Sticky, value: &str| {
            let spared = sticky.spares_old && *misreads_none;
            let bare = spared.then(|| Sticky { same_site: None, ..sticky.clone() });
            let sticky = bare.as_ref().unwrap_or(sticky);
            let line = sticky::set_cookie(sticky, value, *is_tls, http_date_in);
            // What cannot be a line is no cookie.
            let _ = changes.lines.add("Set-Cookie", line.as_bytes());
        };
        let its_own = own.as_ref().map(|own| &own.sticky.cookie);
        let others = pins.iter().filter(|pin| Some(&pin.sticky.cookie) != its_own);
        others.for_each(|pin| set(&pin.sticky, &pin.value));
        if let Some((own, word)) = own.as_ref().and_then(|own| Some((own, self.word(own, at)?))) {
            match &own.prefix {
                Some(prefix) => set(&own.sticky, &format!("{prefix}|{word}")),
                None => set(&own.sticky, &word),
            }
        }
        (!changes.lines.is_empty()).then(|| changes.into())
    }

    /// What the client is to be told of who answers, unless it knows.
    fn word(&self, own: &Own, at: usize) -> Option<Box<str>> {
        match &own.says {
            Says::Key(..) if !own.sticky.stays_on_failure && self.has_failed(at) => self.key_to(at),
            Says::Endpoint(Some(_)) if own.sticky.stays_on_failure => None,
            Says::Key(_, Known::Yes) => None,
            Says::Key(word, Known::No) => Some(word.clone()),
            Says::Endpoint(Some(kept)) if *kept == at => None,
            Says::Endpoint(_) => self.backend.word_for(&self.roster, at),
        }
    }

    /// Whether somebody else was to be asked first than who answers.
    fn has_failed(&self, at: usize) -> bool {
        self.attempts().next() != Some(at)
    }

    /// A key that leads to an endpoint; none where none is found soon.
    fn key_to(&self, at: usize) -> Option<Box<str>> {
        let word = |step| format!("{:016x}", mixed(self.lot.draw.wrapping_add(step)));
        let mut words = (1..=MOST_WORDS).map(word);
        let leads = |word: &String| {
            let lot = Lot { key: Some(hash(word.bytes())), ..self.lot };
            self.backend.attempts(&self.roster, &self.lineup, lot).next() == Some(at)
        };
        words.find(leads).map(Into::into)
    }

    /// Who gets copies.
    pub(crate) fn copies(&self) -> &[Copied<Standing>] {
        self.beside.as_deref().map(|beside| &beside.copies[..]).unwrap_or_default()
    }

    /// Who is asked if these fail: the last first.
    pub(crate) fn rescues(&self) -> &[Rescue<Standing>] {
        self.beside.as_deref().map(|beside| &beside.rescues[..]).unwrap_or_default()
    }

    /// Whether nobody else has a part in it.
    pub(crate) fn is_alone(&self) -> bool {
        self.copies().is_empty() && self.rescues().is_empty()
    }

    /// Whether it is asked over TLS, as far as anything hangs on it.
    pub(crate) fn is_tls(&self) -> bool {
        self.beside.as_deref().is_some_and(|beside| beside.is_tls)
    }
}

impl Iterator for Tries<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let Leaf { backend, roster, lineup, lot, .. } = self.leaf;
        let led = self.leaf.led(self.past);
        if !std::mem::replace(&mut self.is_led, true) && led.is_some() {
            return led;
        }
        let is_due = |at: &usize| Some(*at) != led && !self.past.contains(at);
        let others = self.others.get_or_insert_with(|| backend.attempts(roster, lineup, *lot));
        if let Some(at) = others.filter(|at| lineup.is_fit(*at)).find(is_due) {
            return Some(at);
        }
        let mut shunned = lineup.last[self.shunned..].iter().copied();
        let found = shunned.find(is_due);
        self.shunned = lineup.last.len() - shunned.len();
        if found.is_some() {
            return found;
        }
        let may_be_asked = |at: &usize| lineup.is_fit(*at) || lineup.last.contains(at);
        let mut past = self.past[self.repeated..].iter().copied();
        let found = past.find(|at| Some(*at) != led && may_be_asked(at));
        self.repeated = self.past.len() - past.len();
        found
    }
}

impl PastAttempts {
    /// Whether it was at these endpoints, and since they are as they are.
    fn is_of(&self, roster: &Rc<Roster>) -> bool {
        self.roster.as_ref().is_some_and(|it| Rc::ptr_eq(it, roster))
    }
}

impl Beside {
    /// What a choice among backends says beside; none where that is nothing.
    pub(super) fn of(
        pins: Vec<Pin>,
        copies: Vec<Copied<Standing>>,
        rescues: Vec<Rescue<Standing>>,
    ) -> Option<Box<Self>> {
        let is_alone = pins.is_empty() && copies.is_empty() && rescues.is_empty();
        (!is_alone).then(|| Box::new(Self { pins, copies, rescues, ..Self::default() }))
    }
}

/// Whether it is a key that we may have given.
fn is_key(word: &str) -> bool {
    word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
