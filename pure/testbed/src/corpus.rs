//! What fuzzing has found and kept: `fuzz/corpus`.

use std::path::Path;

/// Has each file of a target's corpus exercised; how many there are.
pub fn replay(target: &str, mut exercise: impl FnMut(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).expect("the corpus folder is committed");
    files.map(|file| exercise(&read(&file.expect("a file").path()))).count()
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
