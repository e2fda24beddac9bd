//! Files and functions stay readable, and say what they are.

use anyhow::Result;

use super::{Complaint, SourceFile};

/// Lines of a file, tests apart.
const FILE_LINES: usize = 600;
/// Lines of a function, signature and braces included.
const FUNCTION_LINES: usize = 70;
/// Columns of a comment, which rustfmt leaves as it is.
const COLUMNS: usize = 100;
/// Names that say nothing about what is inside.
const BANNED: &[&str] =
    &["manager", "helper", "helpers", "util", "utils", "common", "misc", "data", "info", "base"];

/// Looks at every file.
pub(crate) fn check(sources: &[SourceFile]) -> Result<Vec<Complaint>> {
    let mut complaints = Vec::new();
    for source in sources {
        let path = source.path.display();
        let stem = source.path.file_stem().unwrap_or_default().to_string_lossy();
        if BANNED.contains(&&*stem) {
            complaints.push(format!("{path}: a file named {stem:?} says nothing about it"));
        }
        complaints.extend(wide_comments(source));
        if is_test(source) {
            continue;
        }
        if !source.text.starts_with("//!") && !source.text.starts_with("#!") {
            complaints.push(format!("{path}:1: begins without `//!`: say what the file is"));
        }
        let lines = source.text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > FILE_LINES {
            complaints.push(format!("{path}: {lines} lines, more than {FILE_LINES}: split it"));
        }
        complaints.extend(long_functions(source));
    }
    Ok(complaints)
}

pub(super) fn is_test(source: &SourceFile) -> bool {
    source.path.ends_with("tests.rs")
        || source.path.components().any(|part| part.as_os_str() == "tests")
}

fn wide_comments(source: &SourceFile) -> impl Iterator<Item = Complaint> {
    let is_wide =
        |line: &str| line.trim_start().starts_with("//") && line.chars().count() > COLUMNS;
    let wide = source.text.lines().zip(1..).filter(move |(line, _)| is_wide(line));
    let path = source.path.display();
    wide.map(move |(_, at)| format!("{path}:{at}: a comment of more than {COLUMNS} columns"))
}

/// Functions past the limit. Relies on rustfmt: a function ends at the first line that is only
/// its closing brace, as far in as the line it begins on.
fn long_functions(source: &SourceFile) -> Vec<Complaint> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut complaints = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", &line[..indent]);
        let length = lines[at..].iter().position(|other| *other == end).unwrap_or(0) + 1;
        if length > FUNCTION_LINES {
            let path = source.path.display();
            let limit = format!("{length} lines, more than {FUNCTION_LINES}");
            complaints.push(format!("{path}:{}: `{name}` has {limit}: split it", at + 1));
        }
    }
    complaints
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::source;

    fn complaints(path: &str, text: &str) -> Vec<Complaint> {
        check(&[source(path, text)]).expect("it reads nothing else")
    }

    #[test]
    fn a_file_is_named_says_what_it_is_and_ends() {
        assert!(complaints("pure/x/src/a.rs", "//! It.\n").is_empty());
        assert_eq!(
            complaints("pure/x/src/util.rs", "//! It.\n"),
            ["pure/x/src/util.rs: a file named \"util\" says nothing about it"]
        );
        assert_eq!(
            complaints("pure/x/src/a.rs", "fn f() {}\n"),
            ["pure/x/src/a.rs:1: begins without `//!`: say what the file is"]
        );
        let long = format!("//! It.\n{}", "\n".repeat(FILE_LINES));
        assert_eq!(
            complaints("pure/x/src/a.rs", &long),
            ["pure/x/src/a.rs: 601 lines, more than 600: split it"]
        );
        assert!(complaints("pure/x/src/tests.rs", &long[8..]).is_empty());
    }

    #[test]
    fn functions_and_comments_end_too() {
        let of = |lines: usize| format!("//! It.\n    fn f() {{\n{}    }}\n", "x\n".repeat(lines));
        assert!(complaints("io/x/src/a.rs", &of(FUNCTION_LINES - 2)).is_empty());
        assert_eq!(
            complaints("io/x/src/a.rs", &of(FUNCTION_LINES - 1)),
            ["io/x/src/a.rs:2: `f` has 71 lines, more than 70: split it"]
        );
        let wide = format!("//! {}\n", "x".repeat(COLUMNS - 3));
        assert_eq!(
            complaints("io/x/src/a.rs", &wide),
            ["io/x/src/a.rs:1: a comment of more than 100 columns"]
        );
    }
}
