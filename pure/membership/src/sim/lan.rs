//! What frames do on the segment: probes are answered, announcements are repeated, and clients
//! believe what they heard last. This stands for `steelyard-layer2` and for everybody's ARP cache.

use std::net::IpAddr;
use std::time::Duration;

use super::world::{Happens, World};
use crate::Input;

/// Between two announcements, and how many follow the first.
const AGAIN: Duration = Duration::from_millis(1100);
const REPEATS: u8 = 4;
/// A claim is told before it is announced: after this long all know.
const TOLD: Duration = Duration::from_millis(50);
/// A machine that is none of ours.
const STRANGER: usize = 250;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Frame {
    Probe,
    Answer,
    Announcement,
}

impl World {
    pub(super) fn probe(&mut self, from: usize, vip: IpAddr) {
        if self.squatted.contains(&vip) {
            self.put(STRANGER, from, vip, Frame::Answer);
        }
        self.broadcast(from, vip, Frame::Probe);
    }

    /// A machine that is none of ours has this vip, from now on until it is no longer among those.
    pub(super) fn squat(&mut self, vip: IpAddr) {
        self.squatted.insert(vip);
        self.squatting(vip);
    }

    pub(super) fn squatting(&mut self, vip: IpAddr) {
        if !self.squatted.contains(&vip) {
            return;
        }
        for to in 0..self.hosts.len() {
            self.put(STRANGER, to, vip, Frame::Announcement);
        }
        self.after(AGAIN, Happens::Squatting(vip));
    }

    pub(super) fn begin_announcing(&mut self, from: usize, vip: IpAddr) {
        self.announce(from, vip, REPEATS);
        self.after(TOLD, Happens::Sole { owner: from, vip });
    }

    /// Announces what it still answers for, and again later.
    pub(super) fn announce(&mut self, from: usize, vip: IpAddr, left: u8) {
        let host = &mut self.hosts[from];
        if host.paused.is_some() || !host.answers.contains(&vip) {
            return;
        }
        host.beside.insert(vip, from);
        self.broadcast(from, vip, Frame::Announcement);
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
    pub(super) fn let_clients_ask(&mut self) {
        for (vip, nodes) in super::checks::owners(self) {
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
    pub(super) fn forget(&mut self, gone: usize) {
        self.hosts.iter_mut().for_each(|it| it.beside.retain(|_, owner| *owner != gone));
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        let cut = |(a, b)| self.links.get(&(a, b)).is_some_and(|link| link.cut);
        cut((from, to)) || cut((to, from))
    }

    fn put(&mut self, from: usize, to: usize, vip: IpAddr, frame: Frame) {
        let way = self.way();
        self.after(way, Happens::Frame { from, to, vip, frame });
    }

    pub(super) fn hear(&mut self, from: usize, to: usize, vip: IpAddr, frame: Frame) {
        let by = [2, 0, 0, 0, 0, u8::try_from(from % 256).expect("a byte")];
        let answers = self.hosts[to].answers.contains(&vip) && self.hosts[to].paused.is_none();
        match frame {
            Frame::Probe if answers && self.passes(to, from, false) => {
                self.put(to, from, vip, Frame::Answer);
            }
            Frame::Probe => {}
            Frame::Answer => self.tell(to, Input::Answered { vip, by }),
            Frame::Announcement => {
                if from != STRANGER {
                    self.hosts[to].beside.insert(vip, from);
                }
                if answers {
                    self.tell(to, Input::Rival { vip, by });
                }
            }
        }
    }

    /// While all is well nobody else answers for what `owner` took a moment ago.
    pub(super) fn check_sole(&mut self, owner: usize, vip: IpAddr) {
        if !self.calm || !self.hosts[owner].answers.contains(&vip) {
            return;
        }
        let answers = |n: &usize| *n != owner && self.hosts[*n].answers.contains(&vip);
        if let Some(other) = (0..self.hosts.len()).find(answers) {
            self.complaints.push(format!("node-{owner} took {vip}, and node-{other} has it too"));
        }
    }
}
