//! How one backend chooses among its endpoints, and what it remembers of that.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use steelyard_balance::pick::Attempts;
use steelyard_balance::{Field, Lot, Picker, sticky};
use steelyard_model::routing::backend::{Algorithm, Endpoints, HashKey, Sticky, StickyValue};

use super::endpoints::{Roster, Target};
use crate::shared::standing::Lineup;

/// What one backend remembers of its choices.
pub(super) struct Picking {
    picker: Picker,
    /// The endpoints that it knows.
    roster: Rc<Roster>,
    /// What cookies say of them; made when a cookie is asked for.
    words: Option<Words>,
    /// How their URLs begin.
    scheme: &'static str,
}

/// What cookies say of endpoints.
struct Words {
    /// In the order of the endpoints.
    all: Vec<Box<str>>,
    /// With what is said no longer.
    known: HashMap<Box<str>, usize>,
}

/// Endpoints that may take new requests, as a choice among them sees them.
struct Ground<'r> {
    roster: &'r Roster,
    lineup: &'r Lineup,
    /// The time, where it was asked for.
    now: OnceCell<Instant>,
}

impl Picking {
    pub(super) fn new(endpoints: &Endpoints, scheme: &'static str) -> Self {
        let picker = Picker::new(&algorithm(endpoints));
        Self { picker, roster: Rc::default(), words: None, scheme }
    }

    /// What it remembers goes on, unless it is asked to choose in another way.
    pub(super) fn follow(&mut self, endpoints: &Endpoints, scheme: &'static str) {
        if *self.picker.algorithm() != algorithm(endpoints) {
            *self = Self::new(endpoints, scheme);
        } else if self.scheme != scheme {
            (self.scheme, self.words) = (scheme, None);
        }
    }

    fn know(&mut self, roster: &Rc<Roster>) {
        if !Rc::ptr_eq(&self.roster, roster) {
            self.picker.follow(roster.members[..roster.open].to_vec());
            (self.roster, self.words) = (roster.clone(), None);
        }
    }

    pub(super) fn attempts(&mut self, roster: &Rc<Roster>, lineup: &Lineup, lot: Lot) -> Attempts {
        self.know(roster);
        self.picker.attempts(&Ground { roster, lineup, now: OnceCell::new() }, lot)
    }

    /// Whether it chooses by what endpoints have under way.
    pub(super) fn counts(&self) -> bool {
        use Algorithm::{Least, LeastTime, PeakEwma, TwoChoices};
        matches!(self.picker.algorithm(), Least | LeastTime | PeakEwma | TwoChoices)
    }

    /// The endpoint that a cookie speaks of, and whether it would be told so now.
    pub(super) fn endpoint_of(&mut self, roster: &Rc<Roster>, word: &str) -> Option<(usize, bool)> {
        let words = self.words(roster);
        let at = *words.known.get(word)?;
        Some((at, *words.all[at] == *word))
    }

    /// What a cookie says of an endpoint.
    pub(super) fn word_for(&mut self, roster: &Rc<Roster>, at: usize) -> Option<Box<str>> {
        self.words(roster).all.get(at).cloned()
    }

    fn words(&mut self, roster: &Rc<Roster>) -> &Words {
        self.know(roster);
        let scheme = self.scheme;
        self.words.get_or_insert_with(|| Words::of(&roster.targets, scheme))
    }
}

impl Words {
    fn of(targets: &[Target], scheme: &str) -> Self {
        let urls = targets.iter().map(|it| format!("{scheme}://{}", it.authority()));
        let urls: Vec<String> = urls.collect();
        let all: Vec<Box<str>> = urls.iter().map(|url| sticky::value_for(url)).collect();
        let mut known = HashMap::new();
        for (at, url) in urls.iter().enumerate() {
            known.extend(sticky::older_values(url).into_iter().map(|word| (word, at)));
        }
        known.extend(all.iter().cloned().enumerate().map(|(at, word)| (word, at)));
        Self { all, known }
    }
}

impl Ground<'_> {
    fn now(&self) -> Instant {
        *self.now.get_or_init(Instant::now)
    }
}

impl Field for Ground<'_> {
    fn count(&self) -> usize {
        self.roster.open
    }

    fn weight(&self, at: usize) -> u32 {
        let weight = self.roster.members[at].weight;
        // All count in thousandths, or none does.
        if self.lineup.starts_slowly {
            weight.saturating_mul(self.lineup.all[at].share(self.now()))
        } else {
            weight
        }
    }

    fn load(&self, at: usize) -> u32 {
        self.lineup.all[at].in_flight()
    }

    fn latency(&self, at: usize) -> u64 {
        let latency = self.lineup.all[at].latency(self.now()).unwrap_or_default();
        u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)
    }

    fn is_fit(&self, at: usize) -> bool {
        self.lineup.is_fit(at)
    }
}

/// How endpoints are chosen where cookies have keys: the same key, the same endpoint.
fn algorithm(endpoints: &Endpoints) -> Algorithm {
    match endpoints.sticky.as_deref() {
        Some(Sticky { says: StickyValue::Key, cookie, .. }) => {
            Algorithm::Rendezvous(Box::new(HashKey::Cookie(cookie.clone())))
        }
        _ => endpoints.algorithm.clone(),
    }
}
