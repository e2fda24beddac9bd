//! The matchers of version 2: several arguments mean any of them, and what stands in braces is an
//! expression.

use std::sync::Arc;

use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::pattern::{
    Expression, HostPattern, PathForm, PathPattern, PathShape,
};
use steelyard_model::routing::rule::Rule;

use super::arguments::{Argument, Arguments};
use super::first::literal;
use super::mistake::RuleProblem;
use super::template::{self, Part};
use super::{Meaning, Row, RuleMistake};

/// Of requests.
pub(super) const REQUESTS: &[Row] = &[
    ("Host", |it| it.any(host)),
    ("HostHeader", |it| it.any(host)),
    ("HostRegexp", |it| it.any(|it| host_template(it, it.ascii()?).map(Matcher::RootedHostRegex))),
    ("Path", |it| it.any(|it| path(it, PathShape::Exact, "$"))),
    ("PathPrefix", |it| it.any(|it| path(it, PathShape::Bytes, ""))),
    ("Method", |it| it.any(|it| Ok(Matcher::Method(it.text.to_ascii_uppercase().into())))),
    ("Headers", |it| headers(it, |value| Ok(Values::Exact(value.text.into())))),
    ("HeadersRegexp", |it| headers(it, |value| Ok(Values::Regex(value.expression()?)))),
    ("Query", queries),
    ("ClientIP", |it| it.any(|it| it.clients())),
];

/// Of connections.
pub(super) const CONNECTIONS: &[Row] = &[
    ("HostSNI", |it| {
        // Who names nobody is taken where that comes first.
        let takes_nameless = it.0.arguments.first().is_some_and(|(_, text)| text == "*");
        it.any(|it| {
            let name = it.server_name()?;
            Ok(match &*name {
                "*" if takes_nameless => Matcher::Sni(HostPattern::Any),
                "*" => Matcher::SniRegex(it.compiled(".")?),
                _ => Matcher::Sni(HostPattern::Exact(whole(it, name)?)),
            })
        })
    }),
    ("HostSNIRegexp", |it| it.any(|it| host_template(it, it.text).map(Matcher::SniRegex))),
    ("ClientIP", |it| it.any(|it| it.clients())),
    ("ALPN", |it| it.any(|it| it.protocol())),
];

fn host(argument: Argument<'_>) -> Result<Matcher, RuleMistake> {
    Ok(Matcher::Host(HostPattern::Exact(argument.host()?)))
}

/// Names and values in turn, all of which must hold.
fn headers(
    arguments: &Arguments<'_>,
    of: fn(Argument<'_>) -> Result<Values, RuleMistake>,
) -> Meaning {
    let all = arguments.between(2, usize::MAX)?;
    let pairs = all.chunks(2).map(|pair| match pair {
        [name, value] => Ok(Rule::One(Matcher::Header(name.name(), of(*value)?))),
        lone => Err(lone[0].wrong(RuleProblem::Unpaired)),
    });
    pairs.collect::<Result<Vec<_>, _>>().map(all_of)
}

/// The same, where a pair may be written as `name=value`.
fn queries(arguments: &Arguments<'_>) -> Meaning {
    let all = arguments.between(1, usize::MAX)?;
    let pieces: Vec<_> =
        all.iter().flat_map(|it| it.text.splitn(2, '=').map(|text| (*it, text))).collect();
    let pairs = pieces.chunks(2).map(|pair| match pair {
        [(_, name), (argument, value)] => Ok(Rule::One(query(*argument, name, value)?)),
        lone => Err(lone[0].0.wrong(RuleProblem::NoPair)),
    });
    pairs.collect::<Result<Vec<_>, _>>().map(all_of)
}

fn all_of(mut rules: Vec<Rule>) -> Rule {
    if rules.len() == 1 { rules.remove(0) } else { Rule::All(rules) }
}

/// A name without a wildcard, which this version writes as a template.
fn whole(argument: Argument<'_>, host: Arc<str>) -> Result<Arc<str>, RuleMistake> {
    if host.contains('*') { Err(argument.wrong(RuleProblem::Wildcard)) } else { Ok(host) }
}

/// A host; a part without an expression is one label.
fn host_template(argument: Argument<'_>, text: &str) -> Result<Expression, RuleMistake> {
    let parts = parts(argument, text)?;
    argument.compiled(&format!("(?i)^{}$", template::expression(&parts, "[^.]+")))
}

/// A path; a part without an expression is one element.
fn path(
    argument: Argument<'_>,
    plain: fn(Arc<str>) -> PathShape,
    end: &str,
) -> Result<Matcher, RuleMistake> {
    let text = argument.path()?;
    let parts = parts(argument, text)?;
    if let [Part::Text(text)] = &parts[..] {
        return Ok(Matcher::Path(literal(plain, text)));
    }
    let source = format!("^{}{end}", template::expression(&parts, "[^/]+"));
    let shape = PathShape::Regex(argument.compiled(&source)?);
    Ok(Matcher::Path(PathPattern { form: PathForm::Readable, shape }))
}

/// A parameter; without a value any will do.
fn query(argument: Argument<'_>, name: &str, value: &str) -> Result<Matcher, RuleMistake> {
    let values = match &parts(argument, value)?[..] {
        [] => Values::Present,
        [Part::Text(text)] => Values::Exact((*text).into()),
        parts => {
            let source = format!("^{}$", template::expression(parts, ".*"));
            Values::Regex(argument.compiled(&source)?)
        }
    };
    Ok(Matcher::Query(name.into(), values))
}

fn parts<'t>(argument: Argument<'_>, text: &'t str) -> Result<Vec<Part<'t>>, RuleMistake> {
    template::parts(text).ok_or_else(|| argument.wrong(RuleProblem::BadTemplate))
}
