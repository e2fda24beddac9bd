//! `Middleware` and `MiddlewareTCP`, with every option they have, as objects spell them and as
//! Traefik's files do. Where the two differ each field says whose it is.

mod access;
mod login;
mod plugin;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::super::meta::IntOrString;
use super::{LoadBalancer, Reference};

pub use access::*;
pub use login::*;
pub use plugin::*;

/// A member of a chain: an object, or a name of files.
#[derive(Clone, Debug, Default)]
pub struct MiddlewareRef(pub Reference);

/// Whose error pages: a Service, or a service of a file by its name.
#[derive(Clone, Debug, Default)]
pub struct ErrorsService(pub LoadBalancer);

/// `spec` of a Middleware, or what a file has under its name: one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MiddlewareSpec {
    /// Puts something before paths.
    pub add_prefix: Option<AddPrefixSpec>,
    /// Asks for a name and a password.
    pub basic_auth: Option<AuthSpec>,
    /// Keeps bodies until they are whole.
    pub buffering: Option<BufferingSpec>,
    /// Others, one after the other.
    pub chain: Option<ChainSpec>,
    /// Asks nobody who has failed too often.
    pub circuit_breaker: Option<BreakerSpec>,
    /// Makes responses smaller.
    pub compress: Option<CompressSpec>,
    /// Says what bodies are.
    pub content_type: Option<ContentTypeSpec>,
    /// Asks for a name and the proof of a password.
    pub digest_auth: Option<AuthSpec>,
    /// Refuses encoded characters in paths.
    pub encoded_characters: Option<EncodedCharactersSpec>,
    /// Answers with somebody else's pages.
    pub errors: Option<ErrorsSpec>,
    /// Asks somebody else who may pass.
    pub forward_auth: Option<ForwardAuthSpec>,
    /// gRPC for browsers.
    pub grpc_web: Option<GrpcWebSpec>,
    /// Writes header lines.
    pub headers: Option<Box<HeadersSpec>>,
    /// Lets only so many in at once.
    pub in_flight_req: Option<InFlightSpec>,
    /// Lets clients of some addresses in.
    pub ip_allow_list: Option<AllowListSpec>,
    /// The same, in its older form.
    pub ip_white_list: Option<AllowListSpec>,
    /// Tells endpoints of clients' certificates.
    #[serde(rename = "passTLSClientCert")]
    pub pass_tls_client_cert: Option<PassCertificateSpec>,
    /// A program of somebody else.
    pub plugin: Option<PluginSpec>,
    /// Lets only so many in over time.
    pub rate_limit: Option<RateLimitSpec>,
    /// Leads elsewhere, by an expression.
    pub redirect_regex: Option<RedirectRegexSpec>,
    /// Leads to another scheme.
    pub redirect_scheme: Option<RedirectSchemeSpec>,
    /// Replaces paths.
    pub replace_path: Option<ReplacePathSpec>,
    /// Replaces parts of paths.
    pub replace_path_regex: Option<ReplacePathRegexSpec>,
    /// Asks again.
    pub retry: Option<RetrySpec>,
    /// Takes a prefix off paths.
    pub strip_prefix: Option<StripPrefixSpec>,
    /// The same, by an expression.
    pub strip_prefix_regex: Option<StripPrefixRegexSpec>,
}

/// `spec` of a MiddlewareTCP: one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MiddlewareTcpSpec {
    /// Lets only so many connections in at once.
    pub in_flight_conn: Option<InFlightConnSpec>,
    /// Lets clients of some addresses in.
    pub ip_allow_list: Option<AllowListSpec>,
    /// The same, in its older form.
    pub ip_white_list: Option<AllowListSpec>,
}

/// Puts something before paths.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AddPrefixSpec {
    /// What.
    pub prefix: Option<String>,
}

/// Keeps bodies until they are whole.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BufferingSpec {
    /// Largest body of a request; 0 is any.
    pub max_request_body_bytes: Option<i64>,
    /// So much of it is kept in memory.
    pub mem_request_body_bytes: Option<i64>,
    /// Largest body of a response; 0 is any.
    pub max_response_body_bytes: Option<i64>,
    /// So much of it is kept in memory.
    pub mem_response_body_bytes: Option<i64>,
    /// When it is asked again.
    pub retry_expression: Option<String>,
}

