//! Each diagnostic code has a golden case and a line in docs/diagnostics.md, and the other way.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use super::sizes::is_test;
use super::{Complaint, SourceFile};

const DOCS: &str = "docs/diagnostics.md";
const CASES: &str = "tests/golden";

/// Compares what the code declares with the docs and with the expected outputs.
pub(crate) fn check(root: &Path, sources: &[SourceFile]) -> Result<Vec<Complaint>> {
    let docs = std::fs::read_to_string(root.join(DOCS)).context(DOCS)?;
    Ok(compare(sources, &documented(&docs), &covered(&root.join(CASES))?))
}

fn compare(
    sources: &[SourceFile],
    documented: &BTreeSet<String>,
    covered: &BTreeSet<String>,
) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut declared = BTreeSet::new();
    let counts = |source: &&SourceFile| !source.path.starts_with("xtask") && !is_test(source);
    for source in sources.iter().filter(counts) {
        for code in codes_in(&source.text) {
            if !source.path.ends_with("codes.rs") {
                let place = source.path.display();
                complaints.push(format!("{place}: code {code:?} belongs into a codes.rs"));
            }
            if !declared.insert(code.clone()) {
                complaints.push(format!("code {code:?} is declared twice"));
            }
        }
    }
    for code in &declared {
        if !documented.contains(code) {
            complaints.push(format!("code {code:?} has no line in {DOCS}"));
        }
        if !covered.contains(code) {
            complaints.push(format!("code {code:?} has no golden case under {CASES}"));
        }
    }
    for code in documented.difference(&declared) {
        complaints.push(format!("{DOCS} speaks of {code:?}, which nothing reports"));
    }
    complaints
}

fn codes_in(text: &str) -> Vec<String> {
    let mut parts = text.split("Code::new(\"");
    parts.next();
    parts.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

fn documented(docs: &str) -> BTreeSet<String> {
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| "));
    let codes = rows.filter_map(|row| row.split(" |").next()).map(|code| code.trim_matches('`'));
    codes.filter(|code| *code != "code").map(str::to_owned).collect()
}

/// Codes that appear in an expected output, as `error[code]` or `"code": "code"`.
fn covered(folder: &Path) -> Result<BTreeSet<String>> {
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            codes.extend(covered(&path)?);
        } else if path.to_string_lossy().contains(".out.") {
            codes.extend(told(&std::fs::read_to_string(&path)?));
        }
    }
    Ok(codes)
}

fn told(text: &str) -> impl Iterator<Item = String> {
    let marks = [("error[", ']'), ("warning[", ']'), ("info[", ']'), ("\"code\": \"", '"')];
    marks.into_iter().flat_map(|(before, after)| {
        let hits = text.split(before).skip(1);
        hits.filter_map(move |rest| rest.split(after).next()).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::source;

    #[test]
    fn a_code_has_a_place_a_line_and_a_case() {
        let new = |code: &str| format!("Code::new(\"{code}\")");
        let sources = [
            source("pure/x/src/codes.rs", &(new("whole") + &new("untold") + &new("twice"))),
            source("pure/y/src/codes.rs", &new("twice")),
            source("pure/x/src/a.rs", &new("elsewhere")),
            source("pure/x/src/tests.rs", &new("of-a-test")),
        ];
        let docs = documented("| code | x |\n| whole | x |\n| `twice` | x |\n| gone | x |\n");
        let cases = told("error[whole]: x\n{\"code\": \"twice\"} info[elsewhere]").collect();
        assert_eq!(
            compare(&sources, &docs, &cases),
            [
                "code \"twice\" is declared twice",
                "pure/x/src/a.rs: code \"elsewhere\" belongs into a codes.rs",
                "code \"elsewhere\" has no line in docs/diagnostics.md",
                "code \"untold\" has no line in docs/diagnostics.md",
                "code \"untold\" has no golden case under tests/golden",
                "docs/diagnostics.md speaks of \"gone\", which nothing reports",
            ]
        );
    }
}
