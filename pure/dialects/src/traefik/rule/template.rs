//! Texts with parts in braces: `{name:expression}`, or `{name}`.

/// A part of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// As it is.
    Text(&'t str),
    /// What stands behind the name, if anything does.
    Expression(Option<&'t str>),
}

/// The parts of a text; none where braces do not fit, or one has no name or an empty expression.
pub(super) fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(begin);
        let within = from.strip_prefix('{')?;
        let end = closing(within)?;
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        parts.push(Part::Expression(match within[..end].split_once(':') {
            Some(("", _) | (_, "")) => return None,
            Some((_, expression)) => Some(expression),
            None if end == 0 => return None,
            None => None,
        }));
        rest = &within[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Some(parts)
}

/// Where the brace ends that is open: braces in it have their own ends.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// All of it as one regular expression; `default` where a part has none.
pub(super) fn expression(parts: &[Part<'_>], default: &str) -> String {
    let mut source = String::new();
    for part in parts {
        match part {
            Part::Text(text) => quote(text, &mut source),
            Part::Expression(expression) => {
                source += "(?:";
                source += expression.unwrap_or(default);
                source += ")";
            }
        }
    }
    source
}

/// Every character that may mean something means itself.
fn quote(text: &str, source: &mut String) {
    for letter in text.chars() {
        if letter.is_ascii_punctuation() && !matches!(letter, '<' | '>') {
            source.push('\\');
        }
        source.push(letter);
    }
}
