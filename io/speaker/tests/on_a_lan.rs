//! The speaker on a real LAN: a client, a node and a rival in network namespaces, asked by the
//! tools people use (arping, ping, ndisc6). Skipped by name where the privileges or tools miss.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod lan;

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::Duration;

use lan::{Lan, NOBODY, Wish, eventually, next, vip};
use steelyard_host::netns::Namespace;
use steelyard_metrics::Exposition;
use steelyard_speaker::{
    ConflictPolicy, EventKind, Mac, NoInterface, Speaker, SpeakerOptions, VipState,
};

const VIP4: &str = "10.1.1.100";
const VIP6: &str = "fd00::100";

#[test]
fn a_client_gets_one_answer_by_every_tool() {
    let Some(lan) = Lan::new("ask", "a_client_gets_one_answer") else { return };
    let (speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4, VIP6]);

    let node = lan.mac(&lan.node);
    let answers = lan.arping(VIP4, Wish::Several);
    assert!(
        (1..=3).contains(&answers.len()) && answers.iter().all(|it| *it == node),
        "{answers:?}"
    );
    assert_eq!(lan.ndisc6(VIP6, Wish::One), [node]);
    assert!(lan.arping_as_probe(VIP4), "an address-less asker is told too");
    for vip in [VIP4, VIP6] {
        assert!(lan.ping(vip), "{vip}");
    }
    assert_eq!(lan.arping("10.1.1.101", Wish::None), NOBODY, "silent about what is not ours");
    assert_eq!(lan.ndisc6("fd00::101", Wish::None), NOBODY);

    for vip in [VIP4, VIP6] {
        assert!(counted(&speaker, "metallb_layer2_requests_received", vip) > 0, "{vip}");
        assert!(counted(&speaker, "metallb_layer2_responses_sent", vip) > 0, "{vip}");
        assert!(counted(&speaker, "steelyard_layer2_echo_replies_total", vip) > 0, "{vip}");
        assert_eq!(counted(&speaker, "steelyard_layer2_conflicts_total", vip), 0, "{vip}");
    }
}

/// Every size that a frame carries, with and without leave to cut it, and those that no frame does.
#[test]
fn pings_of_every_size_are_answered() {
    let Some(lan) = Lan::new("sizes", "pings_of_every_size") else { return };
    let (_speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4, VIP6]);
    for (vip, header) in [(VIP4, 28), (VIP6, 48)] {
        let sizes = [0, 1, 56, 1399, 1500 - header - 1, 1500 - header];
        let whole = sizes.map(|size| (size, "do"));
        let beyond = [1501 - header, 2000, 8192, 65_507].map(|size| (size, "dont"));
        for (size, cut) in whole.into_iter().chain(beyond) {
            let size = size.to_string();
            let arguments = ["-c", "1", "-W", "5", "-M", cut, "-s", &size, vip];
            let output = lan.client.output("ping", &arguments).unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && !said.contains("wrong"), "{vip} {size}: {said}");
        }
    }
}

fn metrics(speaker: &Speaker) -> String {
    let mut out = Exposition::default();
    speaker.expose(&mut out);
    out.into_text()
}

/// The value of a counter of one vip.
fn counted(speaker: &Speaker, name: &str, vip: &str) -> u64 {
    let start = format!("{name}{{ip=\"{vip}\"}} ");
    let metrics = metrics(speaker);
    let value = metrics.lines().find_map(|line| line.strip_prefix(&start));
    value.unwrap_or_else(|| panic!("no {start} in:\n{metrics}")).parse().unwrap()
}

/// The client's own kernel asks; answers are remembered, and asked for again one to one.
#[test]
fn kernels_keep_us_as_a_neighbor() {
    let Some(lan) = Lan::new("nud", "kernels_keep_us_as_a_neighbor") else { return };
    let (_speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4, VIP6]);
    for family in ["ipv4", "ipv6"] {
        let set = |key: &str, value| {
            lan.client.set(&format!("net.{family}.neigh.eth0.{key}"), value).unwrap();
        };
        set("base_reachable_time_ms", "300");
        set("delay_first_probe_time", "0");
    }
    for address in [VIP4, VIP6] {
        assert!(lan.ping(address));
        // A state that only an answer to a unicast question brings about.
        eventually(&format!("{address} is probed and found reachable"), || {
            lan.client.ip(&["neigh", "show", address]).unwrap().contains("STALE")
        });
        assert!(lan.ping(address));
        eventually(&format!("{address} is reachable again"), || {
            let _ = lan.ping(address);
            lan.client.ip(&["neigh", "show", address]).unwrap().contains("REACHABLE")
        });
    }
}

