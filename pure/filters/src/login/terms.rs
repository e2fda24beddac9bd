//! What is asked for, made ready.

use std::fmt;

use steelyard_login::{Client, CookieRule, Keys};
use steelyard_model::routing::filter::login::{LoginAuth, LoginCookie};

/// What is asked for, made ready.
pub(super) struct LoginTerms {
    pub(super) auth: LoginAuth,
    pub(super) keys: Keys,
    client: String,
    secret: Option<String>,
    /// What cookies are named after.
    owner: String,
}

/// Which cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The browser's secret.
    State,
    /// Who is logged in.
    Session,
    /// How often a login has ended of late.
    Count,
}

impl LoginTerms {
    pub(super) fn new(auth: &LoginAuth, owner: &str) -> Option<Self> {
        let client = auth.client.id.text()?.to_owned();
        // Who has logged in elsewhere, or for somebody else, has not logged in here.
        let whose = format!("{owner}\n{}\n{client}", auth.issuer.name);
        let keys = Keys::derive(auth.seal()?, &whose).ok()?;
        let secret = match &auth.client.secret {
            Some(secret) => Some(secret.text()?.to_owned()),
            None => None,
        };
        let name = owner.split('@').next().unwrap_or_default();
        let letter = |it: char| if it.is_ascii_alphanumeric() { it } else { '-' };
        let owner = name.chars().map(letter).collect();
        Some(Self { auth: auth.clone(), keys, client, secret, owner })
    }

    pub(super) fn client(&self, is_in_body: bool) -> Client<'_> {
        Client { id: &self.client, secret: self.secret.as_deref(), is_in_body }
    }

    /// How a cookie is kept by a browser that has come by TLS, or not.
    pub(super) fn cookie(&self, which: Which, is_tls: bool) -> CookieRule {
        let rule = match which {
            Which::Session => &self.auth.session,
            Which::State | Which::Count => &self.auth.state,
        };
        let is_secure = rule.is_secure.unwrap_or(is_tls);
        let made = CookieRule {
            name: self.name(which, rule),
            path: rule.path.to_string(),
            domain: rule.domain.as_deref().map(str::to_owned),
            same_site: rule.same_site,
            is_hidden: rule.is_hidden || which != Which::Session,
            is_secure,
        };
        if rule.name.is_some() { made } else { made.named() }
    }

    /// What endpoints do not get.
    pub(super) fn names(&self) -> Vec<String> {
        let all = [Which::State, Which::Session, Which::Count];
        let both = all.iter().flat_map(|which| [(*which, true), (*which, false)]);
        both.map(|(which, is_tls)| self.cookie(which, is_tls).name).collect()
    }

    fn name(&self, which: Which, rule: &LoginCookie) -> String {
        let (of, more) = match which {
            Which::Session => ("session", ""),
            Which::State => ("state", ""),
            Which::Count => ("state", "-count"),
        };
        match &rule.name {
            Some(name) => format!("{name}{more}"),
            None => format!("{}-{of}{more}", self.owner),
        }
    }
}

/// The path of a place, which may be a whole URL.
pub(super) fn path_of(place: &str) -> &str {
    let rest = place
        .split_once("://")
        .map_or(place, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    rest.split(['?', '#']).next().unwrap_or_default()
}

impl fmt::Debug for LoginTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginTerms")
    }
}
