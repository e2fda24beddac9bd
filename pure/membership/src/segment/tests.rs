//! One machine, told by hand what a forger or a stranger would say. How several get along is the
//! simulation's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::seal::Under;
use crate::wire::{Beat, Body, Echo, Heard, Message};
use crate::{Key, Keyring, OwnerCandidate};
use steelyard_testbed::simulation::start;

const PEER: ([u8; 4], u16) = ([10, 0, 0, 2], 7946);

fn keys() -> Keyring {
    Keyring::new(Key::new([1; 32]))
}

fn config() -> Config {
    Config { epoch: 50, ..Config::new("a", keys()) }
}

fn machine() -> Segment {
    machine_by(&config())
}

fn machine_by(config: &Config) -> Segment {
    let mut machine = Segment::new(start(), config);
    let candidate = |name: &str| OwnerCandidate { name: name.into(), score: 0 };
    let vips: BTreeMap<IpAddr, _> =
        BTreeMap::from([([10, 0, 0, 100].into(), [candidate("a"), candidate("b")].into())]);
    machine.handle(start(), Input::Vips(&vips));
    machine
}

/// Where hosts are there that answer when they are asked.
fn outputs(machine: &mut Segment, now: Instant) -> Vec<Output> {
    let mut all = Vec::new();
    while let Some(output) = machine.poll(now) {
        match output {
            Output::Ask => machine.handle(now, Input::Heard),
            other => all.push(other),
        }
    }
    all
}

/// Lets time pass as it does, and says what was wanted meanwhile.
fn pass(machine: &mut Segment, now: &mut Instant, time: Duration) -> Vec<Output> {
    let end = *now + time;
    let mut all = outputs(machine, *now);
    while let Some(at) = machine.deadline().filter(|at| *at <= end) {
        *now = at;
        all.extend(outputs(machine, *now));
    }
    *now = end;
    all
}

fn said(machine: &mut Segment, now: Instant, sealer: &mut Sealer, body: Body) -> Vec<Output> {
    let message = Message { sender: "b".to_owned(), body };
    let bytes = sealer.seal(Under::Newest, &message.encode());
    machine.handle(now, Input::Datagram { from: PEER.into(), bytes: &bytes });
    outputs(machine, now)
}

fn peer(epoch: u64) -> Sealer {
    Sealer::new(keys(), Session { epoch, salt: [7; 16] })
}

fn beat(echo: Option<(u64, u32)>) -> Body {
    let echo = echo.map(|(epoch, tag)| Echo { epoch, tag, sent: 0, held: 0 });
    Body::Beat(Beat { state: State::Up, echo, ..Beat::default() })
}

fn has_up(outputs: &[Output]) -> bool {
    outputs.iter().any(|it| matches!(it, Output::Event(Event::MemberUp(_))))
}

#[test]
fn alone_it_listens_probes_and_owns() {
    let (mut machine, mut now) = (machine(), start());
    let vip: IpAddr = [10, 0, 0, 100].into();
    let listening = pass(&mut machine, &mut now, Duration::from_millis(999));
    assert!(listening.iter().all(|it| matches!(it, Output::Multicast(_))), "{listening:?}");
    let then = pass(&mut machine, &mut now, Duration::from_millis(100));
    let order: Vec<_> =
        then.iter().filter(|it| !matches!(it, Output::Multicast(_) | Output::Event(_))).collect();
    let probe = Output::Probe(vip);
    let mark = Marker::new(&keys()).make(vip, 1, NodeId::of("a"));
    let then = [&Output::Keep { vip, epoch: 1 }, &Output::Mark { vip, mark }, &Output::Own(vip)];
    assert_eq!(order, [&probe, &probe, then[0], then[1], then[2]]);
}

#[test]
fn packed_it_knows_what_it_knew() {
    let (mut machine, mut now) = (machine(), start());
    pass(&mut machine, &mut now, Duration::from_secs(2));
    let known = |it: &Segment| (it.vips().collect::<Vec<_>>(), it.ownership.table.digest());
    let before = known(&machine);
    machine.pack();
    assert_eq!(known(&machine), before);
    assert_eq!(before.0[0].role, "owner");
}

