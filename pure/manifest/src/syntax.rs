//! The parser's complaints in words for people, with what to do.

use granit_parser::{ErrorKind, Marker, ScanError};

use crate::codes;
use crate::fault::Fault;
use crate::source;
use crate::tree::Mark;
use crate::unfit;

/// Parser positions as marks.
pub(crate) fn mark_of(marker: &Marker) -> Mark {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Mark { line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}

/// Why `text` stops being YAML.
pub(crate) fn fault(error: &ScanError, text: &str) -> Fault {
    let mut mark = mark_of(error.marker());
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return Fault {
            mark,
            code: codes::YAML_TOO_COMPLEX,
            message: "mappings and lists are nested too deep here".to_owned(),
            help: "no Kubernetes object is that deep: check the indentation and the brackets"
                .to_owned(),
        };
    }
    let at = error.marker().byte_offset().unwrap_or(0);
    if let Some(end) = end_of_text(text, at) {
        mark = end;
    }
    let (message, help) = words(error);
    Fault { mark, code: codes::YAML_SYNTAX, message, help: help.to_owned() }
}

/// Better words for text that was not meant as YAML: templates, characters that only look like
/// those of YAML, and what git leaves in a file when a merge fails.
pub(crate) fn explain_origin(fault: &mut Fault, text: &str, file: &str) {
    if fault.code == codes::YAML_TOO_COMPLEX {
        return;
    }
    let before = usize::try_from(fault.mark.line).unwrap_or(usize::MAX).saturating_sub(2);
    let lines = || source::lines(text).skip(before).take(2);
    let conflict = ["<<<<<<< ", "=======", ">>>>>>> "];
    if lines().any(|line| conflict.iter().any(|it| line.starts_with(it))) {
        fault.help = "resolve the merge conflict that git left here".to_owned();
    } else if let Some((index, unfit)) = unfit::judge_lines(lines(), file) {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        fault.mark = Mark { line: number(before + index + 1), column: number(unfit.at + 1) };
        (fault.code, fault.message, fault.help) = (unfit.code, unfit.message, unfit.help);
    }
}

fn words(error: &ScanError) -> (String, &'static str) {
    use ErrorKind as E;
    let (message, help) = match error.kind() {
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabAtBlockScalarStart
        | E::TabInPlainScalar => ("a tab is used for indentation", "indent with spaces"),
        E::UnclosedQuotedScalar
        | E::DocumentIndicatorInQuotedScalar
        | E::InvalidQuotedScalarIndent => {
            ("a quoted text that begins before this place is not closed", "add the closing quote")
        }
        E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::UnclosedFlowCollection { .. }
        | E::ExpectedFlowMappingSeparator
        | E::ExpectedFlowSequenceSeparator
        | E::InvalidFlowScalarIndent => (
            "a `[` or `{` is not closed, or a comma is missing",
            "add the closing `]` or `}`, or the comma before this place",
        ),
        E::MisplacedFlowCollectionEnd | E::MismatchedFlowCollectionEnd { .. } => {
            ("this bracket closes nothing", "remove it, or add the opening one before it")
        }
        E::UnknownAnchor => (
            "the anchor of this alias is not defined before it in the same document",
            "define it with `&name`, or put text that starts with `*` in quotes",
        ),
        E::InvalidIndentation
        | E::ExpectedBlockMappingKey
        | E::ExpectedBlockSequenceEntry
        | E::BlockSequenceEntryNotAllowed
        | E::MappingKeyNotAllowed
        | E::InvalidBlockScalarIndent => (
            "this line does not fit the indentation of the lines above it",
            "line it up with its neighbours of the same level; lists want `- ` before each item",
        ),
        E::MappingValueNotAllowed | E::InvalidColonPlacement => (
            "this colon starts a value where none can be",
            "check the indentation, and that the line above has a space after its colon; quote a \
             value that contains `: `",
        ),
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => (
            "text follows a closing quote",
            "put all of the value in the quotes, or add the comma that is missing",
        ),
        E::UndeclaredTagHandle => (
            "text that starts with `!` is a tag, and this one is not declared",
            "put the value in quotes",
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey => (
            "a `key: value` was expected here, but there is no colon",
            "write `key: value` with a space after the colon, or fix the indentation",
        ),
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidUnicodeEscape => (
            "a backslash in double quotes starts an escape that YAML does not have",
            "write the backslash twice, or use single quotes",
        ),
        E::UnexpectedCharacter { character } => {
            let message = format!("a value cannot start with {character:?}");
            return (message, "put the value in quotes");
        }
        _ => return (error.info(), "correct the YAML here; quotes around the value often help"),
    };
    (message.to_owned(), help)
}

/// When only blanks follow `at`: the place after the last text, which says more than an empty
/// line would.
fn end_of_text(text: &str, at: usize) -> Option<Mark> {
    if !text.get(at..)?.trim().is_empty() {
        return None;
    }
    let text = text.trim_end();
    let breaks = text.replace("\r\n", "\n").matches(['\n', '\r']).count();
    let last = text.rsplit(['\n', '\r']).next().unwrap_or(text).chars().count();
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Some(Mark { line: number(breaks + 1), column: number(last + 1) })
}
