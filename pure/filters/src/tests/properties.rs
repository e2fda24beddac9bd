//! Whatever frames do, in whatever order: the invariants of the crate hold.

use proptest::prelude::*;

use super::kinds::{send, send_in_steps};
use super::probe::Kind;

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Plain),
        Just(Kind::EditsRequest),
        Just(Kind::EditsResponse),
        (400u16..405).prop_map(Kind::Answers),
        (0usize..8).prop_map(Kind::AsksBody),
        Just(Kind::Sleeps),
        Just(Kind::Works),
        Just(Kind::AsksLeaving),
        (200u16..203).prop_map(Kind::Replaces),
        (0usize..8).prop_map(Kind::Repeats),
        Just(Kind::Marks),
        (413u16..415).prop_map(Kind::FailsIn),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_frame_that_is_entered_is_ended_once(
        kinds in proptest::collection::vec(kind(), 0..6),
        pieces in proptest::collection::vec("[a-z]{0,4}", 1..4),
        steps in proptest::collection::vec(0usize..3, 0..4),
        statuses in proptest::collection::vec(prop_oneof![Just(200u16), Just(503)], 1..4),
    ) {
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let (at_once, _) = send(&kinds, &pieces, &statuses);
        let (out, diary) = send_in_steps(&kinds, &steps, &pieces, &statuses);
        let diary = diary.borrow();
        for at in 0..kinds.len() {
            let mine: Vec<&str> =
                diary.iter().filter(|(it, _)| *it == at).map(|(_, what)| &**what).collect();
            let done = mine.iter().filter(|it| it.starts_with("done")).count();
            let left = mine.iter().filter(|it| it.starts_with("leave")).count();
            prop_assert!(left <= done, "{at} {mine:?}");
            prop_assert!(mine.is_empty() || mine.last().unwrap().starts_with("done"), "{mine:?}");
        }
        let ended = diary.iter().rposition(|(_, what)| !what.starts_with("done"));
        let finished = &diary[ended.map_or(0, |at| at + 1)..];
        prop_assert!(finished.iter().rev().is_sorted_by_key(|(at, _)| at), "{finished:?}");
        prop_assert!(out.status >= 200);
        prop_assert_eq!((out.status, out.marks), (at_once.status, at_once.marks));
        prop_assert_eq!((out.added, &out.below), (at_once.added, &at_once.below));
        prop_assert_eq!(out.inside.len(), at_once.inside.len());
        // Each attempt sees the same body, perhaps in fewer pieces.
        let letters = |text: &str| text.chars().filter(char::is_ascii_alphabetic).collect::<String>();
        for inside in &out.inside {
            prop_assert_eq!(letters(inside), pieces.concat());
        }
    }
}
