//! What must happen in the cases that people ask about, one by one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::Broken;
use super::checks::{clients_follow, one_owner};
use super::world::{World, vip};
use crate::{ClaimStatus, HeartbeatTiming, Input, Key, Segment};

const SECOND: Duration = Duration::from_secs(1);

/// Nodes that settled, all started together.
fn settled(nodes: usize, vips: u8) -> World {
    let mut world = World::new(1, nodes);
    world.with_vips(vips);
    boot(&mut world);
    world
}

fn boot(world: &mut World) {
    for n in 0..world.hosts.len() {
        world.boot(n, false);
    }
    world.run_for(SECOND * 3);
    world.taken.clear();
}

fn owner(world: &World, vip: IpAddr) -> Option<usize> {
    let owners = world.owners().remove(&vip).unwrap_or_default();
    assert!(owners.len() <= 1, "{owners:?} answer for {vip}");
    owners.into_iter().next()
}

/// How long nobody answered for the first vip from now on.
fn outage(world: &mut World) -> Duration {
    let began = world.now;
    while owner(world, vip(0)).is_none() {
        world.run_for(Duration::from_millis(1));
        assert!(world.now < began + SECOND * 10, "nobody takes over");
    }
    world.now - began
}

#[test]
fn a_crash_is_over_within_the_dead_time_and_the_probes() {
    for (timing, most) in [(HeartbeatTiming::default(), 560), (HeartbeatTiming::fast(), 210)] {
        let mut world = World::new(1, 3);
        world.timing = timing;
        world.with_vips(1);
        boot(&mut world);
        let old = owner(&world, vip(0)).unwrap();
        world.crash(old);
        let outage = outage(&mut world);
        assert!(outage <= Duration::from_millis(most), "{outage:?}");
        let new = owner(&world, vip(0)).unwrap();
        world.boot(old, false);
        world.run_for(SECOND * 5);
        assert_eq!(owner(&world, vip(0)), Some(new), "who comes back takes nothing");
    }
}

#[test]
fn a_crash_among_fifty_is_over_as_soon() {
    let mut world = settled(50, 3);
    world.run_for(SECOND * 20);
    world.crash(owner(&world, vip(0)).unwrap());
    let outage = outage(&mut world);
    assert!(outage <= Duration::from_millis(560), "{outage:?}");
}

#[test]
fn a_leave_leaves_no_gap() {
    let mut world = settled(3, 4);
    let old = owner(&world, vip(0)).unwrap();
    world.tell(old, Input::Leave);
    while world.hosts[old].machine.is_some() {
        let answered: BTreeSet<IpAddr> = world.owners().into_keys().collect();
        assert_eq!(answered.len(), 4, "every vip is answered for at any moment");
        world.run_for(Duration::from_micros(100));
    }
    world.run_for(SECOND);
    assert_eq!(world.owners().len(), 4);
    one_owner(&world).unwrap();
}

/// Claims as a node knows them.
fn claims(world: &World, n: usize) -> Vec<ClaimStatus> {
    world.hosts[n].machine.iter().flat_map(Segment::vips).collect()
}

/// A process that goes on for another one of its node: nobody notices, whoever it is and however
/// often, and whoever dies later is missed as ever.
#[test]
fn another_process_of_a_node_goes_on_unnoticed() {
    for timing in [HeartbeatTiming::default(), HeartbeatTiming::fast()] {
        let mut world = World::new(1, 3);
        world.timing = timing;
        world.seal_with(Key::new([7; 32]));
        world.with_vips(6);
        boot(&mut world);
        let (owners, before) = (world.owners(), claims(&world, 2));
        assert_eq!(owners.len(), 6);
        for round in 0_u8..10 {
            let n = usize::from(round % 3);
            world.replace(n, round % 4 == 3);
            for _ in 0..20 {
                assert_eq!(world.owners(), owners, "round {round}");
                world.run_for(Duration::from_millis(10 + u64::from(round)));
            }
        }
        assert!(world.taken.iter().all(|(_, n, vip)| owners[vip].contains(n)));
        for n in 0..3 {
            let told = claims(&world, n);
            let told: Vec<_> = told.iter().map(|it| (it.vip, &it.owner, it.epoch)).collect();
            let known: Vec<_> = before.iter().map(|it| (it.vip, &it.owner, it.epoch)).collect();
            assert_eq!(told, known, "nothing was claimed anew");
        }
        world.crash(owner(&world, vip(0)).unwrap());
        assert!(outage(&mut world) <= Duration::from_millis(560));
    }
}

