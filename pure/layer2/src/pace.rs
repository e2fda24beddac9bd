//! Announcements that wait for their turn on one interface.
//!
//! A thousand vips that move at once are a thousand announcements. Switches limit broadcasts and
//! drop what is too much, so they are spread: first one frame for each vip, by which most listeners
//! learn all there is, then second forms and repetitions.
//!
//! Invariant: whatever is asked for, no more than the rate is sent, and nothing waits twice.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::rate::Rate;

/// Sent back to back after a quiet time.
const BURST: u32 = 64;

/// Announcements of one interface, in the order in which they go out.
#[derive(Debug)]
pub(crate) struct Pace {
    urgent: Lane,
    rest: Lane,
    rate: Rate,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Announcement {
    pub(crate) vip: IpAddr,
    pub(crate) form: Form,
}

/// IPv4 is announced in two forms, IPv6 in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    First,
    Second,
}

#[derive(Debug, Default)]
struct Lane {
    order: VecDeque<Announcement>,
    present: BTreeSet<Announcement>,
}

impl Pace {
    /// No more than this many frames per second.
    pub(crate) fn new(frames: u32) -> Self {
        let rate = Rate::new(Duration::from_secs(1) / frames.max(1), BURST);
        Self { urgent: Lane::default(), rest: Lane::default(), rate }
    }

    /// Wants `vip` announced: soon, where it is news to the LAN.
    pub(crate) fn push(&mut self, vip: IpAddr, is_news: bool) {
        let first = if is_news { &mut self.urgent } else { &mut self.rest };
        first.push(Announcement { vip, form: Form::First });
        if vip.is_ipv4() {
            self.rest.push(Announcement { vip, form: Form::Second });
        }
    }

    /// The next frame to send, if its time has come; vips that are not `wanted` any more fall out.
    pub(crate) fn pop(
        &mut self,
        now: Instant,
        wanted: impl Fn(IpAddr) -> bool,
    ) -> Option<Announcement> {
        for lane in [&mut self.urgent, &mut self.rest] {
            while let Some(next) = lane.order.front() {
                if !wanted(next.vip) {
                    lane.pop();
                } else if self.rate.allow(now) {
                    return lane.pop();
                } else {
                    return None;
                }
            }
        }
        None
    }

    /// When the next frame may go, while one waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waits = !(self.urgent.order.is_empty() && self.rest.order.is_empty());
        self.rate.ready().filter(|_| waits)
    }
}

#[cfg(test)]
impl Pace {
    /// Places that are kept for announcements.
    pub(crate) fn room(&self) -> usize {
        self.urgent.order.capacity() + self.rest.order.capacity()
    }
}

impl Lane {
    fn push(&mut self, it: Announcement) {
        if self.present.insert(it) {
            self.order.push_back(it);
        }
    }

    fn pop(&mut self) -> Option<Announcement> {
        let next = self.order.pop_front()?;
        self.present.remove(&next);
        if self.order.is_empty() {
            self.order.shrink_to(BURST as usize);
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vip(n: u16) -> IpAddr {
        let [high, low] = n.to_be_bytes();
        IpAddr::from([10, 1, high, low])
    }

    /// Sends all there is; what, and at which millisecond.
    fn sent(pace: &mut Pace) -> Vec<(u128, Announcement)> {
        let start = crate::tests::start();
        let mut sent = Vec::new();
        let mut now = start;
        loop {
            while let Some(next) = pace.pop(now, |_| true) {
                sent.push(((now - start).as_millis(), next));
            }
            let Some(due) = pace.deadline() else { return sent };
            assert!(due > now, "what may go went");
            now = due;
        }
    }

    #[test]
    fn a_thousand_vips_are_all_told_of_at_the_rate_and_news_comes_first() {
        let mut pace = Pace::new(5000);
        (0..500).for_each(|n| pace.push(vip(n), false));
        (500..1500).for_each(|n| pace.push(vip(n), true));
        let sent = sent(&mut pace);
        assert_eq!(sent.len(), 500 * 2 + 1000 * 2);
        let news = sent.iter().take(1000);
        assert!(news.clone().all(|(_, it)| it.form == Form::First && it.vip >= vip(500)));
        let until = news.map(|(at, _)| *at).max();
        assert_eq!(until, Some((1000 - u128::from(BURST)) / 5));
        let at_once = sent.iter().filter(|(at, _)| *at == 0).count();
        assert!(at_once <= BURST as usize + 5, "{at_once}");
    }

    #[test]
    fn what_waits_already_is_not_said_twice_and_what_is_gone_not_at_all() {
        let mut pace = Pace::new(1);
        (0..10).for_each(|_| pace.push(vip(1), true));
        pace.push(vip(2), true);
        let now = crate::tests::start();
        let mut next = || pace.pop(now, |it| it == vip(1)).map(|it| (it.vip, it.form));
        assert_eq!(next(), Some((vip(1), Form::First)));
        assert_eq!(next(), Some((vip(1), Form::Second)));
        assert_eq!(next(), None);
        assert_eq!(pace.deadline(), None);
    }
}
