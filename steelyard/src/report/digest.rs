//! Notes that say the same of many things are one: in a big folder, the two errors are to be seen.
//! Errors and nearly all warnings are shown one by one.

use std::collections::BTreeMap;

use steelyard_dialects::codes as of_objects;
use steelyard_manifest::codes as of_texts;
use steelyard_model::{Code, Diagnostic, Severity};

/// Notes about what is not read, in one line, however many there are; and what to do about them.
const UNREAD: [(Code, &str, &str); 4] = [
    (
        of_texts::BUILD_NEEDED,
        "folders are for kustomize or Helm, and what comes of them is not judged",
        "check each as it is built: `kustomize build FOLDER | steelyard check -`, or `helm \
         template FOLDER | steelyard check -`",
    ),
    (
        of_objects::KIND_IGNORED,
        "objects are of kinds that steelyard does not read",
        "nothing needs to change",
    ),
    (
        of_objects::KIND_LATER,
        "objects are of kinds that steelyard does not read yet",
        "keep them for a later version; what is to be routed until then, say with an Ingress",
    ),
    (
        of_texts::NOT_AN_OBJECT,
        "documents are no Kubernetes objects, and are skipped",
        "nothing needs to change",
    ),
];

/// Those of which two are too many already.
const QUIET: [Code; 3] =
    [of_objects::KIND_IGNORED, of_objects::KIND_LATER, of_texts::NOT_AN_OBJECT];

/// So many notes of one code are shown one by one.
const FEW: usize = 3;
/// So many names are listed.
const LISTED: usize = 6;

/// What is shown of `diagnostics`, in their order.
pub(super) fn of(diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut notes: BTreeMap<Code, Vec<&Diagnostic>> = BTreeMap::new();
    for found in diagnostics.iter().filter(|found| is_note(found)) {
        notes.entry(found.code).or_default().push(found);
    }
    let unread = |code: Code| UNREAD.iter().find(|(known, ..)| *known == code);
    let is_folded = |code: &Code, notes: &[&Diagnostic]| {
        notes.len() > if QUIET.contains(code) { 1 } else { FEW }
    };
    let folded: BTreeMap<Code, Vec<&Diagnostic>> =
        notes.into_iter().filter(|(code, notes)| is_folded(code, notes)).collect();
    let is_shown = |found: &&Diagnostic| !is_note(found) || !folded.contains_key(&found.code);
    let mut shown: Vec<Diagnostic> = diagnostics.iter().filter(is_shown).cloned().collect();
    shown.extend(folded.iter().map(|(code, notes)| match unread(*code) {
        Some((_, what, help)) => all(notes, what, help),
        None => first(notes),
    }));
    shown
}

/// Whether many like it are one.
fn is_note(found: &Diagnostic) -> bool {
    found.severity == Severity::Info || found.code == of_texts::BUILD_NEEDED
}

/// The first of `notes`, and how many more there are.
fn first(notes: &[&Diagnostic]) -> Diagnostic {
    let first = notes[0].clone();
    let message = format!("{} (and {} more like it)", first.message, notes.len() - 1);
    let help = format!("{} (all of them: -o json)", first.help);
    Diagnostic { message, help, ..first }
}

/// All of `notes` in one line.
fn all(notes: &[&Diagnostic], what: &str, help: &str) -> Diagnostic {
    let message = format!("{} {what}: {}", notes.len(), names(notes));
    let help = format!("{help} (each of them: -o json)");
    Diagnostic { message, help, location: None, object: None, path: "".into(), ..notes[0].clone() }
}

/// `12 HelmRelease, 8 ExternalSecret and 3 others`; files where there are no objects.
fn names(notes: &[&Diagnostic]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for note in notes {
        let kind = note.object.as_ref().map(|object| &*object.kind);
        let file = note.location.as_ref().map(|place| &*place.file);
        *counts.entry(kind.or(file).unwrap_or("-")).or_default() += 1;
    }
    let mut sorted: Vec<(&str, usize)> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let name = |(name, count): &(&str, usize)| match count {
        1 => (*name).to_owned(),
        count => format!("{count} {name}"),
    };
    let mut listed: Vec<String> = sorted.iter().take(LISTED).map(name).collect();
    let rest: usize = sorted.iter().skip(LISTED).map(|(_, count)| count).sum();
    if rest > 0 {
        listed.push(format!("{rest} more"));
    }
    listed.join(", ")
}
