//! `plugin.oidc` of a Middleware, as Traefik Hub has it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::super::meta::Ignored;
use super::super::super::opaque::opaque;
use super::ClientConfigSpec;

/// Has people log in at an OpenID provider.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OidcSpec {
    /// Who knows them: an URL, to the letter.
    pub issuer: Option<String>,
    /// What the issuer calls itself, where that is not its URL.
    pub trusted_issuer: Option<String>,
    /// Tokens of any issuer are believed.
    pub disable_issuer_check: Option<bool>,
    /// Other places at which the issuer is asked.
    pub origins: Option<Vec<String>>,
    /// Where browsers come back: a path, or an URL.
    pub redirect_url: Option<String>,
    /// What we are called there, or where that is: `urn:k8s:secret:NAME:KEY`.
    #[serde(alias = "clientID")]
    pub client_id: Option<String>,
    /// What proves it, or where that is.
    pub client_secret: Option<String>,
    /// What the token must say.
    pub claims: Option<String>,
    /// What says who the client is.
    pub username_claim: Option<String>,
    /// Lines that endpoints are told, and what of.
    pub forward_headers: Option<BTreeMap<String, String>>,
    /// How the issuer is asked.
    pub client_config: Option<ClientConfigSpec>,
    /// Who begins a login proves it when he ends it.
    pub pkce: Option<bool>,
    /// More that is said when the issuer is asked what it is.
    pub discovery_params: Option<BTreeMap<String, String>>,
    /// What is asked for.
    pub scopes: Option<Vec<String>>,
    /// More that browsers bring to the issuer.
    pub auth_params: Option<BTreeMap<String, String>>,
    /// Nobody is led to the login.
    pub disable_login: Option<bool>,
    /// Where a login begins, and nowhere else.
    pub login_url: Option<String>,
    /// Where people log out.
    pub logout_url: Option<String>,
    /// Where they are led after a login at `loginUrl`.
    pub post_login_redirect_url: Option<String>,
    /// Where they are led then.
    pub post_logout_redirect_url: Option<String>,
    /// Where the issuer says that somebody has logged out.
    pub backchannel_logout_url: Option<String>,
    /// It must say of which session.
    pub backchannel_logout_sessions_required: Option<bool>,
    /// What browsers keep while they log in.
    pub state_cookie: Option<StateCookieSpec>,
    /// What they keep then.
    pub session: Option<SessionSpec>,
    /// A line that requests of pages must have.
    pub csrf: Option<Ignored>,
}

/// What browsers keep while they log in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StateCookieSpec {
    /// Its name.
    pub name: Option<String>,
    /// For which paths.
    pub path: Option<String>,
    /// For which domain.
    pub domain: Option<String>,
    /// For how many seconds.
    pub max_age: Option<i64>,
    /// Which requests of other sites bring it.
    pub same_site: Option<String>,
    /// Hidden from scripts.
    pub http_only: Option<bool>,
    /// By TLS only.
    pub secure: Option<bool>,
}

/// What browsers keep who are logged in.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionSpec {
    /// Its name.
    pub name: Option<String>,
    /// What it is sealed with, a secret a line, or where that is: `urn:k8s:secret:NAME:KEY`.
    pub secret: Option<String>,
    /// For which paths.
    pub path: Option<String>,
    /// For which domain.
    pub domain: Option<String>,
    /// For how many seconds.
    pub expiry: Option<i64>,
    /// It goes on as long as it is used.
    pub sliding: Option<bool>,
    /// It is renewed at the issuer.
    pub refresh: Option<bool>,
    /// Which requests of other sites bring it.
    pub same_site: Option<String>,
    /// Hidden from scripts.
    pub http_only: Option<bool>,
    /// By TLS only.
    pub secure: Option<bool>,
    /// Where it is kept, other than in the browser.
    pub store: Option<Ignored>,
}

opaque!(OidcSpec, SessionSpec);
