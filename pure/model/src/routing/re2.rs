//! Regular expressions as RE2 and Go read them (github.com/google/re2/wiki/Syntax), for the `regex`
//! crate, which reads a few things otherwise.
//!
//! There a brace that repeats nothing is itself, `\d`, `\s`, `\w` and `\b` are about ASCII alone,
//! `\<` and `\>` are themselves, `\Q…\E` quotes, octal numbers may be escaped, and within brackets
//! neither brackets nor `&&`, `~~` and `--` mean anything. What Go refuses is refused, though that
//! crate would read it: `a**`, more than a thousand repetitions, other flags and escapes.

use std::iter::Peekable;
use std::str::CharIndices;

/// So often may something be repeated, also by what it is within.
const MOST: u32 = 1000;

/// The same expression for the `regex` crate. What neither can read stays wrong.
///
/// # Errors
/// What Go does not read, in words.
pub(super) fn translated(source: &str) -> Result<String, String> {
    let mut translation = Translation {
        source,
        rest: source.char_indices().peekable(),
        to: String::new(),
        within: vec![1],
        atom: 1,
        last: None,
    };
    while let Some((at, letter)) = translation.rest.next() {
        let repeated = translation.last.take();
        match letter {
            '*' | '+' | '?' => translation.repeat(repeated, at, 1)?,
            '{' => match repetition(&source[at + 1..]) {
                Some(most) => translation.repeat(repeated, at, most)?,
                None => {
                    translation.atom = 1;
                    translation.to += "\\{";
                }
            },
            '(' => translation.open(at)?,
            ')' => translation.close(),
            '\\' => {
                translation.atom = 1;
                translation.escape(false)?;
            }
            '[' => {
                translation.atom = 1;
                translation.class()?;
            }
            other => {
                translation.atom = 1;
                translation.to.push(other);
            }
        }
    }
    Ok(translation.to)
}

struct Translation<'s> {
    source: &'s str,
    rest: Peekable<CharIndices<'s>>,
    to: String,
    /// How often what is within each open group is repeated at most, the outermost first.
    within: Vec<u32>,
    /// The same of what stands before.
    atom: u32,
    /// Where the repetition begins that ends here.
    last: Option<usize>,
}

impl Translation<'_> {
    /// Something is repeated, so often at most: nothing that is so already.
    fn repeat(&mut self, repeated: Option<usize>, at: usize, most: u32) -> Result<(), String> {
        let rest = &self.source[at..];
        let length = if rest.starts_with('{') { rest.find('}').unwrap_or_default() + 1 } else { 1 };
        let lazy = usize::from(rest[length..].starts_with('?'));
        let end = at + length + lazy;
        if let Some(begin) = repeated {
            return Err(format!(
                "invalid nested repetition operator: `{}`",
                &self.source[begin..end]
            ));
        }
        self.atom = self.atom.saturating_mul(most.max(1));
        if self.atom > MOST {
            return Err(format!("invalid repeat count: `{}`", &rest[..length]));
        }
        if let Some(within) = self.within.last_mut() {
            *within = (*within).max(self.atom);
        }
        self.to += &rest[..length + lazy];
        (1..length + lazy).for_each(|_| _ = self.rest.next());
        self.last = Some(at);
        Ok(())
    }

    /// A group begins, or flags do, of which Go knows four.
    fn open(&mut self, at: usize) -> Result<(), String> {
        let rest = &self.source[at..];
        let flags = rest.strip_prefix("(?").unwrap_or_default();
        let is_named = flags.starts_with("P<") || flags.starts_with('<');
        let end = flags.find([':', ')']).unwrap_or(flags.len());
        if !is_named && !flags[..end].chars().all(|flag| "imsU-".contains(flag)) {
            return Err(format!("invalid or unsupported Perl syntax: `(?{}`", &flags[..end]));
        }
        self.within.push(1);
        self.to.push('(');
        if rest.starts_with("(?") {
            self.rest.next();
            self.to.push('?');
        }
        Ok(())
    }

    fn close(&mut self) {
        self.atom = if self.within.len() > 1 { self.within.pop().unwrap_or(1) } else { 1 };
        if let Some(within) = self.within.last_mut() {
            *within = (*within).max(self.atom);
        }
        self.to.push(')');
    }

    /// What stands behind a backslash.
    fn escape(&mut self, is_in_class: bool) -> Result<(), String> {
        let Some((at, letter)) = self.rest.next() else {
            self.to.push('\\');
            return Ok(());
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
            (letter, _) if letter.is_ascii_alphanumeric() && !KNOWN.contains(letter) => {
                return Err(format!("invalid escape sequence: `\\{letter}`"));
            }
            _ => self.to.extend(['\\', letter]),
        }
        Ok(())
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
    fn class(&mut self) -> Result<(), String> {
        self.to.push('[');
        if self.rest.next_if(|(_, it)| *it == '^').is_some() {
            self.to.push('^');
        }
        if self.rest.next_if(|(_, it)| *it == ']').is_some() {
            self.to += "\\]";
        }
        // Whether a range may begin with what stands before, and whether one ends here.
        let (mut opens, mut ends) = (false, false);
        while let Some((at, letter)) = self.rest.next() {
            let is_range = opens && !self.source[at + 1..].starts_with(']');
            let begins = match letter {
                ']' => {
                    self.to.push(']');
                    return Ok(());
                }
                '\\' => {
                    let kind = self.source[at + 1..].chars().next().unwrap_or_default();
                    self.escape(true)?;
                    !"dDsSwWpP".contains(kind)
                }
                '[' => self.named(at),
                '-' if is_range => {
                    self.to.push('-');
                    (opens, ends) = (false, true);
                    continue;
                }
                '&' | '~' | '-' => {
                    self.to.extend(['\\', letter]);
                    true
                }
                other => {
                    self.to.push(other);
                    true
                }
            };
            (opens, ends) = (begins && !ends, false);
        }
        Ok(())
    }

    /// `[:alpha:]` in brackets; else a bracket that is itself: which of the two is said.
    fn named(&mut self, at: usize) -> bool {
        let name = self.source[at..].strip_prefix("[:").and_then(|it| it.split_once(":]"));
        let Some((name, _)) = name.filter(|(name, _)| !name.contains(']')) else {
            self.to += "\\[";
            return true;
        };
        self.to += &format!("[:{name}:]");
        name.chars().chain(":]:".chars()).for_each(|_| _ = self.rest.next());
        false
    }
}

