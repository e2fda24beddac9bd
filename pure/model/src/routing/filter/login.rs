//! Filters that have people log in.

use std::sync::Arc;
use std::time::Duration;

use super::access::FilterTls;
use crate::routing::asked::AskedUrl;
use crate::routing::claims::{ClaimPath, ClaimRule};
use crate::routing::cookie::SameSite;
use crate::routing::id::BackendId;

/// Has people log in at an OpenID provider, as Traefik Hub's `oidc` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginAuth {
    /// Who knows them.
    pub issuer: LoginIssuer,
    /// Who we are there.
    pub client: LoginClient,
    /// What sessions are sealed with, a secret a line, the first for new ones; none is the client's
    /// own secret.
    pub sealing: Option<SecretText>,
    /// What is asked for.
    pub scopes: Vec<Arc<str>>,
    /// More that browsers bring to the issuer.
    pub parameters: Vec<(Arc<str>, Arc<str>)>,
    /// Who begins a login proves it when he ends it (RFC 7636).
    pub has_proof: bool,
    /// Where browsers are led.
    pub places: LoginPlaces,
    /// What browsers keep while they log in, and for how many seconds.
    pub state: LoginCookie,
    /// What they keep then.
    pub session: LoginCookie,
    /// A session goes on as long as it is used.
    pub is_sliding: bool,
    /// A session is renewed at the issuer.
    pub is_renewed: bool,
    /// What the token must say.
    pub claims: Option<ClaimRule>,
    /// Who the client is.
    pub user: Option<ClaimPath>,
    /// What endpoints are told of it: lines, and claims.
    pub told: Vec<(Arc<str>, ClaimPath)>,
}

/// Who knows who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginIssuer {
    /// Where it says what it is.
    pub url: AskedUrl,
    /// What it is called, to the letter.
    pub name: Arc<str>,
    /// More that is said when it is asked what it is.
    pub parameters: Vec<(Arc<str>, Arc<str>)>,
    /// Where it may be asked, whatever the path, and the backends that stand for that.
    pub origins: Vec<(AskedUrl, BackendId)>,
    /// How TLS is spoken there.
    pub tls: Option<FilterTls>,
    /// How long an answer may take.
    pub patience: Duration,
    /// How often it is asked again for what it says of itself, and for its keys.
    pub retries: u8,
}

/// Who we are to an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginClient {
    /// What we are called.
    pub id: SecretText,
    /// What proves it; none where we have no secret with the issuer.
    pub secret: Option<SecretText>,
}

/// A text that may stand in a Secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretText {
    /// It is this.
    Known(Arc<[u8]>),
    /// It is in a Secret under this key, and not looked up yet.
    Kept(Arc<str>),
}

/// Where browsers are led, as paths or whole URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPlaces {
    /// Where they come back from the issuer.
    pub back: Arc<str>,
    /// Where a login begins, and nowhere else; none where it begins at what is asked for.
    pub login: Option<Arc<str>>,
    /// Who is not logged in is refused, and not led anywhere.
    pub has_no_login: bool,
    /// Where they log out.
    pub logout: Option<Arc<str>>,
    /// Where they are led from `login`.
    pub after_login: Option<Arc<str>>,
    /// Where they are led from `logout`.
    pub after_logout: Option<Arc<str>>,
}

/// A cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginCookie {
    /// Its name; none is after the filter.
    pub name: Option<Arc<str>>,
    /// For which paths.
    pub path: Arc<str>,
    /// For which domain; none is the host alone.
    pub domain: Option<Arc<str>>,
    /// For how many seconds.
    pub seconds: u64,
    /// Which requests of other sites bring it.
    pub same_site: SameSite,
    /// Hidden from scripts.
    pub is_hidden: bool,
    /// By TLS only; none is as the request comes.
    pub is_secure: Option<bool>,
}

impl LoginAuth {
    /// What sessions are sealed with; none where that is not looked up.
    pub fn seal(&self) -> Option<&[u8]> {
        self.sealing.as_ref().or(self.client.secret.as_ref())?.known()
    }
}

impl SecretText {
    /// What it is, where it was looked up.
    pub fn known(&self) -> Option<&[u8]> {
        match self {
            Self::Known(bytes) => Some(bytes),
            Self::Kept(_) => None,
        }
    }

    /// The same as text, without blanks around it.
    pub fn text(&self) -> Option<&str> {
        str::from_utf8(self.known()?).ok().map(str::trim).filter(|text| !text.is_empty())
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(_) => f.write_str("Known"),
            Self::Kept(key) => f.debug_tuple("Kept").field(key).finish(),
        }
    }
}
