use proptest::prelude::*;

use super::*;

fn key(n: u8) -> Key {
    Key::new([n; 32])
}

fn sealer(n: u8, epoch: u64) -> Sealer {
    Sealer::new(Keyring::new(key(n)), Session { epoch, salt: [3; 16] })
}

fn opener(n: u8) -> Opener {
    Opener::new(Keyring::new(key(n)))
}

/// What becomes of a datagram of the node `sender`.
fn take(opener: &mut Opener, datagram: &[u8], sender: &str) -> Result<Vec<u8>, Refused> {
    let mut opened = opener.open(datagram)?;
    opener.admit(NodeId::of(sender), &mut opened)?;
    Ok(opened.content)
}

#[test]
fn what_is_sealed_opens_once() {
    let (mut sealer, mut opener) = (sealer(1, 5), opener(1));
    let (first, second) = (sealer.seal(Under::Newest, b"one"), sealer.seal(Under::Newest, b"two"));
    assert_eq!(take(&mut opener, &second, "a"), Ok(b"two".to_vec()));
    assert_eq!(take(&mut opener, &first, "a"), Ok(b"one".to_vec()), "overtaken");
    for datagram in [first, second] {
        assert_eq!(take(&mut opener, &datagram, "a"), Err(Refused::Replayed));
    }
}

#[test]
fn nobody_reads_the_content() {
    let sealed = sealer(1, 5).seal(Under::Newest, b"the owner of the vip");
    assert!(!sealed.windows(5).any(|it| it == b"owner"));
    assert_ne!(sealed, sealer(1, 6).seal(Under::Newest, b"the owner of the vip"));
}

#[test]
fn another_start_ends_the_one_before() {
    let (mut old, mut new, mut opener) = (sealer(1, 5), sealer(1, 6), opener(1));
    let (before, recorded) =
        (old.seal(Under::Newest, b"before"), old.seal(Under::Newest, b"recorded"));
    assert!(take(&mut opener, &before, "a").is_ok());
    assert!(take(&mut opener, &new.seal(Under::Newest, b"after"), "a").is_ok());
    assert_eq!(take(&mut opener, &recorded, "a"), Err(Refused::Stale));
    assert!(take(&mut opener, &recorded, "b").is_ok(), "each sender has its own");
}

#[test]
fn keys_change_one_after_the_other() {
    let (old, new) = (key(1), key(2));
    let both = Keyring { newest: new.clone(), older: Some(old.clone()) };
    let mut early = opener(1);
    let mut late = Opener::new(both.clone());
    let mut sender = sealer(1, 5);
    assert!(take(&mut late, &sender.seal(Under::Newest, b"old"), "a").is_ok());
    sender.set_keys(both);
    let sealed = sender.seal(Under::Newest, b"new");
    assert_eq!(take(&mut early, &sealed, "a"), Err(Refused::UnknownKey));
    early.set_keys(Keyring { newest: old.clone(), older: Some(new.clone()) });
    assert!(take(&mut early, &sealed, "a").is_ok(), "known, though not used yet");
    late.set_keys(Keyring::new(new));
    assert!(take(&mut late, &sealed, "a").is_ok());
    assert_eq!(
        take(&mut late, &sealer(1, 6).seal(Under::Newest, b"x"), "a"),
        Err(Refused::UnknownKey)
    );
}

#[test]
fn a_wrong_key_by_the_right_name_is_a_forgery() {
    let mut sealed = sealer(2, 5).seal(Under::Newest, b"mine");
    sealed[4..8].copy_from_slice(&key(1).id);
    assert_eq!(take(&mut opener(1), &sealed, "a"), Err(Refused::Forged));
}

#[test]
fn there_is_always_room_for_one_who_has_the_key() {
    let mut opener = opener(1);
    let most = u64::try_from(MAX_SENDERS).unwrap();
    for n in 0..most {
        let datagram = sealer(1, 1000 + n).seal(Under::Newest, b"x");
        assert!(take(&mut opener, &datagram, &format!("node-{n}")).is_ok());
        if n > 0 {
            let again = sealer(1, 1_000_000 + n).seal(Under::Newest, b"x");
            assert!(take(&mut opener, &again, "node-0").is_ok(), "heard all the time");
        }
    }
    assert!(take(&mut opener, &sealer(1, 5).seal(Under::Newest, b"x"), "one more").is_ok());
    assert_eq!(opener.senders.len(), MAX_SENDERS);
    assert!(opener.sessions.len() <= MAX_SENDERS);
    assert!(opener.senders.contains_key(&NodeId::of("node-0")), "who was heard stays");
    assert!(!opener.senders.contains_key(&NodeId::of("node-1")), "who was silent makes room");
    let back = sealer(1, 2_000_000).seal(Under::Newest, b"x");
    assert!(take(&mut opener, &back, "node-1").is_ok(), "and is taken when it comes back");
}

proptest! {
    #[test]
    fn no_byte_can_be_changed(at in any::<usize>(), flip in 1..=255_u8) {
        let mut sealed = sealer(1, 5).seal(Under::Newest, b"some content");
        let at = at % sealed.len();
        sealed[at] ^= flip;
        prop_assert!(take(&mut opener(1), &sealed, "a").is_err());
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(take(&mut opener(1), &bytes, "a").is_err());
    }
}
