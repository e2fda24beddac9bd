//! Regular expressions as RE2 and Go read them (github.com/google/re2/wiki/Syntax), for the `regex`
//! crate, which reads a few things otherwise.
//!
//! There a brace that repeats nothing is itself, `\d`, `\s`, `\w` and `\b` are about ASCII alone,
//! `\<` and `\>` are themselves, `\Q…\E` quotes, octal numbers may be escaped, and within brackets
//! neither brackets nor `&&`, `~~` and `--` mean anything.

use std::iter::Peekable;
use std::str::CharIndices;

/// The same expression for the `regex` crate. What neither can read stays wrong.
pub(super) fn translated(source: &str) -> String {
    let mut translation =
        Translation { source, rest: source.char_indices().peekable(), to: String::new() };
    while let Some((at, letter)) = translation.rest.next() {
        match letter {
            '\\' => translation.escape(false),
            '[' => translation.class(),
            '{' if !repeats(&source[at + 1..]) => translation.to += "\\{",
            other => translation.to.push(other),
        }
    }
    translation.to
}

struct Translation<'s> {
    source: &'s str,
    rest: Peekable<CharIndices<'s>>,
    to: String,
}

impl Translation<'_> {
    /// What stands behind a backslash.
    fn escape(&mut self, is_in_class: bool) {
        let Some((at, letter)) = self.rest.next() else {
            self.to.push('\\');
            return;
        };
        match (letter, is_in_class) {
            ('d', true) => self.to += "0-9",
            ('s', true) => self.to += "\\t\\n\\f\\r ",
            ('w', true) => self.to += "0-9A-Za-z_",
            ('d', false) => self.to += "[0-9]",
            ('s', false) => self.to += "[\\t\\n\\f\\r ]",
            ('w', false) => self.to += "[0-9A-Za-z_]",
            ('D', _) => self.to += "[^0-9]",
            ('S', _) => self.to += "[^\\t\\n\\f\\r ]",
            ('W', _) => self.to += "[^0-9A-Za-z_]",
            ('b', false) => self.to += "(?-u:\\b)",
            ('<' | '>', _) => self.to.push(letter),
            ('Q', false) => self.quoted(at + 1),
            ('E', false) => {}
            ('0'..='7', _) => self.octal(at),
            _ => self.to.extend(['\\', letter]),
        }
    }

    /// What stands between `\Q` and `\E`, or the end, is itself.
    fn quoted(&mut self, begin: usize) {
        let text = &self.source[begin..];
        let text = text.split_once("\\E").map_or(text, |(text, _)| text);
        for letter in text.chars() {
            self.rest.next();
            if letter.is_ascii_punctuation() && !matches!(letter, '<' | '>') {
                self.to.push('\\');
            }
            self.to.push(letter);
        }
    }

    /// Up to three octal digits; a single one that is not zero would refer to a group.
    fn octal(&mut self, begin: usize) {
        let text = &self.source[begin..];
        let length = text.bytes().take(3).take_while(|it| matches!(it, b'0'..=b'7')).count();
        if length == 1 && !text.starts_with('0') {
            self.to.push('\\');
            self.to += &text[..1];
            return;
        }
        (1..length).for_each(|_| _ = self.rest.next());
        let number = u32::from_str_radix(&text[..length], 8).unwrap_or_default();
        self.to += &format!("\\x{{{number:x}}}");
    }

    /// What stands in brackets.
    fn class(&mut self) {
        self.to.push('[');
        if self.rest.next_if(|(_, it)| *it == '^').is_some() {
            self.to.push('^');
        }
        if self.rest.next_if(|(_, it)| *it == ']').is_some() {
            self.to += "\\]";
        }
        while let Some((at, letter)) = self.rest.next() {
            match letter {
                ']' => {
                    self.to.push(']');
                    return;
                }
                '\\' => self.escape(true),
                '[' => self.named(at),
                '&' | '~' => self.to.extend(['\\', letter]),
                '-' if self.source[at + 1..].starts_with('-') => self.to += "\\-",
                other => self.to.push(other),
            }
        }
    }

    /// `[:alpha:]` in brackets; else a bracket that is itself.
    fn named(&mut self, at: usize) {
        let name = self.source[at..].strip_prefix("[:").and_then(|it| it.split_once(":]"));
        let Some((name, _)) = name.filter(|(name, _)| !name.contains(']')) else {
            self.to += "\\[";
            return;
        };
        self.to += &format!("[:{name}:]");
        name.chars().chain(":]:".chars()).for_each(|_| _ = self.rest.next());
    }
}

/// Whether an open brace before this says how often: `{2}`, `{2,}`, `{2,3}`.
fn repeats(rest: &str) -> bool {
    let Some((within, _)) = rest.split_once('}') else { return false };
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    match within.split_once(',') {
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
        None => is_number(within),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Expression;

    #[test]
    fn expressions_mean_what_they_mean_to_go() {
        let rows: &[(&str, &[&str], &[&str])] = &[
            ("{a}", &["{a}"], &["a"]),
            ("^a{2}$", &["aa"], &["a{2}", "a"]),
            ("^a{2,3}$", &["aa", "aaa"], &["a", "aaaa"]),
            ("^a{2,}$", &["aaaa"], &["a"]),
            ("^a{,2}$", &["a{,2}"], &["aa"]),
            ("^{domain:[a-z]+}$", &["{domain:ab}"], &["ab"]),
            (r"^\d$", &["7"], &["٣"]),
            (r"^[\d.]+$", &["1.2"], &["٣", "a"]),
            (r"^\D$", &["٣"], &["3"]),
            (r"^\w+$", &["a_9"], &["é"]),
            (r"^[\w-]+$", &["a-b"], &["é"]),
            (r"^[\W]$", &["é", "-"], &["a"]),
            (r"^\s$", &[" ", "\t"], &["\u{a0}", "\u{b}"]),
            (r"\bfoo\b", &["éfoo", "a foo"], &["afoo"]),
            (r"^\<a\>$", &["<a>"], &["a"]),
            (r"^\Qa.b[\E+$", &["a.b[", "a.b[["], &["axb["]),
            (r"^\Qa<b", &["a<b"], &["ab"]),
            (r"^\101\x42\060\0$", &["AB0\0"], &["AB"]),
            (r"^[[a]$", &["[", "a"], &["b"]),
            (r"^[]a]$", &["]", "a"], &["b"]),
            (r"^[^]a]$", &["b"], &["]", "a"]),
            (r"^[a&&b]$", &["a", "&", "b"], &["c"]),
            (r"^[a~~b]$", &["~"], &["c"]),
            (r"^[--/]$", &["-", ".", "/"], &["a"]),
            (r"^[[:digit:]_]+$", &["1_2"], &["a"]),
            (r"^(?i)straße$", &["STRAßE"], &["strasse"]),
            (r"^\.\/\-\_$", &["./-_"], &["a"]),
        ];
        for (source, found, not_found) in rows {
            let expression =
                Expression::new(source).unwrap_or_else(|why| panic!("{source}: {why}"));
            for text in *found {
                assert!(expression.is_found_in(text), "{source} in {text}");
            }
            for text in *not_found {
                assert!(!expression.is_found_in(text), "{source} not in {text}");
            }
        }
        for wrong in ["(a", "[a", "a**b(", r"\1", r"\C", "(?=a)", "{2}", "\\", r"[\"] {
            assert!(Expression::new(wrong).is_err(), "{wrong}");
        }
    }
}
