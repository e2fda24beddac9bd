//! Traefik's language of rules, in both its versions: ``Host(`a.b`) && !PathPrefix(`/admin`)``.
//!
//! Text that cannot be read as a rule is an error. What can be read, but has an argument (or a
//! matcher) that means nothing, becomes a rule with a condition that counts as true everywhere, and
//! says so: its route is refused, and opens to nobody what it was to guard. Where nothing of it
//! says any more whose requests it is about (`scope`), there is to be no route: it would close all
//! hosts.
//!
//! Differs from Traefik: white space may stand everywhere, ends of lines too.

mod arguments;
mod claims;
mod first;
mod mistake;
mod scope;
mod second;
mod template;
mod tree;

use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::rule::Rule;
use steelyard_model::suggest::nearest;

use arguments::Arguments;
pub use claims::claims;
pub use mistake::{RuleMistake, RuleProblem};
use scope::{Part, Scope};
use tree::{Call, Tree};

/// Version of the language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuleSyntax {
    /// That of Traefik 3.
    #[default]
    V3,
    /// That of Traefik 2: several arguments for one of them, templates for expressions.
    V2,
}

/// What rules are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleSubject {
    /// HTTP requests.
    Requests,
    /// TCP connections.
    Connections,
}

/// A rule that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRule {
    /// The rule.
    pub rule: Rule,
    /// What in it means nothing, in the order it is written.
    pub mistakes: Vec<RuleMistake>,
    /// Nothing that means something says whose requests it is about: no route is to have it.
    pub is_of_nobody: bool,
    /// Its number among others where users give none: the bytes of its text; less than nothing
    /// for connections to any name.
    pub number: i64,
}

impl ReadRule {
    /// What has no rule, and takes everything.
    pub(super) fn always() -> Self {
        Self { rule: Rule::always(), mistakes: Vec::new(), is_of_nobody: false, number: 0 }
    }
}

/// What a matcher becomes; else what is wrong with its arguments.
type Meaning = Result<Rule, RuleMistake>;
/// A matcher of the language: its name, and what it means.
type Row = (&'static str, fn(&Arguments<'_>) -> Meaning);

/// Reads a rule.
///
/// # Errors
/// When it cannot be read as one.
pub fn rule(text: &str, about: RuleSubject, syntax: RuleSyntax) -> Result<ReadRule, RuleMistake> {
    let tree = tree::read(text)?;
    let mut mistakes = Vec::new();
    let Part { rule, scope } = meaning(tree, true, text, rows(about, syntax), &mut mistakes);
    let is_of_nobody = !mistakes.is_empty() && !scope.is_known;
    let is_any = rule == Rule::One(Matcher::Sni(HostPattern::Any));
    let number = if is_any { -1 } else { i64::try_from(text.len()).unwrap_or(i64::MAX) };
    Ok(ReadRule { rule, mistakes, is_of_nobody, number })
}

/// What is written in calls of the matchers called `names`, in its order, also in those that are
/// negated: the hosts that a rule is about, for who needs certificates for them.
///
/// # Errors
/// When it cannot be read as a rule.
pub fn written_in(text: &str, names: &[&str]) -> Result<Vec<String>, RuleMistake> {
    let mut found = Vec::new();
    let mut open = vec![tree::read(text)?];
    while let Some(tree) = open.pop() {
        match tree {
            Tree::All(trees) | Tree::Any(trees) => open.extend(trees.into_iter().rev()),
            Tree::Not(tree) => open.push(*tree),
            Tree::Call(call) => {
                if names.iter().any(|name| is_written_so(name, &call.name.1)) {
                    found.extend(call.arguments.into_iter().map(|(_, text)| text));
                }
            }
        }
    }
    Ok(found)
}

/// Matchers there are, by their names.
pub fn matchers(about: RuleSubject, syntax: RuleSyntax) -> impl Iterator<Item = &'static str> {
    rows(about, syntax).iter().map(|(name, _)| *name)
}

