//! The matchers of version 2: several arguments mean any of them, and what stands in braces is an
//! expression.

use std::sync::Arc;

use steelyard_http::path::spelled;
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::pattern::{
    Expression, HostPattern, PathForm, PathPattern, PathShape,
};
use steelyard_model::routing::rule::Rule;

use super::arguments::Argument;
use super::mistake::RuleProblem;
use super::template::{self, Part};
use super::{Row, RuleMistake};

/// Of requests.
pub(super) const REQUESTS: &[Row] = &[
    ("Host", |it| it.any(host)),
    ("HostHeader", |it| it.any(host)),
    ("HostRegexp", |it| it.any(|it| Ok(Matcher::HostRegex(host_template(it)?)))),
    ("Path", |it| it.any(|it| path(it, PathShape::Exact, "$"))),
    ("PathPrefix", |it| it.any(|it| path(it, PathShape::Bytes, ""))),
    ("Method", |it| it.any(|it| Ok(Matcher::Method(it.text.to_ascii_uppercase().into())))),
    ("Headers", |it| {
        let (name, value) = it.two()?;
        Ok(Rule::One(Matcher::Header(name.name(), Values::Exact(value.text.into()))))
    }),
    ("HeadersRegexp", |it| {
        let (name, value) = it.two()?;
        Ok(Rule::One(Matcher::Header(name.name(), Values::Regex(value.expression()?))))
    }),
    ("Query", |it| {
        // Here all must hold.
        let all = it.between(1, usize::MAX)?;
        all.into_iter().map(|it| Ok(Rule::One(query(it)?))).collect::<Result<_, _>>().map(Rule::All)
    }),
    ("ClientIP", |it| it.any(|it| it.clients())),
];

/// Of connections.
pub(super) const CONNECTIONS: &[Row] = &[
    ("HostSNI", |it| {
        it.any(|it| {
            let name = it.server_name()?;
            if *name == *"*" {
                return Ok(Matcher::Sni(HostPattern::Any));
            }
            Ok(Matcher::Sni(HostPattern::Exact(whole(it, name)?)))
        })
    }),
    ("HostSNIRegexp", |it| it.any(|it| Ok(Matcher::SniRegex(host_template(it)?)))),
    ("ClientIP", |it| it.any(|it| it.clients())),
    ("ALPN", |it| it.any(|it| it.protocol())),
];

fn host(argument: Argument<'_>) -> Result<Matcher, RuleMistake> {
    Ok(Matcher::Host(HostPattern::Exact(whole(argument, argument.host()?)?)))
}

/// A name without a wildcard, which this version writes as a template.
fn whole(argument: Argument<'_>, host: Arc<str>) -> Result<Arc<str>, RuleMistake> {
    if host.contains('*') { Err(argument.wrong(RuleProblem::Wildcard)) } else { Ok(host) }
}

/// A host; a part without an expression is one label.
fn host_template(argument: Argument<'_>) -> Result<Expression, RuleMistake> {
    argument.ascii()?;
    let text = argument.text.to_owned();
    let parts = parts(argument, &text)?;
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
        return Ok(Matcher::Path(PathPattern::normal(plain(spelled(text).into()))));
    }
    let source = format!("^{}{end}", template::expression(&parts, "[^/]+"));
    let shape = PathShape::Regex(argument.compiled(&source)?);
    Ok(Matcher::Path(PathPattern { form: PathForm::Readable, shape }))
}

/// `name=value`; without a value any will do.
fn query(argument: Argument<'_>) -> Result<Matcher, RuleMistake> {
    let Some((name, value)) = argument.text.split_once('=') else {
        return Err(argument.wrong(RuleProblem::NoPair));
    };
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
