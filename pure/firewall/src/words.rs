//! A line of a ruleset as words.

/// A part of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A word, without quotes.
    Plain(String),
    /// What stands in braces, its parts without the commas.
    Group(Vec<String>),
}

impl Word {
    pub(crate) fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Group(_) => None,
        }
    }

    /// The values that it stands for.
    pub(crate) fn values(&self) -> Vec<String> {
        match self {
            Self::Plain(text) => text.split(',').map(str::to_owned).collect(),
            Self::Group(parts) => parts.clone(),
        }
    }
}

/// Splits a line. Quotes hold words together and are dropped, and so is a comment.
pub(crate) fn split(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '#' => break,
            '"' => quoted(rest),
            '{' => group(rest),
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (Word::Plain(rest[..end].to_owned()), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn quoted(text: &str) -> (Word, &str) {
    let inner = &text[1..];
    let end = inner.find('"').unwrap_or(inner.len());
    (Word::Plain(inner[..end].to_owned()), inner.get(end + 1..).unwrap_or_default())
}

fn group(text: &str) -> (Word, &str) {
    let inner = &text[1..];
    let mut depth = 1;
    let mut is_quoted = false;
    let end = inner.char_indices().find(|(_, letter)| {
        match letter {
            '"' => is_quoted = !is_quoted,
            '{' if !is_quoted => depth += 1,
            '}' if !is_quoted => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let end = end.map_or(inner.len(), |(at, _)| at);
    let parts = inner[..end].split(',').map(|part| part.replace('"', "").trim().to_owned());
    let parts = parts.filter(|part| !part.is_empty()).collect();
    (Word::Group(parts), inner.get(end + 1..).unwrap_or_default())
}

/// `0x2000`, `42`
pub(crate) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_braces_hold_words_together() {
        let plain = |text: &str| Word::Plain(text.to_owned());
        let group = |parts: &[&str]| Word::Group(parts.iter().map(|&it| it.to_owned()).collect());
        let table = [
            (
                "tcp dport 80 accept",
                vec![plain("tcp"), plain("dport"), plain("80"), plain("accept")],
            ),
            (
                "log prefix \"a { b \" drop # handle 3",
                vec![plain("log"), plain("prefix"), plain("a { b "), plain("drop")],
            ),
            ("{ 22, 80 : goto x, \"eth0\" }", vec![group(&["22", "80 : goto x", "eth0"])]),
            ("{ 1", vec![group(&["1"])]),
            ("\"", vec![plain("")]),
            ("", vec![]),
        ];
        for (line, want) in table {
            assert_eq!(split(line), want, "{line}");
        }
    }
}
