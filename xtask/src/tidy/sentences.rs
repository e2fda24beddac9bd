//! Code never reads a sentence: what a person reads is made of data, and the data is what code
//! asks.

use super::sizes::is_test;
use super::{Complaint, SourceFile};

/// What holds sentences.
const SENTENCES: &[&str] = &[".message", ".help", ".reason", ".to_string()", ".why"];
/// What reads them.
const READERS: &[&str] = &[
    ".contains(",
    ".starts_with(",
    ".ends_with(",
    ".split(",
    ".split_once(",
    ".strip_prefix(",
    ".find(",
    " == \"",
    " != \"",
];

/// Looks at every file outside tests.
pub(crate) fn check(sources: &[SourceFile]) -> Vec<Complaint> {
    let apart = |source: &&SourceFile| {
        !is_test(source)
            && !["tests", "bench", "xtask"].iter().any(|top| source.path.starts_with(top))
    };
    let mut complaints = Vec::new();
    for source in sources.iter().filter(apart) {
        let text = source.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for line in whole(text).lines().filter(|line| reads_a_sentence(line)) {
            let (path, line) = (source.path.display(), line.trim());
            complaints.push(format!("{path}: a sentence is read, not data: {line}"));
        }
    }
    complaints
}

/// The text with each chain of calls on one line.
fn whole(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let call = line.trim_start();
        match call.starts_with('.') {
            true => out.push_str(call),
            false => {
                out.push('\n');
                out.push_str(line);
            }
        }
    }
    out
}

fn reads_a_sentence(line: &str) -> bool {
    SENTENCES.iter().any(|sentence| {
        let after = line.split(sentence).skip(1);
        let mut after = after.map(|rest| rest.trim_start_matches(".as_str()"));
        after.any(|rest| READERS.iter().any(|reader| rest.starts_with(reader)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::source;

    #[test]
    fn looking_into_a_message_is_named_with_its_line() {
        let text = "fn f() {\n    x.message.contains(\"no\");\n}";
        let complaints = check(&[source("steelyard/src/x.rs", text)]);
        let line = "x.message.contains(\"no\");";
        assert_eq!(
            complaints,
            [format!("steelyard/src/x.rs: a sentence is read, not data: {line}")]
        );
    }

    #[test]
    fn a_chain_over_several_lines_is_one() {
        let text = "fn f() {\n    if d\n        .message\n        .contains(\"no\") {}\n}";
        let complaints = check(&[source("io/x/src/a.rs", text)]);
        let line = "if d.message.contains(\"no\") {}";
        assert_eq!(complaints, [format!("io/x/src/a.rs: a sentence is read, not data: {line}")]);
        assert_eq!(check(&[source("io/x/src/a.rs", "if d.help == \"no\" {}")]).len(), 1);
    }

    #[test]
    fn printing_one_is_not_reading_it_and_tests_may() {
        let quiet = source("io/x/src/a.rs", "println!(\"{}\", d.message); d.messages.contains(x)");
        let test = source("io/x/src/a/tests.rs", "assert!(d.message.contains(\"x\"))");
        assert!(check(&[quiet, test]).is_empty());
    }
}