/// Where kernels carry flows, they are at most at two nodes, in whichever order processes are
/// replaced: nobody has to pass them on through somebody whose process is being replaced.
#[test]
fn a_vip_goes_back_to_where_its_flows_are() {
    for first in 0..3 {
        let mut world = World::new(1, 3);
        world.flows_stay = SECOND * 60;
        world.with_vips(4);
        boot(&mut world);
        let before = world.owners();
        for n in (first..first + 3).map(|n| n % 3) {
            let had: Vec<IpAddr> = vips_of(&world, n);
            world.tell(n, Input::Leave);
            world.run_for(SECOND * 6);
            assert_eq!(vips_of(&world, n), Vec::<IpAddr>::new());
            world.crash(n);
            world.boot(n, false);
            world.run_for(SECOND * 4);
            for vip in had.iter().filter(|vip| !before[*vip].contains(&n)) {
                assert_eq!(world.owners()[vip], before[vip], "{vip} from node-{n}");
            }
        }
    }
}

fn vips_of(world: &World, n: usize) -> Vec<IpAddr> {
    let owners = world.owners().into_iter();
    owners.filter(|(_, nodes)| nodes.contains(&n)).map(|(vip, _)| vip).collect()
}

/// Frames get through, datagrams do not.
fn mute(world: &mut World) {
    for a in 0..world.hosts.len() {
        for b in 0..world.hosts.len() {
            world.link(a, b).mute = true;
        }
    }
}

#[test]
fn cut_heartbeats_move_nothing_while_the_lan_answers() {
    let mut world = settled(3, 3);
    let before = world.owners();
    mute(&mut world);
    world.run_for(SECOND * 20);
    assert_eq!(world.owners(), before);
    assert!(world.refused >= 3, "and it is told");
}

#[test]
fn without_probes_cut_heartbeats_would_make_second_owners() {
    let mut world = settled(3, 3);
    world.broken = Some(Broken::NoProbe);
    for n in 0..3 {
        world.crash(n);
    }
    boot(&mut world);
    one_owner(&world).unwrap();
    mute(&mut world);
    world.run_for(SECOND * 20);
    assert!(one_owner(&world).is_err());
}

#[test]
fn an_owner_that_hears_nobody_is_replaced() {
    for nodes in [2, 3] {
        let mut world = settled(nodes, 1);
        let old = owner(&world, vip(0)).unwrap();
        for other in (0..nodes).filter(|other| *other != old) {
            world.link(other, old).cut = true;
        }
        world.run_for(SECOND * 5);
        let owners = world.owners().remove(&vip(0)).unwrap();
        assert!(owners.iter().any(|n| *n != old), "somebody whom the LAN reaches");
        world.links.clear();
        world.run_for(SECOND * 3);
        assert!(owner(&world, vip(0)).is_some_and(|now| now != old));
    }
}

#[test]
fn who_starts_need_not_be_heard_by_all() {
    let mut world = World::new(1, 3);
    world.with_vips(1);
    world.vips.get_mut(&vip(0)).unwrap().retain(|it| &*it.name == "node-1");
    world.link(1, 0).cut = true;
    world.boot(0, false);
    world.boot(2, false);
    world.run_for(SECOND * 3);
    world.boot(1, false);
    world.run_for(SECOND * 3);
    assert_eq!(owner(&world, vip(0)), Some(1), "it hears node-0, and node-2 tells of that");
}

