//! Middleware and MiddlewareTCP, with every option: the same for objects and for Traefik's files,
//! whose spelling differs in few fields.
//!
//! What restricts and cannot be had costs the middleware whole, and so the routes that use it;
//! nothing of the kind is left out of one.

mod access;
mod content;
mod headers;
mod keys;
mod limit;
mod login;
mod paths;
mod tokens;

use std::sync::Arc;

use steelyard_manifest::kinds::traefik as raw;
use steelyard_manifest::kinds::traefik::middleware as written;
use steelyard_model::filter_draft::{FilterDraft, SecretPurpose};
use steelyard_model::handshake_draft::{MaterialPart, SecretLink};
use steelyard_model::router_draft::{LinkTarget, ObjectLink, WayDraft, WayTarget};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::Networks;
use steelyard_model::routing::id::FilterId;
use steelyard_model::routing::pattern::Expression;
use steelyard_model::{FieldPath, Item};

use super::Reader;
use crate::codes;
use crate::findings::Findings;

/// What middlewares of files are called after.
const FILE: &str = "file";

/// Whose spelling a middleware is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterSpelling {
    /// That of objects: what is secret is in Secrets, and others are named as objects.
    Object,
    /// That of files: what is secret stands in it, and others are named as they are in files.
    File,
}

/// Where and how a middleware is written.
#[derive(Clone, Debug)]
pub struct WrittenFilter {
    /// What it is called.
    pub id: FilterId,
    /// Where its options are.
    pub path: FieldPath,
    /// In which spelling.
    pub spelling: FilterSpelling,
}

/// Reads a Middleware.
pub(crate) fn http(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Routed<written::MiddlewareSpec> = findings.read()?;
    let id = format!("{}@kubernetescrd", findings.id()).into();
    let at = WrittenFilter { id, path: "spec".into(), spelling: FilterSpelling::Object };
    let draft = Reader { findings }.http_filter(&raw.spec.unwrap_or_default(), &at)?;
    Some(Item::Filter(Box::new(draft)))
}

/// Reads a MiddlewareTCP.
pub(crate) fn tcp(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Routed<written::MiddlewareTcpSpec> = findings.read()?;
    let id = format!("{}#tcp@kubernetescrd", findings.id()).into();
    let at = WrittenFilter { id, path: "spec".into(), spelling: FilterSpelling::Object };
    let draft = Reader { findings }.tcp_filter(&raw.spec.unwrap_or_default(), &at)?;
    Some(Item::Filter(Box::new(draft)))
}

/// A draft in the making.
struct Making<'w> {
    at: &'w WrittenFilter,
    secrets: Vec<(SecretPurpose, SecretLink)>,
    users_file: Option<MaterialPart>,
    members: Vec<ObjectLink>,
    pages: Option<Box<WayDraft>>,
}

impl<'w> Making<'w> {
    fn new(at: &'w WrittenFilter) -> Self {
        Self { at, secrets: Vec::new(), users_file: None, members: Vec::new(), pages: None }
    }

    fn is_of_file(&self) -> bool {
        self.at.spelling == FilterSpelling::File
    }
}

impl Reader<'_, '_> {
    /// A middleware for requests; none where it cannot be had, which has been said.
    pub(crate) fn http_filter(
        &mut self,
        spec: &written::MiddlewareSpec,
        at: &WrittenFilter,
    ) -> Option<FilterDraft> {
        self.one_of(&asked(spec), at)?;
        let mut making = Making::new(at);
        let filter = self.read_http(spec, &mut making)?;
        Some(self.finish(making, filter, false))
    }

    /// A middleware for connections.
    pub(crate) fn tcp_filter(
        &mut self,
        spec: &written::MiddlewareTcpSpec,
        at: &WrittenFilter,
    ) -> Option<FilterDraft> {
        let asked = [
            ("inFlightConn", spec.in_flight_conn.is_some()),
            ("ipAllowList", spec.ip_allow_list.is_some()),
            ("ipWhiteList", spec.ip_white_list.is_some()),
        ];
        self.one_of(&asked, at)?;
        let path = &at.path;
        let filter = match (&spec.in_flight_conn, &spec.ip_allow_list, &spec.ip_white_list) {
            (Some(limit), ..) => {
                let path = path.key("inFlightConn").key("amount");
                Filter::InFlightConnections(self.amount(&path, limit.amount)?)
            }
            (_, Some(list), _) => self.allowed(list, &path.key("ipAllowList"))?,
            (.., Some(list)) => self.allowed(list, &path.key("ipWhiteList"))?,
            _ => return None,
        };
        Some(self.finish(Making::new(at), filter, true))
    }

    fn finish(&mut self, making: Making<'_>, filter: Filter, is_for_bytes: bool) -> FilterDraft {
        let Making { at, secrets, users_file, members, pages } = making;
        FilterDraft {
            object: self.findings.object().clone(),
            id: at.id.clone(),
            is_for_bytes,
            place: self.findings.place(&at.path),
            filter,
            secrets,
            users_file,
            members,
            pages,
        }
    }

