//! What frames do on the segment: probes are answered, announcements are repeated, and clients
//! believe what they heard last. This stands for `steelyard-layer2` and for everybody's ARP cache.

use std::net::IpAddr;
use std::time::Duration;

use super::{Happens, World};
use crate::{ClaimMark, Input};

/// Between two announcements, and how many follow the first.
const AGAIN: Duration = Duration::from_millis(1100);
const REPEATS: u8 = 4;
/// A claim is told before it is announced: after this long all know.
const TOLD: Duration = Duration::from_millis(50);
/// How often it is looked for two that answer.
const LOOK: Duration = Duration::from_millis(50);
/// After so many looks clients ask for all vips.
const QUESTION: u32 = 5;
/// How long after a probe answers are told.
const PROBED: Duration = Duration::from_secs(1);
/// A machine that is none of ours.
const STRANGER: usize = 250;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sim) enum Frame {
    Probe,
    Answer(Option<ClaimMark>),
    Announcement(Option<ClaimMark>),
}

impl World {
    pub(in crate::sim) fn probe(&mut self, from: usize, vip: IpAddr) {
        if self.squatted.contains(&vip) {
            self.put(STRANGER, from, vip, Frame::Answer(None));
        }
        self.hosts[from].probed.insert(vip, self.now + PROBED);
        self.broadcast(from, vip, Frame::Probe);
    }

    /// A machine that is none of ours has this vip, from now on until it is no longer among those.
    pub(in crate::sim) fn squat(&mut self, vip: IpAddr) {
        self.squatted.insert(vip);
        self.squatting(vip);
    }

    pub(in crate::sim) fn squatting(&mut self, vip: IpAddr) {
        if !self.squatted.contains(&vip) {
            return;
        }
        for to in 0..self.hosts.len() {
            self.put(STRANGER, to, vip, Frame::Announcement(None));
        }
        self.after(AGAIN, Happens::Squatting(vip));
    }

    pub(in crate::sim) fn begin_announcing(&mut self, from: usize, vip: IpAddr) {
        self.announce(from, vip, REPEATS);
        self.after(TOLD, Happens::Sole { owner: from, vip });
    }

    /// Announces what it still answers for, and again later.
    pub(in crate::sim) fn announce(&mut self, from: usize, vip: IpAddr, left: u8) {
        let host = &mut self.hosts[from];
        if host.paused.is_some() || !host.answers.contains(&vip) {
            return;
        }
        host.beside.insert(vip, from);
        let mark = host.marks.get(&vip).copied().flatten();
        self.broadcast(from, vip, Frame::Announcement(mark));
        if left > 0 {
            self.after(AGAIN, Happens::Announcing { from, vip, left: left - 1 });
        }
    }

    fn broadcast(&mut self, from: usize, vip: IpAddr, frame: Frame) {
        for to in 0..self.hosts.len() {
            if self.passes(from, to, false) {
                self.put(from, to, vip, frame);
            }
        }
    }

    /// Some clients find out that whom they remember does not answer; all that know no owner get an
    /// answer of one that they reach.
    pub(in crate::sim) fn let_clients_ask(&mut self) {
        for (vip, nodes) in self.owners() {
            for to in 0..self.hosts.len() {
                let reached = |from: &usize| *from == to || !self.is_cut(*from, to);
                let believed = self.hosts[to].beside.get(&vip);
                let silent = believed.is_some_and(|it| !nodes.contains(it) || !reached(it));
                let reached = nodes.iter().find(|from| reached(from)).copied();
                if silent && self.chance.permille(500) {
                    self.hosts[to].beside.remove(&vip);
                }
                if let Some(from) = reached.filter(|_| !self.hosts[to].beside.contains_key(&vip)) {
                    self.hosts[to].beside.insert(vip, from);
                }
            }
        }
    }

    /// Who is gone for good answers nothing, and is soon asked for anew.
    pub(in crate::sim) fn forget(&mut self, gone: usize) {
        self.hosts.iter_mut().for_each(|it| it.beside.retain(|_, owner| *owner != gone));
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        let cut = |(a, b)| self.links.get(&(a, b)).is_some_and(|link| link.cut);
        cut((from, to)) || cut((to, from))
    }

