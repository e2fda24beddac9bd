//! The steps of a field path: `spec.ports[0]`, `metadata.annotations["a.b/c"]`.

use std::borrow::Cow;

use steelyard_model::discretion::is_credential;

/// One step down from an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

/// The steps of `path`. Total: what does not follow the form is taken as a key that no object
/// has, so a walk stops there.
pub(crate) fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inside) if inside.starts_with('"') => quoted(inside),
            Some(inside) => index(inside),
            None => word(rest.strip_prefix('.').unwrap_or(rest)),
        };
        steps.push(step);
        rest = after;
    }
    steps
}

/// Whether the value at `path` must not be shown: a credential, or below one, or what a Secret
/// holds.
pub(crate) fn is_hidden(path: &str) -> bool {
    let steps = steps(path);
    let is_data =
        matches!(steps.first(), Some(Step::Key(key)) if key == "data" || key == "stringData");
    is_data || steps.iter().any(|step| matches!(step, Step::Key(key) if is_credential(key)))
}

fn word(text: &str) -> (Step<'_>, &str) {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    (Step::Key(text[..end].into()), &text[end..])
}

fn index(text: &str) -> (Step<'_>, &str) {
    let Some((inside, rest)) = text.split_once(']') else {
        return (Step::Key(text.into()), "");
    };
    match inside.parse() {
        Ok(index) => (Step::Index(index), rest),
        Err(_) => (Step::Key(inside.into()), rest),
    }
}

/// After `[`, from the quote on; escapes are those of a Rust string.
fn quoted(text: &str) -> (Step<'_>, &str) {
    let mut key = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = &text[at + 1..];
                return (Step::Key(key.into()), rest.strip_prefix(']').unwrap_or(rest));
            }
            '\\' => match characters.next() {
                Some((_, 'n')) => key.push('\n'),
                Some((_, 'r')) => key.push('\r'),
                Some((_, 't')) => key.push('\t'),
                Some((_, '0')) => key.push('\0'),
                Some((_, 'u')) => key.extend(code_point(&mut characters)),
                Some((_, other)) => key.push(other),
                None => {}
            },
            other => key.push(other),
        }
    }
    (Step::Key(key.into()), "")
}

/// After `\u`: `{200b}`.
fn code_point(characters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let digits: String = characters
        .map(|(_, character)| character)
        .skip_while(|character| *character == '{')
        .take_while(|character| *character != '}')
        .collect();
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}