/// Nobody is heard, and nobody answers who is asked whether they are there.
#[test]
fn who_hears_nothing_takes_nothing_and_falls_silent() {
    let quiet = |machine: &mut Segment, from: Instant, millis: u64| -> Vec<Output> {
        let at = |n| from + Duration::from_millis(n);
        let all = (0..millis)
            .flat_map(|n| std::iter::from_fn(|| machine.poll(at(n))).collect::<Vec<_>>());
        all.collect()
    };
    let mut machine = machine();
    let vip: IpAddr = [10, 0, 0, 100].into();
    let all = quiet(&mut machine, start(), 5000);
    assert!(!all.iter().any(|it| matches!(it, Output::Own(_) | Output::Probe(_))), "{all:?}");
    assert!(all.contains(&Output::Event(Event::Deaf)));
    let mut now = start() + Duration::from_secs(5);
    machine.handle(now, Input::Heard);
    // What others may have, it leaves to them for as long as it would have listened.
    let waited = pass(&mut machine, &mut now, Duration::from_millis(999));
    assert!(!waited.contains(&Output::Own(vip)), "{waited:?}");
    assert!(pass(&mut machine, &mut now, Duration::from_secs(1)).contains(&Output::Own(vip)));
    let all = quiet(&mut machine, now, 4000);
    assert!(all.contains(&Output::Silence(vip)), "{all:?}");
    now += Duration::from_secs(4);
    machine.handle(now, Input::Heard);
    let again = pass(&mut machine, &mut now, Duration::from_millis(60));
    assert!(again.contains(&Output::Own(vip)), "what was its own it takes as soon as it has asked");
}

/// Where no heartbeat comes, what owners say on the LAN decides.
#[test]
fn of_two_that_answer_the_one_with_the_worse_claim_falls_silent() {
    let vip: IpAddr = [10, 0, 0, 100].into();
    let marker = Marker::new(&keys());
    let (lower, higher) = match NodeId::of("a") < NodeId::of("b") {
        true => ("a", "b"),
        false => ("b", "a"),
    };
    for (epoch, other, yields) in [(2, "b", true), (1, "b", lower == "b"), (2, "a", false)] {
        let (mut machine, mut now) = (machine(), start());
        pass(&mut machine, &mut now, Duration::from_secs(3));
        assert!(machine.owns(vip), "{higher}");
        let mark = marker.make(vip, epoch, NodeId::of(other));
        machine.handle(now, Input::Rival { vip, by: [9; 6], mark });
        let then = outputs(&mut machine, now);
        assert_eq!(then.contains(&Output::Silence(vip)), yields, "{epoch} {other}");
        // Who has the better claim says so at once.
        let insists = other == "b" && !yields;
        assert_eq!(then.contains(&Output::Announce(vip)), insists, "{epoch} {other}");
    }
}

#[test]
fn a_recording_does_not_make_a_node_alive() {
    let (mut machine, now) = (machine(), start());
    let mut peer = peer(1);
    assert!(!has_up(&said(&mut machine, now, &mut peer, beat(None))), "names nobody");
    let other = said(&mut machine, now, &mut peer, beat(Some((49, 0))));
    assert!(!has_up(&other), "names an earlier start of ours");
    assert!(has_up(&said(&mut machine, now, &mut peer, beat(Some((50, 0))))));
}

#[test]
fn who_is_remembered_as_later_becomes_later() {
    let (mut machine, now) = (machine(), start());
    let mut peer = peer(1);
    said(&mut machine, now, &mut peer, beat(Some((70, 5))));
    assert_eq!(machine.sealer.session().epoch, 71);
    assert!(has_up(&said(&mut machine, now, &mut peer, beat(Some((71, 0))))));
}

