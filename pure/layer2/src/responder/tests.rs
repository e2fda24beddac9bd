mod ping;

mod shared;

use proptest::prelude::*;

use super::say::{ALL_NODES, advertisement};
use super::*;
use crate::tests::start;
use crate::vip::ConflictPolicy;
use crate::wire::{
    Advertisement, Arp, Echo, EchoKind, EtherFrame, FrameBody, NeighborMessage, Operation,
    Solicitation,
};

const US: Mac = Mac([2, 0, 0, 0, 0, 1]);
const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 5]);
const RIVAL: Mac = Mac([2, 0, 0, 0, 0, 0xee]);
const CLIENT4: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 5);
const VIP4: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 100);
const OTHER4: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 101);
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 5);
const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);
const OTHER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x101);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn vips(addresses: &[IpAddr]) -> BTreeSet<IpAddr> {
    addresses.iter().copied().collect()
}

fn unmarked(vips: &BTreeSet<IpAddr>) -> BTreeMap<IpAddr, Option<Mark>> {
    vips.iter().map(|vip| (*vip, None)).collect()
}

fn drain(responder: &mut Responder, now: Instant) -> Vec<Output> {
    std::iter::from_fn(|| responder.poll(now)).collect()
}

/// Lets time pass until `until` milliseconds after the start; what was put out.
fn pass(responder: &mut Responder, until: u64) -> Vec<Output> {
    let mut all = Vec::new();
    while let Some(due) = responder.deadline()
        && due <= start() + ms(until)
    {
        all.extend(drain(responder, due));
    }
    all
}

/// A responder that announces both vips and has nothing left to say.
fn announced() -> Responder {
    announced_with(Config::new(US))
}

fn announced_with(config: Config) -> Responder {
    let mut responder = Responder::new(config);
    responder.handle(start(), Input::Vips(&vips(&[VIP4.into(), VIP6.into()])));
    pass(&mut responder, 10_000);
    assert!(responder.deadline() > Some(start() + ms(60_000)), "but refreshes");
    responder
}

fn later() -> Instant {
    start() + ms(20_000)
}

