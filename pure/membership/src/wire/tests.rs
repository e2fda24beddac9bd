use proptest::prelude::*;

use super::*;

fn beat() -> Beat {
    let node = NodeId::of("b");
    Beat {
        state: State::Up,
        wants: true,
        alone: true,
        sent: 7,
        echo: Some(Echo { epoch: 9, tag: 8, sent: 7, held: 6 }),
        digest: 5,
        rebalance: 4,
        heard: vec![Heard { node, epoch: 3, state: State::Leaving, age: 2 }],
        offers: vec![([10, 0, 0, 1].into(), 1)],
        addresses: vec![[10, 0, 0, 2].into(), [0xfe80, 0, 0, 0, 0, 0, 0, 2].into()],
        claims: vec![(
            "fd00::1".parse().unwrap(),
            Claim { epoch: 1, owner: node, revision: 2, released: true, standbys: vec![node; 3] },
        )],
    }
}

fn messages() -> Vec<Message> {
    let bodies = [
        Body::Beat(beat()),
        Body::Hello(Beat::default()),
        Body::Swim(vec![1, 2, 3]),
        Body::Swim(Vec::new()),
    ];
    bodies.map(|body| Message { sender: "node-a".to_owned(), body }).to_vec()
}

#[test]
fn what_is_said_is_understood() {
    for message in messages() {
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn a_size_is_never_less_than_what_is_written() {
    let name = "n".repeat(MAX_NAME);
    let content = Message { sender: name.clone(), body: Body::Beat(beat()) }.encode();
    assert!(content.len() <= beat().size() + name.len() + 2);
}

#[test]
fn what_is_cut_short_or_goes_on_is_refused() {
    for body in [Body::Beat(beat()), Body::Hello(Beat::default())] {
        let whole = Message { sender: "node-a".to_owned(), body }.encode();
        for length in 0..whole.len() {
            assert_eq!(Message::decode(&whole[..length]), Err(Malformed), "{length} bytes");
        }
        assert_eq!(Message::decode(&[whole, vec![0]].concat()), Err(Malformed));
    }
}

#[test]
fn values_that_mean_nothing_are_refused() {
    let good = Message { sender: "a".to_owned(), body: Body::Hello(Beat::default()) }.encode();
    // Kind, length of the name, the name, state, flags.
    for (at, value) in [(0, 0), (0, 9), (1, 0), (2, 7), (2, 0xff), (3, 6), (4, 8)] {
        let mut bad = good.clone();
        bad[at] = value;
        assert_eq!(Message::decode(&bad), Err(Malformed), "byte {at} is {value}");
    }
    let claim = Claim {
        epoch: MAX_EPOCH + 1,
        owner: NodeId::of("a"),
        revision: 0,
        released: false,
        standbys: Vec::new(),
    };
    let claims = vec![([10, 0, 0, 1].into(), claim)];
    let body = Body::Beat(Beat { claims, ..Beat::default() });
    let message = Message { sender: "a".to_owned(), body };
    assert_eq!(Message::decode(&message.encode()), Err(Malformed), "an epoch beyond counting");
}

proptest! {
    #[test]
    fn a_flipped_byte_is_refused_or_understood(
        which in 0..4_usize, at in any::<usize>(), value in any::<u8>(),
    ) {
        let mut bytes = messages()[which].encode();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}
