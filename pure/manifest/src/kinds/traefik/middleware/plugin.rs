//! `plugin` of a Middleware: programs of somebody else, and what Traefik Hub has under that name.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::super::super::meta::{Ignored, IntOrString};
use super::super::super::opaque::opaque;
use super::{AllowListSpec, ChainSpec, FilterTlsSpec, MiddlewareRef, OidcSpec};

/// Programs of somebody else by their names, and those that are built in here.
#[derive(Clone, Debug, Default)]
pub struct PluginSpec {
    /// What they are called.
    pub names: Vec<String>,
    /// Asks for a JSON Web Token.
    pub jwt: Option<Box<JwtSpec>>,
    /// Asks for signed requests.
    pub hmac: Option<HmacSpec>,
    /// Has people log in.
    pub oidc: Option<Box<OidcSpec>>,
    /// Asks for a key.
    pub api_key: Option<Box<ApiKeySpec>>,
    /// Keeps clients of some addresses out.
    pub ip_deny_list: Option<AllowListSpec>,
    /// Lets in whom one of several lets in.
    pub any_of: Option<ChainSpec>,
    /// A middleware with exemptions.
    pub unless: Option<Box<UnlessSpec>>,
    /// Says how long what may take.
    pub timeouts: Option<TimeoutsSpec>,
}

/// How long what may take of a route's requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimeoutsSpec {
    /// A whole request.
    pub request: Option<IntOrString>,
    /// An attempt at an endpoint.
    pub backend_request: Option<IntOrString>,
    /// Connecting.
    pub connect: Option<IntOrString>,
    /// Between two pieces from the endpoint.
    pub idle_read: Option<IntOrString>,
    /// Between two pieces to the endpoint.
    pub idle_send: Option<IntOrString>,
}

/// Asks for a key.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiKeySpec {
    /// Where it may come.
    pub key_source: Option<KeySourceSpec>,
    /// Clients write it as it is, not in base64.
    pub secret_non_base64_encoded: Option<bool>,
    /// Hashes of the keys, or where they are: `urn:k8s:secret:NAME:KEY`.
    pub secret_values: Option<Vec<String>>,
}

/// Where a key may come.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeySourceSpec {
    /// A header line.
    pub header: Option<String>,
    /// What comes before it there.
    pub header_auth_scheme: Option<String>,
    /// A parameter of the query.
    pub query: Option<String>,
    /// A cookie.
    pub cookie: Option<String>,
}

/// A middleware with exemptions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct UnlessSpec {
    /// What is exempted: a rule.
    #[serde(rename = "match")]
    pub rule: Option<String>,
    /// From what.
    pub middleware: Option<MiddlewareRef>,
}

/// Asks for a JSON Web Token.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtSpec {
    /// A secret that the issuer has too, or where it is: `urn:k8s:secret:NAME:KEY`.
    pub signing_secret: Option<String>,
    /// It is written in base64.
    pub signing_secret_base64_encoded: Option<bool>,
    /// The issuer's key, in PEM.
    pub public_key: Option<String>,
    /// The issuer's keys, as a JSON Web Key Set.
    pub jwks_file: Option<String>,
    /// Where they are.
    pub jwks_url: Option<String>,
    /// Endpoints get the token too.
    pub forward_authorization: Option<bool>,
    /// A parameter of the query in which it may come.
    pub token_key: Option<String>,
    /// What it must say.
    pub claims: Option<String>,
    /// What says who the client is.
    pub username_claim: Option<String>,
    /// Lines that endpoints are told, and what of.
    pub forward_headers: Option<BTreeMap<String, String>>,
    /// How the issuer is asked.
    pub client_config: Option<ClientConfigSpec>,
}

/// How somebody else is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientConfigSpec {
    /// How TLS is spoken to it.
    pub tls: Option<FilterTlsSpec>,
    /// How long an answer may take.
    pub timeout_seconds: Option<i64>,
    /// How often it is asked again.
    pub max_retries: Option<i64>,
}

/// Asks for signed requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HmacSpec {
    /// Who may sign, and with what.
    pub keys: Option<Vec<HmacKeySpec>>,
    /// A digest that is signed must be the body's.
    pub validate_digest: Option<bool>,
    /// Lines that must be signed.
    pub enforced_headers: Option<Vec<String>>,
}

/// Who may sign.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct HmacKeySpec {
    /// What they are called.
    pub id: Option<String>,
    /// Their secret.
    pub key: Option<String>,
}

impl<'de> Deserialize<'de> for PluginSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByName)
    }
}

struct ByName;

impl<'de> Visitor<'de> for ByName {
    type Value = PluginSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with the name of a plugin")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PluginSpec, A::Error> {
        let mut spec = PluginSpec::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "jwt" => spec.jwt = Some(map.next_value()?),
                "hmac" => spec.hmac = Some(map.next_value()?),
                "oidc" => spec.oidc = Some(map.next_value()?),
                "timeouts" => spec.timeouts = Some(map.next_value()?),
                "apiKey" => spec.api_key = Some(map.next_value()?),
                "ipDenyList" => spec.ip_deny_list = Some(map.next_value()?),
                "anyOf" => spec.any_of = Some(map.next_value()?),
                "unless" => spec.unless = Some(map.next_value()?),
                _ => _ = map.next_value::<Ignored>()?,
            }
            spec.names.push(name);
        }
        Ok(spec)
    }
}

opaque!(ApiKeySpec, JwtSpec, HmacKeySpec);