#[test]
fn a_namesake_is_reported_and_not_believed() {
    let (mut machine, now) = (machine(), start());
    let message = Message { sender: "a".to_owned(), body: Body::Hello(Beat::default()) };
    for (epoch, reported) in [(49, false), (50, false), (51, true), (52, false)] {
        let bytes = Sealer::new(keys(), Session { epoch, salt: [0; 16] })
            .seal(Under::Newest, &message.encode());
        let from = SocketAddr::from(PEER);
        machine.handle(now, Input::Datagram { from, bytes: &bytes });
        let event = Output::Event(Event::NameTaken(from));
        assert_eq!(outputs(&mut machine, now).contains(&event), reported, "epoch {epoch}");
    }
    assert_eq!(machine.members(now).len(), 1);
}

/// Two that are called the same would answer for the same vips, and neither would hear the other.
#[test]
fn who_hears_a_later_start_under_its_own_name_is_silent() {
    let (mut machine, mut now) = (machine(), start());
    let vip: IpAddr = [10, 0, 0, 100].into();
    pass(&mut machine, &mut now, Duration::from_secs(3));
    let message = Message { sender: "a".to_owned(), body: Body::Hello(Beat::default()) };
    let mut other = Sealer::new(keys(), Session { epoch: 51, salt: [0; 16] });
    let hellos: Vec<_> = (0..6).map(|_| other.seal(Under::Newest, &message.encode())).collect();
    let hear = |machine: &mut Segment, now: Instant, bytes: &[u8]| {
        machine.handle(now, Input::Datagram { from: PEER.into(), bytes });
        outputs(machine, now)
    };
    assert!(machine.owns(vip));
    let earlier = Sealer::new(keys(), Session { epoch: 49, salt: [0; 16] })
        .seal(Under::Newest, &message.encode());
    hear(&mut machine, now, &earlier);
    assert!(machine.owns(vip), "it may be a recording of its own");
    assert!(hear(&mut machine, now, &hellos[0]).contains(&Output::Silence(vip)));
    assert_eq!(machine.members(now)[0].state, "name-taken");
    for hello in &hellos[1..] {
        let said = pass(&mut machine, &mut now, Duration::from_secs(1));
        assert!(!said.contains(&Output::Own(vip)));
        hear(&mut machine, now, hello);
    }
    let said = pass(&mut machine, &mut now, Duration::from_millis(3900));
    assert!(!said.contains(&Output::Own(vip)));
    // What is heard once more is a recording.
    hellos.iter().for_each(|hello| drop(hear(&mut machine, now, hello)));
    let said = pass(&mut machine, &mut now, Duration::from_secs(2));
    assert!(said.contains(&Output::Own(vip)), "{said:?}");
    assert_eq!(machine.members(now)[0].state, "up");
}

#[test]
fn what_is_refused_is_counted() {
    let (mut machine, now) = (machine(), start());
    let stranger = Keyring::new(Key::new([2; 32]));
    let session = Session { epoch: 1, salt: [0; 16] };
    let mut peer = peer(1);
    let good =
        peer.seal(Under::Newest, &Message { sender: "b".to_owned(), body: beat(None) }.encode());
    let mut bent = good.clone();
    bent[60] ^= 1;
    let mut versioned = good.clone();
    versioned[3] = 9;
    let nonsense = peer.seal(Under::Newest, b"nonsense");
    let unknown = Sealer::new(stranger, session).seal(Under::Newest, b"x");
    for bytes in [&good, &good, &bent, &versioned, &nonsense, &unknown, &vec![0; 10]] {
        machine.handle(now, Input::Datagram { from: PEER.into(), bytes });
    }
    let counted: Vec<_> = machine.take_refused().into_iter().collect();
    let each = [
        Refused::Foreign,
        Refused::Version,
        Refused::UnknownKey,
        Refused::Forged,
        Refused::Malformed,
        Refused::Replayed,
    ];
    assert_eq!(counted, each.map(|why| (why, 1)));
}

