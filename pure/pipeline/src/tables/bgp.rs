//! BGP: which advertisements and peers count, and what the names in them mean.
//!
//! MetalLB takes nothing of the whole configuration when one object is wrong together with
//! others. Here the object at fault is left out: an advertisement whose communities are not all
//! known or whose prefixes would be larger than what its pools hold, the later of two
//! advertisements that ask for different LOCAL_PREFs of the same routes, and a peer whose profile
//! or password is missing.

mod advertisements;
mod communities;
mod peers;

use std::collections::BTreeSet;

use steelyard_model::bgp::{JoinedAdvertisement, JoinedPeer};
use steelyard_model::{
    Bgp, BgpAdvertisement, BgpPeer, Diagnostic, FieldPath, Missing, NamespacedName, Node, Pool,
    Severity,
};

use super::names::{Meant, Names, ambiguous};
use super::pools::{Selecting, select};
use super::row::Selections;
use super::world::World;
use crate::codes;
use crate::suggestion::Suggester;

/// An advertisement on its way.
struct Candidate<'a> {
    advertisement: &'a BgpAdvertisement,
    communities: Vec<steelyard_model::Community>,
    /// The peers it names, or all.
    peers: Vec<&'a BgpPeer>,
    refused: bool,
}

/// Also which advertisements select which pools, those that are left out included.
pub(super) fn resolve(
    world: &World<'_>,
    pools: &[Pool],
    nodes: &[Node],
    diagnostics: &mut Vec<Diagnostic>,
) -> (Bgp, Selections) {
    let ads = world.bgp_advertisements.values().map(|ad| Selecting {
        object: &ad.object,
        names: &ad.pools,
        pool_selectors: &ad.pool_selectors,
        node_selectors: &ad.node_selectors,
    });
    let selections = select(world, ads, nodes, diagnostics);
    let mut candidates = candidates(world, diagnostics);
    advertisements::refuse_small_pools(&mut candidates, &selections, pools, diagnostics);
    advertisements::refuse_conflicts(&mut candidates, &selections, pools, nodes, diagnostics);
    let echoed = peers::told_of_ipv6(&candidates, &selections, pools);
    let peers = peers::resolve(world, &echoed, diagnostics);
    report_unused(&peers, &candidates, &selections, nodes, diagnostics);
    (kept(candidates, peers, &selections, pools), selections)
}

fn candidates<'a>(world: &World<'a>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Candidate<'a>> {
    let names = Names::new(world.bgp_peers.iter().map(|(id, peer)| (*id, *peer)));
    let aliases = communities::Aliases::new(world, diagnostics);
    let mut suggester = Suggester::new();
    let candidate = |advertisement: &&'a BgpAdvertisement| {
        let communities = aliases.resolve(advertisement, diagnostics);
        Candidate {
            advertisement,
            peers: named_peers(advertisement, world, &names, &mut suggester, diagnostics),
            refused: communities.is_none(),
            communities: communities.unwrap_or_default(),
        }
    };
    world.bgp_advertisements.values().map(candidate).collect()
}

fn named_peers<'a>(
    advertisement: &BgpAdvertisement,
    world: &World<'a>,
    names: &Names<'a, &'a BgpPeer>,
    suggester: &mut Suggester,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<&'a BgpPeer> {
    let object = &*advertisement.object;
    if world.bgp_peers.is_empty() && advertisement.peers.is_empty() {
        let say = |no: &str| format!("there is {no} BGPPeer, so {object} tells nobody");
        let help = "add a BGPPeer for each router";
        let (severity, code) = (Severity::Warning, codes::PEER_MISSING);
        let found = Diagnostic::new(severity, code, object, "", say("no"), help);
        diagnostics.push(found.missing(Missing::any("BGPPeer").if_invalid(say("no valid"))));
    }
    if advertisement.peers.is_empty() {
        return world.bgp_peers.values().copied().collect();
    }
    let mut peers = BTreeSet::new();
    for (position, name) in advertisement.peers.iter().enumerate() {
        let path = FieldPath::from("spec.peers").index(position);
        match names.look_up(name, &advertisement.id.namespace) {
            Meant::One(peer) => _ = peers.insert(&peer.id),
            Meant::Several(several) => {
                diagnostics.push(ambiguous(object, &path, ("BGPPeer", name), several));
            }
            Meant::Nothing => {
                let near = suggester.nearest(name, names.all());
                diagnostics.push(missing_peer(advertisement, &path, name, near, world));
            }
        }
    }
    peers.into_iter().map(|id| world.bgp_peers[id]).collect()
}

