//! The text of a rule → calls joined by operators: the part of Go's expressions that Traefik reads.

use std::ops::Range;

use super::mistake::{RuleMistake, RuleProblem};

/// Bytes of a rule that are read, at most: the table holds each rule, and a wrong one is told.
const LONGEST: usize = 64 << 10;
/// Parentheses and negations in each other, at most: each is a call of ours.
const DEEPEST: usize = 64;

/// A rule as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tree {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Call(Call),
}

/// A matcher with its arguments, each with its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// From its name to its closing parenthesis.
    pub(super) at: Range<usize>,
    pub(super) name: (Range<usize>, String),
    pub(super) arguments: Vec<(Range<usize>, String)>,
}

type Read<T> = Result<T, RuleMistake>;

/// Reads all of `text`.
pub(super) fn read(text: &str) -> Read<Tree> {
    let whole = 0..text.len();
    if text.trim().is_empty() {
        return Err(RuleMistake { at: whole, what: RuleProblem::Empty });
    }
    if text.len() > LONGEST {
        return Err(RuleMistake { at: whole, what: RuleProblem::TooLong });
    }
    let mut reader = Reader { text, at: 0, depth: 0 };
    let tree = reader.any()?;
    reader.skip();
    if reader.at < text.len() {
        return Err(reader.expected("&&, || or the end"));
    }
    Ok(tree)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes `token` where it comes next.
    fn takes(&mut self, token: &str) -> bool {
        self.skip();
        let is_next = self.rest().starts_with(token);
        self.at += if is_next { token.len() } else { 0 };
        is_next
    }

    fn mistake(&self, at: Range<usize>, what: RuleProblem) -> RuleMistake {
        RuleMistake { at, what }
    }

    /// Something else should stand at the character that is next.
    fn expected(&self, what: &'static str) -> RuleMistake {
        let end = self.rest().chars().next().map_or(0, char::len_utf8);
        self.mistake(self.at..self.at + end, RuleProblem::Expected(what))
    }

    /// `&&` binds closer than `||`.
    fn any(&mut self) -> Read<Tree> {
        let mut trees = vec![self.all()?];
        while self.takes("||") {
            trees.push(self.all()?);
        }
        Ok(joined(trees, Tree::Any))
    }

    fn all(&mut self) -> Read<Tree> {
        let mut trees = vec![self.one()?];
        while self.takes("&&") {
            trees.push(self.one()?);
        }
        Ok(joined(trees, Tree::All))
    }

    fn one(&mut self) -> Read<Tree> {
        self.skip();
        let begin = self.at;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.mistake(begin..begin + 1, RuleProblem::TooDeep));
        }
        let tree = if self.takes("!") {
            Tree::Not(Box::new(self.one()?))
        } else if self.takes("(") {
            let tree = self.any()?;
            if !self.takes(")") {
                return Err(self.expected("`)`"));
            }
            tree
        } else {
            Tree::Call(self.call()?)
        };
        self.depth -= 1;
        Ok(tree)
    }

    fn call(&mut self) -> Read<Call> {
        let begin = self.at;
        let is_of_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let length = self.rest().find(|it| !is_of_name(it)).unwrap_or_else(|| self.rest().len());
        if length == 0 {
            return Err(self.expected("a matcher"));
        }
        self.at += length;
        let name = begin..self.at;
        if !self.takes("(") {
            return Err(self.expected("`(`"));
        }
        let mut arguments = Vec::new();
        while !self.takes(")") {
            arguments.push(self.argument()?);
            if !self.takes(",") && !self.rest().starts_with(')') {
                return Err(self.expected("`,` or `)`"));
            }
        }
        let text = self.text[name.clone()].to_owned();
        Ok(Call { at: begin..self.at, name: (name, text), arguments })
    }

    fn argument(&mut self) -> Read<(Range<usize>, String)> {
        self.skip();
        let begin = self.at;
        let text = match self.rest().as_bytes().first() {
            Some(b'`') => self.raw()?,
            Some(b'"') => self.quoted()?,
            Some(b'\'') => return Err(self.mistake(begin..begin + 1, RuleProblem::SingleQuotes)),
            _ => return Err(self.expected("a text between backticks or double quotes")),
        };
        Ok((begin..self.at, text))
    }

    /// Between backticks nothing is escaped; Go leaves carriage returns out.
    fn raw(&mut self) -> Read<String> {
        let within = &self.text[self.at + 1..];
        let Some(length) = within.find('`') else {
            return Err(self.mistake(self.at..self.text.len(), RuleProblem::Unended));
        };
        self.at += length + 2;
        Ok(within[..length].replace('\r', ""))
    }

    fn quoted(&mut self) -> Read<String> {
        let begin = self.at;
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let Some(next) = self.rest().chars().next().filter(|it| *it != '\n') else {
                return Err(self.mistake(begin..self.at, RuleProblem::Unended));
            };
            match next {
                '"' => break,
                '\\' => self.escape(&mut text)?,
                other => {
                    text.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += other.len_utf8();
                }
            }
        }
        self.at += 1;
        let broken = |_| self.mistake(begin..self.at, RuleProblem::BadEscape);
        String::from_utf8(text).map_err(broken)
    }

    /// What stands behind a backslash (Go's specification, "Rune literals").
    fn escape(&mut self, text: &mut Vec<u8>) -> Read<()> {
        let begin = self.at;
        let rest = self.rest().as_bytes();
        let number = |from: usize, digits: usize, radix: u32| {
            let digits = rest.get(from..from + digits)?;
            let all_digits = digits.iter().all(|it| char::from(*it).is_digit(radix));
            let digits = str::from_utf8(digits).ok().filter(|_| all_digits)?;
            Some((u32::from_str_radix(digits, radix).ok()?, from + digits.len()))
        };
        let byte = |found: Option<(u32, usize)>| {
            found.and_then(|(value, end)| Some((vec![u8::try_from(value).ok()?], end)))
        };
        let letter = |found: Option<(u32, usize)>| {
            let (value, end) = found?;
            Some((char::from_u32(value)?.to_string().into_bytes(), end))
        };
        let one = |byte: u8| Some((vec![byte], 2));
        let found = match rest.get(1) {
            Some(b'a') => one(7),
            Some(b'b') => one(8),
            Some(b'f') => one(12),
            Some(b'n') => one(b'\n'),
            Some(b'r') => one(b'\r'),
            Some(b't') => one(b'\t'),
            Some(b'v') => one(11),
            Some(b'\\') => one(b'\\'),
            Some(b'"') => one(b'"'),
            Some(b'x') => byte(number(2, 2, 16)),
            Some(b'u') => letter(number(2, 4, 16)),
            Some(b'U') => letter(number(2, 8, 16)),
            Some(b'0'..=b'7') => byte(number(1, 3, 8)),
            _ => None,
        };
        let Some((bytes, length)) = found else {
            return Err(self.mistake(begin..begin + 1, RuleProblem::BadEscape));
        };
        text.extend(bytes);
        self.at += length;
        Ok(())
    }
}

fn joined(mut trees: Vec<Tree>, join: fn(Vec<Tree>) -> Tree) -> Tree {
    match trees.pop() {
        Some(only) if trees.is_empty() => only,
        last => {
            trees.extend(last);
            join(trees)
        }
    }
}
