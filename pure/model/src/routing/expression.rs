//! Regular expressions that rules compare with, and filters.
//!
//! Nearly all are in RE2's language, and take time that grows with the text alone. Those of nginx
//! may look around or refer back, which is tried step by step: so many and no more, and no long
//! texts. What is not decided by then is nobody's to guess ([`Expression::decides`]).

use std::fmt;
use std::sync::Arc;

use regex::Regex;

use crate::routing::alike::Alike;
use crate::routing::beginning::beginning;
use crate::routing::re2::translated;

/// Memory of one compiled expression, in bytes: what a hostile one may cost.
const EXPRESSION_LIMIT: usize = 1 << 20;

/// Steps that are tried for one text, where it is gone step by step: one for each byte that it may
/// begin at, and some more.
const MOST_STEPS: usize = 4_000;
/// Bytes of such a text. Each step may look at all of it, which nobody counts: what one text may
/// cost is the two multiplied.
const LONGEST_TEXT: usize = 1024;
/// Bytes of such an expression, and instructions of what it becomes.
const LONGEST_SOURCE: usize = 1024;
const MOST_INSTRUCTIONS: usize = 10_000;

/// A regular expression; equal when written alike. Those that are lie in memory once.
#[derive(Clone)]
pub struct Expression(Arc<Made>);

struct Made {
    source: Arc<str>,
    compiled: Compiled,
}

enum Compiled {
    /// In RE2's language.
    Linear(Regex),
    /// With look-around, or what refers back.
    Stepped(Box<fancy_regex::Regex>),
}

/// All that are in use.
static KNOWN: Alike<Made> = Alike::new();

/// It was not decided within so many steps, or the text is too long for any, whether an expression
/// is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySteps;

/// Why a regular expression cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPattern {
    /// It does not parse; the parser's own words.
    Syntax(String),
    /// Compiled it would take more memory than one expression may.
    TooLarge,
}

/// Begin and end of each group, in bytes.
type Groups = Vec<Option<(usize, usize)>>;

impl Expression {
    /// Compiles `source`, which is in RE2's language.
    pub fn new(source: &str) -> Result<Self, BadPattern> {
        match KNOWN.find(source, |it| matches!(it.compiled, Compiled::Linear(_))) {
            Some(made) => Ok(Self(made)),
            None => Ok(Self::noted(source, linear(source)?)),
        }
    }

    /// Compiles `source`, which may look around and refer back, too (`(?!…)`, `(?<=…)`, `\1`).
    /// What does neither is the same as by [`Self::new`].
    pub fn looking(source: &str) -> Result<Self, BadPattern> {
        match KNOWN.find(source, |_| true) {
            Some(made) => Ok(Self(made)),
            None => Ok(Self::noted(source, linear_or_stepped(source)?)),
        }
    }

    fn noted(source: &str, compiled: Compiled) -> Self {
        let source: Arc<str> = source.into();
        let made = Arc::new(Made { source: source.clone(), compiled });
        KNOWN.note(source, &made);
        Self(made)
    }

