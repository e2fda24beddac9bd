//! One run: a world made up, things going wrong in it, and the promises held against it.

use std::net::IpAddr;
use std::time::Duration;

use steelyard_testbed::Chance;

use super::Broken;
use super::checks;
use super::world::{World, vip};
use crate::{HeartbeatTiming, Input, Key, OwnerCandidate, Policy};

/// What goes wrong, or is done, in a round.
#[derive(Clone, Debug)]
enum Act {
    Kill(usize),
    Boot(usize, bool),
    Stop(usize, Duration),
    Suspend(usize, Duration),
    Cut(usize, usize),
    CutOneWay(usize, usize),
    Isolate(usize),
    Split,
    MuteAll,
    /// A node's heartbeats, or those for it, do not get through, and nothing else is wrong.
    MuteOneWay(usize, bool),
    /// No heartbeat gets through, or none of a node's does; a while later a node is killed.
    MuteThenKill(Option<usize>, usize),
    /// No heartbeat gets through, and for a while the LAN is cut in two as well.
    MuteThenSplit(Duration),
    /// Nothing gets in to a node.
    Deafen(usize),
    /// The switch passes nothing for a while, and shows a carrier.
    Dark(Duration),
    Heal,
    Leave(usize),
    LeaveTogether(usize, usize),
    /// A node's own address is another.
    Readdress(usize),
    /// A node's interface is deleted, and added again.
    Replug(usize, Duration),
    Unplug(usize, Duration),
    Rebalance,
    Withdraw(u8, usize),
    Rotate,
    /// A machine that is none of ours claims a vip for a while.
    Squat(u8, Duration),
    Quiet,
}

impl Act {
    /// Whether two owners at once are not to be had by it, not even for a moment.
    fn is_calm(&self) -> bool {
        matches!(
            self,
            Self::Kill(_)
                | Self::Boot(..)
                | Self::Leave(_)
                | Self::LeaveTogether(..)
                | Self::Readdress(_)
                | Self::Replug(..)
                | Self::Rebalance
                | Self::Withdraw(..)
                | Self::Rotate
                | Self::Squat(..)
                | Self::Quiet
        )
    }

    /// Whether anything may move for it, in a network that is whole.
    fn moves_nothing(&self) -> bool {
        matches!(
            self,
            Self::MuteAll
                | Self::MuteOneWay(..)
                | Self::Quiet
                | Self::Rotate
                | Self::Boot(..)
                | Self::Readdress(_)
        )
    }

    /// Whether nodes are left that may know no more than the LAN tells. These come alone, and are
    /// over after the round.
    fn mutes(&self) -> bool {
        matches!(
            self,
            Self::MuteAll | Self::MuteOneWay(..) | Self::MuteThenKill(..) | Self::MuteThenSplit(_)
        )
    }
}

/// How often a vip may move in a round for no other reason than that datagrams were lost, where
/// that is possible.
const BY_CHANCE: usize = 2;
/// How often more a vip may move where owners that do not hear each other are rivals to each
/// other, and let go of what the other has: each takes it again when it is free.
const AS_RIVALS: usize = 2;

/// What happened, or why it must not.
pub(super) fn run(seed: u64, broken: Option<Broken>, verbose: bool) -> Result<String, String> {
    let mut world = make(seed);
    world.broken = broken;
    world.verbose = verbose;
    let failed = |world: &World, why: String| {
        let tail: Vec<&str> = world.story.lines().rev().take(60).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        format!("seed {seed}: {why}\n{}", tail.join("\n"))
    };
    first_start(&mut world).map_err(|why| failed(&world, why))?;
    for _ in 0..world.chance.within(3..9) {
        round(&mut world).map_err(|why| failed(&world, why))?;
    }
    recover(&mut world).map_err(|why| failed(&world, why))?;
    Ok(format!("{} datagrams\n{}", world.sent, world.story))
}

