//! Filters that say who may pass, and who it was.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::routing::asked::AskedUrl;
use crate::routing::id::BackendId;
use crate::routing::pattern::Expression;
use crate::routing::ranges::range;
use crate::routing::variables::VariableText;

/// Lets clients of some addresses in, and answers others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedClients {
    /// These.
    pub ranges: Networks,
    /// Whose address counts.
    pub source: ClientSource,
    /// The status of the answer to others.
    pub status: u16,
    /// And whose page they get.
    pub page: AnswerPage,
}

/// What an answer says beside its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerPage {
    /// The same in words.
    #[default]
    Words,
    /// What nginx's own page says.
    Nginx,
}

/// Addresses and ranges of them, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    nets: Vec<IpNet>,
    texts: Vec<Arc<str>>,
}

/// Whose address is that of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSource {
    /// Where it is.
    pub from: ClientPlace,
    /// Of addresses of IPv6 so many bits count.
    pub ipv6_subnet: Option<u8>,
}

/// Where a client's address is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientPlace {
    /// That of the connection.
    #[default]
    Peer,
    /// At this place of `X-Forwarded-For`, counted from the right, from 1.
    Depth(usize),
    /// The first of `X-Forwarded-For`, from the right, that is in none of these.
    Excluding(Networks),
}

/// Asks for a name and a password, or for the proof of one. Its users never show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordAuth {
    /// `name:hash`, or `name:realm:hash` where a proof is asked for.
    pub users: Arc<[Arc<str>]>,
    /// What it is for.
    pub realm: Arc<str>,
    /// Endpoints are not told the password.
    pub removes_header: bool,
    /// The line in which endpoints are told the name.
    pub user_header: Option<Arc<str>>,
    /// In whose manner who may not pass is told so.
    pub manner: PasswordManner,
}

/// In whose manner passwords are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordManner {
    /// Traefik's: who lets nobody in is mistaken, and closes who uses it.
    #[default]
    Traefik,
    /// nginx's: its page, and where nobody can be let in everybody is answered 401.
    Nginx,
}

/// Asks somebody else who may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedAuth {
    /// Where.
    pub address: AskedUrl,
    /// The backend that stands for it.
    pub backend: BackendId,
    /// It is told what clients say in `X-Forwarded-*`.
    pub trusts_forwarded: bool,
    /// How long its answer may take.
    pub patience: Duration,
    /// Lines of its answer that endpoints are told.
    pub response_headers: Vec<Arc<str>>,
    /// The same, by an expression.
    pub response_headers_regex: Option<Expression>,
    /// Lines of the request that it is told; none is all.
    pub request_headers: Vec<Arc<str>>,
    /// How TLS is spoken to it.
    pub tls: Option<FilterTls>,
    /// Largest body of its answer, in bytes; none is any.
    pub max_response: Option<u64>,
    /// Cookies of its answer that clients get.
    pub cookies: Vec<Arc<str>>,
    /// The line of its answer that names the user.
    pub user_header: Option<Arc<str>>,
    /// It is sent the request's body.
    pub forwards_body: bool,
    /// Largest body that it is sent, in bytes; none is any.
    pub max_body: Option<u64>,
    /// Clients get its `Location` as it is.
    pub keeps_location: bool,
    /// It is asked by the request's method, not by GET.
    pub keeps_method: bool,
    /// Where who has not said who he is (401) is led.
    pub sign_in: Option<Arc<str>>,
    /// In whose manner it is asked, and its answer taken.
    pub manner: AskedManner,
    /// How long its answers count.
    pub cache: Option<AskedCache>,
}

/// In whose manner somebody is asked who may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedManner {
    /// Traefik's `forwardAuth`: it is told in `X-Forwarded-*`, and whatever it answers but 2xx is
    /// the client's answer.
    Traefik,
    /// ingress-nginx's `auth-url`: it is told in `X-Original-*`; 401 and 403 are the client's
    /// answer, without their bodies, and others but 2xx are 500.
    Nginx(Box<NginxAsking>),
}

