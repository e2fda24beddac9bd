//! What is believed of browsers and issuers, and what is not.

mod asked;
mod cookies;
mod sealed;
mod shown;

use proptest::prelude::*;

use crate::{Keys, exercise};

const SECRET: &[u8] = b"known to this test alone, and to nobody else";

fn keys() -> Keys {
    Keys::derive(SECRET, "login").unwrap()
}

proptest! {
    #[test]
    fn anything_is_read_and_nothing_is_believed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
    }

    #[test]
    fn no_path_leads_away(target in "[/\\\\%2fF5cC.:?#a@ \t]{0,12}") {
        exercise(target.as_bytes());
    }
}

/// What is committed for the fuzzer to begin with.
#[test]
fn the_fuzz_corpus_holds() {
    let count = steelyard_testbed::corpus::replay("login", exercise);
    assert!(count >= 10, "the corpus has only {count} files");
}
