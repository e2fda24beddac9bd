//! What is committed for the fuzzer to begin with, as a test.

use steelyard_testbed::corpus;

#[test]
fn the_fuzz_corpus_holds() {
    let count = corpus::replay("resp", steelyard_resp::exercise);
    assert!(count >= 10, "the corpus has only {count} files");
}
