//! What requests and connections pass: Middleware and MiddlewareTCP.
//!
//! Nearly all of it is passed on as it is written. What names a Secret has the Secret's content in
//! its place, and what Traefik's provider gives a value of its own has that.

use serde_json::{Value, json};

use super::View;
use crate::cluster::Written;
use crate::crypt::user;
use crate::duration::{duration, duration_or};
use crate::names::{id, words};
use crate::shape::{Protocol, Shape, trimmed};
use crate::tree::Tree;

/// Kinds that are passed on as they are written.
const PLAIN: [&str; 16] = [
    "addPrefix",
    "stripPrefix",
    "stripPrefixRegex",
    "replacePath",
    "replacePathRegex",
    "ipWhiteList",
    "ipAllowList",
    "headers",
    "encodedCharacters",
    "redirectRegex",
    "redirectScheme",
    "inFlightReq",
    "buffering",
    "passTLSClientCert",
    "contentType",
    "grpcWeb",
];

/// Of requests; the service of an error page stands beside it.
pub(super) fn of_requests(view: View<'_>, made: &mut Protocol) {
    for object in view.cluster.all("Middleware") {
        let name = words(&id(&object.namespace, &object.name));
        let Some((middleware, page)) = view.middleware(object, &name) else { continue };
        made.middlewares.insert(name.clone(), middleware);
        if let Some(service) = page {
            made.services.insert(page_service(&name), service);
        }
    }
}

/// Of connections.
pub(super) fn of_connections(view: View<'_>, made: &mut Protocol) {
    for object in view.cluster.all("MiddlewareTCP") {
        let kinds = ["inFlightConn", "ipWhiteList", "ipAllowList"].into_iter();
        let shape = kinds.fold(Shape::default(), |all, kind| all.kept(kind, plain(object, kind)));
        made.middlewares.insert(words(&id(&object.namespace, &object.name)), shape.done());
    }
}

fn page_service(name: &str) -> String {
    format!("{name}-errorpage-service")
}

fn plain(object: &Written, kind: &str) -> Value {
    trimmed(&object.spec().raw(kind))
}