fn make(seed: u64) -> World {
    let mut chance = Chance::new(!seed);
    // Many nodes take most of the time: a full mesh grows by the square.
    let nodes = match chance.below(100) {
        0 => 17 + chance.below(34),
        1..=4 => 7 + chance.below(10),
        _ => 2 + chance.below(5),
    };
    let mut world = World::new(seed, nodes);
    if !seed.is_multiple_of(4) {
        world.seal_with(Key::clear());
    }
    world.loss = chance.pick(&[0, 0, 0, 10, 50]);
    world.delay = Duration::from_millis(chance.pick(&[1, 2, 5]));
    if chance.permille(300) && world.loss < 50 {
        world.timing = HeartbeatTiming::fast();
    }
    if nodes >= 3 && chance.permille(150) {
        world.quorum = Some(nodes);
    }
    if chance.permille(150) {
        world.policy = Policy::Withdraw;
    }
    world.with_vips(u8::try_from(1 + chance.below(6)).expect("few"));
    if chance.permille(200) {
        prefer(&mut world, &mut chance);
    }
    world
}

/// Not every node may own every vip, and some are preferred.
fn prefer(world: &mut World, chance: &mut Chance) {
    for candidates in world.vips.values_mut() {
        let sure = chance.below(candidates.len());
        let mut n = 0..;
        candidates.retain(|_| n.next() == Some(sure) || chance.permille(600));
        for candidate in candidates {
            candidate.score = u32::try_from(chance.below(3)).expect("small");
        }
    }
}

/// After this long all is settled again: listening, spoken with everybody, everybody's turn.
fn settle_time(world: &World) -> Duration {
    let swim = world.hosts.len() > world.mesh;
    // Who let a vip to one of us, whose heartbeats do not come, asks for it again after that.
    let withdraws = world.policy == Policy::Withdraw;
    let let_be = if withdraws { world.timing.defend } else { Duration::ZERO };
    world.timing.dead() * 8 + Duration::from_secs(if swim { 14 } else { 4 }) + let_be
}

fn settled(world: &mut World) -> Result<(), String> {
    let time = settle_time(world);
    let sent = world.sent;
    world.run_for(time);
    checks::few_datagrams(world, world.sent - sent, time)?;
    if let Some(why) = world.complaints.first() {
        return Err(why.clone());
    }
    checks::one_owner(world)?;
    checks::every_vip_owned(world)?;
    checks::clients_follow(world)?;
    checks::deaf_are_silent(world)?;
    checks::only_who_may(world)
}

fn first_start(world: &mut World) -> Result<(), String> {
    let nodes = world.hosts.len();
    let together = world.chance.permille(500);
    // Together: all are heard before it is anybody's turn.
    let dead = u64::try_from(world.timing.dead().as_millis()).expect("short");
    let most = if together { dead / u64::try_from(nodes).expect("few") } else { 1500 };
    world.calm = world.loss == 0;
    for n in 0..nodes {
        world.boot(n, false);
        let gap = world.chance.millis(0..most.max(1));
        world.run_for(gap);
    }
    settled(world)?;
    let alike = |it: &Vec<OwnerCandidate>| it.len() == nodes && it.iter().all(|it| it.score == 0);
    let alike = world.vips.values().all(alike);
    if together && world.loss == 0 && alike {
        checks::spread(world)?;
    }
    world.taken.clear();
    Ok(())
}

fn is_whole(world: &World) -> bool {
    let wired = world.hosts.iter().all(|host| !host.deaf && !host.silent);
    wired && world.links.values().all(|link| !link.cut)
}

fn round(world: &mut World) -> Result<(), String> {
    // Where a quorum is asked for, a few losses in a row silence who has just enough.
    let quiet_network = world.loss < 50 && (world.loss == 0 || world.quorum.is_none());
    let by_chance = if quiet_network { 0 } else { BY_CHANCE };
    world.let_clients_ask();
    let before = world.owners();
    let mut whole = is_whole(world);
    let mut acts = vec![choose(world)];
    world.calm = whole && world.loss == 0 && acts[0].is_calm();
    let mut moves = perform(world, &acts[0]);
    if world.chance.permille(250) && !acts[0].mutes() {
        let gap = world.chance.millis(0..1500);
        world.run_for(gap);
        let second = choose(world);
        if !second.mutes() {
            world.calm &= is_whole(world) && second.is_calm();
            moves += perform(world, &second);
            acts.push(second);
        }
    }
    whole &= is_whole(world);
    if !whole && world.policy == Policy::Withdraw {
        moves += AS_RIVALS;
    }
    settled(world)?;
    checks::no_flapping(world, moves + by_chance)?;
    let after = world.owners();
    let kept = before.iter().all(|(vip, nodes)| after.get(vip) == Some(nodes));
    if whole && acts.iter().all(Act::moves_nothing) && quiet_network && !kept {
        return Err(format!("{acts:?} moved something: {before:?} became {after:?}"));
    }
    world.taken.clear();
    world.run_for(Duration::from_secs(1));
    checks::no_flapping(world, by_chance)?;
    if acts.iter().any(Act::mutes) {
        heal(world);
        settled(world)?;
    }
    world.taken.clear();
    Ok(())
}

