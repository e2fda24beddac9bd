//! The language in which claims of a token are demanded, as Traefik Hub has it:
//! ``Equals(`role`, `admin`) || Contains(`groups`, `ops`)``.

use std::ops::RangeInclusive;
use std::sync::Arc;

use steelyard_model::routing::claims::{ClaimPath, ClaimRule, ClaimTest};

use super::mistake::RuleMistake;
use super::tree::{self, Call, Tree};
use super::{Arguments, is_written_so, unknown_among};

/// A test of a claim: its name, how many arguments it has (the claim's path first), and what it is
/// of the others.
type Test = (&'static str, RangeInclusive<usize>, fn(&[Arc<str>]) -> ClaimTest);

const TESTS: &[Test] = &[
    ("Equals", 2..=2, |values| ClaimTest::Equals(values[0].clone())),
    ("Prefix", 2..=2, |values| ClaimTest::Prefix(values[0].clone())),
    ("Contains", 2..=2, |values| ClaimTest::Contains(values[0].clone())),
    ("SplitContains", 3..=3, |it| ClaimTest::SplitContains(it[0].clone(), it[1].clone())),
    ("OneOf", 2..=usize::MAX, |values| ClaimTest::OneOf(values.to_vec())),
];

/// Reads what is demanded of claims.
///
/// # Errors
/// When any of it cannot be read, or means nothing: then nobody's claims are as demanded.
pub fn claims(text: &str) -> Result<ClaimRule, RuleMistake> {
    meaning(tree::read(text)?)
}

fn meaning(tree: Tree) -> Result<ClaimRule, RuleMistake> {
    let all = |trees: Vec<Tree>| trees.into_iter().map(meaning).collect::<Result<_, _>>();
    Ok(match tree {
        Tree::All(trees) => ClaimRule::All(all(trees)?),
        Tree::Any(trees) => ClaimRule::Any(all(trees)?),
        Tree::Not(tree) => ClaimRule::Not(Box::new(meaning(*tree)?)),
        Tree::Call(call) => of_call(&call)?,
    })
}

fn of_call(call: &Call) -> Result<ClaimRule, RuleMistake> {
    let row = TESTS.iter().find(|(name, ..)| is_written_so(name, &call.name.1));
    let known = || TESTS.iter().map(|(name, ..)| *name).collect();
    let (_, counts, test) = row.ok_or_else(|| unknown_among(call, known()))?;
    let arguments = Arguments(call).between(*counts.start(), *counts.end())?;
    let values: Vec<Arc<str>> = arguments[1..].iter().map(|it| it.text.into()).collect();
    Ok(ClaimRule::Claim(ClaimPath::read(arguments[0].text), test(&values)))
}