#[test]
fn an_owner_that_nobody_hears_is_replaced_and_yields() {
    let mut world = settled(3, 1);
    let old = owner(&world, vip(0)).unwrap();
    for other in (0..3).filter(|other| *other != old) {
        world.link(old, other).cut = true;
    }
    world.run_for(SECOND * 2);
    let new = owner(&world, vip(0)).unwrap();
    assert_ne!(new, old);
    world.links.clear();
    world.run_for(SECOND * 3);
    assert_eq!(owner(&world, vip(0)), Some(new));
}

#[test]
fn who_wins_when_a_cut_heals_announces_again() {
    let mut world = settled(4, 6);
    for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        world.link(a, b).cut = true;
        world.link(b, a).cut = true;
    }
    world.run_for(SECOND * 10);
    world.let_clients_ask();
    world.links.clear();
    world.run_for(SECOND * 5);
    one_owner(&world).unwrap();
    clients_follow(&world).unwrap();
}

/// The one who is left over says nothing of itself: its claim is released, or its start another.
#[test]
fn whoever_was_behind_a_cut_is_told_who_owns() {
    for restart in [false, true] {
        let mut world = settled(2, 1);
        let old = owner(&world, vip(0)).unwrap();
        let new = 1 - old;
        for (a, b) in [(old, new), (new, old)] {
            world.link(a, b).cut = true;
        }
        world.run_for(SECOND * 3);
        let name = world.hosts[old].name.clone();
        world.vips.get_mut(&vip(0)).unwrap().retain(|it| *it.name != *name);
        world.tell_vips();
        if restart {
            world.crash(new);
            world.boot(new, false);
        }
        world.run_for(SECOND * 5);
        assert_eq!(world.hosts[old].beside.get(&vip(0)), Some(&old), "who is silent by now");
        world.links.clear();
        world.run_for(SECOND * 2);
        assert_eq!(owner(&world, vip(0)), Some(new));
        clients_follow(&world).unwrap();
    }
}

#[test]
fn candidates_in_order_take_over_in_order() {
    let mut world = World::new(1, 4);
    world.balance = false;
    world.with_vips(3);
    for candidates in world.vips.values_mut() {
        candidates
            .sort_by_key(|it| [2, 0, 3, 1].iter().position(|n| it.name.ends_with(&n.to_string())));
    }
    boot(&mut world);
    let all =
        |world: &World, n: usize| world.owners().values().all(|it| *it == BTreeSet::from([n]));
    assert!(all(&world, 2), "{:?}", world.owners());
    world.crash(2);
    world.run_for(SECOND);
    assert!(all(&world, 0), "{:?}", world.owners());
    world.boot(2, false);
    world.run_for(SECOND * 3);
    assert!(all(&world, 0), "who comes back takes nothing");
    world.tell(0, Input::Rebalance);
    world.run_for(SECOND);
    assert!(all(&world, 2), "but is given it when asked: {:?}", world.owners());
}

#[test]
fn a_new_key_makes_its_way_and_nothing_moves() {
    let mut world = settled(4, 4);
    let before = world.owners();
    for _ in 0..3 {
        world.rotate();
        assert_eq!(world.owners(), before);
    }
    assert!(world.taken.is_empty() && !world.story.contains("MemberDown"), "{}", world.story);
}

#[test]
fn the_second_standby_follows_a_first_that_fell_with_the_owner() {
    let mut world = settled(4, 1);
    let old = owner(&world, vip(0)).unwrap();
    let machine = world.hosts[old].machine.as_ref().unwrap();
    let standby = machine.vips().next().unwrap().standbys[0].to_string();
    let first = world.hosts.iter().position(|host| host.name == standby).unwrap();
    world.crash(old);
    world.crash(first);
    assert!(outage(&mut world) <= Duration::from_millis(560));
}

