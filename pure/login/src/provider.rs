//! What an issuer says of itself (OpenID Connect Discovery 1.0 §3, §4).

use std::fmt;

use serde_json::Value;
use steelyard_model::routing::asked::AskedUrl;

/// Bytes of a document, at most.
const LARGEST: usize = 256 << 10;
/// Where it is, behind the issuer's URL (§4).
const PLACE: &str = "/.well-known/openid-configuration";

/// What an issuer says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderDocument {
    /// What it is called, to the letter.
    pub issuer: String,
    /// Where browsers are led to log in.
    pub login: String,
    /// Where a code becomes a token.
    pub token: AskedUrl,
    /// Where its keys are.
    pub keys: AskedUrl,
    /// Where browsers are led to log out, if they can be.
    pub logout: Option<String>,
    /// It takes a client's secret in the body (`client_secret_post`), and not in a line.
    pub takes_secret_in_body: bool,
    /// It says by whom an answer is (RFC 9207): one that does not say it is none.
    pub says_issuer: bool,
}

/// Why a document is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderFault {
    /// It is no JSON object, or larger than 256 KiB.
    Unreadable,
    /// It is about another issuer.
    OtherIssuer,
    /// A place that is needed is not there, or no URL.
    Place,
}

impl ProviderDocument {
    /// Reads one of the issuer that is called so.
    ///
    /// # Errors
    /// When it is not believed.
    pub fn read(text: &[u8], issuer: &str) -> Result<Self, ProviderFault> {
        if text.len() > LARGEST {
            return Err(ProviderFault::Unreadable);
        }
        let document: Value =
            serde_json::from_slice(text).map_err(|_| ProviderFault::Unreadable)?;
        let said = |name: &str| document.get(name).and_then(Value::as_str);
        if said("issuer") != Some(issuer) {
            return Err(ProviderFault::OtherIssuer);
        }
        let asked = |name: &str| {
            let url = said(name).and_then(|url| AskedUrl::read(url).ok());
            url.ok_or(ProviderFault::Place)
        };
        // What browsers are led to is a header line.
        let led = |name: &str| said(name).filter(|url| AskedUrl::read(url).is_ok());
        let methods = document.get("token_endpoint_auth_methods_supported");
        let methods = methods.and_then(Value::as_array);
        let takes = |method: &str| {
            methods.is_some_and(|all| all.iter().any(|it| it.as_str() == Some(method)))
        };
        let says_issuer = document.get("authorization_response_iss_parameter_supported");
        Ok(Self {
            issuer: issuer.to_owned(),
            login: led("authorization_endpoint").ok_or(ProviderFault::Place)?.to_owned(),
            token: asked("token_endpoint")?,
            keys: asked("jwks_uri")?,
            logout: led("end_session_endpoint").map(str::to_owned),
            takes_secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
            says_issuer: says_issuer.and_then(Value::as_bool).unwrap_or_default(),
        })
    }
}

/// Where an issuer's document is: a path at the issuer's place, with more in its query.
pub fn document_target(issuer: &AskedUrl, more: &[(String, String)]) -> String {
    let path = format!("{}{PLACE}", issuer.target.trim_end_matches('/'));
    match more {
        [] => path,
        more => crate::with_query(&path, more.iter().map(|(name, value)| (&**name, &**value))),
    }
}

impl ProviderFault {
    /// The same in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "what the issuer says of itself cannot be read",
            Self::OtherIssuer => "what the issuer says of itself is about another issuer",
            Self::Place => "the issuer does not say where tokens, keys and logins are",
        }
    }
}

impl fmt::Display for ProviderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}
