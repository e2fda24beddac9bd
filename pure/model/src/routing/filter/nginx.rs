//! What ingress-nginx does to the requests of a location, where that is another thing than what
//! Traefik does by the same name.

use std::sync::Arc;

use crate::routing::filter::access::Networks;
use crate::routing::id::TlsPolicyId;
use crate::routing::pattern::Expression;
use crate::routing::transport::HopSpeech;
use crate::routing::variables::{PlaceWord, VariableText};

/// One thing that is done to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NginxStep {
    /// Says what pages of other sites may do.
    Cors(NginxCors),
    /// Answers with a redirection.
    Return(NginxReturn),
    /// Refuses clients of these addresses, with 403.
    Deny(Networks),
    /// Lets clients in that are among the first addresses and not among the second, and refuses
    /// others, with 403: both lists as one of several ways to pass.
    Among(Networks, Networks),
    /// Asks for another path.
    Rewrite(NginxRewrite),
    /// What all answers have, and what those that are made here look like.
    Site(NginxSite),
    /// Refuses bodies of more bytes than so many, with 413.
    Body(u64),
    /// Leads who asks in plain to TLS.
    Secure(NginxSecure),
    /// Leads to the host beside the one that is asked for, by the scheme and port that were asked
    /// at, with this status.
    ToHost(NginxSibling, u16),
    /// Leads who asks for a folder without its slash to the one with it.
    Slash(NginxFolder),
    /// Writes lines of answers, in the place of those of the same names, with what the request is
    /// in them. One that comes to nothing is taken away.
    Say(NginxLines),
    /// Refuses what says it is one of these, with 403.
    Blocked(NginxBlocked),
    /// Changes what backends say in `Set-Cookie`.
    Cookies(NginxCookies),
    /// Changes what backends say in `Location` and `Refresh`.
    Location(NginxLocation),
    /// Bodies of answers go on no faster.
    Pace(NginxPace),
    /// Answers with 404 in the place of these statuses: nobody is there who has pages for them.
    NoPage(Vec<u16>),
    /// Writes lines of requests, in the place of those of the same names.
    Tell(NginxLines),
    /// Asks at another place: for a copy of a request.
    Aim(NginxAim),
    /// Says how endpoints are spoken to.
    Speak(HopSpeech),
    /// Answers with 503 where it takes too many steps to say whether a location is meant.
    Decided(NginxDecided),
    /// Answers with 404.
    Nothing,
    /// Lets clients in by their certificates.
    Clients(NginxClients),
    /// Lets in who speaks TLS, and refuses others, with 403.
    OnlyTls,
}

/// Expressions by which a location is found: who cannot be told from others by them goes to none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxDecided {
    /// Found in the host.
    pub host: Option<Expression>,
    /// Found in the decoded path.
    pub path: Option<Expression>,
}

/// Where a copy of a request goes, once its endpoint is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxAim {
    /// Whom it is sent to by name (`Host`).
    pub authority: VariableText,
    /// Path and query.
    pub target: VariableText,
}

/// Lets clients in by the certificates that they show in handshakes (`auth-tls-*`), and tells
/// endpoints of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxClients {
    /// The terms by which those are judged; none where there are none to judge by, and nobody is
    /// let in (403).
    pub terms: Option<TlsPolicyId>,
    /// Who is let in.
    pub wanted: WantedClients,
    /// What is found in the name of who is, from its `CN=` on.
    pub name: Option<Expression>,
    /// Where who is not let in for his certificate is led; none is 400.
    pub error_page: Option<Arc<str>>,
    /// Endpoints are told the certificate whole.
    pub is_passed_on: bool,
}

/// Which clients are let in (`auth-tls-verify-client`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WantedClients {
    /// Those whose certificate is signed as it should be.
    #[default]
    Signed,
    /// Those, and who shows none.
    SignedOrNone,
    /// All: endpoints are told what is wrong with a certificate.
    Any,
    /// All, and nobody is asked for one.
    Unasked,
}

