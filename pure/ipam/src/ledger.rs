//! Who uses which address, and on what terms.
//!
//! Two users of an address need equal, non-empty sharing keys, equal backends (the selector under
//! externalTrafficPolicy Local, nothing under Cluster) and no port in common. A sole user may
//! change its own terms in place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use steelyard_model::{Family, Protocol};

use crate::refusal::Disagreement;
use crate::space::Position;
use crate::wish::{Ports, Terms};

/// A Service, by its place in the allocator.
pub(crate) type Slot = usize;

/// All addresses in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    uses: BTreeMap<IpAddr, Use>,
    /// Shared addresses by terms.
    shared: BTreeMap<Terms, SharedAddresses>,
}

#[derive(Clone, Debug)]
struct Use {
    terms: Terms,
    /// In the order of their slots. Most have one.
    users: Vec<(Slot, Ports)>,
}

/// The addresses used on some terms.
#[derive(Clone, Debug, Default)]
struct SharedAddresses {
    places: BTreeSet<Place>,
    /// For these ports every place before this one is known to conflict. Holds while addresses
    /// only gain users; dropped otherwise.
    cursors: BTreeMap<(usize, Family, Ports), Place>,
}

/// Pool, family and position of an address.
pub(crate) type Place = (usize, Family, Position);

/// Somebody else has it: who, and why it is not shared.
pub(crate) type Occupied = (Vec<Slot>, Disagreement);

impl Use {
    fn users(&self) -> impl Iterator<Item = Slot> {
        self.users.iter().map(|(user, _)| *user)
    }

    fn at(&self, slot: Slot) -> Result<usize, usize> {
        self.users.binary_search_by_key(&slot, |(user, _)| *user)
    }
}

impl Ledger {
    /// Gives back what a map that grows one by one keeps free.
    pub(crate) fn pack(&mut self) {
        self.uses = std::mem::take(&mut self.uses).into_iter().collect();
    }

    /// Whether `slot` may use `address` on these terms, beside those who use it already.
    pub(crate) fn check(
        &self,
        address: IpAddr,
        slot: Slot,
        terms: &Terms,
        ports: &[(Protocol, u16)],
    ) -> Result<(), Occupied> {
        let Some(used) = self.uses.get(&address) else { return Ok(()) };
        let others: Vec<_> = used.users().filter(|&user| user != slot).collect();
        if others.is_empty() {
            return Ok(());
        }
        if let Some(why) = disagreement(&used.terms, terms) {
            return Err((others, why));
        }
        for &(protocol, port) in ports {
            let takes_it =
                |(user, ports): &&(Slot, Ports)| *user != slot && ports.contains(&(protocol, port));
            if let Some(&(user, _)) = used.users.iter().find(takes_it) {
                return Err((vec![user], Disagreement::Port(protocol, port)));
            }
        }
        Ok(())
    }

    /// Whether anybody uses `address`.
    pub(crate) fn is_used(&self, address: IpAddr) -> bool {
        self.uses.contains_key(&address)
    }

    /// Notes that `slot` uses `address`, at `place`. [`Self::check`] must have allowed it.
    pub(crate) fn take(
        &mut self,
        address: IpAddr,
        place: Place,
        slot: Slot,
        terms: &Terms,
        ports: &Ports,
    ) {
        let unused = || Use { terms: terms.clone(), users: Vec::with_capacity(1) };
        let used = self.uses.entry(address).or_insert_with(unused);
        if used.terms != *terms {
            Self::unshare(&mut self.shared, &used.terms, place);
            used.terms = terms.clone();
        }
        match used.at(slot) {
            Ok(known) => used.users[known].1 = ports.clone(),
            Err(place) => used.users.insert(place, (slot, ports.clone())),
        }
        if !terms.key.is_empty() {
            self.shared.entry(terms.clone()).or_default().insert(place);
        }
    }