/// Others, one after the other.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChainSpec {
    /// These.
    pub middlewares: Option<Vec<MiddlewareRef>>,
}

/// Asks nobody who has failed too often.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BreakerSpec {
    /// When.
    pub expression: Option<String>,
    /// How often that is looked at.
    pub check_period: Option<IntOrString>,
    /// For how long nobody is asked.
    pub fallback_duration: Option<IntOrString>,
    /// Over how long more and more are asked again.
    pub recovery_duration: Option<IntOrString>,
    /// What is answered meanwhile.
    pub response_code: Option<i64>,
}

/// Makes responses smaller.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CompressSpec {
    /// But not these.
    pub excluded_content_types: Option<Vec<String>>,
    /// Only these.
    pub included_content_types: Option<Vec<String>>,
    /// Smaller ones stay as they are.
    pub min_response_body_bytes: Option<i64>,
    /// How, the best first.
    pub encodings: Option<Vec<String>>,
    /// How, for who says nothing of it.
    pub default_encoding: Option<String>,
}

/// Says what bodies are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContentTypeSpec {
    /// By looking at them; of older versions.
    pub auto_detect: Option<bool>,
}

/// Refuses encoded characters in paths, but for those that are let in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EncodedCharactersSpec {
    /// `%2F`
    pub allow_encoded_slash: Option<bool>,
    /// `%5C`
    pub allow_encoded_back_slash: Option<bool>,
    /// `%00`
    pub allow_encoded_null_character: Option<bool>,
    /// `%3B`
    pub allow_encoded_semicolon: Option<bool>,
    /// `%25`
    pub allow_encoded_percent: Option<bool>,
    /// `%3F`
    pub allow_encoded_question_mark: Option<bool>,
    /// `%23`
    pub allow_encoded_hash: Option<bool>,
}

/// Answers with somebody else's pages.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorsSpec {
    /// To these statuses, and ranges of them.
    pub status: Option<Vec<String>>,
    /// What they become.
    pub status_rewrites: Option<BTreeMap<String, i64>>,
    /// Whose pages.
    pub service: Option<ErrorsService>,
    /// What is asked for there.
    pub query: Option<String>,
    /// What of the request's lines is told there; absent is all.
    pub error_request_headers: Option<Vec<String>>,
}

/// gRPC for browsers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GrpcWebSpec {
    /// Whose pages may call.
    pub allow_origins: Option<Vec<String>>,
}

/// Writes header lines.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeadersSpec {
    /// Lines of requests; an empty one goes.
    pub custom_request_headers: Option<BTreeMap<String, String>>,
    /// Lines of responses; an empty one goes.
    pub custom_response_headers: Option<BTreeMap<String, String>>,
    /// CORS: with cookies.
    pub access_control_allow_credentials: Option<bool>,
    /// CORS: with these lines.
    pub access_control_allow_headers: Option<Vec<String>>,
    /// CORS: by these methods.
    pub access_control_allow_methods: Option<Vec<String>>,
    /// CORS: from these pages.
    pub access_control_allow_origin_list: Option<Vec<String>>,
    /// CORS: from pages that these match.
    pub access_control_allow_origin_list_regex: Option<Vec<String>>,
    /// CORS: these lines may be read.
    pub access_control_expose_headers: Option<Vec<String>>,
    /// CORS: for so many seconds.
    pub access_control_max_age: Option<i64>,
    /// CORS: `Vary: Origin`.
    pub add_vary_header: Option<bool>,
    /// Sites that may be asked for.
    pub allowed_hosts: Option<Vec<String>>,
    /// Lines that name the site.
    pub hosts_proxy_headers: Option<Vec<String>>,
    /// Lines that say that TLS was spoken.
    pub ssl_proxy_headers: Option<BTreeMap<String, String>>,
    /// `Strict-Transport-Security`.
    pub sts_seconds: Option<i64>,
    /// Of it.
    pub sts_include_subdomains: Option<bool>,
    /// Of it.
    pub sts_preload: Option<bool>,
    /// In plain as well.
    #[serde(rename = "forceSTSHeader")]
    pub force_sts_header: Option<bool>,
    /// `X-Frame-Options: DENY`.
    pub frame_deny: Option<bool>,
    /// `X-Frame-Options`.
    pub custom_frame_options_value: Option<String>,
    /// `X-Content-Type-Options: nosniff`.
    pub content_type_nosniff: Option<bool>,
    /// `X-XSS-Protection: 1; mode=block`.
    pub browser_xss_filter: Option<bool>,
    /// `X-XSS-Protection`.
    #[serde(rename = "customBrowserXSSValue")]
    pub custom_browser_xss_value: Option<String>,
    /// `Content-Security-Policy`.
    pub content_security_policy: Option<String>,
    /// `Content-Security-Policy-Report-Only`.
    pub content_security_policy_report_only: Option<String>,
    /// `Public-Key-Pins`.
    pub public_key: Option<String>,
    /// `Referrer-Policy`.
    pub referrer_policy: Option<String>,
    /// `Permissions-Policy`.
    pub permissions_policy: Option<String>,
    /// Sites, TLS and its header are let be.
    pub is_development: Option<bool>,
    /// Of older versions: `Feature-Policy`.
    pub feature_policy: Option<String>,
    /// Of older versions.
    pub ssl_redirect: Option<bool>,
    /// Of older versions.
    pub ssl_temporary_redirect: Option<bool>,
    /// Of older versions.
    pub ssl_host: Option<String>,
    /// Of older versions.
    pub ssl_force_host: Option<bool>,
}

