//! A log line stays one line, whatever is in it.
//!
//! Names of files and what other programs say may hold anything, also line breaks, which would
//! make lines of their own, and orders to a terminal. Colours of our own pass.

use std::borrow::Cow;
use std::io::{self, Write};

/// Gives each line that is written, escaped, to a function. Every event is one `write`.
#[derive(Debug)]
pub struct Line<F>(pub F);

impl<F: Fn(&str)> Write for Line<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(&escaped(&String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `line` with what is no text in the form `\u{1b}`, but for its own end and colours.
pub(crate) fn escaped(line: &str) -> Cow<'_, str> {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    if !text.contains(is_order) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(is_order) {
        out += &rest[..at];
        rest = &rest[at..];
        let color = color(rest);
        if color.is_empty() {
            out.extend(rest.chars().take(1).flat_map(char::escape_default));
            rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
        } else {
            out += color;
            rest = &rest[color.len()..];
        }
    }
    Cow::Owned(out + rest + end)
}

/// Whether a terminal or a reader of lines takes it for more than a character.
fn is_order(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// The colour (SGR sequence) that `text` begins with, or nothing.
fn color(text: &str) -> &str {
    let Some(code) = text.strip_prefix("\x1b[") else { return "" };
    let digits = code.find(|it: char| !it.is_ascii_digit() && it != ';').unwrap_or(code.len());
    if code[digits..].starts_with('m') { &text[..digits + 3] } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        for (line, expected) in [
            ("a line\n", "a line\n"),
            ("no end", "no end"),
            ("a\nb\n", "a\\nb\n"),
            ("a\r\n", "a\\r\n"),
            ("\x1b[2J\n", "\\u{1b}[2J\n"),
            ("\x1b[1;32mINFO\x1b[0m x\n", "\x1b[1;32mINFO\x1b[0m x\n"),
            ("\x1b[3\n", "\\u{1b}[3\n"),
            ("\x1b", "\\u{1b}"),
            ("\u{9b}31m\u{2028}é\n", "\\u{9b}31m\\u{2028}é\n"),
            ("\0\n\n", "\\u{0}\\n\n"),
        ] {
            assert_eq!(escaped(line), expected, "{line:?}");
            let said = std::cell::RefCell::new(String::new());
            Line(|line: &str| said.borrow_mut().push_str(line)).write_all(line.as_bytes()).unwrap();
            assert_eq!(said.into_inner(), expected);
        }
    }
}
