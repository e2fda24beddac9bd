//! How texts begin in which an expression is found: what may be looked up before it is asked.

/// What a text begins with in which the RE2 expression `source` is found; none where that is not
/// plain to see. Only what is written out behind `^` is seen.
pub(super) fn beginning(source: &str) -> Option<String> {
    let rest = source.strip_prefix('^')?;
    let (mut text, mut letters) = (String::new(), rest.char_indices().peekable());
    let mut end = rest.len();
    while let Some((at, letter)) = letters.next() {
        let meant = match letter {
            '\\' => letters.next_if(|(_, it)| it.is_ascii_punctuation()).map(|(_, it)| it),
            '.' | '[' | '(' | ')' | '|' | '$' | '^' | '*' | '+' | '?' | '{' | '}' | ']' => None,
            plain => Some(plain),
        };
        let Some(meant) = meant else {
            end = at;
            break;
        };
        // What need not be there, or is repeated perhaps, is no part of it.
        if letters.next_if(|(_, it)| matches!(it, '*' | '?' | '{')).is_some() {
            end = at;
            break;
        }
        text.push(meant);
    }
    (!has_alternative(&rest[end..])).then_some(text)
}

/// Whether there is another way beside all of what came before, or may be.
fn has_alternative(rest: &str) -> bool {
    let (mut depth, mut letters) = (0_usize, rest.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '|' if depth == 0 => return true,
            // What is within these is not read: there may be anything in it.
            '[' => return rest.contains('|'),
            '\\' => match letters.next() {
                Some('Q') => return rest.contains('|'),
                _ => continue,
            },
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::pattern::Expression;

    #[test]
    fn what_is_written_out_behind_the_beginning_is_seen() {
        for (source, begins) in [
            ("^/v1/users/[0-9]+$", Some("/v1/users/")),
            (r"^/a\.b\/(x|y)", Some("/a.b/")),
            ("^/ab?c", Some("/a")),
            ("^/ab*", Some("/a")),
            ("^/ab{0,1}", Some("/a")),
            ("^/ab+", Some("/ab")),
            ("^", Some("")),
            ("^/é", Some("/é")),
            (r"^/a\d", Some("/a")),
            (r"^/a\Qx|y\E", None),
            ("^/a|b", None),
            ("^/a(b|c)|d", None),
            ("^/a[|]", None),
            ("^/a[0-9]", Some("/a")),
            ("(?i)^/a", None),
            ("/a", None),
        ] {
            assert_eq!(beginning(source).as_deref(), begins, "{source}");
            let expression = Expression::new(source).unwrap();
            for text in
                ["", "/", "/a", "/ab", "/abc", "/ac", "/é", "/a1", "d", "b", "/a.b/x", "/ax|y"]
            {
                let starts = begins.is_none_or(|it| text.starts_with(it));
                assert!(starts || !expression.is_found_in(text), "{source} in {text}");
            }
        }
    }
}
