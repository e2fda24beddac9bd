//! What of a file of dynamic configuration is none.

use steelyard_model::Severity;

use crate::{Object, ReadLimits, Soundness, Source, load_dynamic};

/// A root beside a router, how bad it is, and whether the file counts as read to its end.
const ROOTS: &[(&str, Option<Severity>)] = &[
    ("", None),
    ("x-mw: &mw [h]\n", Some(Severity::Warning)),
    ("x-http: {routers: {b: {}}}\n", Some(Severity::Warning)),
    (".htttp: {routers: {b: {}}}\n", Some(Severity::Warning)),
    ("anchors: {routers: {b: {}}}\n", Some(Severity::Warning)),
    ("services: {web: {image: nginx}}\n", Some(Severity::Warning)),
    ("htttp: {trust: []}\n", Some(Severity::Warning)),
    ("htttp: [routers]\n", Some(Severity::Warning)),
    ("entryPoints: {web: {address: ':80'}}\n", Some(Severity::Info)),
    ("providers:\n  file: {filename: one.yml}\n", Some(Severity::Info)),
    ("LOG: {level: DEBUG}\n", Some(Severity::Info)),
    // What it closes is not known.
    ("htttp: {routers: {b: {}}}\n", Some(Severity::Error)),
    ("HTPP: {Middlewares: {b: {}}}\n", Some(Severity::Error)),
    ("tpc: &t {routers: {b: {}}}\n", Some(Severity::Error)),
    ("tsl: {options: {default: {}}}\n", Some(Severity::Error)),
    // Below the root Traefik takes nothing of such a file.
    ("tls: {optionz: {}}\n", Some(Severity::Error)),
];

#[test]
fn what_stands_at_the_root_and_is_no_section_is_passed_over() {
    for (root, expected) in ROOTS {
        let text = format!("{root}http: {{routers: {{a: {{service: s}}}}}}\n");
        let source = Source::new("/dyn.yml", text.as_bytes());
        let loaded = load_dynamic(&source, &ReadLimits::default());
        let sound = loaded.objects.iter().filter(|it| it.soundness == Soundness::Sound);
        let names: Vec<_> = sound.map(|it| &*it.reference.name).collect();
        assert_eq!(names, ["a@file"], "{root}");
        let found: Vec<Severity> = loaded.diagnostics.iter().map(|it| it.severity).collect();
        assert_eq!(found, expected.as_slice(), "{root}: {:?}", loaded.diagnostics);
        assert_eq!(loaded.broken, *expected == Some(Severity::Error), "{root}");
    }
}

#[test]
fn a_section_with_a_typo_is_told_what_was_meant() {
    let source = Source::new("/dyn.toml", b"[htttp.routers.a]\nrule = 'x'\n".as_slice());
    let loaded = load_dynamic(&source, &ReadLimits::default());
    let is_marred = |it: &Object| it.soundness == Soundness::Marred;
    assert!(loaded.broken && loaded.objects.iter().all(is_marred));
    assert_eq!(loaded.diagnostics[0].help, "did you mean `http`?");
}
