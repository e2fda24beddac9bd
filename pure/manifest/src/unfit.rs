//! Text that is not what it seems: a template that nobody has rendered, or a character that only
//! looks like another. Whatever else is wrong with such text follows from that, so nothing else is
//! said about the object it is in.

mod lookalike;
mod template;

use steelyard_model::{Code, Diagnostic, FieldPath, Severity};

use crate::codes;
use crate::object::Object;
use crate::path::is_hidden;
use crate::source;
use crate::tree::{Lead, Mark, Node, Value, shortened};

use lookalike::Lookalike;
pub(crate) use lookalike::corrected;
use template::{Template, is_ytt};

/// How much a text of an object matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heed {
    /// Nobody reads it.
    Nothing,
    /// It has a syntax of its own, with variables: only what is a template beyond doubt counts.
    Obvious,
    /// It is read as it stands.
    All,
}

/// What is wrong with a text, and at which of its characters.
#[derive(Debug)]
pub(crate) struct Unfit {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: String,
    /// Characters before the place.
    pub(crate) at: usize,
}

/// What is wrong with `text`, if anything is; `file` is where it stands.
pub(crate) fn judge(text: &str, heed: Heed, file: &str) -> Option<Unfit> {
    Some(told(find(text, heed)?, text, file))
}

fn told(found: Found, text: &str, file: &str) -> Unfit {
    match found {
        Found::Template(template, at) => unrendered(template, text, at, file),
        Found::Lookalike(found) => looks_like(&found, text, text),
    }
}

/// The same of what must not be shown: nothing of it is quoted.
fn told_hidden(found: Found, text: &str, file: &str) -> Unfit {
    match found {
        Found::Template(template, at) => {
            let message = format!("`{}` is {template}", template.sign());
            let at = text[..at].chars().count();
            Unfit { code: codes::NOT_RENDERED, message, help: template.help("", file), at }
        }
        Found::Lookalike(found) => {
            let help = "write the value anew".to_owned();
            Unfit { help, ..looks_like(&found, text, "") }
        }
    }
}

enum Found {
    /// From this byte on.
    Template(Template, usize),
    Lookalike(Lookalike),
}

fn find(text: &str, heed: Heed) -> Option<Found> {
    if heed == Heed::Nothing || !is_suspicious(text) {
        return None;
    }
    let template = template::find(text, heed == Heed::Obvious);
    let lookalike = || lookalike::find(text).filter(|_| heed == Heed::All).map(Found::Lookalike);
    template.map(|(template, at)| Found::Template(template, at)).or_else(lookalike)
}

fn looks_like(found: &Lookalike, text: &str, meant: &str) -> Unfit {
    let at = text[..found.at].chars().count();
    let help = format!("write {}", quoted(&lookalike::corrected(meant)));
    Unfit { code: codes::LOOKALIKE_CHARACTER, message: found.message(), help, at }
}

/// The same for the lines around a place where text stops being YAML; also the line, counted from
/// the first of `lines`.
pub(crate) fn judge_lines<'a>(
    lines: impl Iterator<Item = &'a str>,
    file: &str,
) -> Option<(usize, Unfit)> {
    lines.enumerate().find_map(|(index, line)| Some((index, judge_line(line, file)?)))
}

/// The first line of a text that is ytt's, counted from 1: to YAML those are comments, and what
/// they would fill in is missing.
pub(crate) fn ytt(text: &str, file: &str) -> Option<(u32, Unfit)> {
    if !text.contains("#@") {
        return None;
    }
    let (index, line) = source::lines(text).enumerate().find(|(_, line)| is_ytt(line))?;
    Some((u32::try_from(index + 1).unwrap_or(u32::MAX), judge_line(line, file)?))
}