    /// Whether it may come to no decision.
    pub fn is_stepped(&self) -> bool {
        matches!(self.0.compiled, Compiled::Stepped(_))
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What every text begins with in which it is found, as far as that is plain to see.
    pub fn beginning(&self) -> Option<String> {
        beginning(&self.0.source)
    }

    /// What is found, in any case, in all that begins as `source` does behind its `^`, as far as
    /// that is plain to see: for a source that may be no expression itself. Where nothing is, that
    /// is everything.
    pub fn of_beginning(source: &str) -> Self {
        let text = beginning(source).unwrap_or_default();
        let written = Self::looking(&format!("(?i)^{}", regex::escape(&text)));
        written.unwrap_or_else(|_| Self::looking("^").expect("it is an expression"))
    }

    /// Whether it matches anywhere in `text`. What is not decided counts as found: who must not
    /// let somebody pass by that asks [`Self::decides`].
    pub fn is_found_in(&self, text: &str) -> bool {
        self.decides(text).unwrap_or(true)
    }

    /// The same; or that it is not decided.
    ///
    /// # Errors
    /// It takes more steps than it may.
    pub fn decides(&self, text: &str) -> Result<bool, TooManySteps> {
        match &self.0.compiled {
            Compiled::Linear(it) => Ok(it.is_match(text)),
            Compiled::Stepped(_) if text.len() > LONGEST_TEXT => Err(TooManySteps),
            Compiled::Stepped(it) => it.is_match(text).map_err(|_| TooManySteps),
        }
    }

    /// Where it matches first in `text`: begin and end, in bytes. What is not decided is nowhere.
    pub fn first_in(&self, text: &str) -> Option<(usize, usize)> {
        *self.groups(text).ok()??.first()?
    }

    /// Where its groups are in `text`, the whole first; none where it is not found.
    fn groups(&self, text: &str) -> Result<Option<Groups>, TooManySteps> {
        match &self.0.compiled {
            Compiled::Linear(it) => Ok(it.captures(text).map(|found| {
                found.iter().map(|group| group.map(|it| (it.start(), it.end()))).collect()
            })),
            Compiled::Stepped(_) if text.len() > LONGEST_TEXT => Err(TooManySteps),
            Compiled::Stepped(it) => {
                let found = it.captures(text).map_err(|_| TooManySteps)?;
                Ok(found.map(|found| {
                    let group = |at| found.get(at).map(|it| (it.start(), it.end()));
                    (0..found.len()).map(group).collect()
                }))
            }
        }
    }

    /// What `template` becomes by the groups of its first match in `text`, as nginx writes it: `$1`
    /// to `$9` and `$name`, each as `written` has it. A group that is not there is nothing; what
    /// other names stand for `named` says, and a name that is none stays. None where it matches
    /// nothing.
    ///
    /// # Errors
    /// It takes more steps than it may.
    pub fn rewritten(
        &self,
        text: &str,
        template: &str,
        written: impl Fn(&str) -> String,
        named: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, TooManySteps> {
        let Some(groups) = self.groups(text)? else { return Ok(None) };
        let (mut out, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            rest = after;
            match after.bytes().next().filter(u8::is_ascii_digit) {
                Some(digit) => {
                    let group = groups.get(usize::from(digit - b'0')).copied().flatten();
                    out.push_str(&written(group.map_or("", |(from, to)| &text[from..to])));
                    rest = &after[1..];
                }
                None => match name_in(after) {
                    Some((name, further)) => {
                        let group = self.group_of(name).map(|at| groups.get(at).copied().flatten());
                        let group =
                            group.map(|it| it.map_or("", |(from, to)| &text[from..to]).to_owned());
                        match group.or_else(|| named(name)) {
                            Some(value) => out.push_str(&written(&value)),
                            None => {
                                out.push('$');
                                continue;
                            }
                        }
                        rest = further;
                    }
                    None => out.push('$'),
                },
            }
        }
        out.push_str(rest);
        Ok(Some(out))
    }

    /// The number of a group that has a name.
    fn group_of(&self, name: &str) -> Option<usize> {
        match &self.0.compiled {
            Compiled::Linear(it) => it.capture_names().position(|own| own == Some(name)),
            Compiled::Stepped(it) => it.capture_names().position(|own| own == Some(name)),
        }
    }

    /// `text` with all that it matches replaced, as Go's `ReplaceAllString` does it; none where it
    /// matches nothing, and where it looks around or refers back, which nothing in Go does.
    pub fn replaced(&self, text: &str, replacement: &str) -> Option<String> {
        let Compiled::Linear(compiled) = &self.0.compiled else { return None };
        let (mut out, mut last, mut is_found) = (String::new(), 0, false);
        for groups in compiled.captures_iter(text) {
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

fn linear(source: &str) -> Result<Compiled, BadPattern> {
    let translated = translated(source).map_err(BadPattern::Syntax)?;
    let built = regex::RegexBuilder::new(&translated).size_limit(EXPRESSION_LIMIT).build();
    match built {
        Ok(it) => Ok(Compiled::Linear(it)),
        Err(regex::Error::CompiledTooBig(_)) => Err(BadPattern::TooLarge),
        Err(error) => Err(BadPattern::Syntax(error.to_string())),
    }
}

fn linear_or_stepped(source: &str) -> Result<Compiled, BadPattern> {
    let why = match linear(source) {
        Err(BadPattern::Syntax(why)) => why,
        made => return made,
    };
    if source.len() > LONGEST_SOURCE {
        return Err(BadPattern::TooLarge);
    }
    let built = fancy_regex::RegexBuilder::new(source)
        .backtrack_limit(MOST_STEPS)
        .delegate_size_limit(EXPRESSION_LIMIT)
        .max_prog_size(MOST_INSTRUCTIONS)
        .build();
    match built {
        Ok(it) => Ok(Compiled::Stepped(Box::new(it))),
        Err(_) => Err(BadPattern::Syntax(why)),
    }
}

/// The name that a text begins with, plain or in braces, and what stands behind it.
fn name_in(text: &str) -> Option<(&str, &str)> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let (name, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => text.split_at(text.find(|it| !is_part(it)).unwrap_or(text.len())),
    };
    (!name.is_empty() && name.chars().all(is_part)).then_some((name, rest))
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

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.0.source)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.source == other.0.source
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
        self.0.source.cmp(&other.0.source)
    }
}

impl std::hash::Hash for Expression {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.source.hash(state);
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

    #[test]
    fn what_looks_around_is_found_as_in_nginx() {
        for (source, found, not) in [
            ("(?i)^/(?!api).*", vec!["/", "/web/x", "/AP"], vec!["/api", "/API/x"]),
            ("^/(?=v[0-9])", vec!["/v1"], vec!["/va"]),
            ("(?<!/private)/file$", vec!["/a/file"], vec!["/private/file"]),
            (r"^/([a-z]+)/\1$", vec!["/ab/ab"], vec!["/ab/ac"]),
            (r"^/(?>a+)b", vec!["/aab"], vec!["/aa"]),
        ] {
            assert!(matches!(Expression::new(source), Err(BadPattern::Syntax(_))), "{source}");
            let made = Expression::looking(source).unwrap();
            assert!(made.is_stepped());
            found.iter().for_each(|it| assert_eq!(made.decides(it), Ok(true), "{source} {it}"));
            not.iter().for_each(|it| assert_eq!(made.decides(it), Ok(false), "{source} {it}"));
        }
        let plain = |it: &str| it.to_owned();
        let made = Expression::looking("(?i)^/(?!api)([a-z]+)(/.*)?").unwrap();
        assert_eq!(
            made.rewritten("/Web/x", "/$1/y$2", plain, &|_| None),
            Ok(Some("/Web/y/x".to_owned()))
        );
        assert_eq!(made.rewritten("/api/x", "/$1", plain, &|_| None), Ok(None));
        assert_eq!(made.first_in("/web"), Some((0, 4)));
    }

    /// Whatever was compiled before, in whichever language: what comes of a text is the same.
    #[test]
    fn alike_is_compiled_once_and_comes_to_the_same() {
        let sources = ["^/a(b|c)?$", "^/(?=v[0-9])", "(", r"^/([a-z]+)/\1$", "^/a(b|c)?$", "(?i)x"];
        let texts = ["/a", "/ab", "/v1", "/b/b", "X", ""];
        let mut kept = Vec::new();
        for source in sources.iter().chain(&sources) {
            for (made, anew) in [
                (Expression::new(source), linear(source)),
                (Expression::looking(source), linear_or_stepped(source)),
            ] {
                let anew = anew.map(|compiled| {
                    Expression(Arc::new(Made { source: (*source).into(), compiled }))
                });
                assert_eq!(made, anew, "{source}");
                for (made, anew) in made.iter().zip(&anew) {
                    assert_eq!(made.is_stepped(), anew.is_stepped(), "{source}");
                    for text in texts {
                        assert_eq!(made.decides(text), anew.decides(text), "{source} {text}");
                        assert_eq!(made.groups(text), anew.groups(text), "{source} {text}");
                    }
                }
                kept.extend(made);
            }
        }
        let [one, .., other] = &*kept else { panic!("most of them are expressions") };
        let again = [one, other].map(|it| Expression::looking(it.source()).unwrap());
        assert!(Arc::ptr_eq(&again[0].0, &one.0) && Arc::ptr_eq(&again[1].0, &other.0));
    }

    /// What takes steps without end takes so many and no more, and says so; the same without
    /// looks takes none.
    #[test]
    fn steps_end() {
        // With the letter that is looked for first of all.
        let long = format!("{}!b", "a".repeat(200));
        for source in [r"^(?=a)(a|aa)+\1$", r"^((a+)*)*\2b$", r"^(a|ab|aa)*(?<!b)x"] {
            let made = Expression::looking(source).unwrap();
            assert!(made.decides("aab").is_ok(), "{source}");
            assert_eq!(made.decides(&long), Err(TooManySteps), "{source}");
            assert!(made.is_found_in(&long), "nobody is led past it");
            assert_eq!(
                made.rewritten(&long, "/", str::to_owned, &|_| None),
                Err(TooManySteps),
                "{source}"
            );
            assert_eq!(made.first_in(&long), None);
        }
        let looks = Expression::looking("^(?!b)a").unwrap();
        assert_eq!(looks.decides(&"a".repeat(LONGEST_TEXT)), Ok(true));
        assert_eq!(looks.decides(&"a".repeat(LONGEST_TEXT + 1)), Err(TooManySteps));
        // What is found nowhere is looked for from each byte on.
        let nowhere = Expression::looking("(?<!b)x(?!c)").unwrap();
        assert_eq!(nowhere.decides(&"ax".repeat(LONGEST_TEXT / 2)), Ok(true));
        assert_eq!(nowhere.decides(&"bx".repeat(LONGEST_TEXT / 2)), Ok(false));
        for source in ["(a+)+$", "^(a|aa)+$", "^(a*)*$"] {
            let made = Expression::looking(source).unwrap();
            assert!(!made.is_stepped());
            assert_eq!(made.decides(&"a!".repeat(100_000)), Ok(false), "{source}");
        }
    }

    #[test]
    fn what_would_be_too_large_is_none() {
        for source in [
            format!("(?=a){}", "a".repeat(LONGEST_SOURCE)),
            format!("{}(?=a){}", "(".repeat(400), ")".repeat(400)),
            "(?=(a{1000}){1000})".to_owned(),
            "(?=a".to_owned(),
            r"(?<=a+)b".to_owned(),
        ] {
            assert!(Expression::looking(&source).is_err(), "{source}");
        }
    }
}