#[test]
fn what_another_has_is_not_announced_until_it_is_free() {
    let Some(lan) = Lan::new("taken", "what_another_has_is_not_announced") else { return };
    for address in ["10.1.1.100/24", "fd00::100/64"] {
        lan.add(&lan.rival, address);
    }
    let rival = Mac(lan.mac(&lan.rival));
    let mut options = SpeakerOptions::default();
    options.timing.retry = Duration::from_millis(200);
    let speaker = lan.speaker(options);
    let mut events = speaker.events();
    speaker.set_vips(vec![vip(VIP4), vip(VIP6)]);
    eventually("both conflict", || {
        let status = speaker.status();
        status.len() == 2 && status.iter().all(|it| it.state == VipState::Conflict { rival })
    });
    for _ in 0..2 {
        let event = next(&mut events);
        let interface = "eth0".to_owned();
        assert_eq!(event.kind, EventKind::Taken { interface, rival }, "{event}");
        assert!(event.kind.help().is_some());
    }
    assert_eq!(lan.arping(VIP4, Wish::One), [rival.0]);

    for address in ["10.1.1.100/24", "fd00::100/64"] {
        lan.rival.ip(&["addr", "del", address, "dev", "eth0"]).unwrap();
    }
    lan.announced(&speaker, &[VIP4, VIP6]);
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac(&lan.node)]);
    assert!(
        matches!(next(&mut events).kind, EventKind::Announced { .. }),
        "told once, however often it was asked again"
    );
}

/// Nothing tells the two of each other but the LAN.
#[test]
fn of_two_speakers_one_announces() {
    let Some(lan) = Lan::new("two", "of_two_speakers_one_announces") else { return };
    let mut options = SpeakerOptions::default();
    options.timing.retry = Duration::from_millis(50);
    let here = lan.speaker(options.clone());
    let there = lan.rival.run(|| Speaker::start(options)).unwrap().unwrap();
    for speaker in [&here, &there] {
        speaker.set_vips(vec![vip(VIP4), vip(VIP6)]);
    }
    let states = |address: &str| -> Vec<&str> {
        let both = here.status().into_iter().chain(there.status());
        let of_vip = both.filter(|it| it.address.to_string() == address);
        let mut states: Vec<&str> = of_vip.map(|it| it.state.as_str()).collect();
        states.sort_unstable();
        states
    };
    for address in [VIP4, VIP6] {
        eventually("one announces, the other does not", || {
            states(address) == ["announced", "conflict"]
        });
    }
    let answers = lan.arping(VIP4, Wish::Several);
    assert!(
        (1..=3).contains(&answers.len()) && answers.iter().all(|it| *it == answers[0]),
        "{answers:?}"
    );
    assert_eq!(lan.ndisc6(VIP6, Wish::One).len(), 1);
    for address in [VIP4, VIP6] {
        assert_eq!(states(address), ["announced", "conflict"], "and so it stays");
    }

    // The one that goes leaves the field to the other.
    here.shutdown();
    lan.announced(&there, &[VIP4, VIP6]);
}

#[test]
fn who_checks_for_duplicates_finds_us() {
    let Some(lan) = Lan::new("dad", "who_checks_for_duplicates_finds_us") else { return };
    let (speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP6]);
    for scope in ["all", "eth0"] {
        lan.rival.set(&format!("net.ipv6.conf.{scope}.accept_dad"), "1").unwrap();
    }
    lan.rival.ip(&["addr", "add", "fd00::100/64", "dev", "eth0"]).unwrap();
    eventually("the rival's kernel gives the address up", || {
        lan.rival.ip(&["-6", "addr", "show", "dadfailed"]).unwrap().contains("fd00::100")
    });
    assert!(matches!(speaker.status()[0].state, VipState::Announced { rival: None }));
}

#[test]
fn a_claim_on_what_we_announce_is_defended() {
    let Some(lan) = Lan::new("defend", "a_claim_on_what_we_announce_is_defended") else { return };
    let mut options = SpeakerOptions::default();
    // Else a claim that comes so soon is a late answer to the probes.
    options.timing.doubt = Duration::ZERO;
    let (speaker, mut events) = lan.announcing(options, &[VIP4]);
    assert!(lan.ping(VIP4), "the client knows it");

    lan.claim(VIP4);
    let (interface, rival) = ("eth0".to_owned(), Mac(lan.mac(&lan.rival)));
    assert_eq!(next(&mut events).kind, EventKind::Defended { interface, rival });
    let status = &speaker.status()[0];
    assert_eq!(status.state, VipState::Announced { rival: Some(rival) });
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac(&lan.node)]);
    eventually("the client believes us again", || {
        lan.client.ip(&["neigh", "show", VIP4]).unwrap().contains(&lan.mac_text(&lan.node))
    });
}

