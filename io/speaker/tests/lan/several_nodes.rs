//! Several speakers that share vips on one real LAN, in network namespaces, asked by `arping` and
//! `ndisc6`. Skipped by name where the privileges or tools miss.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use steelyard_host::netns::Namespace;
use steelyard_speaker::{
    Cause, EventKind, Key, Keyring, Membership, OwnerChange, Speaker, SpeakerEvent, SpeakerOptions,
    Vip,
};
use tokio::sync::broadcast::Receiver;

use super::{Lan, Wish, eventually};

const VIPS: [&str; 4] = ["10.1.1.100", "10.1.1.101", "10.1.1.102", "fd00::100"];

/// A LAN whose hosts `node` and `rival`, and a third one, share vips.
struct Nodes {
    lan: Lan,
    third: Namespace,
    speakers: Vec<Option<Speaker>>,
}

impl Nodes {
    fn new(name: &str, test: &str) -> Option<Self> {
        let lan = Lan::new(name, test)?;
        let third = lan.segment.host("third", &["10.1.1.13/24", "fd00::13/64"]).unwrap();
        let mut nodes = Self { lan, third, speakers: vec![None, None, None] };
        (0..3).for_each(|n| nodes.start(n));
        eventually("every vip has one owner, everybody knows everybody", || {
            nodes.settled() && (0..3).all(|n| nodes.members(n) == 3)
        });
        Some(nodes)
    }

    fn host(&self, n: usize) -> &Namespace {
        [&self.lan.node, &self.lan.rival, &self.third][n]
    }

    fn start(&mut self, n: usize) {
        let keys = Keyring::new(Key::new([5; 32]));
        let membership = Some(Membership::new(&format!("node-{n}"), keys));
        let options = SpeakerOptions { membership, ..SpeakerOptions::default() };
        let speaker = self.host(n).run(|| Speaker::start(options)).unwrap().unwrap();
        let candidates: Arc<[(Arc<str>, u32)]> =
            (0..3).map(|n| (format!("node-{n}").into(), 0)).collect();
        let vip = |address: &str| Vip {
            address: address.parse().unwrap(),
            interfaces: Vec::new(),
            candidates: candidates.clone(),
        };
        speaker.set_vips(VIPS.map(vip));
        self.speakers[n] = Some(speaker);
    }

    /// Nodes that `n` hears, itself included.
    fn members(&self, n: usize) -> usize {
        let Some(speaker) = &self.speakers[n] else { return 0 };
        let sharing = speaker.sharing().borrow().clone();
        sharing.members.iter().filter(|it| it.status.state == "up").count()
    }

    /// Who announces a vip, as far as they say.
    fn owners(&self, vip: &str) -> Vec<usize> {
        let announces = |speaker: &Speaker| {
            let status = speaker.status();
            let it = status.iter().find(|it| it.address.to_string() == vip);
            it.is_some_and(|it| it.state.as_str() == "announced")
        };
        let speakers = self.speakers.iter().enumerate();
        let owners = speakers.filter(|(_, it)| it.as_ref().is_some_and(announces));
        owners.map(|(n, _)| n).collect()
    }

    fn owner(&self, vip: &str) -> usize {
        let owners = self.owners(vip);
        assert_eq!(owners.len(), 1, "{vip}");
        owners[0]
    }

    fn settled(&self) -> bool {
        VIPS.iter().all(|vip| self.owners(vip).len() == 1)
    }

    /// Who answers the client for a vip.
    fn answers(&self, vip: &str) -> Vec<usize> {
        let macs = if vip.contains(':') {
            self.lan.ndisc6(vip, Wish::One)
        } else {
            self.lan.arping(vip, Wish::Several)
        };
        let macs: BTreeSet<[u8; 6]> = macs.into_iter().collect();
        let number = |mac| (0..3).find(|n| self.lan.mac(self.host(*n)) == mac);
        macs.into_iter().map(|mac| number(mac).expect("one of the nodes")).collect()
    }

