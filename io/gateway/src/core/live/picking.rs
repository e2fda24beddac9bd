//! How one backend chooses among its endpoints, and what it remembers of that.

use std::collections::HashMap;
use std::rc::Rc;

use steelyard_balance::pick::Attempts;
use steelyard_balance::{Field, Lot, Picker, sticky};
use steelyard_model::routing::backend::{Algorithm, Endpoints, HashKey, Sticky, StickyValue};

use super::endpoints::{Roster, Target};

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
struct Ground<'r>(&'r Roster);

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

    pub(super) fn attempts(&mut self, roster: &Rc<Roster>, lot: Lot) -> Attempts {
        self.know(roster);
        self.picker.attempts(&Ground(roster), lot)
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

impl Field for Ground<'_> {
    fn count(&self) -> usize {
        self.0.open
    }

    fn weight(&self, at: usize) -> u32 {
        self.0.members[at].weight
    }

    fn load(&self, at: usize) -> u32 {
        match &self.0.targets[at] {
            Target::Address(upstream) => upstream.tally.in_flight(),
            Target::Name(..) => 0,
        }
    }

    fn latency(&self, _: usize) -> u64 {
        0
    }

    fn is_fit(&self, _: usize) -> bool {
        true
    }
}

/// How endpoints are chosen where cookies have keys: the same key, the same endpoint.
fn algorithm(endpoints: &Endpoints) -> Algorithm {
    match endpoints.sticky.as_deref() {
        Some(Sticky { says: StickyValue::Key, cookie, .. }) => {
            Algorithm::Rendezvous(HashKey::Cookie(cookie.clone()))
        }
        _ => endpoints.algorithm.clone(),
    }
}