fn choose(world: &mut World) -> Act {
    let nodes = world.hosts.len();
    let n = world.chance.below(nodes);
    let other = (n + 1 + world.chance.below(nodes - 1)) % nodes;
    let time = world.chance.millis(50..4000);
    if world.hosts[n].machine.is_none() {
        return Act::Boot(n, world.chance.permille(200));
    }
    let whole = is_whole(world);
    if !whole && world.chance.permille(200) {
        return Act::Heal;
    }
    let mutes = whole && world.loss == 0 && world.quorum.is_none();
    match world.chance.below(28) {
        0..=2 => Act::Kill(n),
        3 | 4 => Act::Stop(n, time),
        5 => Act::Suspend(n, time),
        6 => Act::Cut(n, other),
        7 => Act::CutOneWay(n, other),
        8 => Act::Isolate(n),
        9 => Act::Split,
        // Who hears nobody cannot know more than the LAN tells: this one comes alone.
        10 if mutes => Act::MuteAll,
        18 if mutes => Act::MuteOneWay(n, world.chance.permille(500)),
        19 | 20 if mutes => {
            let one = world.chance.permille(500).then(|| world.chance.below(nodes));
            Act::MuteThenKill(one, n)
        }
        27 if mutes => Act::MuteThenSplit(time),
        21 | 22 => Act::Deafen(n),
        23 => Act::Dark(time),
        24 => Act::LeaveTogether(n, other),
        25 => Act::Readdress(n),
        26 => Act::Replug(n, time),
        11 => Act::Leave(n),
        12 => Act::Unplug(n, time),
        13 => Act::Rebalance,
        14 => Act::Withdraw(u8::try_from(world.chance.below(world.vips.len())).expect("few"), n),
        15 => Act::Quiet,
        16 => Act::Rotate,
        17 => Act::Squat(u8::try_from(world.chance.below(world.vips.len())).expect("few"), time),
        _ => Act::Heal,
    }
}

/// Does it; how often a vip may move for it.
fn perform(world: &mut World, act: &Act) -> usize {
    world.note(|| format!("--- {act:?}"));
    let nodes = world.hosts.len();
    match act {
        Act::Kill(n) => world.crash(*n),
        Act::Boot(n, lost) => world.boot(*n, *lost),
        Act::Stop(n, time) | Act::Suspend(n, time) => {
            world.pause(*n, matches!(act, Act::Suspend(..)));
            world.run_for(*time);
            world.resume(*n);
        }
        Act::Cut(a, b) => {
            world.link(*a, *b).cut = true;
            world.link(*b, *a).cut = true;
        }
        Act::CutOneWay(a, b) => world.link(*a, *b).cut = true,
        Act::Isolate(n) => {
            for other in (0..nodes).filter(|other| other != n) {
                world.link(*n, other).cut = true;
                world.link(other, *n).cut = true;
            }
        }
        Act::Split => {
            split(world);
            return nodes.min(4);
        }
        Act::MuteAll | Act::MuteOneWay(..) | Act::MuteThenKill(..) | Act::MuteThenSplit(_) => {
            return silence(world, act);
        }
        Act::Deafen(n) => world.hosts[*n].deaf = true,
        Act::Dark(time) => {
            dark(world, true);
            world.run_for(*time);
            dark(world, false);
            // Each part takes again what it had.
            return nodes.max(3);
        }
        Act::LeaveTogether(n, other) => leave_together(world, *n, *other),
        Act::Readdress(n) => world.hosts[*n].net += 1,
        Act::Replug(n, time) => {
            world.crash(*n);
            world.run_for(*time);
            world.boot(*n, false);
        }
        Act::Heal => heal(world),
        Act::Leave(n) => world.tell(*n, Input::Leave),
        Act::Unplug(n, time) => {
            world.tell(*n, Input::Link(false));
            world.run_for(*time);
            world.tell(*n, Input::Link(true));
        }
        Act::Rebalance => {
            let n = world.chance.below(nodes);
            world.tell(n, Input::Rebalance);
        }
        Act::Withdraw(which, n) => withdraw(world, vip(*which), *n),
        Act::Rotate => world.rotate(),
        Act::Squat(which, time) => {
            world.squat(vip(*which));
            world.run_for(*time);
            world.squatted.clear();
            // Until then who let it to that machine does not ask again.
            let let_be = world.timing.defend;
            world.run_for(let_be);
        }
        Act::Quiet => return 0,
    }
    3
}

