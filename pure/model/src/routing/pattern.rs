//! Hosts, paths and regular expressions that rules compare with.

use std::fmt;
use std::sync::Arc;

use regex::Regex;

use crate::routing::beginning::beginning;
use crate::routing::re2::translated;

/// Memory of one compiled expression, in bytes: what a hostile one may cost.
const EXPRESSION_LIMIT: usize = 1 << 20;

/// Which hosts are meant. Names are lower case, without port and trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Exactly this name.
    Exact(Arc<str>),
    /// One label before this suffix: `Label("b.c")` matches `a.b.c` only (Ingress, Traefik).
    Label(Arc<str>),
    /// One or more labels before this suffix (Gateway API).
    Labels(Arc<str>),
    /// Every host, also none.
    Any,
}

/// In which form a pattern reads the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathForm {
    /// Normal form: reserved characters stay encoded, so `/a%2Fb` is not `/a/b`.
    Normal,
    /// Decoded whole and resolved, as nginx's `$uri`.
    Decoded,
    /// As Traefik compares: normal form with all but reserved characters decoded, so `/a%20b` is
    /// `/a b`, and `/a%2Fb` stays.
    Readable,
}

/// Which paths are meant, in which form; case-sensitive unless an expression says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern {
    /// The form that is compared.
    pub form: PathForm,
    /// How it is compared.
    pub shape: PathShape,
}

/// How a path is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathShape {
    /// Exactly this path.
    Exact(Arc<str>),
    /// This path and all below it, by whole elements; kept without a trailing slash, so `/` is
    /// the empty string.
    Elements(Arc<str>),
    /// All paths that begin with these bytes.
    Bytes(Arc<str>),
    /// All paths in which this expression is found.
    Regex(Expression),
}

/// A regular expression in RE2's language; equal when written alike.
#[derive(Clone)]
pub struct Expression {
    source: Arc<str>,
    compiled: Regex,
}

/// Why a regular expression cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPattern {
    /// It does not parse; the parser's own words.
    Syntax(String),
    /// Compiled it would take more memory than one expression may.
    TooLarge,
}

impl HostPattern {
    /// Whether `host` is meant.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Label(suffix) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && *rest == **suffix),
            Self::Labels(suffix) => host
                .strip_suffix(&**suffix)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
            Self::Any => true,
        }
    }

    /// The name, where it is one.
    pub fn as_exact(&self) -> Option<&Arc<str>> {
        match self {
            Self::Exact(name) => Some(name),
            Self::Label(_) | Self::Labels(_) | Self::Any => None,
        }
    }
}

impl PathPattern {
    /// A pattern over the normal form.
    pub fn normal(shape: PathShape) -> Self {
        Self { form: PathForm::Normal, shape }
    }

    /// A pattern over the decoded form.
    pub fn decoded(shape: PathShape) -> Self {
        Self { form: PathForm::Decoded, shape }
    }
}

impl PathShape {
    /// The prefix `path` by whole elements, however many slashes it ends with.
    pub fn elements(path: &str) -> Self {
        Self::Elements(path.trim_end_matches('/').into())
    }

    /// How many bytes of a path, or of an expression, it names.
    pub fn len(&self) -> usize {
        match self {
            Self::Exact(text) | Self::Elements(text) | Self::Bytes(text) => text.len(),
            Self::Regex(expression) => expression.source().len(),
        }
    }

    /// Whether it names nothing, so that every path is meant.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `path` is meant.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Elements(prefix) => path
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Bytes(prefix) => path.starts_with(&**prefix),
            Self::Regex(expression) => expression.is_found_in(path),
        }
    }
}