    /// Exactly the owner answers for each vip.
    fn each_is_answered_by_its_owner(&self) {
        for vip in VIPS {
            assert_eq!(self.answers(vip), [self.owner(vip)], "{vip}");
        }
    }
}

/// The one event that tells of another owner of a vip.
fn change_of(events: &mut Receiver<SpeakerEvent>, vip: &str) -> (SpeakerEvent, OwnerChange) {
    let mut found = Vec::new();
    eventually("an event of its new owner", || {
        while let Ok(event) = events.try_recv() {
            let is_of_vip = event.address.is_some_and(|it| it.to_string() == vip);
            match &event.kind {
                EventKind::Owner { change, .. } if is_of_vip => {
                    found.push((event.clone(), change.clone()));
                }
                _ => {}
            }
        }
        !found.is_empty()
    });
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn one_of_three_answers_and_another_once_it_is_dead() {
    let Some(mut nodes) = Nodes::new("three", "one_of_three_answers") else { return };
    let owners: BTreeSet<usize> = VIPS.iter().map(|vip| nodes.owner(vip)).collect();
    assert_eq!(owners.len(), 3, "four vips are spread over three nodes");
    nodes.each_is_answered_by_its_owner();

    let dead = nodes.owner(VIPS[0]);
    nodes.speakers[dead] = None;
    eventually("the others take over", || nodes.settled());
    nodes.each_is_answered_by_its_owner();

    let before = VIPS.map(|vip| nodes.owner(vip));
    nodes.start(dead);
    eventually("it is back", || (0..3).all(|n| nodes.members(n) == 3));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(VIPS.map(|vip| nodes.owner(vip)), before, "and takes nothing");
    nodes.each_is_answered_by_its_owner();
}

#[test]
fn a_leaver_hands_over_first() {
    let Some(mut nodes) = Nodes::new("leave", "a_leaver_hands_over_first") else { return };
    let leaver = nodes.owner(VIPS[0]);
    let speaker = nodes.speakers[leaver].take().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(speaker.leave());
    let mine = speaker.status().into_iter().filter(|it| it.state.as_str() == "announced").count();
    assert_eq!(mine, 0, "all given away when it returns");
    eventually("the others have all", || nodes.settled());
    drop(speaker);
    nodes.each_is_answered_by_its_owner();
}

#[test]
fn a_pulled_cable_moves_vips_and_plugging_it_in_moves_nothing() {
    let Some(nodes) = Nodes::new("cable", "a_pulled_cable_moves_vips") else { return };
    let cut = nodes.owner(VIPS[0]);
    // The port of the switch: the client is plugged into the first.
    let port = format!("port{}", [1, 2, 3][cut]);
    let events = |speaker: &Option<Speaker>| speaker.as_ref().unwrap().events();
    let mut events: Vec<_> = nodes.speakers.iter().map(events).collect();
    nodes.lan.segment.switch().ip(&["link", "set", &port, "down"]).unwrap();
    eventually("the others have all", || nodes.settled() && nodes.owner(VIPS[0]) != cut);
    nodes.each_is_answered_by_its_owner();
    let taker = nodes.owner(VIPS[0]);
    for n in (0..3).filter(|n| *n != cut) {
        let (event, change) = change_of(&mut events[n], VIPS[0]);
        let by = |name: usize| Some(format!("node-{name}").into());
        assert_eq!((&change.owner, &change.before), (&by(taker), &by(cut)), "{event}");
        assert_eq!(change.cause, (n == taker).then_some(Cause::Failover), "{event}");
        assert!(change.silence.is_some() && event.kind.is_warning(), "{event}");
        assert_eq!(change.why, format!("node-{cut} was not heard").into(), "{event}");
    }
    let before = VIPS.map(|vip| nodes.owner(vip));
    nodes.lan.segment.switch().ip(&["link", "set", &port, "up"]).unwrap();
    eventually("it is back", || (0..3).all(|n| nodes.members(n) == 3));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(VIPS.map(|vip| nodes.owner(vip)), before);
    nodes.each_is_answered_by_its_owner();
}
