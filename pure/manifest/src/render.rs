//! Diagnostics as text for people, with the line at fault and a mark under it.
//!
//! Whatever is in a file or a message, the output has no control characters but its own colours,
//! and no line is much wider than a terminal.

mod conceal;
mod snippet;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use steelyard_model::{Diagnostic, Severity};

use crate::codes;
use crate::source::Source;
use snippet::{Lines, Snippet};

/// All `diagnostics`, in their order, each with its line from `sources` where there is one.
pub fn text(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    let named = sources.iter().rev().map(|source| (&*source.name, source));
    let sources = named.collect();
    let mut page = Page { sources, lines: BTreeMap::new(), color, out: String::new() };
    for diagnostic in diagnostics {
        page.add(diagnostic);
    }
    page.out
}

struct Page<'a> {
    /// By name; of those with one name the first.
    sources: BTreeMap<&'a str, &'a Source>,
    /// The lines of the files that were needed so far.
    lines: BTreeMap<&'a str, Option<Lines<'a>>>,
    color: bool,
    out: String,
}

#[derive(Clone, Copy)]
enum Ink {
    Severity(Severity),
    Frame,
    Strong,
}

impl<'a> Page<'a> {
    fn add(&mut self, diagnostic: &'a Diagnostic) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        let Diagnostic { severity, code, message, help, .. } = diagnostic;
        let head = self.ink(Ink::Severity(*severity), &format!("{severity}[{code}]"));
        let message = self.ink(Ink::Strong, &format!(": {}", printable(message)));
        self.line(&format!("{head}{message}"));
        let snippet = diagnostic.location.as_ref().and_then(|location| {
            let lines = self.lines_of(&location.file)?;
            Snippet::of(lines, location, *code == codes::UNKNOWN_FIELD)
        });
        let width = snippet.as_ref().map_or(1, Snippet::number_width);
        let indent = " ".repeat(width);
        if let Some(location) = &diagnostic.location {
            let arrow = self.ink(Ink::Frame, &format!("{indent}-->"));
            self.line(&format!("{arrow} {}", printable(&location.to_string())));
        }
        if let Some(snippet) = snippet {
            self.snippet(&snippet, &indent, *severity);
        }
        if let Some(object) = &diagnostic.object {
            self.note(&indent, "object", &object.to_string());
        }
        if !diagnostic.path.is_root() {
            self.note(&indent, "field", &diagnostic.path.0);
        }
        self.note(&indent, "help", help);
    }

    fn snippet(&mut self, snippet: &Snippet, indent: &str, severity: Severity) {
        let bar = self.ink(Ink::Frame, "|");
        let number = self.ink(Ink::Frame, &snippet.number.to_string());
        let marks = " ".repeat(snippet.before) + &"^".repeat(snippet.width);
        let marks = self.ink(Ink::Severity(severity), &marks);
        self.line(&format!("{indent} {bar}"));
        self.line(&format!("{number} {bar} {}", snippet.text));
        self.line(&format!("{indent} {bar} {marks}"));
    }

    fn note(&mut self, indent: &str, what: &str, text: &str) {
        let sign = self.ink(Ink::Frame, "=");
        let what = self.ink(Ink::Strong, &format!("{what}:"));
        self.line(&format!("{indent} {sign} {what} {}", printable(text)));
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Severity(Severity::Error) => "1;31",
            Ink::Severity(Severity::Warning) => "1;33",
            Ink::Severity(Severity::Info) => "1;36",
            Ink::Frame => "1;34",
            Ink::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn lines_of(&mut self, file: &'a str) -> Option<&mut Lines<'a>> {
        let sources = &self.sources;
        let shown = |source: &&&Source| !source.is_named;
        let find = || sources.get(file).filter(shown).map(|source| Lines::of(source.shown()));
        self.lines.entry(file).or_insert_with(find).as_mut()
    }
}

/// `text` in one line without control characters: those of a file must not reach a terminal.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => out.push(' '),
            character if hides(character) => {
                let _ = write!(out, "{}", character.escape_unicode());
            }
            character => out.push(character),
        }
    }
    out
}

/// Control characters, and those that change the direction of text or have no width.
fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