fn arp(sender_mac: Mac, sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> Arp {
    let operation = Operation::Request;
    Arp { operation, sender_mac, sender_ip, target_mac: Mac::ZERO, target_ip, mark: None }
}

fn arp_frame(destination: Mac, arp: Arp) -> Vec<u8> {
    EtherFrame { source: arp.sender_mac, destination, body: FrameBody::Arp(arp) }.emit()
}

fn solicit(source: Ipv6Addr, to_group: bool, target: Ipv6Addr, link: Option<Mac>) -> Vec<u8> {
    let group = crate::wire::solicited_node(target);
    let message = NeighborMessage::Solicitation(Solicitation { target, source_link: link });
    let destination = if to_group { group } else { target };
    let mac = if to_group { Mac::of_group(group) } else { US };
    let body = FrameBody::Neighbor { source, destination, message };
    EtherFrame { source: CLIENT, destination: mac, body }.emit()
}

fn ping4(destination: Mac, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let echo = Echo { direction: EchoKind::Request, identifier: 7, sequence: 9, payload };
    let body = FrameBody::Echo4 { source: from, destination: to, echo };
    EtherFrame { source: CLIENT, destination, body }.emit()
}

fn ping6(from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    let echo = Echo { direction: EchoKind::Request, identifier: 7, sequence: 9, payload: b"six" };
    let body = FrameBody::Echo6 { source: from, destination: to, echo };
    EtherFrame { source: CLIENT, destination: US, body }.emit()
}

/// What the responder says to one frame, read back; each line one frame or change.
fn say(responder: &mut Responder, frame: &[u8]) -> Vec<String> {
    responder.handle(later(), Input::Frame(frame));
    drain(responder, later()).iter().map(shown).collect()
}

fn shown(output: &Output) -> String {
    let bytes = match output {
        Output::Transmit(bytes) => bytes,
        other => return format!("{other:?}"),
    };
    let frame = EtherFrame::parse(bytes).expect("what we say is well formed");
    assert_eq!(frame.source, US);
    let what = match frame.body {
        FrameBody::Arp(it) => {
            let operation = if it.operation == Operation::Reply { "reply" } else { "request" };
            assert_eq!(it.sender_mac, US);
            format!("arp {operation} {} -> {} {}", it.sender_ip, it.target_ip, it.target_mac)
        }
        FrameBody::Neighbor {
            source,
            destination,
            message: NeighborMessage::Advertisement(it),
        } => {
            assert_eq!((source, it.target_link), (it.target, Some(US)));
            assert!(!it.router);
            format!("na {} -> {destination} S={} O={}", it.target, it.solicited, it.replace)
        }
        FrameBody::Neighbor { source, destination, message: NeighborMessage::Solicitation(it) } => {
            format!("ns {source} -> {destination} {} {:?}", it.target, it.source_link)
        }
        FrameBody::Echo4 { source, destination, echo } => {
            format!("echo {source} -> {destination} {:?}", String::from_utf8_lossy(echo.payload))
        }
        FrameBody::Echo6 { source, destination, echo } => {
            format!("echo {source} -> {destination} {:?}", String::from_utf8_lossy(echo.payload))
        }
        FrameBody::Piece4 { piece: it, .. } | FrameBody::Piece6 { piece: it, .. } => {
            format!("piece {} {}+{} {}", it.identification, it.offset, it.bytes.len(), it.more)
        }
    };
    format!("{} {what}", frame.destination)
}

#[test]
fn a_vip_is_probed_then_announced() {
    let mut responder = Responder::new(Config::new(US));
    responder.handle(start(), Input::Vips(&vips(&[VIP4.into(), VIP6.into()])));
    let log: Vec<String> = pass(&mut responder, 50).iter().map(shown).collect();
    let probe4 = "ff:ff:ff:ff:ff:ff arp request 0.0.0.0 -> 10.1.1.100 00:00:00:00:00:00";
    let probe6 = "33:33:ff:00:01:00 ns :: -> ff02::1:ff00:100 fd00::100 None";
    let expected = [
        "Join(ff02::1:ff00:100)",
        probe4,
        probe6,
        probe4,
        probe6,
        "Changed(10.1.1.100, Announced)",
        "Changed(fd00::100, Announced)",
        "ff:ff:ff:ff:ff:ff arp request 10.1.1.100 -> 10.1.1.100 00:00:00:00:00:00",
        "33:33:00:00:00:01 na fd00::100 -> ff02::1 S=false O=true",
        "ff:ff:ff:ff:ff:ff arp reply 10.1.1.100 -> 10.1.1.100 ff:ff:ff:ff:ff:ff",
    ];
    assert_eq!(log, expected);

    pass(&mut responder, 60_000);
    let counters = responder.take_counters();
    assert_eq!(counters[&VIP4.into()].gratuitous, 10, "five rounds of two");
    assert_eq!(counters[&VIP6.into()].gratuitous, 5);
}

#[test]
fn who_asks_is_told() {
    let mut it = announced();
    let client = CLIENT.to_string();
    let na = |to: &str, solicited: bool| format!("na fd00::100 -> {to} S={solicited} O=true");
    let reply = format!("{client} arp reply 10.1.1.100 -> 10.1.1.5 {client}");
    let none = Ipv6Addr::UNSPECIFIED;
    #[rustfmt::skip]
    let table: Vec<(&str, Vec<u8>, Vec<String>)> = vec![
        ("broadcast", arp_frame(Mac::BROADCAST, arp(CLIENT, CLIENT4, VIP4)), vec![reply.clone()]),
        ("unicast", arp_frame(US, arp(CLIENT, CLIENT4, VIP4)), vec![reply]),
        ("probe", arp_frame(Mac::BROADCAST, arp(CLIENT, Ipv4Addr::UNSPECIFIED, VIP4)),
            vec![format!("{client} arp reply 10.1.1.100 -> 0.0.0.0 {client}")]),
        ("to another station", arp_frame(RIVAL, arp(CLIENT, CLIENT4, VIP4)), vec![]),
        ("other address", arp_frame(Mac::BROADCAST, arp(CLIENT, CLIENT4, OTHER4)), vec![]),
        ("our own frame", arp_frame(Mac::BROADCAST, arp(US, CLIENT4, VIP4)), vec![]),
        ("a reply", arp_frame(US, Arp { operation: Operation::Reply, ..arp(CLIENT, CLIENT4, VIP4) }), vec![]),

        ("group", solicit(CLIENT6, true, VIP6, Some(CLIENT)), vec![format!("{client} {}", na("fe80::5", true))]),
        ("unicast, option", solicit(CLIENT6, false, VIP6, Some(CLIENT)), vec![format!("{client} {}", na("fe80::5", true))]),
        ("unicast, no option", solicit(CLIENT6, false, VIP6, None), vec![format!("{client} {}", na("fe80::5", true))]),
        ("behind a relay", solicit(CLIENT6, true, VIP6, Some(RIVAL)), vec![format!("{RIVAL} {}", na("fe80::5", true))]),
        ("without an address", solicit(none, true, VIP6, None), vec![format!("33:33:00:00:00:01 {}", na("ff02::1", false))]),
        ("other address", solicit(CLIENT6, true, OTHER6, Some(CLIENT)), vec![]),

        ("ping", ping4(US, CLIENT4, VIP4, b"four"), vec![format!("{client} echo 10.1.1.100 -> 10.1.1.5 \"four\"")]),
        ("ping6", ping6(CLIENT6, VIP6), vec![format!("{client} echo fd00::100 -> fe80::5 \"six\"")]),
        ("other address", ping4(US, CLIENT4, OTHER4, b""), vec![]),
        ("to everybody", ping4(Mac::BROADCAST, CLIENT4, VIP4, b""), vec![]),
        ("from everybody", ping4(US, Ipv4Addr::BROADCAST, VIP4, b""), vec![]),
        ("from a group", ping6(ALL_NODES, VIP6), vec![]),
        ("from nobody", ping4(US, Ipv4Addr::UNSPECIFIED, VIP4, b""), vec![]),
        ("from loopback", ping4(US, Ipv4Addr::LOCALHOST, VIP4, b""), vec![]),
        ("from ourselves", ping6(VIP6, VIP6), vec![]),
        ("too large", ping4(US, CLIENT4, VIP4, &[0; 9000]), vec![]),
    ];
    for (title, frame, expected) in table {
        assert_eq!(say(&mut it, &frame), expected, "{title}");
    }
    let counters = it.take_counters();
    let Counters { requests, responses, echoes, conflicts, .. } = counters[&VIP4.into()];
    assert_eq!((requests, responses, echoes, conflicts), (3, 3, 1, 0));
    let Counters { requests, responses, .. } = counters[&VIP6.into()];
    assert_eq!((requests, responses), (5, 5));
    let ignored: BTreeMap<&str, u64> =
        it.take_ignored().iter().filter(|(_, n)| *n > 0).map(|(it, n)| (it.as_str(), n)).collect();
    let expected = [
        ("bad-sender", 5),
        ("other-address", 4),
        ("other-station", 2),
        ("own-frame", 1),
        ("too-large", 1),
    ];
    assert_eq!(ignored, BTreeMap::from(expected));
}

/// Each frame that asks, before the vip is ours: silence.
#[test]
fn before_it_is_announced_nobody_is_told() {
    let frames = [
        arp_frame(Mac::BROADCAST, arp(CLIENT, CLIENT4, VIP4)),
        arp_frame(Mac::BROADCAST, arp(CLIENT, Ipv4Addr::UNSPECIFIED, VIP4)),
        solicit(CLIENT6, true, VIP6, Some(CLIENT)),
        solicit(Ipv6Addr::UNSPECIFIED, true, VIP6, None),
        ping4(US, CLIENT4, VIP4, b""),
        ping6(CLIENT6, VIP6),
    ];
    for frame in frames {
        let mut empty = Responder::new(Config::new(US));
        empty.handle(start(), Input::Frame(&frame));
        assert_eq!(drain(&mut empty, start()), [], "no vips at all");

        let mut probing = Responder::new(Config::new(US));
        probing.handle(start(), Input::Vips(&vips(&[VIP4.into(), VIP6.into()])));
        drain(&mut probing, start());
        probing.handle(start() + ms(1), Input::Frame(&frame));
        let said = drain(&mut probing, start() + ms(1));
        assert!(!said.iter().any(|it| matches!(it, Output::Transmit(_))), "{said:?}");
    }
}

fn advertise(target: Ipv6Addr, link: Option<Mac>) -> Vec<u8> {
    let message = NeighborMessage::Advertisement(Advertisement {
        target,
        router: false,
        solicited: false,
        replace: true,
        target_link: link,
        mark: None,
    });
    let body = FrameBody::Neighbor { source: target, destination: ALL_NODES, message };
    EtherFrame { source: RIVAL, destination: Mac::of_group(ALL_NODES), body }.emit()
}

/// Every way in which another machine can show that it has (or wants) a vip.
fn claims() -> Vec<(&'static str, IpAddr, Vec<u8>, bool)> {
    let reply = Arp { operation: Operation::Reply, ..arp(RIVAL, VIP4, CLIENT4) };
    let mut from_vip = solicit(VIP6, true, OTHER6, Some(RIVAL));
    from_vip[6..12].copy_from_slice(&RIVAL.0);
    let probe = |ip| arp(RIVAL, ip, VIP4);
    let mut probe6 = solicit(Ipv6Addr::UNSPECIFIED, true, VIP6, None);
    probe6[6..12].copy_from_slice(&RIVAL.0);
    vec![
        ("announces", VIP4.into(), arp_frame(Mac::BROADCAST, probe(VIP4)), true),
        ("asks as it", VIP4.into(), arp_frame(Mac::BROADCAST, arp(RIVAL, VIP4, CLIENT4)), true),
        ("answers as it", VIP4.into(), arp_frame(US, reply), true),
        ("advertises", VIP6.into(), advertise(VIP6, Some(RIVAL)), true),
        ("advertises without option", VIP6.into(), advertise(VIP6, None), true),
        ("asks as it", VIP6.into(), from_vip, true),
        ("probes", VIP4.into(), arp_frame(Mac::BROADCAST, probe(Ipv4Addr::UNSPECIFIED)), false),
        ("probes", VIP6.into(), probe6, false),
    ]
}

#[test]
fn any_claim_while_probing_keeps_us_off() {
    for (title, vip, frame, _) in claims() {
        let mut it = Responder::new(Config::new(US));
        it.handle(start(), Input::Vips(&vips(&[vip])));
        drain(&mut it, start());
        it.handle(start() + ms(20), Input::Frame(&frame));
        let said = drain(&mut it, start() + ms(20));
        assert_eq!(
            said,
            [Output::Changed(vip, VipChange::Taken { rival: RIVAL })],
            "{title} {vip}"
        );
        let phases: Vec<_> = it.phases(later()).collect();
        assert_eq!(phases, [(vip, Phase::Conflicted { rival: RIVAL })]);
        assert_eq!(pass(&mut it, 4000), [], "silent until the retry");
    }
}

#[test]
fn a_claim_on_what_we_announce_is_defended_or_yielded_to() {
    for (title, vip, frame, has) in claims() {
        let mut defender = announced();
        let said = say(&mut defender, &frame);
        let shown = said.join("; ");
        let change = format!("Changed({vip}, Defended");
        assert_eq!(shown.contains(&change), has, "{title} {vip}: {shown}");
        assert!(!said.is_empty(), "announced again, or answered");
        assert_eq!(say(&mut defender, &frame).is_empty(), has, "{title}: once in a while only");
        assert_eq!(defender.take_counters()[&vip].conflicts, if has { 2 } else { 0 });

        let mut config = Config::new(US);
        config.timing.policy = ConflictPolicy::Withdraw;
        let mut yielder = announced_with(config);
        let said = say(&mut yielder, &frame).join("; ");
        assert_eq!(said.contains(&format!("Changed({vip}, Yielded")), has, "{title}: {said}");
    }
}

#[test]
fn what_our_other_interfaces_say_is_no_claim() {
    for (title, vip, frame, _) in claims() {
        let mut it = Responder::new(Config::new(US));
        it.handle(start(), Input::Siblings(&BTreeSet::from([RIVAL])));
        it.handle(start(), Input::Vips(&vips(&[vip])));
        drain(&mut it, start());
        it.handle(start(), Input::Frame(&frame));
        assert_eq!(drain(&mut it, start()), [], "{title}");
        pass(&mut it, 100);
        assert_eq!(
            it.phases(later()).collect::<Vec<_>>(),
            [(vip, Phase::Announced { rival: None })]
        );
    }
}

#[test]
fn a_vip_taken_away_is_silent_at_once_and_leaves_its_group() {
    let mut it = announced();
    it.handle(later(), Input::Vips(&vips(&[VIP4.into()])));
    assert_eq!(drain(&mut it, later()), [Output::Leave(crate::wire::solicited_node(VIP6))]);
    assert!(say(&mut it, &solicit(CLIENT6, true, VIP6, Some(CLIENT))).is_empty());
    it.handle(later(), Input::Vips(&BTreeSet::new()));
    assert!(say(&mut it, &arp_frame(Mac::BROADCAST, arp(CLIENT, CLIENT4, VIP4))).is_empty());
    assert_eq!(it.deadline(), None);
}

#[test]
fn a_group_is_joined_once_and_left_with_its_last_vip() {
    let twin = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 0x100);
    let group = crate::wire::solicited_node(VIP6);
    let mut it = Responder::new(Config::new(US));
    let mut groups = |wanted: &[IpAddr]| -> Vec<Output> {
        it.handle(start(), Input::Vips(&vips(wanted)));
        let said = drain(&mut it, start());
        said.into_iter().filter(|it| !matches!(it, Output::Transmit(_))).collect()
    };
    assert_eq!(groups(&[VIP6.into(), twin.into()]), [Output::Join(group)]);
    assert_eq!(groups(&[twin.into()]), []);
    assert_eq!(groups(&[]), [Output::Leave(group)]);
}

