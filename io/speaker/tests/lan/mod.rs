//! A LAN of three hosts, and the tools by which people look at one.

mod interfaces;
mod several_nodes;

use std::time::{Duration, Instant};

use steelyard_host::links;
use steelyard_host::netns::{self, Namespace, Segment};
use steelyard_speaker::{Speaker, SpeakerEvent, SpeakerOptions, Vip};
use tokio::sync::broadcast::Receiver;

/// Programs that the tests run, and the Debian packages that have them.
const TOOLS: [(&str, &str); 3] =
    [("arping", "arping"), ("ping", "iputils-ping"), ("ndisc6", "ndisc6")];

/// A client, a node with a speaker, and another machine; each by its `eth0` on one segment.
pub(crate) struct Lan {
    pub(crate) segment: Segment,
    pub(crate) client: Namespace,
    pub(crate) node: Namespace,
    pub(crate) rival: Namespace,
}

/// How many answers are waited for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Wish {
    /// None: waits for a while.
    None,
    One,
    Several,
}

/// Who answers when nobody does.
pub(crate) const NOBODY: [[u8; 6]; 0] = [];

/// An address to answer for, interface automatic.
pub(crate) fn vip(address: &str) -> Vip {
    Vip {
        address: address.parse().unwrap(),
        interfaces: Vec::new(),
        candidates: Default::default(),
    }
}

/// Waits until it is so; fails after a long time.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The next event, which must come.
pub(crate) fn next(events: &mut Receiver<SpeakerEvent>) -> SpeakerEvent {
    let mut next = None;
    eventually("an event", || {
        next = events.try_recv().ok();
        next.is_some()
    });
    next.unwrap()
}

impl Lan {
    /// None, and a line that says so, where it cannot be had.
    pub(crate) fn new(name: &str, test: &str) -> Option<Self> {
        if let Some(reason) = netns::unavailable() {
            eprintln!("skipped: {test}: {reason}");
            return None;
        }
        for (tool, package) in TOOLS {
            if std::process::Command::new(tool).arg("-h").output().is_err() {
                eprintln!("skipped: {test}: no `{tool}` (Debian: {package})");
                return None;
            }
        }
        let segment = Segment::create(&format!("sy-{name}-{}", std::process::id())).unwrap();
        let host = |name, address4, address6| segment.host(name, &[address4, address6]).unwrap();
        Some(Self {
            client: host("client", "10.1.1.5/24", "fd00::5/64"),
            node: host("node", "10.1.1.11/24", "fd00::11/64"),
            rival: host("rival", "10.1.1.12/24", "fd00::12/64"),
            segment,
        })
    }

    /// A speaker on the node.
    pub(crate) fn speaker(&self, options: SpeakerOptions) -> Speaker {
        self.node.run(|| Speaker::start(options)).unwrap().unwrap()
    }

    /// A speaker on the node that announces `vips`, and what happens from then on.
    pub(crate) fn announcing(
        &self,
        options: SpeakerOptions,
        vips: &[&str],
    ) -> (Speaker, Receiver<SpeakerEvent>) {
        let speaker = self.speaker(options);
        speaker.set_vips(vips.iter().map(|it| vip(it)));
        self.announced(&speaker, vips);
        let events = speaker.events();
        (speaker, events)
    }

    pub(crate) fn announced(&self, speaker: &Speaker, vips: &[&str]) {
        eventually(&format!("{vips:?} announced"), || {
            let status = speaker.status();
            let is_announced = |vip: &&str| {
                let it = status.iter().find(|it| it.address.to_string() == **vip);
                it.is_some_and(|it| {
                    it.state.as_str() == "announced" && *it.interfaces == ["eth0".into()]
                })
            };
            vips.iter().all(is_announced)
        });
    }

    /// Gives a host an address, usable at once.
    pub(crate) fn add(&self, host: &Namespace, address: &str) {
        let mut arguments = vec!["addr", "add", address, "dev", "eth0"];
        if address.contains(':') {
            arguments.push("nodad");
        }
        host.ip(&arguments).unwrap();
    }

    pub(crate) fn mac(&self, host: &Namespace) -> [u8; 6] {
        self.mac_of(host, "eth0")
    }

    pub(crate) fn mac_of(&self, host: &Namespace, interface: &str) -> [u8; 6] {
        let links = host.run(links::list).unwrap().unwrap();
        links.iter().find(|link| link.name == interface).unwrap().mac.unwrap()
    }

    pub(crate) fn mac_text(&self, host: &Namespace) -> String {
        steelyard_speaker::Mac(self.mac(host)).to_string()
    }

    /// Who answers the client's `arping`. All answers within the time count, so two that answer
    /// show as two.
    pub(crate) fn arping(&self, address: &str, wish: Wish) -> Vec<[u8; 6]> {
        let (count, wait) = match wish {
            Wish::None | Wish::One => ("1", "0.7"),
            Wish::Several => ("3", "0.4"),
        };
        let arguments = ["-r", "-c", count, "-W", wait, "-i", "eth0", address];
        self.asked(wish, "arping", &arguments)
    }

    /// Who answers another host's `arping`, which is tried once.
    pub(crate) fn arping_from(&self, host: &Namespace, address: &str) -> Vec<[u8; 6]> {
        let arguments = ["-r", "-c", "1", "-W", "0.7", "-i", "eth0", address];
        macs(&host.output("arping", &arguments).unwrap().stdout)
    }

    /// Whether the node answers the client that asks from 0.0.0.0, as before taking an address.
    pub(crate) fn arping_as_probe(&self, address: &str) -> bool {
        let arguments = ["-0", "-r", "-c", "1", "-W", "0.7", "-i", "eth0", address];
        self.asked(Wish::One, "arping", &arguments) == [self.mac(&self.node)]
    }

    /// Who answers the client's `ndisc6` within the time, each once: it takes announcements for
    /// answers.
    pub(crate) fn ndisc6(&self, address: &str, wish: Wish) -> Vec<[u8; 6]> {
        let arguments = ["-q", "-m", "-n", "-r", "1", "-w", "700", address, "eth0"];
        let mut macs = self.asked(wish, "ndisc6", &arguments);
        macs.sort_unstable();
        macs.dedup();
        macs
    }

    /// Runs a tool that prints who answered. A machine under load may need a second try.
    fn asked(&self, wish: Wish, tool: &str, arguments: &[&str]) -> Vec<[u8; 6]> {
        let tries = if wish == Wish::None { 1 } else { 10 };
        let ask = |_| macs(&self.client.output(tool, arguments).unwrap().stdout);
        (0..tries).map(ask).find(|macs| !macs.is_empty()).unwrap_or_default()
    }

    /// Whether any of a few pings is answered.
    pub(crate) fn ping(&self, address: &str) -> bool {
        let arguments = ["-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", address];
        self.client.output("ping", &arguments).unwrap().status.success()
    }

    /// The rival announces an address without having it.
    pub(crate) fn claim(&self, address: &str) {
        let arguments = ["-U", "-P", "-S", address, "-c", "1", "-W", "0.1", "-i", "eth0", address];
        self.rival.output("arping", &arguments).unwrap();
    }
}

/// The lines that are addresses.
fn macs(output: &[u8]) -> Vec<[u8; 6]> {
    let read = |line: &str| {
        let bytes: Option<Vec<u8>> =
            line.trim().split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
        bytes?.try_into().ok()
    };
    String::from_utf8_lossy(output).lines().filter_map(read).collect()
}
