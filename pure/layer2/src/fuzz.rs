//! Any bytes as a story told to a responder: for fuzzers, and for tests that replay what they
//! found. Ends in a panic where a promise of [`Responder`] is broken.
//!
//! A story is a sequence of acts: one byte says which, one how much, and the bytes that belong to
//! it follow. What is cut short ends the story. Frames come as they are, or with the ICMPv6
//! checksum that they need: nobody finds one by chance.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::wire::{EtherFrame, FrameBody, Mac, checksum};
use crate::{Config, Input, Output, Phase, Responder};

/// The responder's own address, and a sibling's.
const MACS: [Mac; 2] = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])];

/// Plays `story` to a responder whose time begins at `now`.
pub fn play(mut now: Instant, mut story: &[u8]) {
    let mut responder = Responder::new(Config::new(MACS[0]));
    let mut wanted = BTreeSet::new();
    while let [act, amount, rest @ ..] = story {
        story = rest;
        match act % 12 {
            0 => {
                wanted = vips(*amount);
                responder.handle(now, Input::Vips(&wanted));
            }
            1 => now += Duration::from_millis(u64::from(*amount) * 20),
            2 => responder.handle(now, Input::Mac(MACS[usize::from(amount & 1)])),
            3 => responder.handle(now, Input::Siblings(&BTreeSet::from(MACS))),
            8 => {
                wanted = vips(*amount);
                responder
                    .handle(now, Input::Cleared(&wanted.iter().map(|vip| (*vip, None)).collect()));
            }
            9 => vips(*amount).iter().for_each(|vip| responder.handle(now, Input::Probe(*vip))),
            10 => vips(*amount).iter().for_each(|it| responder.handle(now, Input::Announce(*it))),
            kind => {
                let Some((frame, rest)) = story.split_at_checked(usize::from(*amount)) else {
                    return;
                };
                story = rest;
                let mended = (kind == 11).then(|| mended(frame));
                responder.handle(now, Input::Frame(mended.as_deref().unwrap_or(frame)));
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

/// The frame with the checksum that it needs, if it carries ICMPv6 right behind an IPv6 header.
fn mended(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let address = |bytes: &[u8]| Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?));
    let ends = frame.get(22..38).and_then(address).zip(frame.get(38..54).and_then(address));
    if let Some((source, destination)) = ends
        && let Some(message) = frame.get_mut(54..).filter(|message| message.len() >= 4)
    {
        message[2..4].fill(0);
        let checksum = checksum::icmpv6(source, destination, message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    frame
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
        let frame = EtherFrame::parse(&bytes).expect("what we say is well formed");
        let vip = speaks_as(&frame);
        assert!(vip.is_none_or(|vip| announced.contains(&vip)), "speaks as {vip:?}");
    }
}

/// The address that a frame speaks as; none for a probe.
pub(crate) fn speaks_as(frame: &EtherFrame<'_>) -> Option<IpAddr> {
    match frame.body {
        FrameBody::Arp(it) if it.is_probe() => None,
        FrameBody::Arp(it) => Some(it.sender_ip.into()),
        FrameBody::Neighbor { source, .. } if source.is_unspecified() => None,
        FrameBody::Neighbor { source, .. } | FrameBody::Echo6 { source, .. } => Some(source.into()),
        FrameBody::Piece6 { source, .. } => Some(source.into()),
        FrameBody::Echo4 { source, .. } | FrameBody::Piece4 { source, .. } => Some(source.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::tests::start;

    #[test]
    fn the_fuzz_corpus_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/layer2");
        let files = std::fs::read_dir(&folder).expect("the corpus folder is committed");
        let stories = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let count = stories.map(|story| play(start(), &story)).count();
        assert!(count >= 12, "the corpus has only {count} files");
    }

    proptest! {
        #[test]
        fn any_story_is_played_to_its_end(story in proptest::collection::vec(any::<u8>(), 0..400)) {
            play(start(), &story);
        }
    }
}