#[test]
fn an_address_that_a_stranger_has_is_not_taken() {
    let mut world = World::new(1, 2);
    world.with_vips(1);
    world.squatted.insert(vip(0));
    boot(&mut world);
    world.run_for(SECOND * 5);
    assert_eq!(owner(&world, vip(0)), None);
    assert!((1..=2).contains(&world.refused), "told once by each: {}", world.refused);
    world.squatted.clear();
    world.run_for(SECOND * 2);
    assert!(owner(&world, vip(0)).is_some());
}

#[test]
fn a_minority_is_silent_where_a_quorum_is_asked_for() {
    let mut world = World::new(1, 3);
    world.quorum = Some(3);
    world.with_vips(3);
    boot(&mut world);
    let old = owner(&world, vip(0)).unwrap();
    for other in (0..3).filter(|other| *other != old) {
        world.link(old, other).cut = true;
        world.link(other, old).cut = true;
    }
    world.run_for(SECOND * 2);
    assert!(world.hosts[old].answers.is_empty());
    assert_eq!(world.owners().len(), 3, "the others answer for all");
}

#[test]
fn a_thousand_vips_move_together() {
    let mut world = World::new(1, 3);
    world.with_vips(200);
    let all = world.vips.values().next().unwrap().clone();
    for n in 0..800_u16 {
        let [high, low] = n.to_be_bytes();
        world.vips.insert([10, 0, 8 + high, low].into(), all.clone());
    }
    boot(&mut world);
    world.run_for(SECOND * 2);
    assert_eq!(world.owners().len(), 1000);
    world.crash(0);
    world.run_for(Duration::from_millis(700));
    assert_eq!(world.owners().len(), 1000);
    one_owner(&world).unwrap();
    let counts: Vec<usize> = [1, 2].map(|n| world.hosts[n].answers.len()).to_vec();
    assert!(counts.iter().all(|count| (450..=550).contains(count)), "spread: {counts:?}");
}

#[test]
fn owners_are_spread_anew_only_when_asked() {
    let mut world = World::new(1, 3);
    world.with_vips(9);
    world.boot(0, false);
    world.run_for(SECOND * 3);
    world.boot(1, false);
    world.boot(2, false);
    world.run_for(SECOND * 3);
    assert_eq!(world.hosts[0].answers.len(), 9, "who comes later takes nothing");
    world.tell(2, Input::Rebalance);
    world.run_for(SECOND);
    let counts: Vec<usize> = world.hosts.iter().map(|host| host.answers.len()).collect();
    assert_eq!(counts, [3, 3, 3]);
}

/// Whatever heartbeats do: it is told on the LAN who answers, and whoever takes over at the same
/// moment is heard there.
#[test]
fn cut_heartbeats_and_a_kill_leave_one_owner() {
    for nodes in [3, 4] {
        for one in [None, Some(0)] {
            for gap in [0, 130, 470, 990, 2200] {
                let mut world = settled(nodes, 6);
                for (a, b) in (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b))) {
                    world.link(a, b).mute = one.is_none_or(|one| a == one);
                }
                world.run_for(Duration::from_millis(gap));
                let old = owner(&world, vip(0)).unwrap();
                world.crash(old);
                world.run_for(SECOND * 2);
                assert_eq!(world.owners().len(), 6, "{one:?}, {gap} ms: all are answered for");
                one_owner(&world).unwrap();
                assert_eq!(world.complaints, [""; 0], "{one:?}, {gap} ms");
            }
        }
    }
}

