//! What is demanded of what a token says of its bearer.

use std::fmt;
use std::sync::Arc;

/// What claims must be like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimRule {
    /// Each holds.
    All(Vec<Self>),
    /// At least one holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A claim passes a test.
    Claim(ClaimPath, ClaimTest),
}

/// Where a claim stands: names of members, the outermost first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimPath(Vec<Arc<str>>);

/// What is asked of a claim. One that is not there passes none of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimTest {
    /// It is this.
    Equals(Arc<str>),
    /// It begins with this.
    Prefix(Arc<str>),
    /// It is a list with this element, or a text that is this or has it as one of its words (RFC
    /// 6749 §3.3 writes scopes so): never a part of a word.
    Contains(Arc<str>),
    /// It is a text of which one part, between separators, is this: separator, part.
    SplitContains(Arc<str>, Arc<str>),
    /// It is one of these.
    OneOf(Vec<Arc<str>>),
}

impl ClaimPath {
    /// Reads `user.address.city`; a dot behind a backslash belongs to a name.
    pub fn read(text: &str) -> Self {
        let mut names = vec![String::new()];
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let last = names.len() - 1;
            match letter {
                '.' => names.push(String::new()),
                '\\' => names[last].extend(letters.next()),
                other => names[last].push(other),
            }
        }
        Self(names.into_iter().map(Arc::from).collect())
    }

    /// Names of members, the outermost first; at least one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

impl fmt::Display for ClaimPath {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &str| name.replace('\\', "\\\\").replace('.', "\\.");
        let names: Vec<String> = self.names().map(name).collect();
        f.write_str(&names.join("."))
    }
}

impl fmt::Display for ClaimRule {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rules, between) = match self {
            Self::All(rules) => (rules, " && "),
            Self::Any(rules) => (rules, " || "),
            Self::Not(rule) => return write!(f, "!({rule})"),
            Self::Claim(path, test) => {
                let (name, values) = test.written();
                write!(f, "{name}(`{path}`")?;
                values.iter().try_for_each(|value| write!(f, ", `{value}`"))?;
                return f.write_str(")");
            }
        };
        for (at, rule) in rules.iter().enumerate() {
            f.write_str(if at > 0 { between } else { "" })?;
            match rule {
                Self::All(_) | Self::Any(_) => write!(f, "({rule})")?,
                Self::Not(_) | Self::Claim(..) => write!(f, "{rule}")?,
            }
        }
        Ok(())
    }
}

impl ClaimTest {
    fn written(&self) -> (&'static str, Vec<&str>) {
        match self {
            Self::Equals(it) => ("Equals", vec![it]),
            Self::Prefix(it) => ("Prefix", vec![it]),
            Self::Contains(it) => ("Contains", vec![it]),
            Self::SplitContains(between, it) => ("SplitContains", vec![between, it]),
            Self::OneOf(all) => ("OneOf", all.iter().map(|it| &**it).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_shown_as_they_are_written() {
        let claim = |path: &str, test| ClaimRule::Claim(ClaimPath::read(path), test);
        let either = ClaimRule::Any(vec![
            claim(r"a.b\.c", ClaimTest::Equals("1".into())),
            ClaimRule::Not(Box::new(claim("d", ClaimTest::Prefix("x".into())))),
        ]);
        let all = ClaimRule::All(vec![
            either,
            claim("e", ClaimTest::SplitContains(" ".into(), "y".into())),
            claim("f", ClaimTest::OneOf(vec!["1".into(), "2".into()])),
        ]);
        let text = r"(Equals(`a.b\.c`, `1`) || !(Prefix(`d`, `x`))) && SplitContains(`e`, ` `, `y`) && OneOf(`f`, `1`, `2`)";
        assert_eq!(all.to_string(), text);
    }
}