/// What ingress-nginx has beside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxAsking {
    /// Path and query of the URL, where something in them varies; none is as they are written.
    pub target: Option<VariableText>,
    /// `auth-method`; none is GET.
    pub method: Option<Arc<str>>,
    /// `auth-request-redirect`; none is what was asked for.
    pub redirect: Option<Arc<str>>,
    /// `auth-proxy-set-headers`.
    pub lines: Vec<(Arc<str>, VariableText)>,
    /// `auth-signin`, whole: with the parameter by which it is told what was asked for.
    pub sign_in: Option<VariableText>,
    /// Clients get its cookies whatever the status of their answer.
    pub always_cookies: bool,
}

/// How long answers count that somebody gave who was asked who may pass. One counts for requests
/// alone that were told about in the same words: method, site, path, query and address of the
/// client, and these lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedCache {
    /// Lines of the request that tell clients apart; none is all that the one who is asked is told.
    pub lines: Vec<Arc<str>>,
    /// Answers of these statuses count so long: the first range that has one. Others do not.
    pub durations: Vec<((u16, u16), Duration)>,
}

/// How TLS is spoken to whom a filter asks. Its key never shows in debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FilterTls {
    /// Whom to believe, as PEM; none is whom this machine believes.
    pub ca: Option<Arc<str>>,
    /// What is shown when asked who we are, as PEM, and its key.
    pub identity: Option<(Arc<str>, Arc<str>)>,
    /// Nothing is verified.
    pub is_unverified: bool,
}

/// Tells endpoints of clients' certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateHeader {
    /// Whole.
    pub pem: bool,
    /// Parts of them.
    pub parts: Option<CertificateParts>,
}

/// Parts of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateParts {
    /// Until when.
    pub not_after: bool,
    /// From when.
    pub not_before: bool,
    /// For whom.
    pub sans: bool,
    /// Its number.
    pub serial_number: bool,
    /// Whose.
    pub subject: Option<NameParts>,
    /// By whom.
    pub issuer: Option<NameParts>,
}

/// Parts of a distinguished name, in the order in which they are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameParts {
    /// `DC`
    pub domain_component: bool,
    /// `C`
    pub country: bool,
    /// `ST`
    pub province: bool,
    /// `L`
    pub locality: bool,
    /// `O`
    pub organization: bool,
    /// `OU`, of subjects alone.
    pub organizational_unit: bool,
    /// `SN`
    pub serial_number: bool,
    /// `CN`
    pub common_name: bool,
}

impl fmt::Debug for PasswordAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { users, realm, removes_header, user_header, manner } = self;
        f.debug_struct("PasswordAuth")
            .field("users", &users.len())
            .field("realm", realm)
            .field("removes_header", removes_header)
            .field("user_header", user_header)
            .field("manner", manner)
            .finish()
    }
}

impl fmt::Debug for FilterTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ca, identity, is_unverified } = self;
        let shown = identity.as_ref().map(|(chain, _)| chain);
        f.debug_struct("FilterTls")
            .field("ca", ca)
            .field("identity", &shown)
            .field("is_unverified", is_unverified)
            .finish()
    }
}

impl Networks {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nets.is_empty()
    }

    /// Reads addresses and ranges; the index of the first that is none.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, usize> {
        let mut read = Self::default();
        for (index, text) in texts.iter().map(AsRef::as_ref).enumerate() {
            read.nets.push(range(text).ok_or(index)?);
            read.texts.push(text.into());
        }
        Ok(read)
    }

    /// Whether one of them has this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.nets.iter().any(|net| net.contains(&address))
    }

    /// The ranges.
    pub fn nets(&self) -> &[IpNet] {
        &self.nets
    }

    /// As they are written.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }
}

impl From<Vec<IpNet>> for Networks {
    fn from(nets: Vec<IpNet>) -> Self {
        let texts = nets.iter().map(|net| net.to_string().into()).collect();
        Self { nets, texts }
    }
}

impl From<Vec<IpNet>> for AllowedClients {
    fn from(nets: Vec<IpNet>) -> Self {
        Self {
            ranges: nets.into(),
            source: ClientSource::default(),
            status: 403,
            page: AnswerPage::default(),
        }
    }
}
