//! Everything that reads the first bytes of a connection, on any bytes, with what must hold
//! afterwards. Fuzzing, the corpus and the property tests share it.

use std::fmt::Debug;

use steelyard_model::routing::transport::ProxyVersion;

use crate::client_hello::HelloReader;
use crate::opening::first_bytes;
use crate::proxy::ProxyHeader;

/// More beginnings of the same bytes are not looked at.
const MOST_BEGINNINGS: usize = 256;

/// Reads `bytes` as they come, in pieces. Panics when an invariant is broken.
pub fn exercise(bytes: &[u8]) {
    settles(bytes, first_bytes);
    settles(bytes, |it| ProxyHeader::read(it).transpose());
    let mut reader = HelloReader::default();
    settles(bytes, |it| HelloReader::default().read(it).transpose());
    let in_pieces = beginnings(bytes).find_map(|it| reader.read(it).transpose());
    assert_eq!(in_pieces, HelloReader::default().read(bytes).transpose(), "pieces are no matter");
    if let Ok(Some((header, length))) = ProxyHeader::read(bytes) {
        assert!(length <= bytes.len());
        repeats(header);
    }
}

/// What is said of a beginning is said however it goes on.
fn settles<T: PartialEq + Debug>(bytes: &[u8], read: impl FnMut(&[u8]) -> Option<T>) {
    let mut all = beginnings(bytes).filter_map(read);
    let Some(first) = all.next() else { return };
    for next in all {
        assert_eq!(next, first, "it was settled");
    }
}

/// Some beginnings of `bytes`, the shortest first and all of them last.
fn beginnings(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let step = 1 + bytes.len() / MOST_BEGINNINGS;
    (0..bytes.len()).step_by(step).chain([bytes.len()]).map(|end| &bytes[..end])
}

/// What a header says can be said by one.
fn repeats(header: ProxyHeader) {
    let Some((source, destination)) = header.addresses else { return };
    let canonical = |it: std::net::SocketAddr| (it.ip().to_canonical(), it.port());
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let written = ProxyHeader::write(version, source, destination);
        let read = ProxyHeader::read(&written);
        let Ok(Some((again, length))) = read else { panic!("{version:?}: {read:?}") };
        let again = again.addresses.map(|(from, to)| (canonical(from), canonical(to)));
        assert_eq!(again, Some((canonical(source), canonical(destination))), "{version:?}");
        assert_eq!(length, written.len());
    }
}

#[cfg(test)]
mod tests {
    use steelyard_testbed::corpus;

    use super::exercise;

    #[test]
    fn the_fuzz_corpus_holds() {
        let count = corpus::replay("preface", exercise);
        assert!(count >= 10, "the corpus has only {count} files");
    }
}