/// Each hello goes to the groups of both families.
#[test]
fn a_hello_heard_by_both_families_is_no_replay() {
    let (mut machine, now) = (machine(), start());
    let hello = Message { sender: "b".to_owned(), body: Body::Hello(Beat::default()) };
    let mut peer = peer(1);
    let [first, second] = [(); 2].map(|()| peer.seal(Under::Newest, &hello.encode()));
    let (v4, v6) = (SocketAddr::from(PEER), "[fe80::2]:9181".parse().unwrap());
    let mut replayed = |from, bytes: &[u8]| {
        machine.handle(now, Input::Datagram { from, bytes });
        machine.take_refused().remove(&Refused::Replayed).unwrap_or_default()
    };
    for (from, bytes, expected) in [
        (v4, &first, 0),
        (v6, &first, 0),
        (v6, &first, 1),
        (v6, &second, 0),
        (v6, &second, 1),
        (v4, &second, 0),
        (v4, &second, 1),
        (v6, &first, 1),
    ] {
        assert_eq!(replayed(from, bytes), expected, "{from}");
    }
}

#[test]
fn who_hears_a_stranger_waits_to_be_spoken_with() {
    let (mut machine, mut now) = (machine(), start());
    let mut peer = peer(1);
    let mut all = Vec::new();
    for _ in 0..20 {
        all.extend(said(&mut machine, now, &mut peer, Body::Hello(Beat::default())));
        all.extend(pass(&mut machine, &mut now, Duration::from_millis(300)));
    }
    let silent = |it: &Output| matches!(it, Output::Send { .. } | Output::Multicast(_));
    assert!(all.iter().all(silent), "it may own anything: {all:?}");
    let then = pass(&mut machine, &mut now, Duration::from_secs(4));
    assert!(then.contains(&Output::Own([10, 0, 0, 100].into())), "it is not there any more");
}

#[test]
fn what_was_sent_to_another_leads_nowhere() {
    let (mut machine, mut now) = (machine(), start());
    let mut peer = peer(1);
    said(&mut machine, now, &mut peer, beat(Some((50, 0))));
    let stray = Message { sender: "b".to_owned(), body: beat(Some((7, 7))) };
    let bytes = peer.seal(Under::Newest, &stray.encode());
    let elsewhere = SocketAddr::from(([10, 0, 0, 66], 7946));
    machine.handle(now, Input::Datagram { from: elsewhere, bytes: &bytes });
    let all = pass(&mut machine, &mut now, Duration::from_millis(300));
    let led = |it: &Output| matches!(it, Output::Send { to, .. } if *to == elsewhere);
    assert!(!all.iter().any(led), "{all:?}");
    said(&mut machine, now, &mut peer, beat(Some((50, 0))));
    let bytes = peer.seal(
        Under::Newest,
        &Message { sender: "b".to_owned(), body: beat(Some((50, 0))) }.encode(),
    );
    machine.handle(now, Input::Datagram { from: elsewhere, bytes: &bytes });
    assert!(pass(&mut machine, &mut now, Duration::from_millis(300)).iter().any(led), "it moved");
    let mut there = |from: SocketAddr, wait| {
        pass(&mut machine, &mut now, Duration::from_millis(wait));
        let hello = Message { sender: "b".to_owned(), body: Body::Hello(Beat::default()) };
        let bytes = peer.seal(Under::Newest, &hello.encode());
        machine.handle(now, Input::Datagram { from, bytes: &bytes });
        machine.members(now)[1].address
    };
    assert_eq!(there(PEER.into(), 0), Some(elsewhere), "it is heard there");
    assert_eq!(there(PEER.into(), 600), Some(PEER.into()), "it is not heard there any more");
}