fn judge_line(line: &str, file: &str) -> Option<Unfit> {
    if let Some((template, at)) = template::find_in_line(line) {
        return Some(unrendered(template, line, at, file));
    }
    // What is behind its key may be a secret, and all of it where there is no key.
    let meant = lookalike::corrected(line);
    let help = match meant.trim().split_once(": ") {
        Some((key, _)) => format!("write {}", quoted(&format!("{key}: …"))),
        None => "write the line anew".to_owned(),
    };
    Some(Unfit { help, ..looks_like(&lookalike::find(line)?, line, "") })
}

/// `at` counts bytes. Only the mark is quoted, without its literals: both may hold a secret.
fn unrendered(template: Template, text: &str, at: usize, file: &str) -> Unfit {
    let mark = &text[at..at + template.length(&text[at..])];
    let message = format!("{} is {template}", quoted(&template.quotable(mark)));
    let at = text[..at].chars().count();
    Unfit { code: codes::NOT_RENDERED, message, help: template.help(mark, file), at }
}

/// In the marks that messages put around what users wrote.
fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// The quick answer for nearly every text.
fn is_suspicious(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'$' | b'{' | b'<') || !byte.is_ascii())
}

/// Where the character `at` of a text is: at its `mark`, where it is not known better.
pub(crate) fn place(mark: Mark, lead: Lead, at: usize) -> Mark {
    let at = lead.and_then(|lead| u32::try_from(usize::from(lead) + at).ok());
    Mark { column: mark.column.saturating_add(at.unwrap_or(0)), ..mark }
}

/// The walk through an object.
struct Search<'a, F> {
    object: &'a Object,
    heed: F,
    trail: Vec<Step<'a>>,
    first: Option<(FieldPath, Mark, Unfit)>,
    more: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl Object {
    /// What is not what it seems in the parts that `heed` says matter: one finding, placed, that
    /// counts the others like it.
    pub fn unfit(&self, heed: impl Fn(&FieldPath) -> Heed) -> Option<Diagnostic> {
        let mut search = Search { object: self, heed, trail: Vec::new(), first: None, more: 0 };
        search.node(&self.tree);
        let (path, mark, Unfit { code, mut message, help, .. }) = search.first?;
        match search.more {
            0 => {}
            1 => message += "; so is another text of this object",
            more => message += &format!("; so are {more} other texts of this object"),
        }
        let reference = &self.reference;
        let mut found = Diagnostic::new(Severity::Error, code, reference, path, message, help);
        found.location = Some(mark.in_file(&self.file));
        Some(found)
    }
}

impl<'a, F: Fn(&FieldPath) -> Heed> Search<'a, F> {
    fn node(&mut self, node: &'a Node) {
        match &node.value {
            Value::Null => {}
            Value::Scalar { text, lead, .. } => self.text(text, node.mark, *lead),
            Value::Shared(shared) => self.node(shared),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.trail.push(Step::Item(index));
                    self.node(item);
                    self.trail.pop();
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    self.trail.push(Step::Key(&entry.key));
                    self.text(&entry.key, entry.mark, entry.lead);
                    self.node(&entry.node);
                    self.trail.pop();
                }
            }
        }
    }

    fn text(&mut self, text: &str, mark: Mark, lead: Lead) {
        if !is_suspicious(text) {
            return;
        }
        let path = self.path();
        let Some(found) = find(text, (self.heed)(&path)) else { return };
        // Nearly all such text is as it should be: what may be shown is asked of the rest alone.
        let told = if is_hidden(&path.0) { told_hidden } else { told };
        let unfit = told(found, text, &self.object.file);
        match &self.first {
            None => {
                self.first = Some((path, place(mark, lead, unfit.at), unfit));
            }
            Some((_, _, first)) if first.code == unfit.code => self.more += 1,
            Some(_) => {}
        }
    }

    fn path(&self) -> FieldPath {
        self.trail.iter().fold(FieldPath::root(), |path, step| match step {
            Step::Key(key) => path.key(key),
            Step::Item(index) => path.index(*index),
        })
    }
}