impl View<'_> {
    /// A middleware, and the service of its error page; none where a part of it cannot be.
    fn middleware(self, object: &Written, name: &str) -> Option<(Value, Option<Value>)> {
        let (own, spec) = (&*object.namespace, object.spec());
        let plain = PLAIN
            .into_iter()
            .fold(Shape::default(), |all, kind| all.kept(kind, plain(object, kind)));
        let of = |kind: &str, made: &dyn Fn(Tree<'_>) -> Option<Value>| match spec.there(kind) {
            Some(written) => made(written),
            None => Some(Value::Null),
        };
        let (errors, page) = match spec.there("errors") {
            Some(errors) => self.error_page(own, errors, name)?,
            None => (Value::Null, None),
        };
        let shape = plain
            .kept("basicAuth", of("basicAuth", &|it| self.auth(own, it, true))?)
            .kept("digestAuth", of("digestAuth", &|it| self.auth(own, it, false))?)
            .kept("forwardAuth", of("forwardAuth", &|it| self.forward_auth(own, it))?)
            .kept("errors", errors)
            .with("plugin", of("plugin", &|it| self.resolved(own, it.0))?)
            .kept("rateLimit", of("rateLimit", &|it| self.rate_limit(own, it))?)
            .kept("retry", of("retry", &retry)?)
            .kept("circuitBreaker", of("circuitBreaker", &circuit_breaker)?)
            .kept("compress", of("compress", &compress)?)
            .kept("chain", of("chain", &|it| self.chain(own, it))?);
        Some((shape.done(), page))
    }

    fn chain(self, own: &str, written: Tree<'_>) -> Option<Value> {
        let names = self.middlewares(own, written)?;
        Some(Shape::default().with("middlewares", names).done())
    }

    fn error_page(
        self,
        own: &str,
        written: Tree<'_>,
        name: &str,
    ) -> Option<(Value, Option<Value>)> {
        let (target, service) = self.service(own, written.at("service"))?;
        let target = if service.is_some() { page_service(name) } else { target };
        let shape = Shape::default()
            .with("status", written.raw("status"))
            .with("statusRewrites", written.raw("statusRewrites"))
            .with("service", target)
            .with("query", written.text("query"))
            .kept("errorRequestHeaders", written.raw("errorRequestHeaders"));
        Some((shape.done(), service))
    }

    /// Who may pass, out of a Secret; one of name and password is for passwords alone.
    fn auth(self, own: &str, written: Tree<'_>, takes_passwords: bool) -> Option<Value> {
        let (entries, kind) = self.cluster.secret(own, written.text("secret"))?;
        let users = match kind {
            "kubernetes.io/basic-auth" if takes_passwords => {
                vec![user(entries.get("username")?, entries.get("password")?)]
            }
            _ => {
                let only = entries.values().next().filter(|_| entries.len() == 1)?;
                only.lines().filter(|it| !it.is_empty()).map(str::to_owned).collect()
            }
        };
        let shape = Shape::default()
            .with("users", (!users.is_empty()).then_some(users)?)
            .with("realm", written.text("realm"))
            .with("removeHeader", written.is("removeHeader"))
            .with("headerField", written.text("headerField"));
        Some(shape.done())
    }

    fn forward_auth(self, own: &str, written: Tree<'_>) -> Option<Value> {
        let address = Some(written.text("address")).filter(|it| !it.is_empty())?;
        let tls = match written.there("tls") {
            Some(tls) => self.client_tls(own, tls)?,
            None => Value::Null,
        };
        let most = written.raw_or("maxBodySize", -1);
        let shape = Shape::default()
            .with("address", address)
            .kept("tls", tls)
            .with("trustForwardHeader", written.is("trustForwardHeader"))
            .with("authResponseHeaders", written.raw("authResponseHeaders"))
            .with("authResponseHeadersRegex", written.text("authResponseHeadersRegex"))
            .with("authRequestHeaders", written.raw("authRequestHeaders"))
            .with("addAuthCookiesToResponse", written.raw("addAuthCookiesToResponse"))
            .with("headerField", written.text("headerField"))
            .with("forwardBody", written.is("forwardBody"))
            .kept("maxBodySize", most)
            .kept("maxResponseBodySize", written.raw("maxResponseBodySize"))
            .with("preserveLocationHeader", written.is("preserveLocationHeader"))
            .with("preserveRequestMethod", written.is("preserveRequestMethod"))
            .with("authSigninURL", written.text("authSigninURL"));
        Some(shape.done())
    }

    /// TLS to somebody who is asked.
    fn client_tls(self, own: &str, written: Tree<'_>) -> Option<Value> {
        let named = |key: &str| Some(written.text(key)).filter(|name| !name.is_empty());
        let authority = match named("caSecret") {
            Some(name) => self.cluster.authority(own, name)?,
            None => String::new(),
        };
        let (certificate, key) = match named("certSecret") {
            Some(name) => self.cluster.certificate(own, name)?,
            None => Default::default(),
        };
        let shape = Shape::default()
            .with("ca", authority)
            .with("cert", certificate)
            .with("key", key)
            .with("insecureSkipVerify", written.is("insecureSkipVerify"))
            .kept("caOptional", written.raw("caOptional"));
        Some(shape.done())
    }

    fn rate_limit(self, own: &str, written: Tree<'_>) -> Option<Value> {
        let redis = match written.there("redis") {
            Some(redis) => self.redis(own, redis)?,
            None => Value::Null,
        };
        let burst = written.raw_or("burst", 1);
        let shape = Shape::default()
            .with("average", written.number("average"))
            .timed("period", &duration_or(written.at("period").0, "1s")?)
            .with("burst", burst)
            .kept("sourceCriterion", trimmed(&written.raw("sourceCriterion")))
            .kept("redis", redis);
        Some(shape.done())
    }

    fn redis(self, own: &str, written: Tree<'_>) -> Option<Value> {
        let tls = match written.there("tls") {
            Some(tls) => self.client_tls(own, tls)?,
            None => Value::Null,
        };
        let (name, password) = match written.text("secret") {
            "" => Default::default(),
            secret => {
                let (mut entries, _) = self.cluster.secret(own, secret)?;
                (entries.remove("username")?, entries.remove("password")?)
            }
        };
        let endpoints = match written.texts("endpoints") {
            none if none.is_empty() => vec!["127.0.0.1:6379"],
            some => some,
        };
        let limit = |key: &str, usual: &str| duration_or(written.at(key).0, usual);
        let shape = Shape::default()
            .with("endpoints", endpoints)
            .kept("tls", tls)
            .with("username", name)
            .with("password", password)
            .with("db", written.number("db"))
            .with("poolSize", written.number("poolSize"))
            .with("minIdleConns", written.number("minIdleConns"))
            .with("maxActiveConns", written.number("maxActiveConns"))
            .kept("readTimeout", limit("readTimeout", "3s")?)
            .kept("writeTimeout", limit("writeTimeout", "3s")?)
            .kept("dialTimeout", limit("dialTimeout", "5s")?);
        Some(shape.done())
    }

    /// A plugin's options, with the Secrets that they name (`urn:k8s:secret:NAME:KEY`) in place.
    fn resolved(self, own: &str, written: &Value) -> Option<Value> {
        match written {
            Value::String(text) => match text.strip_prefix("urn:k8s:secret:") {
                Some(secret) => {
                    let (name, key) = secret.split_once(':')?;
                    let (mut entries, _) = self.cluster.secret(own, name)?;
                    entries.remove(key).map(Value::String)
                }
                None => Some(written.clone()),
            },
            Value::Array(items) => items.iter().map(|it| self.resolved(own, it)).collect(),
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| {
                    Some((key.clone(), self.resolved(own, value)?))
                };
                map.iter().map(entry).collect::<Option<_>>().map(Value::Object)
            }
            other => Some(other.clone()),
        }
    }
}

