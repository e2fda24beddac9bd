//! The matchers of version 3.

use std::sync::Arc;

use steelyard_http::path::readable_in_normal;
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::pattern::{HostPattern, PathForm, PathPattern, PathShape};
use steelyard_model::routing::rule::Rule;

use super::arguments::Argument;
use super::{Arguments, Meaning, Row, RuleMistake};

/// Of requests.
pub(super) const REQUESTS: &[Row] = &[
    ("Host", |it| one(Matcher::Host(pattern(it.one()?.host()?)))),
    ("HostRegexp", |it| {
        let argument = it.one()?;
        argument.ascii()?;
        one(Matcher::RootedHostRegex(argument.expression()?))
    }),
    ("Path", |it| path(PathShape::Exact, it.one()?.path()?)),
    ("PathPrefix", |it| path(PathShape::Bytes, it.one()?.path()?)),
    ("PathRegexp", |it| {
        let shape = PathShape::Regex(it.one()?.expression()?);
        one(Matcher::Path(PathPattern { form: PathForm::Readable, shape }))
    }),
    ("Method", |it| one(Matcher::Method(it.one()?.text.to_ascii_uppercase().into()))),
    ("Header", |it| {
        let (name, value) = it.two()?;
        one(Matcher::Header(name.name(), Values::Exact(value.text.into())))
    }),
    ("HeaderRegexp", |it| {
        let (name, value) = it.two()?;
        one(Matcher::Header(name.name(), Values::Regex(value.expression()?)))
    }),
    ("Query", |it| query(it, |value| Ok(Values::Exact(value.text.into())))),
    ("QueryRegexp", |it| query(it, |value| Ok(Values::Regex(value.expression()?)))),
    ("ClientIP", |it| one(it.one()?.clients()?)),
];

/// Of connections.
pub(super) const CONNECTIONS: &[Row] = &[
    ("HostSNI", |it| one(Matcher::Sni(pattern(it.one()?.server_name()?)))),
    ("HostSNIRegexp", |it| {
        let argument = it.one()?;
        argument.ascii()?;
        one(Matcher::SniRegex(argument.expression()?))
    }),
    ("ClientIP", |it| one(it.one()?.clients()?)),
    ("ALPN", |it| one(it.one()?.protocol()?)),
];

fn one(matcher: Matcher) -> Meaning {
    Ok(Rule::One(matcher))
}

fn path(shape: fn(Arc<str>) -> PathShape, text: &str) -> Meaning {
    one(Matcher::Path(literal(shape, text)))
}

/// A path that is compared with the routing path, as it is written. Where no request can have such
/// a path, since what is encoded in it would be shown otherwise, none has.
pub(super) fn literal(shape: fn(Arc<str>) -> PathShape, text: &str) -> PathPattern {
    match readable_in_normal(text) {
        Some(text) => PathPattern::normal(shape(text.into())),
        None => PathPattern { form: PathForm::Readable, shape: shape(text.into()) },
    }
}

/// `*` is every host, `*.` one label.
fn pattern(host: Arc<str>) -> HostPattern {
    match host.strip_prefix("*.") {
        _ if *host == *"*" => HostPattern::Any,
        Some(suffix) => HostPattern::Label(suffix.into()),
        None => HostPattern::Exact(host),
    }
}

/// A parameter that is there without a value, or one with such a value. Names of parameters are
/// case-sensitive.
fn query(
    arguments: &Arguments<'_>,
    of: impl Fn(Argument<'_>) -> Result<Values, RuleMistake>,
) -> Meaning {
    let all = arguments.between(1, 2)?;
    let values = all.get(1).map_or_else(|| Ok(Values::Exact("".into())), |it| of(*it))?;
    one(Matcher::Query(all[0].text.into(), values))
}
