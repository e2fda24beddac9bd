//! The promises, each held against the world as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::world::World;
use crate::NodeId;

/// Nodes that reach each other both ways, over others if need be. Who does not run is in none.
pub(super) fn groups(world: &World) -> Vec<BTreeSet<usize>> {
    let runs = |n: &usize| {
        let host = &world.hosts[*n];
        host.machine.is_some() && host.paused.is_none()
    };
    let open = |a: usize, b: usize| {
        let link = world.links.get(&(a, b)).copied().unwrap_or_default();
        !link.cut && !world.hosts[a].silent && !world.hosts[b].deaf
    };
    let mut left: BTreeSet<usize> = (0..world.hosts.len()).filter(runs).collect();
    let mut groups = Vec::new();
    while let Some(first) = left.pop_first() {
        let mut group = BTreeSet::from([first]);
        let mut edge = vec![first];
        while let Some(a) = edge.pop() {
            let near: Vec<usize> =
                left.iter().copied().filter(|b| open(a, *b) && open(*b, a)).collect();
            for b in near {
                left.remove(&b);
                group.insert(b);
                edge.push(b);
            }
        }
        groups.push(group);
    }
    groups
}

/// At most one owner per connected group.
pub(super) fn one_owner(world: &World) -> Result<(), String> {
    let owners = world.owners();
    for group in groups(world) {
        for (vip, nodes) in &owners {
            let here: Vec<_> = nodes.intersection(&group).collect();
            if here.len() > 1 {
                return Err(format!("{vip} is answered for by {here:?} of {group:?}"));
            }
        }
    }
    Ok(())
}

/// Every vip that a node of a group may own has an owner in it. Groups into which something is
/// heard from outside are left out: they may know of an owner there.
pub(super) fn every_vip_owned(world: &World) -> Result<(), String> {
    let owners = world.owners();
    for group in groups(world) {
        let quorum = world.quorum.is_none_or(|of| group.len() > of / 2);
        let closed = (0..world.hosts.len()).filter(|n| !group.contains(n)).all(|outside| {
            let cut = |n: &usize| {
                world.links.get(&(outside, *n)).is_some_and(|link| link.cut)
                    || world.hosts[outside].silent
                    || world.hosts[outside].machine.is_none()
                    || world.hosts[outside].paused.is_some()
            };
            group.iter().all(cut)
        });
        // With a quorum, who does not reach enough of them directly is silent.
        let pairs = group.iter().flat_map(|a| group.iter().map(move |b| (*a, *b)));
        let whole = || pairs.clone().all(|it| !world.links.get(&it).is_some_and(|link| link.cut));
        // Who hears nothing must be silent, and whom nobody hears may be.
        let wired = |n: &usize| !world.hosts[*n].deaf && !world.hosts[*n].silent;
        if !group.iter().all(wired) || !quorum || !closed || (world.quorum.is_some() && !whole()) {
            continue;
        }
        for (vip, candidates) in &world.vips {
            let may = |n: &usize| {
                let name = &*world.hosts[*n].name;
                candidates.iter().any(|it| *it.name == *name)
            };
            let owned = owners.get(vip).is_some_and(|it| it.iter().any(|n| group.contains(n)));
            if group.iter().any(may) && !owned {
                return Err(format!("nobody of {group:?} answers for {vip}"));
            }
        }
    }
    Ok(())
}

/// Who hears nothing answers for nothing.
pub(super) fn deaf_are_silent(world: &World) -> Result<(), String> {
    let runs = |host: &&super::world::Host| host.deaf && host.paused.is_none();
    match world.hosts.iter().filter(runs).find(|host| !host.answers.is_empty()) {
        Some(host) => Err(format!("{} hears nothing and answers", host.name)),
        None => Ok(()),
    }
}

/// Only candidates own a vip; without a quorum nobody does.
pub(super) fn only_who_may(world: &World) -> Result<(), String> {
    let groups = groups(world);
    for (vip, nodes) in world.owners() {
        for n in nodes {
            let id = NodeId::of(&world.hosts[n].name);
            let candidates = world.vips.get(&vip);
            if !candidates.is_some_and(|it| it.iter().any(|it| NodeId::of(&it.name) == id)) {
                return Err(format!("node-{n} answers for {vip} and may not"));
            }
            let group = groups.iter().find(|it| it.contains(&n)).map_or(0, BTreeSet::len);
            if world.quorum.is_some_and(|of| group <= of / 2) {
                return Err(format!("node-{n} answers for {vip} without a quorum"));
            }
        }
    }
    Ok(())
}

/// Where the network is whole, every client knows the owner: whoever won announced it last.
pub(super) fn clients_follow(world: &World) -> Result<(), String> {
    let wired = world.hosts.iter().all(|host| !host.deaf && !host.silent);
    if world.loss > 0 || !wired || world.links.values().any(|link| link.cut) {
        return Ok(());
    }
    for (vip, nodes) in world.owners() {
        // That a way to its neighbours opened, nobody notices behind whom no node of ours is.
        let there = world.hosts.iter().enumerate().filter(|(_, host)| host.machine.is_some());
        for (n, host) in there {
            let believed = host.beside.get(&vip);
            if believed.is_some_and(|it| !nodes.contains(it)) {
                return Err(format!(
                    "{vip} is {nodes:?}'s, and a client beside node-{n} asks {believed:?}"
                ));
            }
        }
    }
    Ok(())
}

/// Vips are spread: no node has two more than another. Only after a start of all at once.
pub(super) fn spread(world: &World) -> Result<(), String> {
    let mut counts: BTreeMap<usize, usize> =
        groups(world).into_iter().flatten().map(|n| (n, 0)).collect();
    for n in world.owners().into_values().flatten() {
        *counts.entry(n).or_default() += 1;
    }
    let (least, most) = (counts.values().min(), counts.values().max());
    match least.zip(most) {
        Some((least, most)) if most - least > 1 => Err(format!("not spread: {counts:?}")),
        _ => Ok(()),
    }
}

/// What is sent stays few, whatever happens: nobody answers an answer.
pub(super) fn few_datagrams(world: &World, sent: u64, time: Duration) -> Result<(), String> {
    let nodes = u64::try_from(world.hosts.len()).expect("few");
    let beats = u64::try_from(time.as_millis() / world.timing.interval.as_millis()).expect("few");
    let most = nodes * nodes * beats * 2 + nodes * nodes * nodes * 20;
    if sent > most {
        return Err(format!("{sent} datagrams were sent, and {most} are many"));
    }
    Ok(())
}

/// Within a round nothing goes to and fro.
pub(super) fn no_flapping(world: &World, moves: usize) -> Result<(), String> {
    let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for (_, _, vip) in &world.taken {
        *counts.entry(*vip).or_default() += 1;
    }
    match counts.into_iter().find(|(_, count)| *count > moves) {
        Some((vip, count)) => Err(format!("{vip} moved {count} times: {:?}", world.taken)),
        None => Ok(()),
    }
}