#[test]
fn by_policy_a_claimed_vip_is_given_up() {
    let Some(lan) = Lan::new("yield", "by_policy_a_claimed_vip_is_given_up") else { return };
    let mut options = SpeakerOptions::default();
    options.timing.policy = ConflictPolicy::Withdraw;
    let (_speaker, mut events) = lan.announcing(options, &[VIP4]);
    lan.claim(VIP4);
    assert!(matches!(next(&mut events).kind, EventKind::Yielded { .. }));
    assert_eq!(lan.arping(VIP4, Wish::None), NOBODY);
}

#[test]
fn interfaces_are_followed_as_they_come_and_go() {
    let Some(lan) = Lan::new("links", "interfaces_are_followed") else { return };
    let speaker = lan.speaker(SpeakerOptions::default());
    let mut events = speaker.events();
    let far = "192.168.7.100";
    speaker.set_vips(vec![vip(VIP4), vip(far)]);
    lan.announced(&speaker, &[VIP4]);
    let state = |address: &str| {
        let status = speaker.status();
        status.into_iter().find(|it| it.address.to_string() == address).map(|it| it.state)
    };
    let nowhere = |address: &str| matches!(state(address), Some(VipState::NoInterface(_)));
    assert!(nowhere(far));
    let first = next(&mut events);
    assert!(matches!(first.kind, EventKind::NoInterface(NoInterface::NoSubnet { .. })), "{first}");
    assert!(first.to_string().contains("eth0 10.1.1.11/24"), "{first}");

    // A subnet, then the interface it is on.
    lan.add(&lan.node, "192.168.7.1/24");
    lan.announced(&speaker, &[VIP4, far]);
    lan.node.ip(&["link", "set", "eth0", "down"]).unwrap();
    eventually("down", || nowhere(VIP4) && nowhere(far));
    lan.node.ip(&["link", "set", "eth0", "up"]).unwrap();
    lan.announced(&speaker, &[VIP4, far]);
    let plug = |state| lan.segment.switch().ip(&["link", "set", "port1", state]).unwrap();
    plug("down");
    eventually("unplugged", || nowhere(VIP4) && nowhere(far));
    plug("up");
    lan.announced(&speaker, &[VIP4, far]);
    lan.node.ip(&["link", "del", "eth0"]).unwrap();
    eventually("gone", || nowhere(VIP4) && nowhere(far));
    lan.segment.plug(&lan.node, "eth0").unwrap();
    lan.add(&lan.node, "10.1.1.11/24");
    lan.announced(&speaker, &[VIP4]);
    assert!(nowhere(far));
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac(&lan.node)]);

    // An own address is the kernel's to answer for.
    lan.add(&lan.node, "10.1.1.100/24");
    eventually("an own address", || {
        let own = NoInterface::OwnAddress { interface: "eth0".to_owned() };
        state(VIP4) == Some(VipState::NoInterface(Box::new(own)))
    });
}

#[test]
fn a_new_mac_reaches_clients_that_do_not_ask() {
    let Some(lan) = Lan::new("mac", "a_new_mac_reaches_clients") else { return };
    let (_speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP4, VIP6]);
    assert!(lan.ping(VIP4) && lan.ping(VIP6));
    let mac = "02:00:00:00:77:77";
    lan.node.ip(&["link", "set", "eth0", "address", mac]).unwrap();
    for vip in [VIP4, VIP6] {
        eventually("the client's neighbor table changes", || {
            lan.client.ip(&["neigh", "show", vip]).unwrap().contains(mac)
        });
    }
    assert!(lan.ping(VIP4) && lan.ping(VIP6));
}