/// Cuts heartbeats, and nothing else; then what the act says besides. How often a vip may move.
fn silence(world: &mut World, act: &Act) -> usize {
    let nodes = world.hosts.len();
    match act {
        Act::MuteAll => mute(world, None),
        Act::MuteOneWay(n, out) => {
            for other in 0..nodes {
                let (from, to) = if *out { (*n, other) } else { (other, *n) };
                world.link(from, to).mute = true;
            }
        }
        Act::MuteThenKill(one, n) => {
            mute(world, *one);
            let gap = world.chance.millis(0..3000);
            world.run_for(gap);
            world.crash(*n);
        }
        Act::MuteThenSplit(time) => {
            mute(world, None);
            split(world);
            world.run_for(*time);
            world.links.values_mut().for_each(|link| link.cut = false);
            return nodes.min(4);
        }
        _ => {}
    }
    3
}

fn leave_together(world: &mut World, n: usize, other: usize) {
    world.tell(n, Input::Leave);
    let gap = world.chance.millis(0..30);
    world.run_for(gap);
    world.tell(other, Input::Leave);
}

/// No heartbeat gets through: none of `one`'s, else none at all.
fn mute(world: &mut World, one: Option<usize>) {
    for a in 0..world.hosts.len() {
        for b in 0..world.hosts.len() {
            world.link(a, b).mute = one.is_none_or(|one| a == one || b == one);
        }
    }
}

/// The LAN falls in two.
fn split(world: &mut World) {
    let nodes = world.hosts.len();
    let side: Vec<bool> = (0..nodes).map(|_| world.chance.permille(500)).collect();
    for a in 0..nodes {
        for b in (0..nodes).filter(|b| side[a] != side[*b]) {
            world.link(a, b).cut = true;
        }
    }
}

/// The switch passes nothing, or everything again.
fn dark(world: &mut World, is_dark: bool) {
    for host in &mut world.hosts {
        (host.deaf, host.silent) = (is_dark, is_dark);
    }
}

/// Everything passes again.
fn heal(world: &mut World) {
    world.links.clear();
    dark(world, false);
}

/// A node may not own a vip any more, unless it is the only one.
fn withdraw(world: &mut World, vip: IpAddr, n: usize) {
    let name = world.hosts[n].name.clone();
    if let Some(candidates) = world.vips.get_mut(&vip)
        && candidates.len() > 1
    {
        candidates.retain(|it| *it.name != *name);
    }
    world.tell_vips();
}

/// All is well again: one group, everybody there.
fn recover(world: &mut World) -> Result<(), String> {
    world.note(|| "--- all is well again".to_owned());
    world.calm = false;
    heal(world);
    for n in 0..world.hosts.len() {
        world.resume(n);
        world.boot(n, false);
    }
    settled(world)?;
    let groups = checks::groups(world);
    if groups.len() != 1 {
        return Err(format!("not one group: {groups:?}"));
    }
    world.taken.clear();
    world.run_for(Duration::from_secs(2));
    let quiet_network = world.loss < 50 && (world.loss == 0 || world.quorum.is_none());
    checks::no_flapping(world, if quiet_network { 0 } else { BY_CHANCE })
}