/// Letters that mean something behind a backslash, besides those above and digits.
const KNOWN: &str = "aAbBfnprtvxzP";

/// How often an open brace before this says at most, if it does: `{2}`, `{2,}` (at least),
/// `{2,3}`. What is too much is so however much it is.
fn repetition(rest: &str) -> Option<u32> {
    let (within, _) = rest.split_once('}')?;
    let number = |it: &str| {
        let is_one = !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| it.parse().unwrap_or(u32::MAX))
    };
    match within.split_once(',') {
        Some((least, "")) => number(least),
        Some((least, most)) => Some(number(least)?.max(number(most)?)),
        None => number(within),
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

    #[test]
    fn what_go_refuses_is_refused() {
        for wrong in [
            "a**",
            "a++",
            "a*+",
            "a???",
            "a{2}{3}",
            "a{2}*",
            "a*?*",
            "a{1001}",
            "a{1,1001}",
            "a{1001,}",
            "(a{500}){3}",
            "((a{10}){10}){11}",
            "a{99999999999}",
            "(?x)a",
            "(?R)a",
            "(?u)a",
            "(?ix:a)",
            r"\u0061",
            r"\U00000061",
            r"\Z",
            r"\h",
            r"[\u0061]",
            "[a--b]",
        ] {
            assert!(Expression::new(wrong).is_err(), "{wrong}");
        }
        for (fine, text) in [
            ("^a*?$", "aa"),
            ("^a??$", "a"),
            ("^a{2}?$", "aa"),
            ("^(a*)*$", "aa"),
            ("^(a{500}b){2}|x$", "x"),
            ("^(?:a{10}|b{100}){10}|x$", "x"),
            ("^a{1000}|x$", "x"),
            ("^a{0,5}{$", "aa{"),
            ("(?i-s:A)", "a"),
            ("(?U)a+", "aa"),
            ("^(?P<n>a)(?<m>b)$", "ab"),
            (r"^\x41\.\-\_$", "A.-_"),
            ("^[a-c-]$", "-"),
            ("^[+--]$", ","),
            ("^[a-b--.]$", "."),
            (r"^[\d-a]$", "-"),
            ("^[[-a]$", "]"),
            (r"^[\x41-C]$", "B"),
            ("^[a(*]*$", "(*a"),
            (r"^\Q**\E*$", "**"),
        ] {
            assert!(Expression::new(fine).is_ok_and(|it| it.is_found_in(text)), "{fine}");
        }
    }
}