impl Expression {
    /// Compiles `source`.
    pub fn new(source: &str) -> Result<Self, BadPattern> {
        let built =
            regex::RegexBuilder::new(&translated(source)).size_limit(EXPRESSION_LIMIT).build();
        match built {
            Ok(compiled) => Ok(Self { source: source.into(), compiled }),
            Err(regex::Error::CompiledTooBig(_)) => Err(BadPattern::TooLarge),
            Err(error) => Err(BadPattern::Syntax(error.to_string())),
        }
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What every text begins with in which it is found, as far as that is plain to see.
    pub fn beginning(&self) -> Option<String> {
        beginning(&self.source)
    }

    /// Whether it matches anywhere in `text`.
    pub fn is_found_in(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// Where it matches first in `text`: begin and end, in bytes.
    pub fn first_in(&self, text: &str) -> Option<(usize, usize)> {
        self.compiled.find(text).map(|found| (found.start(), found.end()))
    }

    /// What `template` becomes by the groups of its first match in `text`, as nginx writes it: `$1`
    /// to `$9`, each as `written` has it. A group that is not there is nothing. None where it
    /// matches nothing.
    pub fn rewritten(
        &self,
        text: &str,
        template: &str,
        written: impl Fn(&str) -> String,
    ) -> Option<String> {
        let groups = self.compiled.captures(text)?;
        let (mut out, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            rest = after;
            match after.bytes().next().filter(u8::is_ascii_digit) {
                Some(digit) => {
                    let group = groups.get(usize::from(digit - b'0'));
                    out.push_str(&written(group.map_or("", |group| group.as_str())));
                    rest = &after[1..];
                }
                None => out.push('$'),
            }
        }
        out.push_str(rest);
        Some(out)
    }

    /// `text` with all that it matches replaced, as Go's `ReplaceAllString` does it; none where it
    /// matches nothing.
    pub fn replaced(&self, text: &str, replacement: &str) -> Option<String> {
        let (mut out, mut last, mut is_found) = (String::new(), 0, false);
        for groups in self.compiled.captures_iter(text) {
            let Some(whole) = groups.get(0) else { continue };
            is_found = true;
            out.push_str(&text[last..whole.start()]);
            expand(replacement, &groups, &mut out);
            last = whole.end();
        }
        out.push_str(&text[last..]);
        is_found.then_some(out)
    }
}

/// Writes a template of Go's (`regexp.Expand`): `$name` as long as it can be, `${name}`, and `$$`
/// for a dollar. A group that is not there is nothing; a dollar that begins neither is itself.
fn expand(template: &str, groups: &regex::Captures<'_>, out: &mut String) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = after.strip_prefix('{').and_then(|it| it.split_once('}'));
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let bare = after.find(|letter| !is_part(letter)).unwrap_or(after.len());
        let (name, further) = braced.unwrap_or_else(|| after.split_at(bare));
        if name.is_empty() || !name.chars().all(is_part) {
            out.push('$');
            rest = after;
            continue;
        }
        let number = name.parse::<usize>().ok().filter(|_| name == "0" || !name.starts_with('0'));
        let group = number.map_or_else(|| groups.name(name), |number| groups.get(number));
        out.push_str(group.map_or("", |group| group.as_str()));
        rest = further;
    }
    out.push_str(rest);
}

/// As people write it; `*` for every host.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.pad(name),
            Self::Label(suffix) | Self::Labels(suffix) => f.pad(&format!("*.{suffix}")),
            Self::Any => f.pad("*"),
        }
    }
}

/// The path, prefix or expression; `/` for every path.
impl fmt::Display for PathShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elements(prefix) if prefix.is_empty() => f.pad("/"),
            Self::Exact(text) | Self::Elements(text) | Self::Bytes(text) => f.pad(text),
            Self::Regex(expression) => f.pad(expression.source()),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.source)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl PartialOrd for Expression {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Expression {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.source.cmp(&other.source)
    }
}

impl std::hash::Hash for Expression {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(words) => f.write_str(words),
            Self::TooLarge => f.write_str("the expression is too large"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_is_replaced_as_go_does_it() {
        for (expression, text, replacement, expected) in [
            ("a(b)c", "xabcabcx", "$1", Some("xbbx")),
            ("a(b)c", "abc", "${1}d$1", Some("bdb")),
            // The longest name counts, and there is no such group.
            ("a(b)c", "abc", "$1d", Some("")),
            ("a(?P<n>b)c", "abc", "$n-${n}-$$n", Some("b-b-$n")),
            ("a(b)c", "abc", "$", Some("$")),
            ("a(b)c", "abc", "${1", Some("${1")),
            ("a(b)c", "abc", "${}$-", Some("${}$-")),
            ("a(b)c", "abc", "$01$2", Some("")),
            ("(a)|(b)", "b", "<$1|$2>", Some("<|b>")),
            ("x*", "ab", "-", Some("-a-b-")),
            ("y", "ab", "-", None),
        ] {
            let made = Expression::new(expression).unwrap();
            assert_eq!(made.replaced(text, replacement).as_deref(), expected, "{expression}");
        }
    }
}