    /// A node asks hosts that are no nodes whether they are there: they stand beside it.
    pub(in crate::sim) fn ask(&mut self, from: usize) {
        let host = &self.hosts[from];
        let way_there = !host.deaf && !host.silent;
        if way_there && !(self.loss > 0 && self.chance.permille(self.loss)) {
            let way = self.way();
            self.after(way, Happens::Sign(from));
        }
    }

    fn put(&mut self, from: usize, to: usize, vip: IpAddr, frame: Frame) {
        if self.hosts[to].deaf {
            return;
        }
        let way = self.way();
        self.after(way, Happens::Frame { from, to, vip, frame });
    }

    pub(in crate::sim) fn hear(&mut self, from: usize, to: usize, vip: IpAddr, frame: Frame) {
        let by = [2, 0, 0, 0, 0, u8::try_from(from % 256).expect("a byte")];
        let host = &self.hosts[to];
        let answers = host.answers.contains(&vip) && host.paused.is_none();
        let asks = host.probed.get(&vip).is_some_and(|until| self.now < *until);
        self.tell(to, Input::Heard);
        match frame {
            Frame::Probe if answers && self.passes(to, from, false) => {
                let mark = self.hosts[to].marks.get(&vip).copied().flatten();
                self.put(to, from, vip, Frame::Answer(mark));
            }
            // Who asks at the same moment and goes first.
            Frame::Probe if asks && from < to => {
                self.tell(to, Input::Answered { vip, by, mark: None });
            }
            Frame::Probe => {}
            Frame::Answer(mark) | Frame::Announcement(mark) => {
                if from != STRANGER && matches!(frame, Frame::Announcement(_)) {
                    self.hosts[to].beside.insert(vip, from);
                }
                if answers {
                    self.tell(to, Input::Rival { vip, by, mark });
                } else if asks {
                    self.tell(to, Input::Answered { vip, by, mark });
                }
            }
        }
    }

    /// A client asks all who has each vip. Who answers asks as well.
    fn question(&mut self) {
        for n in 0..self.hosts.len() {
            let host = &self.hosts[n];
            if host.paused.is_none() && !host.deaf {
                let owned: Vec<IpAddr> = host.answers.iter().copied().collect();
                owned.into_iter().for_each(|vip| self.broadcast(n, vip, Frame::Probe));
            }
        }
    }

    /// Two that answer for one vip, while the LAN is open between them, settle it within the dead
    /// time. Where frames are lost, what settles it may be.
    pub(in crate::sim) fn look(&mut self) {
        self.after(LOOK, Happens::Look);
        let open = |a: usize, b: usize| {
            let host = |n: usize| &self.hosts[n];
            let heard = |n: usize| !host(n).deaf && !host(n).silent && host(n).paused.is_none();
            heard(a) && heard(b) && !self.is_cut(a, b)
        };
        let mut doubles = std::collections::BTreeMap::new();
        for vip in self.vips.keys() {
            let answers = |n: &usize| self.hosts[*n].answers.contains(vip);
            let who: Vec<usize> = (0..self.hosts.len()).filter(answers).collect();
            for (at, a) in who.iter().enumerate() {
                for b in who[at + 1..].iter().filter(|b| open(*a, **b)) {
                    let key = (*vip, *a, *b);
                    doubles.insert(key, self.doubles.get(&key).copied().unwrap_or(self.now));
                }
            }
        }
        self.looks += 1;
        if self.looks.is_multiple_of(QUESTION) {
            self.question();
        }
        let most = self.timing.dead() + LOOK;
        let late = doubles.iter().find(|(_, since)| self.now > **since + most);
        if let Some(((vip, a, b), since)) = late.filter(|_| self.loss == 0) {
            let time = self.now - *since;
            self.complaints.push(format!("node-{a} and node-{b} both have {vip} for {time:?}"));
        }
        self.doubles = doubles;
    }

    /// While all is well nobody else answers for what `owner` took a moment ago.
    pub(in crate::sim) fn check_sole(&mut self, owner: usize, vip: IpAddr) {
        if !self.calm || !self.hosts[owner].answers.contains(&vip) {
            return;
        }
        let answers = |n: &usize| *n != owner && self.hosts[*n].answers.contains(&vip);
        if let Some(other) = (0..self.hosts.len()).find(answers) {
            self.complaints.push(format!("node-{owner} took {vip}, and node-{other} has it too"));
        }
    }
}
