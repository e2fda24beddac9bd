//! Annotations of Ingresses and Services, as Traefik reads them: names without regard to case, and
//! one that is not known or cannot be read spoils all of them.

use serde_json::{Value, json};

use crate::shape::Shape;
use crate::sticky::sticky;
use crate::tree::Tree;

const PREFIX: &str = "traefik.ingress.kubernetes.io/";

/// What an Ingress asks of its routers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RouterWish {
    pub(super) entry_points: Vec<String>,
    pub(super) middlewares: Vec<String>,
    pub(super) priority: i64,
    pub(super) syntax: String,
    /// By which matcher paths are matched whose type leaves that open.
    pub(super) matcher: String,
    /// Null is none.
    pub(super) tls: Value,
    pub(super) observability: Value,
}

/// What a Service asks of how it is asked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ServiceWish {
    pub(super) native: Option<bool>,
    pub(super) nodes: bool,
    pub(super) scheme: String,
    pub(super) transport: String,
    pub(super) keeps_host: bool,
    pub(super) middlewares: Vec<String>,
    pub(super) sticky: Value,
}

/// Annotations with a prefix: what is after it in lower case, and the value.
fn under<'t>(annotations: Tree<'t>, part: &str) -> Vec<(String, &'t str)> {
    let all = annotations.0.as_object().into_iter().flatten();
    let named = all.filter_map(|(name, value)| {
        let name = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
        Some((name.strip_prefix(part)?.to_owned(), value.as_str().unwrap_or_default()))
    });
    named.collect()
}

/// The items of a list; an empty text is one of none.
fn listed(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|it| it.trim().to_owned()).collect()
}

/// Whether something is there that has parts of its own, where a value is written beside them: any
/// other takes its parts away, too.
fn is_there(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("true")
}

/// A switch, in the words Go takes for one.
fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

impl RouterWish {
    /// What the annotations of an Ingress come to; none where one of them spoils it.
    pub(super) fn of(annotations: Tree<'_>) -> Option<Self> {
        let mut wish = Self { matcher: "PathPrefix".to_owned(), ..Self::default() };
        let (mut tls, mut domains, mut has_tls) = (Shape::default(), Vec::new(), None);
        let mut told = Shape::default();
        let mut is_told = false;
        for (name, value) in under(annotations, "router.") {
            match &*name {
                "entrypoints" => wish.entry_points = listed(value),
                "middlewares" => wish.middlewares = listed(value),
                "priority" => wish.priority = value.parse().ok()?,
                "rulesyntax" => value.clone_into(&mut wish.syntax),
                "pathmatcher" if value.is_empty() => {}
                "pathmatcher" => value.clone_into(&mut wish.matcher),
                "tls" => has_tls = Some(is_there(value)),
                "tls.certresolver" => tls = tls.with("certResolver", value),
                "tls.options" => tls = tls.with("options", value),
                _ => match (name.strip_prefix("tls.domains."), name.strip_prefix("observability."))
                {
                    (Some(domain), _) => domains.push(domain_part(domain, value)?),
                    (_, Some("traceverbosity")) => {
                        is_told = true;
                        told = told.with("traceVerbosity", value);
                    }
                    (_, Some(what)) => {
                        let known = ["accessLogs", "metrics", "tracing"];
                        let key = known.iter().find(|it| it.eq_ignore_ascii_case(what))?;
                        is_told = true;
                        told = told.kept(key, switch(value)?);
                    }
                    _ => return None,
                },
            }
        }
        let tls = tls.with("domains", domains_of(domains)).done();
        let is_asked = has_tls.unwrap_or_else(|| tls != json!({}));
        wish.tls = if is_asked { tls } else { Value::Null };
        if is_told {
            let told = told.done();
            let verbosity = told.get("traceVerbosity").cloned().unwrap_or_else(|| "minimal".into());
            let keys = ["accessLogs", "metrics", "tracing"].into_iter();
            let all = keys.fold(Shape::default(), |all, key| all.kept(key, told[key].clone()));
            wish.observability = all.with("traceVerbosity", verbosity).done();
        }
        Some(wish)
    }

    /// What it names that others may have.
    pub(super) fn references(&self) -> impl Iterator<Item = &str> {
        let options = self.tls.get("options").and_then(Value::as_str);
        self.middlewares.iter().map(String::as_str).chain(options)
    }
}

/// One line of `tls.domains.N.main` or `.sans`: the number, and whether it is the first name.
fn domain_part(name: &str, value: &str) -> Option<(usize, bool, Vec<String>)> {
    let (number, part) = name.split_once('.')?;
    let is_main = match part {
        "main" => true,
        "sans" => false,
        _ => return None,
    };
    let names = if is_main { vec![value.to_owned()] } else { listed(value) };
    Some((number.parse().ok()?, is_main, names))
}

fn domains_of(mut parts: Vec<(usize, bool, Vec<String>)>) -> Vec<Value> {
    parts.sort_by_key(|(number, is_main, _)| (*number, !is_main));
    let by_number = parts.chunk_by(|(one, ..), (other, ..)| one == other);
    let domain = |parts: &[(usize, bool, Vec<String>)]| {
        let shape = Shape::default();
        let done = parts.iter().fold(shape, |all, (_, is_main, names)| match is_main {
            true => all.with("main", names[0].clone()),
            false => all.with("sans", names.clone()),
        });
        done.done()
    };
    by_number.map(domain).collect()
}

impl ServiceWish {
    /// What the annotations of a Service come to; none where one of them spoils it.
    pub(super) fn of(annotations: Tree<'_>) -> Option<Self> {
        let mut wish = Self { keeps_host: true, ..Self::default() };
        let (mut cookie, mut has_cookie, mut is_sticky) = (Shape::default(), None, None);
        let mut names_cookie = false;
        for (name, value) in under(annotations, "service.") {
            match &*name {
                "nativelb" => wish.native = Some(switch(value)?),
                "nodeportlb" => wish.nodes = switch(value)?,
                "serversscheme" => value.clone_into(&mut wish.scheme),
                "serverstransport" => value.clone_into(&mut wish.transport),
                "passhostheader" => wish.keeps_host = switch(value)?,
                "middlewares" => wish.middlewares = listed(value),
                "sticky" => is_sticky = Some(is_there(value)),
                "sticky.cookie" => has_cookie = Some(is_there(value)),
                _ => {
                    names_cookie = true;
                    cookie = match name.strip_prefix("sticky.cookie.")? {
                        "name" => cookie.with("name", value),
                        "samesite" => cookie.with("sameSite", value),
                        "domain" => cookie.with("domain", value),
                        "path" => cookie.kept("path", value),
                        "secure" => cookie.with("secure", switch(value)?),
                        "httponly" => cookie.with("httpOnly", switch(value)?),
                        "maxage" => cookie.with("maxAge", value.parse::<i64>().ok()?),
                        _ => return None,
                    };
                }
            }
        }
        let is_asked = is_sticky.unwrap_or_else(|| has_cookie.is_some() || names_cookie);
        wish.sticky = match has_cookie.unwrap_or(names_cookie) {
            _ if !is_asked => Value::Null,
            true => sticky(Tree(&json!({ "cookie": cookie.done() }))),
            false => json!({}),
        };
        Some(wish)
    }

    /// What it names that others may have.
    pub(super) fn references(&self) -> impl Iterator<Item = &str> {
        self.middlewares.iter().map(String::as_str).chain([&*self.transport])
    }
}
