//! One line of a file, cut to fit, and where the marks go under it.
//!
//! A line may be as long as a file (JSON often is one), and have thousands of findings: what has to
//! be read of the whole line is read once ([`Known`]), and a finding costs what is shown of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use steelyard_model::Location;

use super::conceal::{MASK, Secrets, Text, unknown_from};

/// Widest part of a line that is shown.
const WIDTH: usize = 110;
/// How much of that is before the place, when a line is cut.
const BEFORE: usize = 40;
/// Characters that are looked at for what is shown: marks combine with those before, and take no
/// room.
const FAR: usize = 8 * WIDTH;

/// Of every so many characters of a line it is known where they begin.
const STRIDE: usize = 1_024;

/// A file's text with the places of its lines.
pub(super) struct Lines<'a> {
    text: Cow<'a, str>,
    starts: Vec<usize>,
    secrets: Secrets,
    known: BTreeMap<usize, Known>,
}

/// What is known of a line that was shown.
struct Known {
    /// The byte from which nothing of it may be shown.
    concealed: Option<usize>,
    /// The bytes at which its characters begin, each [`STRIDE`]th.
    strides: Vec<usize>,
}

/// A line, as far as it may be shown.
struct Shown<'l> {
    line: &'l str,
    is_cut: bool,
    strides: &'l [usize],
}

/// Its lines as they are.
struct Plain<'a>(&'a str, &'a [usize]);

impl Text for Plain<'_> {
    fn line(&self, index: usize) -> Option<&str> {
        line_of(self.0, self.1, index)
    }
}

/// The line `index` of a text whose lines begin at `starts`, without its end.
fn line_of<'t>(text: &'t str, starts: &[usize], index: usize) -> Option<&'t str> {
    let start = *starts.get(index)?;
    let end = starts.get(index + 1).copied().unwrap_or(text.len());
    Some(text[start..end].trim_end_matches(['\n', '\r']))
}

/// A line as shown.
pub(super) struct Snippet {
    pub(super) number: u32,
    pub(super) text: String,
    /// Terminal cells before the marks, and under them.
    pub(super) before: usize,
    pub(super) width: usize,
}

impl<'a> Lines<'a> {
    /// Lines end as in YAML: LF, CR LF or a lone CR.
    pub(super) fn of(text: Cow<'a, str>) -> Self {
        let bytes = text.as_bytes();
        let ends = |at: &usize| match bytes[*at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let starts = (0..bytes.len()).filter(ends).map(|at| at + 1);
        let starts: Vec<usize> = std::iter::once(0).chain(starts).collect();
        let secrets = Secrets::of(&Plain(&text, &starts));
        Self { text, starts, secrets, known: BTreeMap::new() }
    }

    /// A line; none if there is no such line, or nothing in it.
    fn get(&mut self, line: u32) -> Option<Shown<'_>> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        let Self { text, starts, secrets, known } = self;
        let line = line_of(text, starts, index).filter(|line| !line.is_empty())?;
        let known = known.entry(index).or_insert_with(|| Known {
            concealed: secrets.concealed_from(&Plain(text, starts), index),
            strides: line.char_indices().step_by(STRIDE).map(|(at, _)| at).collect(),
        });
        let end = known.concealed.unwrap_or(line.len());
        Some(Shown {
            line: &line[..end],
            is_cut: known.concealed.is_some(),
            strides: &known.strides,
        })
    }

    /// The same, with a field at a character of it that nobody knows.
    fn get_unknown(&mut self, line: u32, character: usize) -> Option<Shown<'_>> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        let at = self.get(line)?.byte_of(character);
        let end = unknown_from(&Plain(&self.text, &self.starts), index, at);
        let mut shown = self.get(line)?;
        if let Some(end) = end.filter(|end| *end < shown.line.len()) {
            (shown.line, shown.is_cut) = (&shown.line[..end], true);
        }
        Some(shown)
    }
}

impl<'l> Shown<'l> {
    /// The byte at which a character begins, or the end where there is none.
    fn byte_of(&self, character: usize) -> usize {
        let stride = self.strides.get(character / STRIDE).copied();
        let Some(rest) = stride.and_then(|from| Some((from, self.line.get(from..)?))) else {
            return self.line.len();
        };
        let found = rest.1.char_indices().nth(character % STRIDE);
        found.map_or(self.line.len(), |(at, _)| rest.0 + at)
    }

    /// How many characters there are, where they are not many more than `least`.
    fn characters(&self, least: usize) -> usize {
        let last = self.strides.partition_point(|at| *at <= self.line.len()).saturating_sub(1);
        let known = last * STRIDE;
        if known > least {
            return known;
        }
        let from = self.strides.get(last).copied().unwrap_or_default();
        known + self.line.get(from..).map_or(0, |rest| rest.chars().count())
    }

    /// What is shown from a character on: no more than fits, and what stands for what is concealed.
    fn from(&self, character: usize) -> Cow<'l, str> {
        let (start, end) = (self.byte_of(character), self.byte_of(character + FAR));
        let text = &self.line[start..end];
        match self.is_cut && end == self.line.len() {
            true => (text.to_owned() + MASK).into(),
            false => text.into(),
        }
    }
}