fn rows(about: RuleSubject, syntax: RuleSyntax) -> &'static [Row] {
    match (about, syntax) {
        (RuleSubject::Requests, RuleSyntax::V3) => first::REQUESTS,
        (RuleSubject::Connections, RuleSyntax::V3) => first::CONNECTIONS,
        (RuleSubject::Requests, RuleSyntax::V2) => second::REQUESTS,
        (RuleSubject::Connections, RuleSyntax::V2) => second::CONNECTIONS,
    }
}

/// What `tree` means, where it is `wanted` or negated.
fn meaning(
    tree: Tree,
    wanted: bool,
    text: &str,
    rows: &[Row],
    mistakes: &mut Vec<RuleMistake>,
) -> Part {
    let mut each = |trees: Vec<Tree>| -> Vec<Part> {
        trees.into_iter().map(|it| meaning(it, wanted, text, rows, mistakes)).collect()
    };
    match tree {
        Tree::All(trees) if wanted => scope::together(each(trees), Rule::All),
        Tree::All(trees) => scope::either(each(trees), Rule::All),
        Tree::Any(trees) if wanted => scope::either(each(trees), Rule::Any),
        Tree::Any(trees) => scope::together(each(trees), Rule::Any),
        Tree::Not(tree) => {
            let Part { rule, scope } = meaning(*tree, !wanted, text, rows, mistakes);
            Part { rule: rule.negated(), scope }
        }
        Tree::Call(call) => match of_call(&call, rows) {
            Ok(rule) => Part { scope: Scope::of(&rule, wanted), rule },
            Err(mistake) => {
                let is_of_hosts = is_of_hosts(&call.name.1, &mistake.what);
                mistakes.push(mistake);
                let rule = Rule::One(Matcher::Invalid(text[call.at.clone()].into()));
                Part { rule, scope: Scope::lost(wanted && is_of_hosts) }
            }
        },
    }
}

/// Whether a matcher, by its name or the one that is meant, is about whom requests are for.
fn is_of_hosts(name: &str, wrong: &RuleProblem) -> bool {
    let meant = match wrong {
        RuleProblem::UnknownMatcher { meant, .. } => *meant,
        _ => None,
    };
    HOSTS.iter().any(|host| is_written_so(host, name) || meant == Some(host))
}

fn of_call(call: &Call, rows: &[Row]) -> Meaning {
    let row = rows.iter().find(|(name, _)| is_written_so(name, &call.name.1));
    match row {
        Some((_, read)) => read(&Arguments(call)),
        None => Err(unknown(call, rows)),
    }
}

/// Matchers of whom a request or a connection is for.
const HOSTS: [&str; 5] = ["Host", "HostHeader", "HostRegexp", "HostSNI", "HostSNIRegexp"];
/// Names that version 2 had, and version 3 has others for.
const RENAMED: [(&str, &str); 3] =
    [("HostHeader", "Host"), ("Headers", "Header"), ("HeadersRegexp", "HeaderRegexp")];

fn unknown(call: &Call, rows: &[Row]) -> RuleMistake {
    unknown_among(call, rows.iter().map(|(name, _)| *name).collect())
}

fn unknown_among(call: &Call, known: Vec<&'static str>) -> RuleMistake {
    let (at, name) = call.name.clone();
    let renamed = RENAMED.iter().find(|(former, _)| former.eq_ignore_ascii_case(&name));
    let meant = renamed.map(|(_, now)| *now).or_else(|| nearest(&name, known.iter().copied()));
    RuleMistake { at, what: RuleProblem::UnknownMatcher { name, meant, known } }
}

/// Names are taken as they are, in lower or upper case, or with one capital.
fn is_written_so(name: &str, written: &str) -> bool {
    let is_capital = || {
        let (head, tail) = written.split_at(1);
        name.starts_with(head) && !tail.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    let is_one_case = || {
        let mut letters = written.bytes();
        let is_upper = letters.clone().all(|byte| byte.is_ascii_uppercase());
        is_upper || letters.all(|byte| byte.is_ascii_lowercase())
    };
    written == name || written.eq_ignore_ascii_case(name) && (is_one_case() || is_capital())
}