    /// Notes that `slot` no longer uses `address`; true if nobody does any more.
    pub(crate) fn release(&mut self, address: IpAddr, place: Place, slot: Slot) -> bool {
        let Some(used) = self.uses.get_mut(&address) else { return false };
        if let Ok(known) = used.at(slot) {
            used.users.remove(known);
        }
        if let Some(shared) = self.shared.get_mut(&used.terms) {
            shared.cursors.clear();
        }
        if !used.users.is_empty() {
            return false;
        }
        Self::unshare(&mut self.shared, &used.terms, place);
        self.uses.remove(&address);
        true
    }

    /// The first pool after `after` that has an address on these terms.
    pub(crate) fn next_pool_sharing(&self, terms: &Terms, after: Option<usize>) -> Option<usize> {
        let from = after.map_or(0, |pool| pool + 1);
        let places = &self.shared.get(terms)?.places;
        places.range((from, Family::V4, (0, 0))..).next().map(|place| place.0)
    }

    /// Places of `pool` and `family` used on these terms that may not yet be known to conflict
    /// with `ports`, in order.
    pub(crate) fn shareable(
        &self,
        terms: &Terms,
        pool: usize,
        family: Family,
        ports: &Ports,
    ) -> impl Iterator<Item = Place> {
        let shared = self.shared.get(terms).filter(|_| !terms.key.is_empty());
        shared.into_iter().flat_map(move |shared| {
            let cursor = shared.cursors.get(&(pool, family, ports.clone()));
            let from = cursor.copied().unwrap_or((pool, family, (0, 0)));
            let to = (pool, family, (usize::MAX, u128::MAX));
            shared.places.range(from..=to).copied()
        })
    }

    /// A place of `pool` and `family` used under this key: on these terms if there is one, else
    /// by others that only have the key in common.
    pub(crate) fn under_key(&self, terms: &Terms, pool: usize, family: Family) -> Option<Place> {
        let (from, to) = ((pool, family, (0, 0)), (pool, family, (usize::MAX, u128::MAX)));
        let first = |shared: &SharedAddresses| shared.places.range(from..=to).next().copied();
        let key = Terms { key: terms.key.clone(), backend: "".into() };
        let with_key = self.shared.range(key..).take_while(|(it, _)| it.key == terms.key);
        let mut any = with_key.filter(|_| !terms.key.is_empty()).map(|(_, shared)| shared);
        self.shared.get(terms).and_then(first).or_else(|| any.find_map(first))
    }

    /// Remembers that all shared places before `place` conflict with `ports`.
    pub(crate) fn conflict_before(&mut self, terms: &Terms, place: Place, ports: &Ports) {
        if let Some(shared) = self.shared.get_mut(terms) {
            shared.cursors.insert((place.0, place.1, ports.clone()), place);
        }
    }

    fn unshare(shared: &mut BTreeMap<Terms, SharedAddresses>, terms: &Terms, place: Place) {
        let Some(addresses) = shared.get_mut(terms) else { return };
        addresses.places.remove(&place);
        if addresses.places.is_empty() {
            shared.remove(terms);
        }
    }
}

impl SharedAddresses {
    fn insert(&mut self, place: Place) {
        if self.places.insert(place) {
            self.cursors.retain(|_, cursor| *cursor <= place);
        }
    }
}

fn disagreement(theirs: &Terms, ours: &Terms) -> Option<Disagreement> {
    if theirs.key.is_empty() {
        return Some(Disagreement::NotShared);
    }
    if ours.key.is_empty() {
        return Some(Disagreement::WantsItAlone { theirs: theirs.key.to_string() });
    }
    if theirs.key != ours.key {
        let (theirs, ours) = (theirs.key.to_string(), ours.key.to_string());
        return Some(Disagreement::Key { theirs, ours });
    }
    let (theirs, ours) = (&*theirs.backend, &*ours.backend);
    let differ = || Disagreement::Backend { theirs: theirs.to_owned(), ours: ours.to_owned() };
    (theirs != ours).then(differ)
}
