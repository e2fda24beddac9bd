//! What is demanded of what a token says of its bearer.

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