impl Snippet {
    /// The line of `location`, where there may be a field that nobody knows; none if the file has
    /// no such line.
    pub(super) fn of(lines: &mut Lines<'_>, location: &Location, is_unknown: bool) -> Option<Self> {
        let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
        let shown = match is_unknown {
            true => lines.get_unknown(location.line, column)?,
            false => lines.get(location.line)?,
        };
        let column = match shown.is_cut {
            true => column.min(shown.characters(column)),
            false => column,
        };
        let start = window(&shown, column);
        let (text, column) = (shown.from(start), column - start);
        let width = usize::try_from(location.width).unwrap_or(usize::MAX);
        let width = if width > 0 { width } else { token_length(&text, column) };
        Some(Self::drawn(&text, (column, width), start > 0, location.line))
    }

    /// Draws a part of a line, with marks from a character of it on, under so many.
    fn drawn(line: &str, (column, token): (usize, usize), is_cut: bool, number: u32) -> Self {
        let mut text = String::new();
        if is_cut {
            text.push('…');
        }
        let (mut before, mut width, mut cells) = (None, 0, text.chars().count());
        let mut cut = false;
        for (index, character) in line.chars().enumerate() {
            if cells >= WIDTH {
                cut = true;
                break;
            }
            if index == column {
                before = Some(cells);
            }
            let drawn = drawn(character);
            let wide = drawn.chars().map(cells_of).sum::<usize>();
            if (column..column.saturating_add(token)).contains(&index) {
                width += wide;
            }
            cells += wide;
            text.push_str(&drawn);
        }
        if cut {
            text.push('…');
        }
        Self { number, text, before: before.unwrap_or(cells), width: width.max(1) }
    }

    /// Digits of the line number.
    pub(super) fn number_width(&self) -> usize {
        self.number.to_string().len()
    }
}

/// For a long line, the character to start at.
fn window(shown: &Shown<'_>, column: usize) -> usize {
    let mask = if shown.is_cut { MASK.len() } else { 0 };
    let length = shown.characters(FAR).saturating_add(mask);
    let fits = length <= WIDTH || column < WIDTH - BEFORE / 2;
    if fits || column - BEFORE >= shown.characters(column).saturating_add(mask) {
        0
    } else {
        column - BEFORE
    }
}

/// Characters of the value (or key) that starts at `column`: up to its closing quote, or to what
/// ends a plain one.
fn token_length(line: &str, column: usize) -> usize {
    let mut rest = line.chars().skip(column).peekable();
    let Some(first) = rest.next() else { return 1 };
    if matches!(first, '"' | '\'') {
        return quoted_length(first, rest);
    }
    if first == ':' {
        return 1;
    }
    let mut length = 1;
    let mut blanks = 0;
    while let Some(character) = rest.next() {
        let blank_follows = rest.peek().is_none_or(|next| next.is_whitespace());
        match character {
            ',' | ']' | '}' => break,
            ':' if blank_follows => break,
            '#' if blanks > 0 => break,
            character if character.is_whitespace() => blanks += 1,
            _ => {
                length += blanks + 1;
                blanks = 0;
            }
        }
    }
    length
}

fn quoted_length(quote: char, rest: impl Iterator<Item = char>) -> usize {
    let mut length = 1;
    let mut escaped = false;
    for character in rest {
        length += 1;
        if character == quote && !escaped {
            break;
        }
        escaped = quote == '"' && character == '\\' && !escaped;
    }
    length
}

fn drawn(character: char) -> Cow<'static, str> {
    match character {
        '\t' => "    ".into(),
        character if super::hides(character) => "\u{fffd}".into(),
        character => character.to_string().into(),
    }
}

/// Terminal cells of a character: two for East Asian wide ones and emoji, none for marks that
/// combine with the one before.
fn cells_of(character: char) -> usize {
    match u32::from(character) {
        0x300..=0x36f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one line with a finding for each object in it: the line is read for the first, and
    /// for each further one no more is taken of it than is shown.
    #[test]
    fn a_line_as_long_as_a_file_is_read_once() {
        let objects = 5_000;
        let text: String = (0..objects).map(|at| format!("{{näme: ob{at:05}}}, ")).collect();
        let columns = (0..objects).map(|at| 8 + at * 17);
        let mut lines = Lines::of(Cow::Borrowed(&text));
        for (at, column) in columns.enumerate() {
            let location = Location { file: "a".into(), line: 1, column, width: 0 };
            let snippet = Snippet::of(&mut lines, &location, false).unwrap();
            let marked: String =
                snippet.text.chars().skip(snippet.before).take(snippet.width).collect();
            assert_eq!(marked, format!("ob{at:05}"), "{}", snippet.text);
            let shown = lines.get(1).unwrap().from(usize::try_from(column).unwrap());
            assert!(shown.chars().count() <= FAR);
        }
        assert_eq!(lines.known.len(), 1, "it is known once");
    }

    #[test]
    fn what_is_concealed_of_a_long_line_is_so_for_each_finding() {
        let text = format!("{}password: abc, b: c", "a: b, ".repeat(1_000));
        let mut lines = Lines::of(Cow::Owned(text.clone()));
        for column in [1, 3_000, 6_010, 6_020] {
            let location = Location { file: "a".into(), line: 1, column, width: 0 };
            let snippet = Snippet::of(&mut lines, &location, false).unwrap();
            assert!(!snippet.text.contains("abc"), "{}", snippet.text);
            let ends = column > 6_000;
            assert_eq!(snippet.text.ends_with(MASK), ends, "{}", snippet.text);
        }
    }
}