#[test]
fn the_same_vips_again_change_nothing() {
    let mut it = announced();
    it.handle(later(), Input::Vips(&vips(&[VIP4.into(), VIP6.into()])));
    assert_eq!(drain(&mut it, later()), []);
}

#[test]
fn impossible_vips_are_never_spoken_of() {
    let mut it = Responder::new(Config::new(US));
    let wrong = ["224.0.0.1", "255.255.255.255", "0.0.0.0", "0.1.2.3", "::", "ff02::1"];
    let wrong: BTreeSet<IpAddr> = wrong.iter().map(|it| it.parse().unwrap()).collect();
    it.handle(start(), Input::Vips(&wrong));
    assert_eq!(pass(&mut it, 60_000), []);
}

#[test]
fn a_new_mac_is_announced() {
    let mut it = announced();
    it.handle(later(), Input::Mac(RIVAL));
    let said = drain(&mut it, later());
    assert_eq!(said.len(), 3, "request and reply, and an advertisement: {said:?}");
    for output in said {
        let Output::Transmit(bytes) = output else { panic!("{output:?}") };
        assert_eq!(EtherFrame::parse(&bytes).unwrap().source, RIVAL);
    }
    assert!(it.deadline().is_some(), "and again");
}

/// A thousand vips, at the start and after a failover: answered for at once in the second case,
/// and no more frames in any millisecond than a small switch takes.
#[test]
fn a_thousand_vips_do_not_burst() {
    let many: BTreeSet<IpAddr> =
        (0..1000).map(|n| Ipv4Addr::from_bits(0x0a01_0400 + n).into()).collect();
    for (is_cleared, announced_within, told_within) in [(false, 1100, 1400), (true, 0, 200)] {
        let mut it = Responder::new(Config::new(US));
        let cleared = unmarked(&many);
        let input = if is_cleared { Input::Cleared(&cleared) } else { Input::Vips(&many) };
        it.handle(start(), input);
        let mut by_time: BTreeMap<Instant, usize> = BTreeMap::new();
        let (mut announced, mut told) = (BTreeMap::new(), BTreeMap::new());
        let mut now = start();
        while now <= start() + ms(6000) {
            for output in drain(&mut it, now) {
                match output {
                    Output::Changed(vip, VipChange::Announced) => drop(announced.insert(vip, now)),
                    Output::Transmit(bytes) => {
                        *by_time.entry(now).or_default() += 1;
                        let vip = crate::fuzz::speaks_as(&EtherFrame::parse(&bytes).unwrap());
                        if let Some(vip) = vip {
                            told.entry(vip).or_insert(now);
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            now = it.deadline().unwrap();
        }
        let last = |times: &BTreeMap<IpAddr, Instant>| times.values().max().copied().unwrap();
        assert_eq!((announced.len(), told.len()), (1000, 1000));
        assert!(last(&announced) <= start() + ms(announced_within));
        assert!(last(&told) <= start() + ms(told_within), "{:?}", last(&told) - start());
        // Of the three things that are paced, each may burst once in a while.
        let worst = by_time.values().max().unwrap();
        assert!(*worst <= 200, "{worst} frames at one moment");
        assert_eq!(it.take_counters().values().map(|it| it.gratuitous).sum::<u64>(), 10_000);
    }
}

/// A machine that took the address without a word is found by the probe that goes with a refresh.
#[test]
fn a_refresh_asks_who_else_has_it() {
    let mut it = announced();
    let log: Vec<String> = pass(&mut it, 130_000).iter().map(shown).collect();
    let probe = "ff:ff:ff:ff:ff:ff arp request 0.0.0.0 -> 10.1.1.100 00:00:00:00:00:00";
    assert_eq!(log.iter().filter(|line| *line == probe).count(), 1, "{log:?}");
    assert_eq!(log.len(), 5, "two probes, three announcements: {log:?}");
    let operation = Operation::Reply;
    let answer = Arp { operation, ..arp(RIVAL, VIP4, Ipv4Addr::UNSPECIFIED) };
    it.handle(start() + ms(130_000), Input::Frame(&arp_frame(US, answer)));
    let said = drain(&mut it, start() + ms(130_000));
    assert!(said.contains(&Output::Changed(VIP4.into(), VipChange::Defended { rival: RIVAL })));
}

#[test]
fn checks_for_duplicates_are_answered_only_so_often() {
    let mut it = announced();
    let check = solicit(Ipv6Addr::UNSPECIFIED, true, VIP6, None);
    let answered = (0..1000).filter(|_| !say(&mut it, &check).is_empty()).count();
    assert_eq!(answered, 100);
    assert!(!say(&mut it, &solicit(CLIENT6, true, VIP6, None)).is_empty(), "others are told");
}

/// They arrive where two interfaces are on one LAN.
#[test]
fn what_our_other_interfaces_ask_is_not_answered() {
    let virtual_router = Mac([0, 0, 0x5e, 0, 1, 7]);
    let mut it = announced();
    it.handle(later(), Input::Siblings(&BTreeSet::from([RIVAL, virtual_router])));
    let ask = |mac| arp_frame(Mac::BROADCAST, arp(mac, CLIENT4, VIP4));
    assert_eq!(say(&mut it, &ask(RIVAL)), NOTHING);
    assert_eq!(say(&mut it, &ask(virtual_router)).len(), 1, "several hosts have that address");
    assert_eq!(say(&mut it, &ask(CLIENT)).len(), 1);
}

const NOTHING: [&str; 0] = [];

/// An input of any kind, about few enough addresses that they meet.
#[derive(Clone, Debug)]
enum Act {
    Bytes(Vec<u8>),
    Vips(BTreeSet<IpAddr>),
    Mac(bool),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let some: Vec<Vec<u8>> = claims()
        .into_iter()
        .map(|it| it.2)
        .chain([
            arp_frame(Mac::BROADCAST, arp(CLIENT, CLIENT4, VIP4)),
            solicit(CLIENT6, true, VIP6, Some(CLIENT)),
            ping4(US, CLIENT4, VIP4, b"x"),
            ping6(CLIENT6, VIP6),
        ])
        .collect();
    let all = [VIP4.into(), VIP6.into(), OTHER4.into(), OTHER6.into()];
    prop_oneof![
        4 => proptest::sample::select(some).prop_map(Act::Bytes),
        1 => crate::wire::tests::frame().prop_map(|it| Act::Bytes(it.emit())),
        1 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(Act::Bytes),
        1 => proptest::sample::subsequence(all.to_vec(), 0..=4)
            .prop_map(|it| Act::Vips(it.into_iter().collect())),
        1 => any::<bool>().prop_map(Act::Mac),
        4 => (0_u64..3000).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Whatever comes: no panic, no answer for a vip that is not announced, no more than one
    /// answer and one change per frame, timers of present vips only.
    #[test]
    fn promises_hold_whatever_comes(acts in proptest::collection::vec(act(), 1..60)) {
        let mut now = start();
        let mut it = Responder::new(Config::new(US));
        let mut wanted = BTreeSet::new();
        for act in acts {
            // What was due before the input is not its doing.
            drain(&mut it, now);
            let is_frame = matches!(act, Act::Bytes(_));
            match act {
                Act::Bytes(bytes) => it.handle(now, Input::Frame(&bytes)),
                Act::Vips(vips) => {
                    it.handle(now, Input::Vips(&vips));
                    wanted = vips;
                }
                Act::Mac(first) => it.handle(now, Input::Mac(if first { US } else { RIVAL })),
                Act::Wait(time) => now += ms(time),
            }
            let announced: BTreeSet<IpAddr> = it
                .phases(now)
                .filter(|(_, phase)| matches!(phase, Phase::Announced { .. }))
                .map(|(vip, _)| vip)
                .collect();
            let said: Vec<Output> = if is_frame {
                it.outputs.drain(..).collect()
            } else {
                drain(&mut it, now)
            };
            if is_frame {
                prop_assert!(said.len() <= 3, "{:?}", said);
                for output in &said {
                    let Output::Transmit(bytes) = output else { continue };
                    let vip = crate::fuzz::speaks_as(&EtherFrame::parse(bytes).unwrap());
                    prop_assert!(vip.is_some_and(|vip| announced.contains(&vip)), "{:?}", vip);
                }
            }
            for (_, vip) in &it.timers {
                prop_assert!(wanted.contains(vip));
            }
            prop_assert!(it.timers.len() <= wanted.len());
            prop_assert!(it.deadline().is_none_or(|at| is_frame || at > now));
        }
    }
}

#[test]
fn what_is_cleared_is_announced_at_once() {
    let mut responder = Responder::new(Config::new(US));
    responder.handle(start(), Input::Cleared(&unmarked(&vips(&[VIP4.into(), VIP6.into()]))));
    let said = drain(&mut responder, start());
    let announced = |vip: IpAddr| said.contains(&Output::Changed(vip, VipChange::Announced));
    assert!(announced(VIP4.into()) && announced(VIP6.into()), "{said:?}");
    assert_eq!(said.iter().filter(|it| matches!(it, Output::Transmit(_))).count(), 3);
    drain(&mut responder, later());
    responder.handle(later(), Input::Announce(VIP4.into()));
    assert_eq!(drain(&mut responder, later()).len(), 2, "a request and a reply");
}

#[test]
fn a_probe_asks_once_and_tells_who_answers() {
    let mut responder = Responder::new(Config::new(US));
    for vip in [VIP4.into(), VIP6.into()] {
        responder.handle(start(), Input::Probe(vip));
        let said = drain(&mut responder, start());
        assert!(matches!(said.as_slice(), [Output::Transmit(_)]), "{said:?}");
    }
    let answer = |mac| {
        let operation = Operation::Reply;
        let arp = Arp { operation, ..arp(mac, VIP4, Ipv4Addr::UNSPECIFIED) };
        arp_frame(Mac::BROADCAST, arp)
    };
    responder.handle(start(), Input::Frame(&answer(RIVAL)));
    assert_eq!(drain(&mut responder, start()), [Output::Answered(VIP4.into(), RIVAL, None)]);
    let body = advertisement(VIP6, ALL_NODES, (RIVAL, None), false);
    let frame = EtherFrame { source: RIVAL, destination: Mac::of_group(ALL_NODES), body }.emit();
    responder.handle(start(), Input::Frame(&frame));
    assert_eq!(drain(&mut responder, start()), [Output::Answered(VIP6.into(), RIVAL, None)]);
    responder.handle(start(), Input::Frame(&arp_frame(Mac::BROADCAST, arp(CLIENT, CLIENT4, VIP4))));
    responder.handle(later(), Input::Frame(&answer(RIVAL)));
    assert_eq!(drain(&mut responder, later()), [], "who asks has it not; later is too late");
}

#[test]
fn a_rival_is_only_reported_where_somebody_else_decides() {
    let mut config = Config::new(US);
    config.timing.policy = ConflictPolicy::Report;
    let mut responder = announced_with(config);
    let claim = arp_frame(Mac::BROADCAST, arp(RIVAL, VIP4, VIP4));
    for (wait, told) in [(0, 1), (0, 0), (1500, 1)] {
        let now = later() + ms(wait);
        responder.handle(now, Input::Frame(&claim));
        let contested =
            Output::Changed(VIP4.into(), VipChange::Contested { rival: RIVAL, mark: None });
        assert_eq!(drain(&mut responder, now), vec![contested; told]);
    }
}

/// What thousands of vips took while they came is given back, and nothing is forgotten.
#[test]
fn after_a_burst_little_is_kept() {
    let mut responder = Responder::new(Config::new(US));
    let all =
        || (0..5_000u16).map(|n| IpAddr::from([10, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]]));
    for vip in all().skip(1) {
        responder.handle(start(), Input::Probe(vip));
    }
    drain(&mut responder, start());
    for vip in all().skip(1) {
        responder.handle(start(), Input::Take(vip, None));
    }
    pass(&mut responder, 20_000);
    let kept =
        (responder.outputs.capacity(), responder.probed.len(), responder.announcements.room());
    assert!(kept.0 <= FEW && kept.1 == 0 && kept.2 <= 256, "{kept:?}");
    let now = start() + ms(20_000);
    let before: Vec<_> = responder.phases(now).collect();
    let (due, turns) = (responder.deadline(), responder.turns());
    responder.pack();
    assert_eq!(responder.phases(now).collect::<Vec<_>>(), before);
    assert_eq!((responder.deadline(), responder.turns(), before.len()), (due, turns, 4_999));
}
