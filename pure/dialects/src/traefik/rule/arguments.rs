//! Arguments of a matcher, as they are asked for.

use std::net::Ipv6Addr;
use std::ops::Range;
use std::sync::Arc;

use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::Expression;
use steelyard_model::routing::ranges::range;
use steelyard_model::routing::rule::Rule;

use super::mistake::{RuleMistake, RuleProblem};
use super::tree::Call;

/// Those of one call.
pub(super) struct Arguments<'c>(pub(super) &'c Call);

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Argument<'c> {
    at: &'c Range<usize>,
    pub(super) text: &'c str,
}

impl<'c> Arguments<'c> {
    /// As many as that, none of them empty.
    pub(super) fn between(
        &self,
        least: usize,
        most: usize,
    ) -> Result<Vec<Argument<'c>>, RuleMistake> {
        let Self(call) = self;
        if !(least..=most).contains(&call.arguments.len()) {
            let matcher = call.name.1.clone();
            let what = RuleProblem::Count { matcher, wanted: (least, most) };
            return Err(RuleMistake { at: call.at.clone(), what });
        }
        let all: Vec<_> =
            call.arguments.iter().map(|(at, text)| Argument { at, text: text.as_str() }).collect();
        match all.iter().find(|it| it.text.is_empty()) {
            Some(empty) => Err(empty.wrong(RuleProblem::EmptyArgument)),
            None => Ok(all),
        }
    }

    /// Exactly one.
    pub(super) fn one(&self) -> Result<Argument<'c>, RuleMistake> {
        Ok(self.between(1, 1)?[0])
    }

    /// Exactly two.
    pub(super) fn two(&self) -> Result<(Argument<'c>, Argument<'c>), RuleMistake> {
        let all = self.between(2, 2)?;
        Ok((all[0], all[1]))
    }

    /// One condition for any of them.
    pub(super) fn any(
        &self,
        of: impl Fn(Argument<'c>) -> Result<Matcher, RuleMistake>,
    ) -> Result<Rule, RuleMistake> {
        let all = self.between(1, usize::MAX)?;
        let mut rules: Vec<_> =
            all.into_iter().map(|it| of(it).map(Rule::One)).collect::<Result<_, _>>()?;
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::Any(rules) })
    }
}

impl Argument<'_> {
    pub(super) fn wrong(&self, what: RuleProblem) -> RuleMistake {
        RuleMistake { at: self.at.clone(), what }
    }

    /// A host in letters of DNS, as requests are compared: in lower case, without its port and the
    /// dot of the root, an IPv6 address in brackets.
    pub(super) fn host(&self) -> Result<Arc<str>, RuleMistake> {
        let host = self.ascii()?.to_ascii_lowercase();
        if host.parse::<Ipv6Addr>().is_ok() {
            return Ok(format!("[{host}]").into());
        }
        self.name_of_host(without_port(&host))
    }

    /// The same of a server name, which comes without brackets. One with a port is nobody's, as
    /// with Traefik.
    pub(super) fn server_name(&self) -> Result<Arc<str>, RuleMistake> {
        let host = self.ascii()?.to_ascii_lowercase();
        let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-:".contains(&byte);
        let name = host.strip_prefix("*.").unwrap_or(&host);
        match name {
            name if !name.contains('*') && !name.bytes().all(may_be) => {
                Err(self.wrong(RuleProblem::NoHost))
            }
            name if name.contains(':') => Ok(host.into()),
            _ => self.name_of_host(&host),
        }
    }

    /// A host that there may be, without the dot of the root.
    fn name_of_host(&self, host: &str) -> Result<Arc<str>, RuleMistake> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let name = host.strip_prefix("*.").unwrap_or(host);
        let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_address = inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
        match () {
            () if host == "*" || is_address => {}
            () if name.contains('*') => return Err(self.wrong(RuleProblem::Wildcard)),
            () if name.is_empty() || name.contains(is_of_no_host) => {
                return Err(self.wrong(RuleProblem::NoHost));
            }
            () => {}
        }
        Ok(host.into())
    }

    pub(super) fn ascii(&self) -> Result<&str, RuleMistake> {
        if self.text.is_ascii() { Ok(self.text) } else { Err(self.wrong(RuleProblem::NotAscii)) }
    }

    pub(super) fn path(&self) -> Result<&str, RuleMistake> {
        let is_path = self.text.starts_with('/');
        if is_path { Ok(self.text) } else { Err(self.wrong(RuleProblem::NoSlash)) }
    }

    pub(super) fn expression(&self) -> Result<Expression, RuleMistake> {
        self.compiled(self.text)
    }

    /// What the argument comes to as a regular expression.
    pub(super) fn compiled(&self, source: &str) -> Result<Expression, RuleMistake> {
        Expression::new(source).map_err(|why| self.wrong(RuleProblem::BadPattern(why)))
    }

    /// The name of a header or parameter, lower case.
    pub(super) fn name(&self) -> Arc<str> {
        self.text.to_ascii_lowercase().into()
    }

    pub(super) fn clients(&self) -> Result<Matcher, RuleMistake> {
        range(self.text).map(Matcher::ClientIp).ok_or_else(|| self.wrong(RuleProblem::NoAddress))
    }

    pub(super) fn protocol(&self) -> Result<Matcher, RuleMistake> {
        if self.text == "acme-tls/1" {
            return Err(self.wrong(RuleProblem::ChallengeProtocol));
        }
        Ok(Matcher::Alpn(self.text.into()))
    }
}

/// A host without the port behind it, if there is one.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Characters that stand beside hosts, where several are written or more than a host, but never in
/// one.
fn is_of_no_host(character: char) -> bool {
    character.is_ascii_whitespace()
        || character.is_ascii_control()
        || "/\\:,;@?#{}[]()|<>\"`".contains(character)
}
