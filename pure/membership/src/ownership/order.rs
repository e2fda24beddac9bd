//! Who comes first: scores, then the fewest vips, then chance that is the same everywhere.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::load::Load;
use super::review::is_ahead;
use super::{Ownership, Role};
use crate::claim::{Claim, STANDBYS};
use crate::config::OwnerCandidate;
use crate::id::{NodeId, halves, mix};
use crate::roster::Roster;

/// Nodes that may own a vip, with how much each is preferred. Most vips have the same, which lie in
/// memory once.
pub(crate) type Candidates = Arc<[(NodeId, u32)]>;

/// Gives candidates by number.
#[derive(Debug, Default)]
pub(crate) struct Numbering<'a>(BTreeMap<&'a [OwnerCandidate], Candidates>);

impl<'a> Numbering<'a> {
    /// Those of the next vip.
    pub(crate) fn of(&mut self, candidates: &'a [OwnerCandidate]) -> Candidates {
        let numbered = || candidates.iter().map(|it| (NodeId::of(&it.name), it.score)).collect();
        self.0.entry(candidates).or_insert_with(numbered).clone()
    }
}

impl Ownership {
    /// Vips per node, as claimed; vacant ones count for whose turn it is.
    pub(super) fn load(&self, roster: &Roster) -> Load {
        let mut load = Load::default();
        for (vip, it) in &self.vips {
            let node = match &it.role {
                Role::Vacant(vacancy) | Role::Probing { vacancy, .. } => {
                    let claim = self.table.get(*vip);
                    vacancy.order.iter().copied().find(|it| is_ahead(*it, claim, roster))
                }
                _ => self.table.get(*vip).filter(|it| !it.released).map(|it| it.owner),
            };
            node.into_iter().for_each(|node| load.add(node));
        }
        load
    }

    /// Candidates for `vip`, best first.
    pub(super) fn ranked(&self, vip: IpAddr, load: &Load) -> Vec<NodeId> {
        let Some(it) = self.vips.get(&vip) else { return Vec::new() };
        let mut ranked: Vec<(usize, (NodeId, u32))> =
            it.candidates.iter().copied().enumerate().collect();
        if self.balance {
            ranked.sort_by_key(|(_, (node, score))| {
                (Reverse(*score), load.of(*node), chance(*node, vip))
            });
        }
        ranked.into_iter().map(|(_, (node, _))| node).collect()
    }

    /// In which order candidates take `vip`, whose last claim was `claim`: its owner, should it be
    /// back; its standbys; all others.
    pub(super) fn succession(
        &self,
        vip: IpAddr,
        claim: Option<&Claim>,
        load: &Load,
    ) -> Vec<NodeId> {
        let Some(it) = self.vips.get(&vip) else { return Vec::new() };
        let allowed: BTreeSet<NodeId> = it.candidates.iter().map(|(node, _)| *node).collect();
        let owner = claim.filter(|it| !it.released).map(|it| it.owner);
        let standbys = claim.map(|it| it.standbys.clone()).unwrap_or_default();
        let mut order: Vec<NodeId> = Vec::new();
        for node in owner.into_iter().chain(standbys).chain(self.ranked(vip, load)) {
            if allowed.contains(&node) && !order.contains(&node) {
                order.push(node);
            }
        }
        order
    }

    /// The standbys that a vip of ours is to have: those it has, as long as they are able; then
    /// who has least to do.
    pub(super) fn standbys(&self, vip: IpAddr, roster: &Roster, load: &mut Load) -> Vec<NodeId> {
        let Some(it) = self.vips.get(&vip) else { return Vec::new() };
        let able = |node: &NodeId| *node != self.me && roster.able(*node);
        if !self.balance {
            // As listed, whoever came first or has least to do.
            let listed = it.candidates.iter().map(|(node, _)| *node);
            return listed.filter(able).take(STANDBYS).collect();
        }
        let candidate = |node: &NodeId| it.candidates.iter().any(|(known, _)| known == node);
        let now = self.table.get(vip).map(|it| it.standbys.as_slice()).unwrap_or_default();
        let mut chosen: Vec<NodeId> =
            now.iter().copied().filter(|it| able(it) && candidate(it)).collect();
        let pool = if self.few_standbys { self.pool() } else { BTreeSet::new() };
        let mut rest: Vec<NodeId> = self.ranked(vip, load);
        rest.retain(|it| able(it) && !chosen.contains(it));
        if pool.len() >= STANDBYS * 2 && rest.iter().any(|it| pool.contains(it)) {
            rest.retain(|it| pool.contains(it));
        }
        chosen.extend(rest);
        let score = |node: &NodeId| it.candidates.iter().find(|(known, _)| known == node);
        let score = |node: &NodeId| score(node).map_or(0, |(_, score)| *score);
        chosen.sort_by_key(|node| Reverse(score(node)));
        chosen.truncate(STANDBYS);
        even_out(&mut chosen, score, load);
        if chosen.first() != now.first() {
            now.first().into_iter().for_each(|node| load.remove(*node));
            chosen.first().into_iter().for_each(|node| load.add(*node));
        }
        chosen
    }

    /// Nodes that are standbys of ours already.
    fn pool(&self) -> BTreeSet<NodeId> {
        let ours = self.table.iter().filter(|(_, claim)| claim.owner == self.me && !claim.released);
        ours.flat_map(|(_, claim)| claim.standbys.iter().copied()).collect()
    }

    /// What each node would have to do more, did we stop now.
    pub(super) fn standby_load(&self, roster: &Roster) -> Load {
        let mut load = self.load(roster);
        for (vip, it) in &self.vips {
            if matches!(it.role, Role::Owner(_)) {
                let first = self.table.get(*vip).and_then(|claim| claim.standbys.first());
                first.into_iter().for_each(|node| load.add(*node));
            }
        }
        load
    }
}

/// Puts another first that is preferred as much and has clearly less to do: nothing moves by it.
fn even_out(standbys: &mut [NodeId], score: impl Fn(&NodeId) -> u32, load: &Load) {
    let [first, rest @ ..] = standbys else { return };
    let alike = rest.iter_mut().filter(|it| score(it) == score(first));
    if let Some(least) = alike.min_by_key(|it| load.of(**it))
        && load.of(*first) >= load.of(*least) + 2
    {
        std::mem::swap(first, least);
    }
}

/// The same on every node, different for each vip.
fn chance(node: NodeId, vip: IpAddr) -> u64 {
    let [high, low] = halves(vip);
    mix(node.bits() ^ mix(high.rotate_left(1) ^ low))
}
