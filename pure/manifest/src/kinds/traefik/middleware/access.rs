//! Middlewares that say who may pass, how many, and who it was.

use serde::Deserialize;

use super::super::super::meta::IntOrString;
use super::super::super::opaque::opaque;

/// Asks for a name and a password, or the proof of one.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthSpec {
    /// Of objects: the Secret with the users.
    pub secret: Option<String>,
    /// Of files: the users.
    pub users: Option<Vec<String>>,
    /// Of files: where users are, one a line.
    pub users_file: Option<String>,
    /// What the password is for.
    pub realm: Option<String>,
    /// Whether endpoints are not told the password.
    pub remove_header: Option<bool>,
    /// The line in which endpoints are told the name.
    pub header_field: Option<String>,
}

/// Asks somebody else who may pass.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ForwardAuthSpec {
    /// Where.
    pub address: Option<String>,
    /// Whether it is told what clients say of `X-Forwarded-*`.
    pub trust_forward_header: Option<bool>,
    /// What of its answer endpoints are told.
    pub auth_response_headers: Option<Vec<String>>,
    /// The same, by an expression.
    pub auth_response_headers_regex: Option<String>,
    /// What it is told of the request; empty is all.
    pub auth_request_headers: Option<Vec<String>>,
    /// How TLS is spoken to it.
    pub tls: Option<FilterTlsSpec>,
    /// Largest body of its answer.
    pub max_response_body_size: Option<i64>,
    /// Cookies of its answer that clients get.
    pub add_auth_cookies_to_response: Option<Vec<String>>,
    /// The line of its answer that names the user.
    pub header_field: Option<String>,
    /// Whether it is sent the body.
    pub forward_body: Option<bool>,
    /// Largest body that it is sent.
    pub max_body_size: Option<i64>,
    /// Whether clients get its `Location` as it is.
    pub preserve_location_header: Option<bool>,
    /// Whether it is asked by the request's method.
    pub preserve_request_method: Option<bool>,
    /// Where who may not pass is led.
    #[serde(rename = "authSigninURL")]
    pub auth_signin_url: Option<String>,
    /// How long its answers count: an option of ours.
    pub auth_cache: Option<AuthCacheSpec>,
}

/// How long answers count of whom is asked who may pass.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthCacheSpec {
    /// So long.
    pub duration: Option<IntOrString>,
    /// Lines that tell clients apart; none is all that it is told.
    pub headers: Option<Vec<String>>,
}

/// How TLS is spoken to whom a middleware asks.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FilterTlsSpec {
    /// Of objects: the Secret with whom to believe.
    pub ca_secret: Option<String>,
    /// Of objects: the Secret with what is shown.
    pub cert_secret: Option<String>,
    /// Of files: whom to believe.
    pub ca: Option<String>,
    /// Of files: what is shown.
    pub cert: Option<String>,
    /// Of files: its key.
    pub key: Option<String>,
    /// Whether nothing is verified.
    pub insecure_skip_verify: Option<bool>,
    /// Without effect.
    pub ca_optional: Option<bool>,
}

/// What is counted together: one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CriterionSpec {
    /// Addresses.
    pub ip_strategy: Option<IpStrategySpec>,
    /// What a line says.
    pub request_header_name: Option<String>,
    /// Sites that are asked for.
    pub request_host: Option<bool>,
}

/// Whose address counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpStrategySpec {
    /// The one at this place of `X-Forwarded-For`, from the right.
    pub depth: Option<i64>,
    /// The first from the right that is none of these.
    #[serde(rename = "excludedIPs")]
    pub excluded_ips: Option<Vec<String>>,
    /// Of IPv6 addresses so many bits count.
    #[serde(rename = "ipv6Subnet")]
    pub ipv6_subnet: Option<i64>,
}

/// Lets clients of some addresses in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowListSpec {
    /// These.
    pub source_range: Option<Vec<String>>,
    /// Whose address counts.
    pub ip_strategy: Option<IpStrategySpec>,
    /// What others are answered.
    pub reject_status_code: Option<i64>,
}

/// Tells endpoints of clients' certificates.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PassCertificateSpec {
    /// Whole.
    pub pem: Option<bool>,
    /// Parts of them.
    pub info: Option<CertificateInfoSpec>,
}

/// Parts of a certificate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateInfoSpec {
    /// Until when.
    pub not_after: Option<bool>,
    /// From when.
    pub not_before: Option<bool>,
    /// For whom.
    pub sans: Option<bool>,
    /// Its number.
    pub serial_number: Option<bool>,
    /// Whose.
    pub subject: Option<NamePartsSpec>,
    /// By whom.
    pub issuer: Option<NamePartsSpec>,
}

/// Parts of a name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamePartsSpec {
    /// C
    pub country: Option<bool>,
    /// ST
    pub province: Option<bool>,
    /// L
    pub locality: Option<bool>,
    /// O
    pub organization: Option<bool>,
    /// OU, of a subject alone
    pub organizational_unit: Option<bool>,
    /// CN
    pub common_name: Option<bool>,
    /// SN
    pub serial_number: Option<bool>,
    /// DC
    pub domain_component: Option<bool>,
}

/// Lets only so many in over time.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RateLimitSpec {
    /// So many in a period; 0 is any.
    pub average: Option<i64>,
    /// How long it is.
    pub period: Option<IntOrString>,
    /// So many at once.
    pub burst: Option<i64>,
    /// Of each of these.
    pub source_criterion: Option<CriterionSpec>,
    /// Where it is counted, for many replicas.
    pub redis: Option<RedisSpec>,
}

/// Where it is counted, for many replicas.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedisSpec {
    /// Where.
    pub endpoints: Option<Vec<String>>,
    /// Of objects: the Secret with name and password.
    pub secret: Option<String>,
    /// Of files: the name.
    pub username: Option<String>,
    /// Of files: the password.
    pub password: Option<String>,
    /// How TLS is spoken to it.
    pub tls: Option<FilterTlsSpec>,
    /// Which database.
    pub db: Option<i64>,
    /// Most connections.
    pub pool_size: Option<i64>,
    /// Fewest idle ones.
    pub min_idle_conns: Option<i64>,
    /// Most that are in use.
    pub max_active_conns: Option<i64>,
    /// How long an answer may take.
    pub read_timeout: Option<IntOrString>,
    /// How long asking may take.
    pub write_timeout: Option<IntOrString>,
    /// How long connecting may take.
    pub dial_timeout: Option<IntOrString>,
}

/// Lets only so many in at once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InFlightSpec {
    /// So many.
    pub amount: Option<i64>,
    /// Of each of these.
    pub source_criterion: Option<CriterionSpec>,
}

/// Lets only so many connections in at once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InFlightConnSpec {
    /// So many of each address.
    pub amount: Option<i64>,
}

opaque!(AuthSpec, FilterTlsSpec, RedisSpec);