#[test]
fn what_is_heard_is_not_undone_by_hearsay() {
    let (mut machine, mut now) = (machine(), start());
    let (mut b, c) = (peer(1), NodeId::of("c"));
    let mut third = Sealer::new(keys(), Session { epoch: 1, salt: [8; 16] });
    let Body::Beat(good) = beat(Some((50, 0))) else { unreachable!() };
    let up = Beat { state: State::Up, ..good.clone() };
    let message = Message { sender: "c".to_owned(), body: Body::Beat(up) };
    let bytes = third.seal(Under::Newest, &message.encode());
    machine.handle(now, Input::Datagram { from: ([10, 0, 0, 3], 7946).into(), bytes: &bytes });
    for (state, expected) in
        [(State::Starting, State::Up), (State::Gone, State::Gone), (State::Up, State::Gone)]
    {
        now += Duration::from_millis(1);
        let heard = vec![Heard { node: c, epoch: 1, state, age: 0 }];
        said(&mut machine, now, &mut b, Body::Beat(Beat { heard, ..good.clone() }));
        assert_eq!(machine.roster.peers[&c].state, expected, "told {state:?}");
    }
}

#[test]
fn a_rival_is_told_once_in_a_while_or_let_be() {
    let vip: IpAddr = [10, 0, 0, 100].into();
    let rival = Input::Rival { vip, by: [9; 6], mark: None };
    let (mut machine, mut now) = (machine(), start());
    pass(&mut machine, &mut now, Duration::from_secs(2));
    for (wait, defended) in [(1, true), (12, false), (1, true)] {
        machine.handle(now, rival.clone());
        let all = pass(&mut machine, &mut now, Duration::from_secs(wait));
        assert_eq!(all.contains(&Output::Announce(vip)), defended, "after {wait} s");
    }
    let withdraw = Config { policy: crate::Policy::Withdraw, ..config() };
    let mut other = Segment::new(now, &withdraw);
    let candidates = [OwnerCandidate { name: "a".into(), score: 0 }].into();
    other.handle(now, Input::Vips(&BTreeMap::from([(vip, candidates)])));
    pass(&mut other, &mut now, Duration::from_secs(2));
    other.handle(now, rival);
    let waited = pass(&mut other, &mut now, Duration::from_millis(99));
    assert!(!waited.contains(&Output::Silence(vip)), "it may be one of us");
    let then = pass(&mut other, &mut now, Duration::from_millis(1));
    assert!(then.contains(&Output::Silence(vip)));
    let all = pass(&mut other, &mut now, Duration::from_millis(9_999));
    assert!(!all.iter().any(|it| matches!(it, Output::Probe(_) | Output::Own(_))), "let be");
    for _ in 0..3 {
        let all = pass(&mut other, &mut now, Duration::from_millis(30));
        assert!(!all.contains(&Output::Own(vip)), "that machine answers");
        other.handle(now, Input::Answered { vip, by: [9; 6], mark: None });
        pass(&mut other, &mut now, Duration::from_millis(490));
    }
}

/// "b" owns the vip and is heard for long enough that "a" may take part.
fn beside_an_owner() -> (Segment, Instant, Sealer) {
    beside_an_owner_by(&config())
}

fn beside_an_owner_by(config: &Config) -> (Segment, Instant, Sealer) {
    let (mut machine, mut now, mut peer) = (machine_by(config), start(), peer(1));
    for _ in 0..12 {
        now += Duration::from_millis(100);
        let Body::Beat(mut beat) = beat(Some((50, 0))) else { unreachable!("a beat") };
        beat.claims = vec![(VIP.into(), claim_of("b"))];
        said(&mut machine, now, &mut peer, Body::Beat(beat));
    }
    assert_eq!(machine.state(), State::Up);
    assert!(!machine.owns(VIP.into()));
    (machine, now, peer)
}

fn claim_of(owner: &str) -> crate::Claim {
    let owner = NodeId::of(owner);
    crate::Claim { epoch: 1, owner, revision: 0, released: false, standbys: Vec::new() }
}

fn offer(machine: &mut Segment, now: Instant, peer: &mut Sealer) -> Vec<Output> {
    let Body::Beat(mut beat) = beat(Some((50, 0))) else { unreachable!("a beat") };
    beat.state = State::Leaving;
    beat.offers = vec![(VIP.into(), 1)];
    beat.addresses = vec![[0xfe80, 0, 0, 0, 0, 0, 0, 2].into(), [10, 0, 0, 2].into()];
    said(machine, now, peer, Body::Beat(beat))
}

const VIP: [u8; 4] = [10, 0, 0, 100];