/// Leads elsewhere, by an expression.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedirectRegexSpec {
    /// The expression.
    pub regex: Option<String>,
    /// Where to.
    pub replacement: Option<String>,
    /// For ever.
    pub permanent: Option<bool>,
}

/// Leads to another scheme.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedirectSchemeSpec {
    /// Which.
    pub scheme: Option<String>,
    /// At which port.
    pub port: Option<IntOrString>,
    /// For ever.
    pub permanent: Option<bool>,
}

/// Replaces paths.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplacePathSpec {
    /// By this one.
    pub path: Option<String>,
}

/// Replaces parts of paths.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplacePathRegexSpec {
    /// What this matches.
    pub regex: Option<String>,
    /// By this.
    pub replacement: Option<String>,
}

/// Asks again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetrySpec {
    /// So often in all.
    pub attempts: Option<i64>,
    /// For so long in all.
    pub timeout: Option<IntOrString>,
    /// After so long.
    pub initial_interval: Option<IntOrString>,
    /// Largest body that is kept for it.
    pub max_request_body_bytes: Option<i64>,
    /// After these statuses as well, and ranges of them.
    pub status: Option<Vec<String>>,
    /// Only after those.
    pub disable_retry_on_network_error: Option<bool>,
    /// Also what may have been done already.
    pub retry_non_idempotent_method: Option<bool>,
}

/// Takes a prefix off paths.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StripPrefixSpec {
    /// The first of these that they begin with.
    pub prefixes: Option<Vec<String>>,
    /// Of older versions.
    pub force_slash: Option<bool>,
}

/// The same, by an expression.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StripPrefixRegexSpec {
    /// The first of these that matches there.
    pub regex: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for MiddlewareRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, whole) = deserializer.deserialize_any(NameOr::default())?.parts();
        Ok(Self(whole.unwrap_or(Reference { name, namespace: None })))
    }
}

impl<'de> Deserialize<'de> for ErrorsService {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, whole) = deserializer.deserialize_any(NameOr::default())?.parts();
        Ok(Self(whole.unwrap_or_else(|| LoadBalancer { name, ..LoadBalancer::default() })))
    }
}

/// A name alone, or the whole.
struct NameOr<T>(Option<String>, Option<T>);

impl<T> Default for NameOr<T> {
    fn default() -> Self {
        Self(None, None)
    }
}

impl<T> NameOr<T> {
    fn parts(self) -> (Option<String>, Option<T>) {
        (self.0, self.1)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for NameOr<T> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self, E> {
        Ok(Self(Some(name.to_owned()), None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|whole| Self(None, Some(whole)))
    }
}