#[test]
fn who_hears_nothing_is_silent_and_says_nothing() {
    let mut world = settled(4, 4);
    let old = owner(&world, vip(0)).unwrap();
    world.hosts[old].deaf = true;
    world.run_for(Duration::from_millis(750));
    assert!(world.hosts[old].answers.is_empty(), "it fell silent by itself");
    world.run_for(SECOND * 10);
    assert!(world.taken.iter().all(|(_, n, _)| *n != old), "it took nothing: {:?}", world.taken);
    assert_eq!(world.owners().len(), 4);
    clients_follow(&world).unwrap();
    let before = world.owners();
    world.hosts[old].deaf = false;
    world.run_for(SECOND * 3);
    assert_eq!(world.owners(), before, "who hears again takes nothing");
}

#[test]
fn two_leaves_at_once_leave_no_gap() {
    for gap in [0, 1, 3, 10, 40] {
        let mut world = settled(4, 8);
        world.tell(0, Input::Leave);
        world.run_for(Duration::from_millis(gap));
        world.tell(1, Input::Leave);
        while world.hosts[..2].iter().any(|host| host.machine.is_some()) {
            assert_eq!(world.owners().len(), 8, "{gap} ms: every vip is answered for");
            world.run_for(Duration::from_micros(200));
        }
        world.run_for(SECOND);
        assert_eq!(world.owners().len(), 8);
        one_owner(&world).unwrap();
    }
}

/// Nobody can know while it is dark who takes what; so nobody takes anything.
#[test]
fn after_a_dark_switch_each_answers_for_what_it_had() {
    let mut world = settled(4, 8);
    let before = world.owners();
    let dark = |world: &mut World, is_dark: bool| {
        for host in &mut world.hosts {
            (host.deaf, host.silent) = (is_dark, is_dark);
        }
    };
    dark(&mut world, true);
    world.run_for(SECOND * 3);
    assert!(world.owners().is_empty() && world.taken.is_empty());
    dark(&mut world, false);
    for _ in 0..2000 {
        world.run_for(Duration::from_millis(1));
        one_owner(&world).unwrap();
    }
    assert_eq!(world.owners(), before);
    let first = world.taken.iter().map(|(at, ..)| *at).max().unwrap();
    assert!(world.now - first >= Duration::from_millis(1600), "within less than a dead time");
}

/// A switch that is dark for some of the nodes alone: what they had is taken over while it is dark,
/// or theirs again within 100 ms. Where it lights up just as a takeover begins, each of two may
/// leave the vip to the other: then it takes one dead time more.
#[test]
fn after_a_switch_was_dark_for_some_nobody_waits_longer_than_a_dead_time() {
    let mut slow = 0;
    let cases = [&[0][..], &[0, 1], &[1, 2], &[0, 1, 2]].into_iter();
    let cases: Vec<(&[usize], u64)> =
        cases.flat_map(|some| (461..1700).step_by(42).map(move |dark| (some, dark))).collect();
    for (some, dark) in &cases {
        let mut world = settled(4, 8);
        let darken = |world: &mut World, is_dark: bool| {
            for n in *some {
                (world.hosts[*n].deaf, world.hosts[*n].silent) = (is_dark, is_dark);
            }
        };
        darken(&mut world, true);
        world.run_for(Duration::from_millis(*dark));
        darken(&mut world, false);
        world.run_for(Duration::from_millis(100));
        if world.owners().len() < 8 {
            slow += 1;
            world.run_for(Duration::from_millis(500));
        }
        for _ in 0..100 {
            world.run_for(Duration::from_millis(10));
            assert_eq!(world.owners().len(), 8, "{some:?} for {dark} ms");
            one_owner(&world).unwrap();
        }
    }
    assert!(slow <= cases.len() / 50, "{slow} of {}", cases.len());
}

#[test]
fn another_address_of_its_own_moves_nothing() {
    let mut world = settled(3, 3);
    let before = world.owners();
    world.hosts[0].net += 1;
    world.run_for(SECOND * 5);
    assert_eq!(world.owners(), before);
    assert!(world.taken.is_empty() && !world.story.contains("MemberDown"), "{}", world.story);
}