fn missing_peer(
    advertisement: &BgpAdvertisement,
    path: &FieldPath,
    name: &str,
    near: Option<&str>,
    world: &World<'_>,
) -> Diagnostic {
    let at_address = world.bgp_peers.values().find(|peer| peer.neighbor.to_string() == name);
    let named: Vec<&str> = world.bgp_peers.keys().take(5).map(|id| &*id.name).collect();
    let help = if let Some(peer) = at_address {
        format!("write `{}`: peers are named by their BGPPeer, not by address", peer.id.name)
    } else if let Some(near) = near {
        format!("did you mean `{near}`? Peers are named by their BGPPeer")
    } else if named.is_empty() {
        "add a BGPPeer of this name".to_owned()
    } else {
        format!("add a BGPPeer of this name, or name one there is: {}", named.join(", "))
    };
    let say =
        |no: &str| format!("there is {no} BGPPeer named `{name}`, so nothing is announced to it");
    let (severity, code) = (Severity::Warning, codes::PEER_MISSING);
    let missing = Missing::named("BGPPeer", name).alike(near.is_some() || at_address.is_some());
    Diagnostic::new(severity, code, &advertisement.object, path.clone(), say("no"), help)
        .missing(missing.if_invalid(say("no valid")))
}

/// Peers that are told nothing, whatever Services there are, and that no node talks to.
fn report_unused(
    peers: &[JoinedPeer],
    candidates: &[Candidate<'_>],
    selections: &Selections,
    nodes: &[Node],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let selecting = selections.values().flatten().map(|index| &candidates[*index]);
    let told: BTreeSet<&NamespacedName> =
        selecting.flat_map(|candidate| &candidate.peers).map(|peer| &peer.id).collect();
    for JoinedPeer { peer, .. } in peers {
        super::pools::report_no_node(&peer.object, &peer.node_selectors, nodes, diagnostics);
        if told.contains(&peer.id) {
            continue;
        }
        diagnostics.push(Diagnostic::new(
            Severity::Warning,
            codes::PEER_UNUSED,
            &peer.object,
            "",
            format!("no BGPAdvertisement announces anything to BGPPeer {}", peer.id.name),
            format!("add `{}` to `peers` of a BGPAdvertisement that selects a pool", peer.id.name),
        ));
    }
    if let Some(first) = peers.first() {
        diagnostics.push(Diagnostic::new(
            Severity::Info,
            codes::BGP_NOT_SPOKEN,
            &first.peer.object,
            "",
            "BGPPeers are read and planned for, but no session is made yet",
            "keep them, a later version talks to routers; until then announce with an \
             L2Advertisement",
        ));
    }
}

/// What counts, with indices that fit.
fn kept(
    candidates: Vec<Candidate<'_>>,
    peers: Vec<JoinedPeer>,
    selections: &Selections,
    pools: &[Pool],
) -> Bgp {
    let mut places = Vec::new();
    let mut advertisements = Vec::new();
    let place = |id: &NamespacedName| peers.binary_search_by(|it| it.peer.id.cmp(id)).ok();
    for candidate in candidates {
        places.push((!candidate.refused).then_some(advertisements.len()));
        if !candidate.refused {
            advertisements.push(JoinedAdvertisement {
                advertisement: candidate.advertisement.clone(),
                communities: candidate.communities,
                peers: candidate.peers.iter().filter_map(|peer| place(&peer.id)).collect(),
            });
        }
    }
    let mut pool_advertisements = Selections::new();
    for (id, selected) in selections {
        let kept: Vec<usize> = selected.iter().filter_map(|index| places[*index]).collect();
        let counts = pools.binary_search_by(|pool| pool.id.cmp(id)).is_ok();
        if counts && !kept.is_empty() {
            pool_advertisements.insert(id.clone(), kept);
        }
    }
    Bgp { advertisements, peers, pool_advertisements }
}
