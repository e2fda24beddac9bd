//! Diagnostics as a set: in order, by file, and what an edit changes.

use super::*;
use crate::diagnostic::{Code, Location, Severity};

const CODE: Code = Code::new("duplicate-key");

fn at(file: &str, line: u32) -> Diagnostic {
    let location = Location { file: file.into(), line, column: 1, width: 0 };
    Diagnostic::in_file(Severity::Error, CODE, location, "a mistake", "mend it")
}

fn nowhere() -> Diagnostic {
    Diagnostic { location: None, ..at("", 0) }
}

#[test]
fn they_are_in_order_and_found_by_file() {
    let files = ["a.yaml", "b", "b.yaml", "c.yaml"];
    let all: Diagnostics = (0..400)
        .rev()
        .map(|n: u32| at(files[n as usize % 4], n))
        .chain([nowhere(), at("b", 1)])
        .collect();
    assert_eq!(all.len(), 401, "each is there once");
    assert!(all.iter().is_sorted());
    for file in files {
        let lines = all.in_file(file).map(|found| found.location.as_ref().unwrap().line);
        let expected = (0..400).filter(|n| files[*n as usize % 4] == file);
        assert!(lines.eq(expected), "{file}");
    }
    assert_eq!(all.in_file("aa").count() + all.in_file("").count() + all.in_file("d").count(), 0);
    assert!(all.nowhere().eq([&nowhere()]));
    assert_eq!(Diagnostics::default().in_file("a.yaml").count(), 0);
}

#[test]
fn an_edit_takes_out_then_in() {
    let before: Diagnostics = (0..200).map(|n| at("a.yaml", n)).collect();
    let mut after = before.clone();
    after.change([at("a.yaml", 7), at("a.yaml", 8)], [at("a.yaml", 8), at("a.yaml", 900)]);
    assert_eq!(after.len(), 200);
    assert_eq!(after.since(&before), [&at("a.yaml", 900)]);
    assert_eq!(before.since(&after), [&at("a.yaml", 7)]);
}
