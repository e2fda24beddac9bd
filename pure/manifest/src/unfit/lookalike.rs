//! Characters that look like one of ASCII, or like nothing: what text processors, chats and web
//! pages make of what somebody copied.

/// A character that is not what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lookalike {
    character: char,
    /// What it is called, and what it looks like; nothing where it is not seen at all.
    name: &'static str,
    looks_like: &'static str,
    /// Bytes before it.
    pub(super) at: usize,
}

/// Marks and blanks: nobody means them where they are read.
const MARKS: [(char, &str, &str); 36] = [
    ('\u{a0}', "a no-break space", " "),
    ('\u{ad}', "a soft hyphen", ""),
    ('\u{2002}', "an en space", " "),
    ('\u{2003}', "an em space", " "),
    ('\u{2007}', "a figure space", " "),
    ('\u{2009}', "a thin space", " "),
    ('\u{200a}', "a hair space", " "),
    ('\u{200b}', "a zero-width space", ""),
    ('\u{200c}', "a zero-width non-joiner", ""),
    ('\u{200d}', "a zero-width joiner", ""),
    ('\u{200e}', "a left-to-right mark", ""),
    ('\u{200f}', "a right-to-left mark", ""),
    ('\u{2010}', "a hyphen that is not the one of keyboards", "-"),
    ('\u{2011}', "a no-break hyphen", "-"),
    ('\u{2012}', "a figure dash", "-"),
    ('\u{2013}', "an en dash", "-"),
    ('\u{2014}', "an em dash", "-"),
    ('\u{2015}', "a horizontal bar", "-"),
    ('\u{2018}', "a typographic quote", "'"),
    ('\u{2019}', "a typographic quote", "'"),
    ('\u{201a}', "a low quote", "'"),
    ('\u{201c}', "a typographic quote", "\""),
    ('\u{201d}', "a typographic quote", "\""),
    ('\u{201e}', "a low quote", "\""),
    ('\u{2024}', "a one dot leader", "."),
    ('\u{202f}', "a narrow no-break space", " "),
    ('\u{2060}', "a word joiner", ""),
    ('\u{2212}', "a minus sign", "-"),
    ('\u{2215}', "a division slash", "/"),
    ('\u{2236}', "a ratio sign", ":"),
    ('\u{3000}', "an ideographic space", " "),
    ('\u{3002}', "an ideographic full stop", "."),
    ('\u{feff}', "a byte order mark", ""),
    ('\u{ff0c}', "a full-width comma", ","),
    ('\u{ff0e}', "a full-width full stop", "."),
    ('\u{ff1a}', "a full-width colon", ":"),
];

/// Letters of other alphabets: meant among their own, not among Latin ones.
const CYRILLIC: (&str, &str) = ("аеіјорсухѕһԁԛԝАВЕІЈКМНОРСТУХЅ", "aeijopcyxshdqwABEIJKMHOPCTYXS");
const GREEK: (&str, &str) = ("ονΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ovABEZHIKMNOPTYX");

impl Lookalike {
    /// What it is, in a sentence.
    pub(super) fn message(&self) -> String {
        let code = u32::from(self.character);
        let name = self.name;
        match self.looks_like {
            "" => format!("there is {name} (U+{code:04X}) here, which nobody sees"),
            " " => format!("there is {name} (U+{code:04X}) here, not a space"),
            other => {
                format!("there is {name} (U+{code:04X}) here, not the `{other}` it looks like")
            }
        }
    }
}

/// The first one in `text`.
pub(super) fn find(text: &str) -> Option<Lookalike> {
    text.char_indices().find_map(|(at, character)| {
        let (name, looks_like) = known(text, at, character)?;
        Some(Lookalike { character, name, looks_like, at })
    })
}

/// `text` with what it looks like.
pub(crate) fn corrected(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        match known(text, at, character) {
            Some((_, looks_like)) => out.push_str(looks_like),
            None => out.push(character),
        }
    }
    out
}

fn known(text: &str, at: usize, character: char) -> Option<(&'static str, &'static str)> {
    if character.is_ascii() {
        return None;
    }
    if let Some((_, name, looks_like)) = MARKS.iter().find(|(mark, ..)| *mark == character) {
        return Some((name, looks_like));
    }
    let letter = |(letters, latin): (&'static str, &'static str)| {
        let index = letters.chars().position(|letter| letter == character)?;
        Some(&latin[index..=index])
    };
    let (name, looks_like) = match (letter(CYRILLIC), letter(GREEK)) {
        (Some(latin), _) => ("a Cyrillic letter", latin),
        (None, Some(latin)) => ("a Greek letter", latin),
        (None, None) => return None,
    };
    is_among_latin(text, at).then_some((name, looks_like))
}

/// Whether the word at `at` has letters of ASCII.
fn is_among_latin(text: &str, at: usize) -> bool {
    let before = text[..at].chars().rev().take_while(|c| c.is_alphanumeric());
    let after = text[at..].chars().take_while(|c| c.is_alphanumeric());
    before.chain(after).any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::{CYRILLIC, GREEK, corrected, find};

    #[test]
    fn lookalikes_and_letters_that_are_meant() {
        for (text, expected) in [
            ("192.168.1.240\u{2013}192.168.1.250", Some("192.168.1.240-192.168.1.250")),
            ("\u{200b}spec", Some("spec")),
            ("\u{2013} port", Some("- port")),
            ("\u{201c}web\u{201d}", Some("\"web\"")),
            ("\u{a0}\u{a0}port", Some("  port")),
            ("S\u{435}rvice", Some("Service")),
            ("\u{430}pp.local", Some("app.local")),
            ("ports\u{ff1a}", Some("ports:")),
            ("/привет/мир", None),
            ("/ελληνικά", None),
            ("café", None),
            ("日本", None),
            ("plain-text", None),
        ] {
            assert_eq!(find(text).is_some(), expected.is_some(), "{text}");
            assert_eq!(corrected(text), expected.unwrap_or(text), "{text}");
        }
    }

    #[test]
    fn each_letter_has_its_likeness() {
        for (letters, latin) in [CYRILLIC, GREEK] {
            assert_eq!(letters.chars().count(), latin.len());
        }
    }
}
