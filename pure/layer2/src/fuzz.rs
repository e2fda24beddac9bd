//! Any bytes as a story told to a responder: for fuzzers, and for tests that replay what they
//! found. Ends in a panic where a promise of [`Responder`] is broken.
//!
//! A story is a sequence of acts: one byte says which, one how much, and the bytes that belong to
//! it follow. What is cut short ends the story.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::wire::{Body, Frame, Mac};
use crate::{Config, Input, Output, Phase, Responder};

/// The responder's own address, and a sibling's.
const MACS: [Mac; 2] = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])];

/// Plays `story` to a responder whose time begins at `now`.
pub fn play(mut now: Instant, mut story: &[u8]) {
    let mut responder = Responder::new(Config::new(MACS[0]));
    let mut wanted = BTreeSet::new();
    while let [act, amount, rest @ ..] = story {
        story = rest;
        match act % 11 {
            0 => {
                wanted = vips(*amount);
                responder.handle(now, Input::Vips(&wanted));
            }
            1 => now += Duration::from_millis(u64::from(*amount) * 20),
            2 => responder.handle(now, Input::Mac(MACS[usize::from(amount & 1)])),
            3 => responder.handle(now, Input::Siblings(&BTreeSet::from(MACS))),
            8 => {
                wanted = vips(*amount);
                responder.handle(now, Input::Cleared(&wanted));
            }
            9 => vips(*amount).iter().for_each(|vip| responder.handle(now, Input::Probe(*vip))),
            10 => vips(*amount).iter().for_each(|it| responder.handle(now, Input::Announce(*it))),
            _ => {
                let Some((frame, rest)) = story.split_at_checked(usize::from(*amount)) else {
                    return;
                };
                story = rest;
                responder.handle(now, Input::Frame(frame));
            }
        }
        settle(&mut responder, now, &wanted);
    }
}

/// Which of eight addresses are ours.
fn vips(bits: u8) -> BTreeSet<IpAddr> {
    let all = (0..8_u8).filter(|bit| bits & 1 << bit != 0);
    all.map(|bit| match bit {
        0..4 => IpAddr::V4(Ipv4Addr::new(10, 1, 1, bit)),
        _ => IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(bit))),
    })
    .collect()
}

fn settle(responder: &mut Responder, now: Instant, wanted: &BTreeSet<IpAddr>) {
    let mut said = Vec::new();
    while let Some(output) = responder.poll(now) {
        said.push(output);
    }
    let announced: BTreeSet<IpAddr> = responder
        .phases(now)
        .filter(|(_, phase)| matches!(phase, Phase::Announced { .. }))
        .map(|(vip, _)| vip)
        .collect();
    assert!(announced.is_subset(wanted), "announces what is not ours");
    assert!(responder.deadline().is_none_or(|at| at > now), "what was due is done");
    for output in said {
        let Output::Transmit(bytes) = output else { continue };
        let frame = Frame::parse(&bytes).expect("what we say is well formed");
        let vip = speaks_as(&frame);
        assert!(vip.is_none_or(|vip| announced.contains(&vip)), "speaks as {vip:?}");
    }
}

/// The address that a frame speaks as; none for a probe.
pub(crate) fn speaks_as(frame: &Frame<'_>) -> Option<IpAddr> {
    match frame.body {
        Body::Arp(it) if it.is_probe() => None,
        Body::Arp(it) => Some(it.sender_ip.into()),
        Body::Neighbor { source, .. } if source.is_unspecified() => None,
        Body::Neighbor { source, .. } | Body::Echo6 { source, .. } => Some(source.into()),
        Body::Echo4 { source, .. } => Some(source.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::start;

    proptest! {
        #[test]
        fn any_story_is_played_to_its_end(story in proptest::collection::vec(any::<u8>(), 0..400)) {
            play(start(), &story);
        }
    }
}
