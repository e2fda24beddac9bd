//! One line of a file, cut to fit, and where the marks go under it.

use std::borrow::Cow;

use steelyard_model::Location;

use super::conceal::{MASK, Secrets, Text};

/// Widest part of a line that is shown.
const WIDTH: usize = 110;
/// How much of that is before the place, when a line is cut.
const BEFORE: usize = 40;

/// A file's text with the places of its lines.
pub(super) struct Lines<'a> {
    text: Cow<'a, str>,
    starts: Vec<usize>,
    secrets: Secrets,
}

/// Its lines as they are.
struct Plain<'a>(&'a str, &'a [usize]);

impl Text for Plain<'_> {
    fn line(&self, index: usize) -> Option<&str> {
        let start = *self.1.get(index)?;
        let end = self.1.get(index + 1).copied().unwrap_or(self.0.len());
        Some(self.0[start..end].trim_end_matches(['\n', '\r']))
    }
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
        Self { text, starts, secrets }
    }

    /// A line, and the byte from which nothing of it may be shown.
    fn get(&self, line: u32) -> Option<(&str, Option<usize>)> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        let line = self.text[start..end].trim_end_matches(['\n', '\r']);
        let plain = Plain(&self.text, &self.starts);
        Some((line, self.secrets.concealed_from(&plain, index)))
    }
}

impl Snippet {
    /// The line of `location`; none if the file has no such line.
    pub(super) fn of(lines: &Lines<'_>, location: &Location) -> Option<Self> {
        let (line, concealed) = lines.get(location.line)?;
        if line.is_empty() {
            return None;
        }
        let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
        let shown = concealed.map(|from| line[..from].to_owned() + MASK);
        let column = match concealed {
            Some(from) => column.min(line[..from].chars().count()),
            None => column,
        };
        let line = shown.as_deref().unwrap_or(line);
        let (start, column) = window(line, column);
        let mut text = String::new();
        if start > 0 {
            text.push('…');
        }
        let (mut before, mut width, mut cells) = (None, 0, text.chars().count());
        let shown = &line[start..];
        let token = token_length(shown, column);
        let mut cut = false;
        for (index, character) in shown.chars().enumerate() {
            if cells >= WIDTH {
                cut = true;
                break;
            }
            if index == column {
                before = Some(cells);
            }
            let drawn = drawn(character);
            let wide = drawn.chars().map(cells_of).sum::<usize>();
            if (column..column + token).contains(&index) {
                width += wide;
            }
            cells += wide;
            text.push_str(&drawn);
        }
        if cut {
            text.push('…');
        }
        Some(Self {
            number: location.line,
            text,
            before: before.unwrap_or(cells),
            width: width.max(1),
        })
    }

    /// Digits of the line number.
    pub(super) fn number_width(&self) -> usize {
        self.number.to_string().len()
    }
}

/// For a long line, the byte to start at, and the column counted from there.
fn window(line: &str, column: usize) -> (usize, usize) {
    let fits = line.chars().nth(WIDTH).is_none() || column < WIDTH - BEFORE / 2;
    if fits {
        return (0, column);
    }
    let skipped = column - BEFORE;
    match line.char_indices().nth(skipped) {
        Some((start, _)) => (start, BEFORE),
        None => (0, column),
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
