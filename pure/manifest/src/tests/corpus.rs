//! Replays the fuzz corpus.

use std::path::Path;

#[test]
fn the_fuzz_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/loader");
    let files = std::fs::read_dir(&folder).expect("the corpus folder is committed");
    let mut count = 0;
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        crate::exercise(&bytes);
        count += 1;
    }
    assert!(count >= 10, "the corpus has only {count} files");
}