#[test]
fn flows_are_passed_before_anybody_is_told() {
    let (mut machine, now, mut peer) = beside_an_owner();
    let vip: IpAddr = VIP.into();
    let told = offer(&mut machine, now, &mut peer);
    let place = |wanted: fn(&Output) -> bool| told.iter().position(wanted).unwrap();
    assert_eq!(told[0], Output::Pass { vip, to: [10, 0, 0, 2].into() }, "{told:?}");
    let sent = place(|it| matches!(it, Output::Send { .. }));
    assert!(sent < place(|it| matches!(it, Output::Own(_))), "{told:?}");
}

#[test]
fn who_is_gone_is_passed_nothing() {
    let vip: IpAddr = VIP.into();
    let forgets = |outputs: &[Output]| outputs.contains(&Output::Forget(vip));
    // Silent; said farewell; started anew.
    let (mut machine, mut now, mut peer) = beside_an_owner();
    offer(&mut machine, now, &mut peer);
    assert!(!forgets(&pass(&mut machine, &mut now, Duration::from_millis(400))));
    assert!(forgets(&pass(&mut machine, &mut now, Duration::from_millis(200))));
    let (mut machine, now, mut peer) = beside_an_owner();
    offer(&mut machine, now, &mut peer);
    let Body::Beat(mut farewell) = beat(Some((50, 0))) else { unreachable!("a beat") };
    farewell.state = State::Gone;
    assert!(forgets(&said(&mut machine, now, &mut peer, Body::Beat(farewell))));
    let (mut machine, now, mut before) = beside_an_owner();
    let mut again = self::peer(2);
    offer(&mut machine, now, &mut before);
    assert!(forgets(&said(&mut machine, now, &mut again, beat(Some((50, 0))))));
}

/// Where kernels carry flows by themselves, and the process that answered starts anew or leaves.
#[test]
fn flows_that_outlive_a_process_are_passed_for_a_while() {
    let vip: IpAddr = VIP.into();
    let forgets = |outputs: &[Output]| outputs.contains(&Output::Forget(vip));
    let stay = Duration::from_secs(60);
    let config = Config { flows_stay: stay, ..config() };
    let (mut machine, mut now, mut peer) = beside_an_owner_by(&config);
    offer(&mut machine, now, &mut peer);
    let Body::Beat(mut farewell) = beat(Some((50, 0))) else { unreachable!("a beat") };
    farewell.state = State::Gone;
    assert!(!forgets(&said(&mut machine, now, &mut peer, Body::Beat(farewell))));
    assert!(!forgets(&pass(&mut machine, &mut now, stay / 2)));
    // It is back, by another start.
    let mut again = self::peer(2);
    for _ in 0..3 {
        assert!(!forgets(&said(&mut machine, now, &mut again, beat(Some((50, 0))))));
        assert!(!forgets(&pass(&mut machine, &mut now, Duration::from_millis(100))));
    }
    assert!(!forgets(&pass(&mut machine, &mut now, stay * 9 / 10)), "from now on it counts");
    assert!(forgets(&pass(&mut machine, &mut now, stay / 5)), "it does not come back");
}

#[test]
fn who_leaves_is_heard_until_it_stops() {
    let (mut machine, mut now, mut peer) = beside_an_owner();
    machine.handle(now, Input::Leave);
    let left = outputs(&mut machine, now);
    assert_eq!(left.iter().filter(|it| **it == Output::Left).count(), 1, "owns nothing: {left:?}");
    said(&mut machine, now, &mut peer, beat(Some((50, 0))));
    let later = pass(&mut machine, &mut now, Duration::from_secs(3));
    assert!(later.iter().any(|it| matches!(it, Output::Send { .. })), "goes on");
    assert!(!later.contains(&Output::Left), "once");
    assert_eq!(machine.state(), State::Leaving);
    machine.handle(now, Input::Stop);
    assert!(!outputs(&mut machine, now).contains(&Output::Left));
    assert_eq!((machine.state(), machine.deadline()), (State::Gone, None));
}
