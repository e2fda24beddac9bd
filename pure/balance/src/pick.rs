//! Which endpoint of a set takes a request: one algorithm per module.
//!
//! What it is: the choice, and what it remembers. What it is not: it knows neither addresses nor
//! sockets; endpoints are numbers of a [`Field`], chance is an argument. Nothing is allocated per
//! choice. What is remembered goes on when endpoints come and go ([`Picker::follow`]): it is kept
//! by their names.

mod attempts;
mod cost;
mod hash;
mod least;
mod maglev;
mod peak;
mod rendezvous;
mod subset;
#[cfg(test)]
mod tests;
mod tournament;
mod turns;
mod two_choices;

use std::cell::RefCell;

use steelyard_model::routing::backend::Algorithm;

pub use attempts::Attempts;
pub use hash::{hash, mixed};
use least::Least;
use maglev::Maglev;
use peak::Peak;
use rendezvous::Rendezvous;
pub(crate) use rendezvous::score;
use subset::Subset;
use turns::Turns;

/// Endpoints of now, by numbers from 0 on, as a choice among them sees them.
pub trait Field {
    /// How many there are.
    fn count(&self) -> usize;

    /// The share of one, in any unit that is the same for all; nobody with 0 is chosen.
    fn weight(&self, at: usize) -> u32;

    /// How many requests it has.
    fn load(&self, at: usize) -> u32;

    /// How many nanoseconds it takes to answer; 0 where nobody knows yet.
    fn latency(&self, at: usize) -> u64;

    /// Whether it may be chosen.
    fn is_fit(&self, at: usize) -> bool;
}

/// An endpoint by what stays while others come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// A [`hash`] of its name, the same on all nodes.
    pub name: u64,
    /// Its share, as it is configured.
    pub weight: u32,
}

/// What is different from request to request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lot {
    /// A random number.
    pub draw: u64,
    /// A [`hash`] of what leads to one endpoint; none leaves that to chance.
    pub key: Option<u64>,
}

/// How one is chosen, and what that remembers.
#[derive(Debug)]
pub struct Picker {
    algorithm: Algorithm,
    memory: Memory,
    members: RefCell<Vec<Member>>,
}

#[derive(Debug)]
enum Memory {
    Turns(Turns),
    TwoChoices,
    Least(Least),
    LeastTime(Least),
    Peak(Peak),
    Maglev(Maglev),
    Rendezvous(Rendezvous),
    Subset(Subset),
}

impl Picker {
    /// One that has no endpoints yet.
    pub fn new(algorithm: &Algorithm) -> Self {
        let memory = match algorithm {
            Algorithm::RoundRobin => Memory::Turns(Turns::default()),
            Algorithm::TwoChoices => Memory::TwoChoices,
            Algorithm::Least => Memory::Least(Least::default()),
            Algorithm::LeastTime => Memory::LeastTime(Least::default()),
            Algorithm::PeakEwma => Memory::Peak(Peak::default()),
            Algorithm::Maglev(_) => Memory::Maglev(Maglev::default()),
            Algorithm::Rendezvous(_) => Memory::Rendezvous(Rendezvous::default()),
            Algorithm::Subset(_, size) => Memory::Subset(Subset::of(*size)),
        };
        Self { algorithm: algorithm.clone(), memory, members: RefCell::default() }
    }

    /// How it chooses.
    pub fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }

    /// The endpoints are these from now on, in the order of the [`Field`]s that follow.
    pub fn follow(&self, members: Vec<Member>) {
        let before = self.members.replace(members);
        let members = &*self.members.borrow();
        match &self.memory {
            Memory::Turns(turns) => turns.follow(&before, members),
            Memory::Least(least) | Memory::LeastTime(least) => least.follow(members.len()),
            Memory::Maglev(maglev) => maglev.forget(),
            Memory::Rendezvous(rendezvous) => rendezvous.follow(members),
            Memory::Subset(subset) => subset.follow(members),
            Memory::TwoChoices | Memory::Peak(_) => {}
        }
    }

    /// The order in which a request tries endpoints: the one that is chosen, and then the others,
    /// each once. Empty where none is fit.
    ///
    /// `field` has the endpoints of the last [`Picker::follow`].
    pub fn attempts(&self, field: &impl Field, lot: Lot) -> Attempts {
        match field.count() {
            0 => Attempts::default(),
            // Whatever is remembered, nobody else is there.
            1 if is_open(field, 0) => Attempts::in_order(0, 1),
            1 => Attempts::default(),
            _ => self.choose(field, lot),
        }
    }

    /// The same, by what the algorithm says.
    fn choose(&self, field: &impl Field, lot: Lot) -> Attempts {
        let members = &*self.members.borrow();
        debug_assert_eq!(members.len(), field.count(), "who chooses knows who is there");
        let key = lot.key.unwrap_or(lot.draw);
        let first = match &self.memory {
            Memory::Turns(turns) => turns.pick(field),
            Memory::TwoChoices => two_choices::pick(field, lot.draw, cost::by_load),
            Memory::Least(least) => least.pick(field, cost::by_load),
            Memory::LeastTime(least) => least.pick_soonest(field),
            Memory::Peak(peak) => peak.pick(field, lot.draw),
            Memory::Maglev(maglev) => maglev.pick(field, members, key),
            Memory::Rendezvous(rendezvous) => rendezvous.pick(field, members, key),
            Memory::Subset(subset) => subset.pick(field, key, lot.draw),
        };
        match (first, &self.memory) {
            (None, _) => Attempts::default(),
            (Some(first), Memory::Turns(_)) => Attempts::in_order(first, field.count()),
            (Some(first), _) => Attempts::scattered(first, field.count(), hash::mixed(key)),
        }
    }
}

/// The first that is fit, from `start` on.
fn any_open(field: &impl Field, start: usize) -> Option<usize> {
    let count = field.count();
    let mut all = (0..count).map(|step| (start + step) % count);
    all.find(|at| is_open(field, *at))
}

fn is_open(field: &impl Field, at: usize) -> bool {
    field.weight(at) > 0 && field.is_fit(at)
}
