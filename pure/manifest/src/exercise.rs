//! Everything this crate does with foreign bytes, in one call, with what must hold afterwards.
//! Fuzzing, the corpus and the property tests share it.

use steelyard_model::{Diagnostic, FieldPath, Location};

use crate::cluster::{ClusterObject, RawObject};
use crate::kinds::core::Pod;
use crate::kinds::service::Service;
use crate::load::{Loaded, load};
use crate::object::Object;
use crate::source::{ReadLimits, Source};
use crate::watched::{Role, watched};
use crate::written::Written;
use crate::{codes, lock, merge, render};

/// Loads, reads, locates, renders and parses `bytes` as a manifest and as a lock file.
///
/// # Panics
///
/// When an invariant of the crate does not hold; no bytes may cause that.
pub fn exercise(bytes: &[u8]) {
    let limits = ReadLimits { nodes: 10_000, problems: 20, ..ReadLimits::default() };
    let source = Source::new("input.yaml", bytes);
    let shown = source.shown().into_owned();
    let lines: Vec<&str> = lines(&shown);
    let Loaded { objects, mut diagnostics, broken } = load(&source, &limits);
    assert!(broken || diagnostics.iter().all(|diagnostic| !diagnostic.is_error()));
    for object in &objects {
        diagnostics.extend(read_all(object));
        check_location(&object.locate(&FieldPath::from("spec.ports[0].port")), &lines);
        let written = Written::of(object);
        for path in ["", "spec.ports[0].port", "metadata.name", "kind"].map(FieldPath::from) {
            assert_eq!(written.locate(&path), object.locate(&path), "found again");
        }
    }
    for diagnostic in &diagnostics {
        check(diagnostic, &lines);
    }
    let rendered = render::text(&diagnostics, std::slice::from_ref(&source), false);
    assert!(rendered.chars().all(|character| character == '\n' || !character.is_control()));
    let again = load(&source, &limits);
    let total = objects.len() + again.objects.len();
    let merged = merge(vec![Loaded { objects, ..Loaded::default() }, again]);
    let is_duplicate = |found: &&Diagnostic| found.code == codes::DUPLICATE_OBJECT;
    let duplicates = merged.diagnostics.iter().filter(is_duplicate).count();
    assert_eq!(total, merged.objects.len() + duplicates);
    if let Ok(held) = lock::parse("steelyard.lock", &shown) {
        assert_eq!(lock::parse("steelyard.lock", &lock::print(&held)), Ok(held));
    }
}

/// The same for what an API server sends, wherever it was asked for.
///
/// # Panics
///
/// When an invariant of the crate does not hold; nothing that is sent may cause that.
pub fn exercise_cluster(raw: &RawObject) {
    let kinds = watched(Role::Everything).iter().chain(watched(Role::Controller));
    for kind in kinds {
        let Ok(sent) = ClusterObject::new(raw.clone(), kind) else { continue };
        assert_eq!(*sent.object.reference.kind, *kind.kind);
        for diagnostic in read_all(&sent.object) {
            let place = diagnostic.location.expect("every finding has a place");
            assert_eq!((&*place.file, place.line), ("cluster", 0));
        }
        let written = Written::of(&sent.object);
        let again = ClusterObject::new(raw.clone(), kind).expect("it was one");
        assert!(written.is_like(&Written::of(&again.object)), "the same is like itself");
        assert_eq!(written.locate(&FieldPath::from("kind")), written.location());
    }
}

fn read_all(object: &Object) -> Vec<Diagnostic> {
    let service = object.read::<Service>();
    assert!(service.value.is_some() || service.diagnostics.iter().any(Diagnostic::is_error));
    let pod = object.read_lenient::<Pod>();
    assert!(pod.diagnostics.iter().all(Diagnostic::is_error));
    [service.diagnostics, pod.diagnostics].concat()
}

fn check(diagnostic: &Diagnostic, lines: &[&str]) {
    assert!(!diagnostic.message.is_empty() && !diagnostic.help.is_empty(), "{diagnostic:?}");
    let location = diagnostic.location.as_ref().expect("every finding about a file has a place");
    check_location(location, lines);
}

/// A place is on a line of the text, or right after it.
fn check_location(location: &Location, lines: &[&str]) {
    let index = usize::try_from(location.line - 1).expect("lines fit");
    let length = lines.get(index).unwrap_or_else(|| panic!("no such line: {location}"));
    let column = usize::try_from(location.column).expect("columns fit");
    assert!((1..=length.chars().count() + 1).contains(&column), "no such column: {location}");
}

fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        if bytes[at] == b'\n' || bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
            lines.push(text[start..at].trim_end_matches('\r'));
            start = at + 1;
        }
    }
    lines.push(&text[start..]);
    lines
}