    /// Says where a middleware is none, or several.
    fn one_of(&mut self, asked: &[(&str, bool)], at: &WrittenFilter) -> Option<()> {
        let mut there = asked.iter().filter(|(_, is)| *is).map(|(name, _)| at.path.key(name));
        match (there.next(), there.next()) {
            (Some(_), None) => Some(()),
            (Some(first), Some(second)) => {
                self.findings.exclusive(&second, &first);
                None
            }
            (None, _) => {
                let message = "the middleware does nothing: it has no option that is known";
                let help = "write what it is to do, such as `stripPrefix`";
                self.findings.invalid(codes::MISSING_FIELD, &at.path, message, help);
                None
            }
        }
    }

    fn read_http(
        &mut self,
        spec: &written::MiddlewareSpec,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        let path = making.at.path.clone();
        let path = |name: &str| path.key(name);
        Some(if let Some(it) = &spec.add_prefix {
            self.add_prefix(it, &path("addPrefix"))?
        } else if let Some(it) = &spec.strip_prefix {
            self.strip_prefix(it, &path("stripPrefix"))
        } else if let Some(it) = &spec.strip_prefix_regex {
            self.strip_expression(it, &path("stripPrefixRegex"))?
        } else if let Some(it) = &spec.replace_path {
            self.replace_path(it, &path("replacePath"))?
        } else if let Some(it) = &spec.replace_path_regex {
            self.replace_expression(it, &path("replacePathRegex"))?
        } else if let Some(it) = &spec.redirect_scheme {
            self.redirect_scheme(it, &path("redirectScheme"))?
        } else if let Some(it) = &spec.redirect_regex {
            self.redirect_regex(it, &path("redirectRegex"))?
        } else if let Some(it) = &spec.encoded_characters {
            paths::encoded_characters(it)
        } else if let Some(it) = &spec.headers {
            self.headers(it, &path("headers"))?
        } else if let Some(it) = &spec.ip_allow_list {
            self.allowed(it, &path("ipAllowList"))?
        } else if let Some(it) = &spec.ip_white_list {
            self.allowed(it, &path("ipWhiteList"))?
        } else if let Some(it) = &spec.basic_auth {
            Filter::BasicAuth(self.password((it, false), &path("basicAuth"), making)?)
        } else if let Some(it) = &spec.digest_auth {
            Filter::DigestAuth(self.password((it, true), &path("digestAuth"), making)?)
        } else if let Some(it) = &spec.forward_auth {
            self.forward_auth(it, &path("forwardAuth"), making)?
        } else if let Some(it) = &spec.pass_tls_client_cert {
            access::certificate(it)
        } else if let Some(it) = &spec.rate_limit {
            self.rate_limit(it, &path("rateLimit"), making)?
        } else if let Some(it) = &spec.in_flight_req {
            self.in_flight(it, &path("inFlightReq"))?
        } else if let Some(it) = &spec.buffering {
            self.buffering(it, &path("buffering"))?
        } else if let Some(it) = &spec.circuit_breaker {
            self.breaker(it, &path("circuitBreaker"))?
        } else if let Some(it) = &spec.retry {
            self.retry(it, &path("retry"))?
        } else if let Some(it) = &spec.errors {
            self.errors(it, &path("errors"), making)?
        } else if let Some(it) = &spec.compress {
            self.compress(it, &path("compress"))?
        } else if let Some(it) = &spec.content_type {
            // Whose bodies are not looked at passes nothing.
            match it.auto_detect {
                Some(false) => Filter::Chain(Vec::new()),
                _ => Filter::ContentType,
            }
        } else if let Some(it) = &spec.grpc_web {
            Filter::GrpcWeb(texts(it.allow_origins.as_ref()))
        } else if let Some(it) = &spec.chain {
            self.chained(it, &path("chain"), making)?;
            Filter::Chain(Vec::new())
        } else {
            self.plugin(spec.plugin.as_ref()?, &path("plugin"), making)?
        })
    }

    /// The members of a chain, or of what else has others within it.
    fn chained(
        &mut self,
        it: &written::ChainSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<()> {
        let path = path.key("middlewares");
        for (index, member) in it.middlewares.iter().flatten().enumerate() {
            let path = path.index(index);
            let link = self.member(&member.0, &path, making)?;
            making.members.push(link);
        }
        if making.members.is_empty() {
            self.findings.missing(&path, "name the middlewares");
            return None;
        }
        Some(())
    }

    /// What a reference means, in the spelling of who refers.
    fn member(
        &mut self,
        it: &raw::Reference,
        path: &FieldPath,
        making: &Making<'_>,
    ) -> Option<ObjectLink> {
        let name = it.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            self.findings.missing(&path.key("name"), "name a middleware");
            return None;
        }
        let to = match making.at.spelling {
            FilterSpelling::File if name.contains('@') => LinkTarget::Provided(name.into()),
            FilterSpelling::File => LinkTarget::Provided(format!("{name}@{FILE}").into()),
            FilterSpelling::Object => self.target(name, it.namespace.as_deref(), path).ok()?,
        };
        Some(ObjectLink { to, place: self.findings.place(path) })
    }

