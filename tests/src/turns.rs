//! Whether nodes spoke only in their turn: what was heard on a wire, held against their claims.
//!
//! A frame stands for the highest epoch that its sender had claimed by then. Once a frame of an
//! epoch was heard, none of a lower one may follow; and of two nodes with one epoch (each claimed
//! it while they could not hear each other) none may speak again after the other did. Whoever
//! speaks without a claim is out of turn too.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::capture::Frame;
use crate::claims::Claim;

/// The frames that should not have been, a sentence each. A node that speaks after another began to
/// is let pass for a time of `grace`: where no heartbeats pass it can only know from what it hears
/// on the LAN. `names` are nodes by hardware address;
/// frames for addresses that no node ever claimed are left alone.
pub fn out_of_turn(
    heard: &[Frame],
    claims: &[Claim],
    names: &BTreeMap<String, String>,
    grace: Duration,
) -> Vec<String> {
    let mut turns: BTreeMap<IpAddr, Turns> = BTreeMap::new();
    let mut wrong = Vec::new();
    for frame in heard.iter().filter(|it| claims.iter().any(|claim| claim.address == it.address)) {
        let name = names.get(&frame.mac).unwrap_or(&frame.mac);
        let own = claims.iter().filter(|it| it.address == frame.address && it.node == *name);
        let epoch = own.filter(|it| it.at <= frame.at).map(|it| it.epoch).max();
        let turns = turns.entry(frame.address).or_default();
        match epoch {
            None => wrong.push(format!("{name} speaks for {}, which it never had", frame.address)),
            Some(epoch) if !turns.is_turn(epoch, name, (frame.at, grace)) => wrong.push(format!(
                "{name} speaks for {} under epoch {epoch}, after {} under epoch {}",
                frame.address,
                turns.spoke.last().map_or("?", String::as_str),
                turns.epoch
            )),
            Some(_) => {}
        }
    }
    wrong
}

/// Who spoke for one address.
#[derive(Debug, Default)]
struct Turns {
    /// The highest that was heard.
    epoch: u64,
    /// Who spoke under it, the last one last.
    spoke: Vec<String>,
    /// When that began.
    since: Option<SystemTime>,
}

impl Turns {
    /// Whether a node may speak under this epoch now; notes that it did.
    fn is_turn(&mut self, epoch: u64, node: &str, (at, grace): (SystemTime, Duration)) -> bool {
        let spoken = self.since.and_then(|since| at.duration_since(since).ok());
        let forgiven = !grace.is_zero() && spoken.is_some_and(|time| time <= grace);
        if epoch > self.epoch {
            (self.epoch, self.spoke) = (epoch, Vec::new());
        }
        if self.spoke.last().is_none_or(|last| last != node) {
            if epoch < self.epoch || self.spoke.iter().any(|it| it == node) {
                return forgiven;
            }
            self.since = Some(at);
            self.spoke.push(node.to_owned());
        }
        epoch == self.epoch || forgiven
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn address() -> IpAddr {
        [10, 1, 1, 100].into()
    }

    /// Claims as `(second, node, epoch)`, frames as `(second, node)`; seconds of frames out of
    /// turn.
    fn check(claims: &[(u64, &str, u64)], frames: &[(u64, &str)], expected: &[&str]) {
        check_with(Duration::ZERO, claims, frames, expected);
    }

    fn check_with(
        grace: Duration,
        claims: &[(u64, &str, u64)],
        frames: &[(u64, &str)],
        expected: &[&str],
    ) {
        let claim = |&(second, node, epoch): &(u64, &str, u64)| Claim {
            at: at(second),
            address: address(),
            node: node.to_owned(),
            epoch,
        };
        let frame = |&(second, node): &(u64, &str)| Frame {
            at: at(second),
            address: address(),
            mac: node.to_owned(),
        };
        let claims: Vec<Claim> = claims.iter().map(claim).collect();
        let frames: Vec<Frame> = frames.iter().map(frame).collect();
        let wrong = out_of_turn(&frames, &claims, &BTreeMap::new(), grace);
        assert_eq!(wrong.len(), expected.len(), "{wrong:?}");
        for (sentence, part) in wrong.iter().zip(expected) {
            assert!(sentence.contains(part), "{sentence}");
        }
    }

    #[test]
    fn in_turn() {
        check(&[(1, "a", 1)], &[(1, "a"), (2, "a")], &[]);
        let there_and_back = [(1, "a", 1), (5, "b", 2), (9, "a", 3)];
        check(&there_and_back, &[(2, "a"), (6, "b"), (7, "b"), (9, "a")], &[]);
        // Apart each claimed the same epoch; together one of them won.
        check(&[(1, "a", 2), (1, "b", 2)], &[(2, "a"), (3, "b"), (4, "b")], &[]);
    }

    #[test]
    fn who_goes_on_is_forgiven_for_a_while() {
        let grace = Duration::from_secs(1);
        let replaced = [(1, "a", 1), (5, "b", 2)];
        check_with(grace, &replaced, &[(2, "a"), (6, "b"), (7, "a"), (8, "b")], &[]);
        check_with(grace, &replaced, &[(2, "a"), (6, "b"), (8, "a")], &["a speaks for"]);
        let apart = [(1, "a", 2), (1, "b", 2)];
        check_with(grace, &apart, &[(2, "a"), (3, "b"), (4, "a"), (9, "b")], &[]);
        check_with(grace, &apart, &[(2, "a"), (3, "b"), (5, "a")], &["a speaks for"]);
    }

    #[test]
    fn out_of_turn_in_each_way() {
        check(&[(1, "a", 1)], &[(2, "b")], &["b speaks for 10.1.1.100, which it never had"]);
        check(&[(5, "a", 1)], &[(2, "a")], &["a speaks for 10.1.1.100, which it never had"]);
        let replaced = [(1, "a", 1), (5, "b", 2)];
        check(&replaced, &[(2, "a"), (6, "b"), (7, "a"), (8, "b")], &["a speaks for"]);
        // Only a claim made by then counts.
        let back = [(1, "a", 1), (5, "b", 2), (9, "a", 3)];
        check(&back, &[(2, "a"), (6, "b"), (8, "a"), (9, "a")], &["under epoch 1, after b"]);
        let apart = [(1, "a", 2), (1, "b", 2)];
        check(&apart, &[(2, "a"), (3, "b"), (4, "a")], &["a speaks for 10.1.1.100 under epoch 2"]);
    }
}