#[test]
fn vips_taken_away_are_silent_and_the_rest_undisturbed() {
    let Some(lan) = Lan::new("set", "vips_taken_away_are_silent") else { return };
    let (speaker, mut events) = lan.announcing(SpeakerOptions::default(), &[VIP4, "10.1.1.102"]);
    speaker.set_vips(vec![vip("10.1.1.102"), vip(VIP4)]);
    speaker.set_vips(vec![vip(VIP4)]);
    let event = next(&mut events);
    assert_eq!(event.address, "10.1.1.102".parse().ok());
    assert!(matches!(event.kind, EventKind::Withdrawn { .. }), "{event}");
    assert_eq!(lan.arping("10.1.1.102", Wish::None), NOBODY);
    assert_eq!(lan.arping(VIP4, Wish::One), [lan.mac(&lan.node)]);
    assert!(events.try_recv().is_err(), "nothing else happened");

    speaker.shutdown();
    assert_eq!(lan.arping(VIP4, Wish::None), NOBODY);
}

/// A switch that forwards groups only to members (RFC 4541) forwards to us.
#[test]
fn a_snooping_switch_lets_questions_through() {
    let Some(lan) = Lan::new("snoop", "a_snooping_switch_lets_questions_through") else { return };
    let bridge = ["link", "set", "br0", "type", "bridge", "mcast_snooping", "1"];
    let querier = ["mcast_querier", "1", "mcast_startup_query_interval", "10"];
    lan.segment.switch().ip(&[&bridge[..], &querier].concat()).unwrap();
    let (speaker, _) = lan.announcing(SpeakerOptions::default(), &[VIP6]);
    eventually("the switch knows the group", || {
        let output = lan.segment.switch().output("bridge", &["mdb", "show"]).unwrap();
        String::from_utf8_lossy(&output.stdout).contains("ff02::1:ff00:100")
    });
    assert_eq!(lan.ndisc6(VIP6, Wish::One), [lan.mac(&lan.node)]);
    assert!(counted(&speaker, "metallb_layer2_responses_sent", VIP6) > 0);
}

#[test]
fn hundreds_of_vips_are_all_announced_and_answered() {
    let Some(lan) = Lan::new("many", "hundreds_of_vips") else { return };
    let speaker = lan.speaker(SpeakerOptions::default());
    let all: Vec<String> = (0..600)
        .map(|n| if n % 2 == 0 { format!("10.1.9.{}", n % 250) } else { format!("fd00::9:{n:x}") })
        .collect();
    lan.add(&lan.node, "10.1.9.253/16");
    lan.add(&lan.client, "10.1.9.254/16");
    speaker.set_vips(all.iter().map(|it| vip(it)));
    eventually("all announced", || {
        let status = speaker.status();
        status.len() == 425 && status.iter().all(|it| it.state.as_str() == "announced")
    });
    let node = lan.mac(&lan.node);
    assert_eq!(lan.arping("10.1.9.248", Wish::One), [node]);
    assert_eq!(lan.ndisc6("fd00::9:257", Wish::One), [node]);
    let sent: u64 = metrics(&speaker)
        .lines()
        .filter(|line| line.starts_with("metallb_layer2_gratuitous_sent{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(sent >= 125 * 2 + 300, "{sent} announcements");
    assert!(metrics(&speaker).contains("steelyard_layer2_unsent_frames_total 0\n"));
}

/// Not a test: the process that others kill. It answers until then.
#[test]
#[ignore = "a part of other tests, which start it"]
fn answering_process() {
    let Ok(vips) = std::env::var("ANSWER_FOR") else { return };
    let speaker = Speaker::start(SpeakerOptions::default()).unwrap();
    speaker.set_vips(vips.split(' ').map(vip));
    // Ends with the test that started it, also when that is killed.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Ends with the test, whatever happens.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(node: &Namespace, vips: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = node.command(program.to_str().unwrap());
        command.args(["--ignored", "--exact", "answering_process"]).env("ANSWER_FOR", vips);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([format!("-{name}"), self.0.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }
}

#[test]
fn killed_or_stopped_nobody_answers() {
    let Some(lan) = Lan::new("kill", "killed_or_stopped_nobody_answers") else { return };
    let node = lan.mac(&lan.node);
    let process = Process::start(&lan.node, &format!("{VIP4} {VIP6}"));
    eventually("it answers", || lan.arping(VIP4, Wish::One) == [node]);
    eventually("it answers", || lan.ndisc6(VIP6, Wish::One) == [node]);
    let silent = |why: &str| {
        assert_eq!(lan.arping(VIP4, Wish::None), NOBODY, "{why}");
        assert_eq!(lan.ndisc6(VIP6, Wish::None), NOBODY, "{why}");
        assert!(!lan.ping(VIP4), "{why}");
    };
    process.signal("STOP");
    silent("stopped");
    process.signal("CONT");
    eventually("continued", || lan.arping(VIP4, Wish::One) == [node]);
    process.signal("KILL");
    silent("killed");
}