    /// Whose pages are shown.
    fn pages(&mut self, it: &raw::LoadBalancer, path: &FieldPath, making: &Making<'_>) -> WayDraft {
        if !making.is_of_file() {
            return self.way(it, path);
        }
        let name = it.name.as_deref().unwrap_or_default();
        let name = if name.contains('@') { name.into() } else { format!("{name}@{FILE}") };
        let to = WayTarget::Backend(LinkTarget::Provided(name.into()));
        WayDraft { to, weight: 1, filters: Vec::new(), place: self.findings.place(path) }
    }

    /// A Secret, which only objects name.
    fn named_secret(
        &mut self,
        name: Option<&String>,
        (path, purpose): (&FieldPath, SecretPurpose),
        making: &mut Making<'_>,
    ) -> Option<()> {
        let name = name.filter(|name| !name.is_empty())?;
        let link = self.secret(name, path);
        making.secrets.push((purpose, link));
        Some(())
    }

    /// Says of fields that only files have, or only objects.
    fn foreign(&mut self, fields: &[(&str, bool)], path: &FieldPath, making: &Making<'_>) {
        for (name, _) in fields.iter().filter(|(_, is)| *is) {
            let path = path.key(name);
            let (message, help) = match making.at.spelling {
                FilterSpelling::Object => (
                    format!("{path} is not a field of objects"),
                    "put it into a Secret, and name that",
                ),
                FilterSpelling::File => {
                    (format!("{path} is not a field of files"), "write what the Secret has")
                }
            };
            self.findings.invalid(codes::INVALID_VALUE, &path, message, help);
        }
    }

    /// An amount of something.
    fn amount(&mut self, path: &FieldPath, written: Option<i64>) -> Option<u64> {
        self.findings.within(path, Some(written.unwrap_or_default()), 0..=i64::MAX)
    }

    /// An amount; less than none means any.
    fn at_most(written: Option<i64>) -> Option<u64> {
        written.and_then(|most| u64::try_from(most).ok())
    }

    /// An expression that can be compiled.
    fn expression(&mut self, text: &str, path: &FieldPath) -> Option<Expression> {
        match Expression::new(text) {
            Ok(expression) => Some(expression),
            Err(why) => {
                let message = format!("`{text}` is no regular expression: {why}");
                let help = "write it as Go does (RE2)";
                self.findings.invalid(codes::INVALID_VALUE, path, message, help);
                None
            }
        }
    }

    /// Addresses and ranges of them.
    fn networks(&mut self, written: Option<&Vec<String>>, path: &FieldPath) -> Option<Networks> {
        let texts = written.map_or(&[][..], Vec::as_slice);
        match Networks::parse(texts) {
            Ok(networks) => Some(networks),
            Err(index) => {
                let message = format!("`{}` is no address and no range of them", texts[index]);
                let help = "write 192.168.1.7, 192.168.1.0/24 or fd00::/8";
                self.findings.invalid(codes::INVALID_VALUE, &path.index(index), message, help);
                None
            }
        }
    }
}

/// What a middleware asks for.
fn asked(spec: &written::MiddlewareSpec) -> [(&'static str, bool); 26] {
    [
        ("addPrefix", spec.add_prefix.is_some()),
        ("basicAuth", spec.basic_auth.is_some()),
        ("buffering", spec.buffering.is_some()),
        ("chain", spec.chain.is_some()),
        ("circuitBreaker", spec.circuit_breaker.is_some()),
        ("compress", spec.compress.is_some()),
        ("contentType", spec.content_type.is_some()),
        ("digestAuth", spec.digest_auth.is_some()),
        ("encodedCharacters", spec.encoded_characters.is_some()),
        ("errors", spec.errors.is_some()),
        ("forwardAuth", spec.forward_auth.is_some()),
        ("grpcWeb", spec.grpc_web.is_some()),
        ("headers", spec.headers.is_some()),
        ("inFlightReq", spec.in_flight_req.is_some()),
        ("ipAllowList", spec.ip_allow_list.is_some()),
        ("ipWhiteList", spec.ip_white_list.is_some()),
        ("passTLSClientCert", spec.pass_tls_client_cert.is_some()),
        ("plugin", spec.plugin.is_some()),
        ("rateLimit", spec.rate_limit.is_some()),
        ("redirectRegex", spec.redirect_regex.is_some()),
        ("redirectScheme", spec.redirect_scheme.is_some()),
        ("replacePath", spec.replace_path.is_some()),
        ("replacePathRegex", spec.replace_path_regex.is_some()),
        ("retry", spec.retry.is_some()),
        ("stripPrefix", spec.strip_prefix.is_some()),
        ("stripPrefixRegex", spec.strip_prefix_regex.is_some()),
    ]
}

fn texts(written: Option<&Vec<String>>) -> Vec<Arc<str>> {
    written.into_iter().flatten().map(|text| text.as_str().into()).collect()
}

fn text(written: Option<&String>) -> Option<Arc<str>> {
    written.filter(|text| !text.is_empty()).map(|text| text.as_str().into())
}

fn is(written: Option<bool>) -> bool {
    written.unwrap_or_default()
}