/// Lines, each with what it says of a request. One that comes to nothing is taken away.
pub type NginxLines = Vec<(Arc<str>, VariableText)>;

/// What pages of other sites may do: said on every answer, and to browsers that ask beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxCors {
    /// From these; none is any, which is said as `*`.
    pub origins: Option<Vec<NginxOrigin>>,
    /// With cookies.
    pub credentials: bool,
    /// By these methods, as they are written.
    pub methods: Arc<str>,
    /// With these lines, as they are written.
    pub headers: Arc<str>,
    /// These lines may be read, as they are written.
    pub exposed: Option<Arc<str>>,
    /// For so many seconds.
    pub max_age: i64,
}

/// An origin, in lower case: `https://a.b:8443`, `https://*.b`, where the star is one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxOrigin {
    /// What is before the star; all of it where there is none.
    pub head: Arc<str>,
    /// What is behind it.
    pub tail: Option<Arc<str>>,
}

/// Answers with a redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxReturn {
    /// Status.
    pub status: u16,
    /// Where to: an URL, or a path of the same site.
    pub to: VariableText,
    /// A path goes out as it is; else it is made an URL.
    pub is_relative: bool,
    /// Only who asks for `/`.
    pub of_root: bool,
}

/// A folder that is asked for without its slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxFolder {
    /// Its path without.
    pub path: Arc<str>,
    /// The path with it goes out as it is; else it is made an URL.
    pub is_relative: bool,
}

/// Asks for another path where an expression is found in the one that was asked for, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxRewrite {
    /// The expression.
    pub expression: Expression,
    /// What is asked for instead; `$1` to `$9` stand for its groups. An URL is led to.
    pub to: Arc<str>,
    /// What an endpoint is told was taken off (`X-Forwarded-Prefix`).
    pub prefix: Option<Arc<str>>,
}

/// What all answers have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxSite {
    /// `Strict-Transport-Security` over TLS, in the place of what a backend says.
    pub strict: Option<Arc<str>>,
    /// `Server`; none takes that of backends away.
    pub server: Option<Arc<str>>,
    /// That of backends stays.
    pub keeps_server: bool,
    /// Requests without a name (`X-Request-ID`) get one.
    pub names_requests: bool,
}

/// What is answered to requests that no route takes, where class nginx has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxStrays {
    /// What all answers of a site have.
    pub site: NginxSite,
    /// Requests for paths that begin so are told that all is well.
    pub health: Box<str>,
}

/// Leads who asks in plain to TLS: to the same host, without its port and, unless they are kept,
/// one slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxSecure {
    /// Status.
    pub status: u16,
    /// The slash at the end stays.
    pub keeps_slash: bool,
    /// Ports that belong together: who has asked at the first, by name, is led to the second.
    pub beside: Vec<(u16, u16)>,
    /// The port of TLS, where it is to be said in any case.
    pub port: Option<u16>,
}

/// The host beside one that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NginxSibling {
    /// The same without `www.`.
    Bare,
    /// The same with it.
    Www,
}

/// What says it is one of these is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxBlocked {
    /// By `User-Agent`.
    pub agents: Vec<NginxWord>,
    /// By `Referer`.
    pub referers: Vec<NginxWord>,
}

/// A value as nginx's `map` compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NginxWord {
    /// The whole value, in any case.
    Whole(Arc<str>),
    /// One in which this is found (`~`, and `~*` in any case).
    Found(Expression),
}

/// What becomes of cookies: a domain that is the first becomes the second, a path that begins with
/// the first begins with the second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxCookies {
    /// Of domains, without regard to case and a dot at the begin.
    pub domain: Option<(Arc<str>, Arc<str>)>,
    /// Of paths.
    pub path: Option<(Arc<str>, Arc<str>)>,
}

/// What becomes of URLs that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxLocation {
    /// How they begin.
    pub from: Arc<str>,
    /// How they begin then.
    pub to: Arc<str>,
    /// One of the same site goes out as a path; else it is made an URL.
    pub is_relative: bool,
}

