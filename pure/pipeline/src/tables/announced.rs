//! Pools, and what is announced of them to whom: few objects, of which each cell reads all.

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::bgp::Password;
use steelyard_model::{Diagnostic, Item, L2Advertisement, NamespacedName, Node, Pool};

use super::cell::{Cell, Tag};
use super::pools::Selecting;
use super::row::{Items, Row, Selections};
use super::{Join, Reads, all_of, bgp, pools, subnets};

/// What BGP is made of.
const OF_BGP: [Tag; 5] =
    [Tag::Pool, Tag::BgpAdvertisement, Tag::BgpPeer, Tag::BfdProfile, Tag::Communities];

impl Join {
    /// The pools that share no address with one that counts more.
    pub(super) fn pools(&self, reads: &mut Reads<'_>, diagnostics: &mut Vec<Diagnostic>) -> Row {
        let mut established = BTreeSet::new();
        for row in reads.rows(&Cell::Of(Tag::Pool)) {
            if let Row::Object(items, true) = &row {
                established.extend(items.iter().map(|item| item.object().id()));
            }
        }
        let is_established = |id: &NamespacedName| established.contains(id);
        let resolve = |world: &super::World<'_>| pools::resolve(world, is_established, diagnostics);
        Row::Pools(self.world(&[Tag::Pool], reads, resolve).into())
    }

    /// Advertisements on the LAN.
    pub(super) fn lan(&self, reads: &mut Reads<'_>, diagnostics: &mut Vec<Diagnostic>) -> Row {
        let (counting, nodes) = (counting(reads), nodes(reads));
        let rows = all_of(&[Tag::Pool, Tag::L2Advertisement], reads);
        let world = self.world_of(&rows);
        let ads = world.advertisements.values().map(|ad| Selecting {
            object: &ad.object,
            names: &ad.pools,
            pool_selectors: &ad.pool_selectors,
            node_selectors: &ad.node_selectors,
        });
        let mut selections = pools::select(&world, ads, &nodes, diagnostics);
        selections.retain(|id, _| counting.binary_search_by(|pool| pool.id.cmp(id)).is_ok());
        let ads: Vec<L2Advertisement> =
            world.advertisements.values().map(|ad| (*ad).clone()).collect();
        Row::Lan(ads.into(), selections.into())
    }

    /// Advertisements to routers, and the routers.
    pub(super) fn bgp(&self, reads: &mut Reads<'_>, diagnostics: &mut Vec<Diagnostic>) -> Row {
        let (counting, nodes) = (counting(reads), nodes(reads));
        let mut rows = all_of(&OF_BGP, reads);
        let secrets: BTreeSet<NamespacedName> =
            rows.iter().flat_map(|items| items.iter()).flat_map(passwords).collect();
        rows.extend(secrets.into_iter().filter_map(|id| secret(id, reads)));
        let world = self.world_of(&rows);
        let (bgp, selections) = bgp::resolve(&world, &counting, &nodes, diagnostics);
        Row::Bgp(bgp.into(), selections.into())
    }

    /// What there is to say about pools together with what announces them.
    pub(super) fn announced(&self, reads: &mut Reads<'_>, diagnostics: &mut Vec<Diagnostic>) {
        let (pools, nodes) = (counting(reads), nodes(reads));
        let none = Arc::new(Selections::new());
        let lan = match reads.row(&Cell::Lan) {
            Some(Row::Lan(_, selections)) => selections,
            _ => none.clone(),
        };
        let routed = match reads.row(&Cell::Bgp) {
            Some(Row::Bgp(_, selections)) => selections,
            _ => none,
        };
        pools::report_silent(&pools, [&lan, &routed], diagnostics);
        subnets::report(&pools, [&lan, &routed], &nodes, diagnostics);
    }
}

/// The pools that count.
pub(super) fn counting(reads: &mut Reads<'_>) -> Arc<Vec<Pool>> {
    match reads.row(&Cell::Pools) {
        Some(Row::Pools(pools)) => pools,
        _ => Arc::default(),
    }
}

fn nodes(reads: &mut Reads<'_>) -> Arc<Vec<Node>> {
    match reads.row(&Cell::Nodes) {
        Some(Row::Nodes(nodes)) => nodes,
        _ => Arc::default(),
    }
}

/// Secrets that may hold the password of a peer.
fn passwords(item: &Item) -> Vec<NamespacedName> {
    let Item::BgpPeer(peer) = item else { return Vec::new() };
    let Some(Password::Secret { name, namespace }) = &peer.password else { return Vec::new() };
    let own = &*peer.id.namespace;
    let places = [own, namespace.as_deref().unwrap_or(own)];
    places.map(|place| NamespacedName::new(place, name.as_str())).into()
}

fn secret(id: NamespacedName, reads: &mut Reads<'_>) -> Option<Items> {
    match reads.row(&Cell::Object(Tag::Secret, id))? {
        Row::Object(items, _) => Some(items),
        _ => None,
    }
}