/// How much of a request Traefik keeps for sending it again, in bytes.
const REPLAYED: i64 = 2 << 20;

fn retry(written: Tree<'_>) -> Option<Value> {
    let limit = |key: &str| duration_or(written.at(key).0, "0s");
    let most = written.raw_or("maxRequestBodyBytes", REPLAYED);
    let shape = Shape::default()
        .with("attempts", written.number("attempts"))
        .timed("timeout", &limit("timeout")?)
        .timed("initialInterval", &limit("initialInterval")?)
        .kept("maxRequestBodyBytes", most)
        .with("status", written.raw("status"))
        .with("disableRetryOnNetworkError", written.is("disableRetryOnNetworkError"))
        .with("retryNonIdempotentMethod", written.is("retryNonIdempotentMethod"));
    Some(shape.done())
}

fn circuit_breaker(written: Tree<'_>) -> Option<Value> {
    let limit = |key: &str, usual: &str| match written.there(key) {
        Some(written) => duration(written.0),
        None => Some(usual.to_owned()),
    };
    let status = match written.number("responseCode") {
        0 => 503,
        status => status,
    };
    let shape = Shape::default()
        .with("expression", written.text("expression"))
        .timed("checkPeriod", &limit("checkPeriod", "100ms")?)
        .timed("fallbackDuration", &limit("fallbackDuration", "10s")?)
        .timed("recoveryDuration", &limit("recoveryDuration", "10s")?)
        .with("responseCode", status);
    Some(shape.done())
}

fn compress(written: Tree<'_>) -> Option<Value> {
    let encodings = written.there("encodings");
    let encodings = encodings.map_or_else(|| json!(["gzip", "br", "zstd"]), |it| it.0.clone());
    let shape = Shape::default()
        .with("excludedContentTypes", written.raw("excludedContentTypes"))
        .with("includedContentTypes", written.raw("includedContentTypes"))
        .with("minResponseBodyBytes", written.number("minResponseBodyBytes"))
        .with("encodings", encodings)
        .with("defaultEncoding", written.text("defaultEncoding"));
    Some(shape.done())
}
