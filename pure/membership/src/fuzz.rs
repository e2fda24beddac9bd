//! Any bytes as a story told to a segment's machine: for fuzzers, and for tests that replay what
//! they found. Ends in a panic where a promise of [`Segment`] is broken.
//!
//! A story is a sequence of acts: one byte says which, one how much, and the bytes that belong to
//! it follow. What is cut short ends the story. Datagrams come raw, or as content sealed with the
//! right key: behind the seal nothing is trusted either.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::seal::{Sealer, Session, Under};
use crate::wire::Message;
use crate::{Config, Input, Key, Keyring, Output, OwnerCandidate, Segment};

/// Plays `story` to a machine whose time begins at `now`.
pub fn play(mut now: Instant, mut story: &[u8]) {
    let keys = rotated(0);
    let mut segment = Segment::new(now, &Config::new("a", keys.clone()));
    let mut sealer = Sealer::new(keys, Session { epoch: 1, salt: [9; 16] });
    let from = SocketAddr::from(([10, 0, 0, 2], 7946));
    let mut owned = BTreeSet::new();
    while let [act, amount, rest @ ..] = story {
        story = rest;
        let vip = address(amount % 4);
        match act % 13 {
            0 => now += Duration::from_millis(u64::from(*amount)),
            1 => now += Duration::from_millis(u64::from(*amount) * 10),
            2 => segment.handle(now, Input::Vips(&vips(*amount))),
            3 => segment.handle(now, Input::Answered { vip, by: [2; 6], mark: None }),
            4 => {
                segment.handle(now, Input::Rival { vip, by: [2; 6], mark: Some([3; crate::MARK]) })
            }
            5 => segment.handle(now, Input::Link(amount & 1 != 0)),
            6 => segment.handle(now, Input::Rebalance),
            7 => segment.handle(now, if *amount == 0 { Input::Leave } else { Input::Time }),
            10 => segment.handle(now, if *amount == 0 { Input::Stop } else { Input::Time }),
            11 => segment.handle(now, Input::Addresses(&[address(*amount)])),
            12 => segment.handle(now, Input::Keys(&rotated(*amount))),
            kind => {
                let Some((bytes, rest)) = story.split_at_checked(usize::from(*amount)) else {
                    return;
                };
                story = rest;
                let sealed = sealer.seal(Under::Newest, bytes);
                let bytes = if kind == 8 { bytes } else { &sealed };
                segment.handle(now, Input::Datagram { from, bytes });
            }
        }
        settle(&mut segment, now, &mut owned);
    }
}

/// Content as it comes out of the seal: what is understood is said the same way.
pub fn content(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
    }
}

fn address(n: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, 100 + n % 100).into()
}

/// A newer key beside the one that others have, or that one alone.
fn rotated(n: u8) -> Keyring {
    let known = Key::new([7; 32]);
    match n % 4 {
        0 => Keyring::new(known),
        n => Keyring { newest: Key::new([n; 32]), older: Some(known) },
    }
}

/// Which of four vips there are, and whether each may be ours.
fn vips(bits: u8) -> BTreeMap<IpAddr, Arc<[OwnerCandidate]>> {
    let candidate = |name: &str| OwnerCandidate { name: name.into(), score: 0 };
    let there = (0..4).filter(|n| bits & 1 << n != 0);
    there
        .map(|n| {
            let ours = (bits & 16 << n == 0).then(|| candidate("a"));
            (address(n), [candidate("b")].into_iter().chain(ours).collect())
        })
        .collect()
}

fn settle(segment: &mut Segment, now: Instant, owned: &mut BTreeSet<IpAddr>) {
    for count in 0.. {
        assert!(count < 10_000, "comes to an end");
        let Some(output) = segment.poll(now) else { break };
        match output {
            Output::Own(vip) => assert!(owned.insert(vip), "{vip} is ours already"),
            Output::Silence(vip) => assert!(owned.remove(&vip), "{vip} is not ours"),
            Output::Announce(vip) => assert!(owned.contains(&vip), "announces what is not ours"),
            Output::Send { bytes, .. } | Output::Multicast(bytes) => {
                assert!(bytes.len() <= 1472, "fits into one packet");
            }
            _ => {}
        }
    }
    assert!(owned.iter().all(|it| segment.owns(*it)), "told what it owns");
    assert_eq!(segment.vips().filter(|it| it.role == "owner").count(), owned.len());
    assert!(segment.members(now).len() <= 1025, "what is remembered has an end");
    assert!(segment.deadline().is_none_or(|at| at > now), "what was due is done");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use steelyard_testbed::simulation::start;

    #[test]
    fn the_fuzz_corpus_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/membership");
        let files = std::fs::read_dir(&folder).expect("the corpus folder is committed");
        let (mut count, mut understood) = (0, 0);
        for file in files {
            let story = std::fs::read(file.unwrap().path()).unwrap();
            content(&story);
            play(start(), &story);
            count += 1;
            understood += usize::from(Message::decode(&story).is_ok());
        }
        assert!(count >= 20, "the corpus has only {count} files");
        assert!(understood >= 3, "only {understood} are of today's form: make them anew");
    }

    proptest! {
        #[test]
        fn any_story_is_played_to_its_end(story in proptest::collection::vec(any::<u8>(), 0..600)) {
            play(start(), &story);
        }

        #[test]
        fn any_content_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            content(&bytes);
        }
    }
}
