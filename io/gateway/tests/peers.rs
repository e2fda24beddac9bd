//! What hyper makes of requests is what the gateway makes of them: the corpus of the fuzz targets,
//! and odd bytes from seeds.

#[path = "peers/hyper.rs"]
mod hyper_peer;
mod support;

use std::path::Path;

use hyper_peer::agree;
use support::odd::sequence;

#[test]
fn hyper_and_the_gateway_agree_on_the_corpus() {
    let mut count = 0;
    for name in ["http_head", "http_peers"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
        for file in std::fs::read_dir(&folder).expect("the corpus is committed") {
            let path = file.expect("an entry").path();
            agree(&std::fs::read(&path).expect("a file"));
            count += 1;
        }
    }
    assert!(count > 30, "the corpus has {count} files");
}

#[test]
fn hyper_and_the_gateway_agree_on_what_is_nearly_a_request() {
    (0..2_000).for_each(|number| agree(&sequence(number)));
}
