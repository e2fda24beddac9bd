//! What requests pass on their way: a middleware for each thing that is asked for.

mod access;
mod auth;
mod buffering;
mod headers;
mod limits;
mod pages;
mod redirect;
mod retry;
mod rewrite;

use serde_json::{Value, json};

use super::View;
use super::location::Location;
use crate::shape::{Protocol, only};

pub(super) use redirect::www;

/// One of them.
pub(super) enum Link {
    /// To HTTPS, from where there is none.
    ToHttps,
    /// Pages for statuses: `errors` but for the service, and that, where it is not the one for all.
    Pages { errors: Value, service: Option<Value> },
    /// The same for each router: what it is called, its kind, and its options.
    Plain(&'static str, &'static str, Value),
}

/// What requests pass, in this order; or that nobody may.
pub(super) type Passed = Option<Vec<Link>>;

impl View<'_> {
    /// What requests to a path pass; the outer is none where users are to be told apart and there
    /// is nothing to tell them apart by.
    pub(super) fn links(self, of: &Location<'_>) -> Option<Passed> {
        let users = self.users(of)?;
        let Ok(headers) = self.custom_headers(of) else { return Some(None) };
        let plain = |name, kind, options: Option<Value>| {
            options.map(|options| Link::Plain(name, kind, options))
        };
        let told = self.told_certificate(of.ingress);
        let [by_minute, by_second] = limits::rates(of.ingress.asks);
        let all = [
            redirect::to_https(of.ingress).then_some(Link::ToHttps),
            self.pages(of),
            plain("app-root", "appRoot", redirect::app_root(of)),
            plain("redirect", "redirectRegex", redirect::elsewhere(of)),
            users.map(|(name, kind, options)| Link::Plain(name, kind, options)),
            plain("buffering", "buffering", self.buffering(of)),
            plain("allowed-source-range", "ipAllowList", self.allowed(of)),
            plain("cors", "headers", headers::cors(of.ingress.asks)),
            plain("rewrite-target", "rewriteTarget", rewrite::target(of)),
            plain("vhost", "upstreamVHost", rewrite::host(of)),
            plain("limit-rpm", "rateLimit", by_minute),
            plain("limit-rps", "rateLimit", by_second),
            plain("limit-connections", "inFlightReq", limits::connections(of.ingress.asks)),
            plain("pass-certificate-to-upstream", "authTLSPassCertificateToUpstream", told),
            plain("custom-headers", "headers", headers),
            plain("snippet", "snippet", self.snippet(of)),
            plain("retry", "retry", self.retry(of)),
        ];
        Some(Some(all.into_iter().flatten().collect()))
    }
}

/// Puts down what a router's requests pass; their names, in order.
pub(super) fn attach(
    links: &[Link],
    router: &str,
    is_secure: bool,
    made: &mut Protocol,
) -> Vec<String> {
    let mut names = Vec::new();
    for link in links {
        let (feature, middleware) = match link {
            Link::ToHttps if is_secure => continue,
            Link::ToHttps => ("redirect-scheme", redirect::scheme()),
            Link::Pages { errors, service } => {
                let mut errors = errors.clone();
                if let Some(service) = service {
                    let name = format!("default-backend-{router}");
                    errors["service"] = json!(name);
                    made.services.insert(name, service.clone());
                }
                ("custom-http-errors", only("errors", errors))
            }
            Link::Plain(feature, kind, options) => (*feature, only(kind, options.clone())),
        };
        let name = format!("{router}-{feature}");
        made.middlewares.insert(name.clone(), middleware);
        names.push(name);
    }
    names
}
