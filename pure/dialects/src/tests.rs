//! Objects as users write them, and what lowering says about them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::{ClassReading, ClassReadings, Item, RouteSet, Severity};

use crate::{LowerOptions, Lowered, lower};

mod address_wish;
mod annotations;
mod bgp;
mod claims;
mod core;
mod ingress;
mod injections;
mod metallb;
mod middlewares;
mod rules;
mod sold;
mod stood_in;
mod traefik;

/// What the objects of `yaml` lower to, all together. The text must be in order.
fn lowered(yaml: &str) -> Lowered {
    let loaded = load(&Source::new("test.yaml", yaml.as_bytes()), &ReadLimits::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let mut all = Lowered::default();
    for object in &loaded.objects {
        let lowered = lower(object, &LowerOptions::default());
        for diagnostic in &lowered.diagnostics {
            assert!(!diagnostic.help.is_empty(), "{diagnostic:?}");
        }
        for item in &lowered.items {
            if let Item::Routes(set) = item {
                all.diagnostics.extend(reading(set).said.iter().cloned());
            }
        }
        all.items.extend(lowered.items);
        all.diagnostics.extend(lowered.diagnostics);
    }
    all
}

/// As its class reads an Ingress, where that is called as its controller is.
fn reading(set: &RouteSet) -> &ClassReading {
    match set.class.as_ref().map(|class| class.name.as_str()) {
        Some("traefik") => &set.readings.traefik,
        Some("nginx") => &set.readings.nginx,
        _ => &set.readings.both,
    }
}

/// `severity code path` of each finding, in order.
fn findings(lowered: &Lowered) -> Vec<String> {
    let line = |d: &steelyard_model::Diagnostic| format!("{} {} {}", d.severity, d.code, d.path);
    lowered.diagnostics.iter().map(line).collect()
}

/// The only item.
fn only(mut lowered: Lowered) -> Item {
    assert_eq!(lowered.diagnostics, []);
    assert_eq!(lowered.items.len(), 1, "{:?}", lowered.items);
    lowered.items.remove(0)
}

/// Checks that `yaml` gives nothing but these findings, in any order, and no items.
fn refused(yaml: &str, expected: &[&str]) {
    let lowered = lowered(yaml);
    let found: BTreeSet<String> = findings(&lowered).into_iter().collect();
    let expected: BTreeSet<String> = expected.iter().map(|&line| line.to_owned()).collect();
    assert_eq!(found, expected, "{yaml}");
    assert!(lowered.items.is_empty(), "{yaml}");
}

/// Checks that `yaml` gives these findings and items all the same.
fn taken(yaml: &str, expected: &[&str]) -> Lowered {
    let lowered = lowered(yaml);
    assert_eq!(findings(&lowered), expected, "{yaml}");
    assert!(!lowered.items.is_empty(), "{yaml}");
    lowered
}

/// The examples hold two mistakes that lowering can see, and annotations of later.
#[test]
fn the_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut errors = Vec::new();
    let mut files = 0;
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            files += 1;
            let lowered = lowered(&std::fs::read_to_string(&file).unwrap());
            let of_note = lowered.diagnostics.iter().filter(|d| d.severity != Severity::Info);
            errors.extend(of_note.map(|d| {
                let folder = folder.file_name().unwrap().to_string_lossy().into_owned();
                format!("{folder} {} {}", d.code, d.path.0.replace("metadata.annotations", ""))
            }));
        }
    }
    errors.sort();
    assert!(files > 15, "{files} files");
    assert_eq!(
        errors,
        [
            "production-bgp annotation-unknown [\"metallb.universe.tf/healthCheckNodePort\"]",
            "production-bgp health-check-node-port-unused spec.healthCheckNodePort",
        ]
    );
}