/// How fast a body goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NginxPace {
    /// Bytes in a second.
    pub rate: u64,
    /// So many go on at once before that.
    pub after: u64,
}

impl NginxStep {
    /// Whether what it says hangs on the location.
    pub fn is_of_place(&self) -> bool {
        match self {
            Self::Tell(lines) | Self::Say(lines) => lines.iter().any(|(_, it)| it.is_of_place()),
            _ => false,
        }
    }

    /// The same with what a location is put in.
    #[must_use]
    pub fn placed(&self, is: &dyn Fn(PlaceWord) -> String) -> Self {
        let placed = |lines: &NginxLines| {
            lines.iter().map(|(name, text)| (name.clone(), text.placed(is))).collect()
        };
        match self {
            Self::Tell(lines) => Self::Tell(placed(lines)),
            Self::Say(lines) => Self::Say(placed(lines)),
            other => other.clone(),
        }
    }

    /// Leads to the same site by paths, not by URLs.
    pub fn lead_relatively(&mut self) {
        match self {
            Self::Return(to) if !to.of_root => to.is_relative = true,
            Self::Location(location) => location.is_relative = true,
            Self::Slash(folder) => folder.is_relative = true,
            _ => {}
        }
    }

    /// What it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cors(_) => "nginx-cors",
            Self::Return(_) => "nginx-return",
            Self::Deny(_) => "nginx-deny",
            Self::Among(..) => "nginx-among",
            Self::Rewrite(_) => "nginx-rewrite",
            Self::Site(_) => "nginx-site",
            Self::Body(_) => "nginx-body",
            Self::Secure(_) => "nginx-secure",
            Self::ToHost(..) => "nginx-to-host",
            Self::Slash(_) => "nginx-slash",
            Self::Say(_) => "nginx-say",
            Self::Blocked(_) => "nginx-blocked",
            Self::Cookies(_) => "nginx-cookies",
            Self::Location(_) => "nginx-location",
            Self::Pace(_) => "nginx-pace",
            Self::NoPage(_) => "nginx-no-page",
            Self::Tell(_) => "nginx-tell",
            Self::Aim(_) => "nginx-aim",
            Self::Speak(_) => "nginx-speak",
            Self::Decided(_) => "nginx-decided",
            Self::Nothing => "nginx-nothing",
            Self::Clients(_) => "nginx-clients",
            Self::OnlyTls => "nginx-only-tls",
        }
    }
}

impl NginxOrigin {
    /// Whether a page may have it: nothing in it ends a line or a word.
    pub fn is_one(&self) -> bool {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte);
        let parts = [Some(&self.head), self.tail.as_ref()];
        parts.into_iter().flatten().all(|it| it.bytes().all(is_part))
    }

    /// Whether `origin` is meant, without regard to case.
    pub fn matches(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let Some(tail) = &self.tail else { return *origin == *self.head };
        let label = origin.strip_prefix(&*self.head).and_then(|rest| rest.strip_suffix(&**tail));
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        label.is_some_and(|label| !label.is_empty() && label.bytes().all(is_part))
    }
}

impl NginxWord {
    /// As a list of the ConfigMap has it; none where its expression cannot be read.
    pub fn read(text: &str) -> Option<Self> {
        let expression = |source: &str| Some(Self::Found(Expression::looking(source).ok()?));
        match (text.strip_prefix("~*"), text.strip_prefix('~')) {
            (Some(source), _) => expression(&format!("(?i){source}")),
            (None, Some(source)) => expression(source),
            (None, None) => Some(Self::Whole(text.into())),
        }
    }

    /// Whether `value` is meant; also where that takes too long to say.
    pub fn is(&self, value: &str) -> bool {
        match self {
            Self::Whole(word) => word.eq_ignore_ascii_case(value),
            Self::Found(expression) => expression.is_found_in(value),
        }
    }
}
