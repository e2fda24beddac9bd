//! Files that files of dynamic configuration name.

use std::fs;

use crate::SourceRoots;
use crate::shelf::Shelf;

use super::scratch::Scratch;

/// A folder `dyn` with a file that names `keys/a.pem`, as it was looked at.
struct Named {
    scratch: Scratch,
    shelf: Shelf,
}

impl Named {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.write("keys/a.pem", "1");
        let text =
            format!("tls: {{certificates: [{{certFile: {}}}]}}\n", scratch.join(PEM).display());
        scratch.write(NAMING, text);
        let mut named = Self { scratch, shelf: Shelf::new(1000) };
        assert_eq!(named.key(), Some("1".into()));
        named
    }

    fn lines(&mut self) -> Vec<String> {
        let dynamic = vec![self.scratch.join("dyn")];
        let look = self.shelf.read(&SourceRoots { manifests: Vec::new(), dynamic });
        self.scratch.lines(&look.sight)
    }

    /// What is seen of the key, or why nothing is.
    fn key(&mut self) -> Option<String> {
        let lines = self.lines();
        let line = lines.iter().find_map(|line| line.strip_prefix(PEM))?;
        Some(line.trim_start_matches('=').to_owned())
    }
}

const NAMING: &str = "dyn/a.yml";
const PEM: &str = "keys/a.pem";

fn away(scratch: &Scratch) {
    fs::rename(scratch.join("dyn"), scratch.join("dyn.away")).unwrap();
}

fn dangling(scratch: &Scratch) {
    fs::remove_file(scratch.join(NAMING)).unwrap();
    scratch.link("nowhere.yml", NAMING);
}

fn pipe(scratch: &Scratch) {
    fs::remove_file(scratch.join(NAMING)).unwrap();
    let made = std::process::Command::new("mkfifo").arg(scratch.join(NAMING)).status();
    assert!(made.unwrap().success());
}

fn too_large(scratch: &Scratch) {
    scratch.write(NAMING, "#".repeat(2000));
}

fn broken(scratch: &Scratch) {
    scratch.write(NAMING, "tls: [\n");
}

fn garbage(scratch: &Scratch) {
    scratch.write(NAMING, b"\xff\xfe\x00");
}

/// Whatever becomes of the file that names it: it is read as it comes, and one that cannot be read
/// says so, since then it stands as it was.
#[test]
fn what_a_file_names_is_followed_while_that_file_cannot_be_read() {
    for (what, happens) in [
        ("away", away as fn(&Scratch)),
        ("dangling", dangling),
        ("pipe", pipe),
        ("too large", too_large),
        ("broken", broken),
        ("garbage", garbage),
    ] {
        let mut named = Named::new();
        happens(&named.scratch);
        for text in ["1", "22", "333"] {
            named.scratch.write(PEM, text);
            assert_eq!(named.key().as_deref(), Some(text), "{what}: {:?}", named.lines());
        }
        fs::remove_file(named.scratch.join(PEM)).unwrap();
        let now = named.key();
        let is_said = now.as_deref().is_some_and(|it| {
            it.starts_with("!No such file") || it.starts_with("!entity not found")
        });
        assert!(is_said, "{what}: {now:?}");
    }
}

#[test]
fn what_no_file_names_any_more_is_followed_as_long_as_it_is_there() {
    let mut named = Named::new();
    named.scratch.write(NAMING, "tls: {options: {default: {}}}\n");
    named.scratch.write(PEM, "22");
    assert_eq!(named.key().as_deref(), Some("22"));
    fs::remove_file(named.scratch.join(PEM)).unwrap();
    assert_eq!(named.key(), None);
    // And nobody asks for it when who named it is seen to be gone.
    let mut named = Named::new();
    fs::remove_file(named.scratch.join(NAMING)).unwrap();
    assert_eq!(named.key(), None);
}

/// Who is away for a moment, and comes back as what cannot be read, names what it named: renewals
/// are followed again.
#[test]
fn what_was_named_is_remembered_while_its_file_is_away_for_a_moment() {
    let mut named = Named::new();
    fs::remove_file(named.scratch.join(NAMING)).unwrap();
    assert_eq!(named.key(), None);
    named.scratch.link("nowhere.yml", NAMING);
    for text in ["22", "333"] {
        named.scratch.write(PEM, text);
        assert_eq!(named.key().as_deref(), Some(text), "{:?}", named.lines());
    }
}
