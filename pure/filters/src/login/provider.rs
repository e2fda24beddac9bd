//! What an issuer says of itself, and its keys: asked for by one for all, kept for a while, and
//! asked for again where a token names a key that is not among them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use steelyard_http::{LineEdits, Scheme};
use steelyard_login::{ProviderDocument, document_target};
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::login::LoginIssuer;
use steelyard_tokens::KeyRing;

use super::known::KnownProvider;
use super::memory::LoginMemory;
use super::terms::LoginTerms;
use crate::ask::{Ask, Flight, Got, Letter};
use crate::context::{Context, Note};

/// How long it is good, how often it is asked for at most, and how long it is believed where it
/// cannot be had anew.
const USUAL: Duration = Duration::from_mins(10);
const LEAST: Duration = Duration::from_secs(10);
const STALE: Duration = Duration::from_hours(24);
/// Bytes of an answer, at most.
const LARGEST: usize = 1 << 20;

/// Where one request stands with an issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct Provider {
    has_asked: bool,
    leads: bool,
    /// What it says of itself, while its keys are asked for.
    document: Option<ProviderDocument>,
    /// How often it may be asked again that does not answer.
    left: u8,
}

/// Why an issuer is not known.
pub(super) enum Unknown {
    /// It is to be asked.
    Ask(Ask),
    /// It cannot be had.
    Away(&'static str),
}

impl Provider {
    /// What the issuer says, else what to ask for it.
    pub(super) fn known(
        &self,
        kept: &LoginMemory,
        terms: &LoginTerms,
        now: Instant,
    ) -> Result<(Arc<ProviderDocument>, KeyRing), Unknown> {
        let issuer = &terms.auth.issuer;
        let known = kept.provider.load();
        let known = known.as_deref().filter(|known| known.name == issuer.name);
        if !self.has_asked && known.is_none_or(|known| now >= known.due) {
            return Err(Unknown::Ask(Ask::Shared(flight(issuer))));
        }
        let why = known.map_or("the issuer does not answer", |known| known.why);
        let fresh = known.filter(|known| now.saturating_duration_since(known.came) < STALE);
        fresh.and_then(|known| known.said.clone()).ok_or(Unknown::Away(why))
    }

    /// Has it asked once more, where a token names a key that is not there; not too often.
    pub(super) fn has_other_keys(&self, kept: &LoginMemory, now: Instant) -> bool {
        let known = kept.provider.load();
        let Some(known) = known.as_deref().filter(|_| !self.has_asked) else { return false };
        if now.saturating_duration_since(known.asked) < LEAST {
            return false;
        }
        let (said, name) = (known.said.clone(), known.name.clone());
        let due = KnownProvider { said, name, due: now, ..*known };
        kept.provider.store(Some(Arc::new(due)));
        true
    }

    /// Takes in what was got; what is to be asked next.
    pub(super) fn hear(
        &mut self,
        kept: &LoginMemory,
        terms: &LoginTerms,
        got: Got,
        cx: &mut Context<'_>,
    ) -> Option<Ask> {
        let issuer = &terms.auth.issuer;
        self.has_asked = true;
        let next = match (got, self.document.take()) {
            (Got::Flight(Flight::Lead), _) => {
                (self.leads, self.left) = (true, issuer.retries);
                self.next(issuer)
            }
            (Got::Unanswered, document) if self.leads && self.left > 0 => {
                (self.left, self.document) = (self.left - 1, document);
                self.next(issuer)
            }
            (Got::Response(answer), None) if self.leads && answer.status == 200 => {
                match ProviderDocument::read(&answer.body, &issuer.name) {
                    Ok(document) => {
                        self.document = Some(document);
                        self.next(issuer)
                    }
                    Err(fault) => Err(fault.reason()),
                }
            }
            (Got::Response(answer), Some(document)) if self.leads && answer.status == 200 => {
                match KeyRing::set(&answer.body) {
                    Ok(keys) => {
                        self.learn(kept, issuer, (Arc::new(document), keys), cx);
                        return None;
                    }
                    Err(_) => Err("the issuer's keys cannot be read"),
                }
            }
            _ if self.leads => Err("the issuer does not answer"),
            _ => return None,
        };
        next.map_err(|why| self.miss(kept, issuer, why, cx)).ok()
    }

    /// What is to be asked: for what it says of itself, then for its keys.
    fn next(&self, issuer: &LoginIssuer) -> Result<Ask, &'static str> {
        let lines = LineEdits::default();
        match &self.document {
            Some(document) => {
                fetch(issuer, &document.keys, &document.keys.target, Bytes::new(), lines)
            }
            None => {
                let pairs = issuer.parameters.iter();
                let pairs = pairs.map(|(name, value)| (name.to_string(), value.to_string()));
                let target = document_target(&issuer.url, &pairs.collect::<Vec<_>>());
                fetch(issuer, &issuer.url, &target, Bytes::new(), lines)
            }
        }
    }

    fn learn(
        &mut self,
        kept: &LoginMemory,
        issuer: &LoginIssuer,
        said: (Arc<ProviderDocument>, KeyRing),
        cx: &mut Context<'_>,
    ) {
        let (name, now) = (issuer.name.clone(), cx.now);
        let due = now + USUAL;
        let known = KnownProvider { said: Some(said), name, asked: now, due, came: now, why: "" };
        self.tell(kept, issuer, known, cx);
    }

    /// What was known stays for a while, and is asked for again soon.
    fn miss(
        &mut self,
        kept: &LoginMemory,
        issuer: &LoginIssuer,
        why: &'static str,
        cx: &mut Context<'_>,
    ) {
        let known = kept.provider.load();
        let known = known.as_deref().filter(|known| known.name == issuer.name);
        let said = known.and_then(|known| known.said.clone());
        let came = known.map_or(cx.now, |known| known.came);
        let (name, asked, due) = (issuer.name.clone(), cx.now, cx.now + LEAST);
        self.tell(kept, issuer, KnownProvider { said, name, asked, due, came, why }, cx);
    }

    /// Who waits may go on.
    fn tell(
        &mut self,
        kept: &LoginMemory,
        issuer: &LoginIssuer,
        known: KnownProvider,
        cx: &mut Context<'_>,
    ) {
        kept.provider.store(Some(Arc::new(known)));
        self.leads = false;
        cx.notes.push(Note::Found(flight(issuer), Bytes::new()));
    }
}

fn flight(issuer: &LoginIssuer) -> Arc<str> {
    format!("login at {} by {}", issuer.url, issuer.name).into()
}

/// A request to a place of the issuer; why there is none where it is not one of those that are
/// named for it.
pub(super) fn fetch(
    issuer: &LoginIssuer,
    to: &AskedUrl,
    target: &str,
    body: Bytes,
    mut lines: LineEdits,
) -> Result<Ask, &'static str> {
    let is_it = |origin: &AskedUrl| {
        origin.is_secure == to.is_secure && origin.host == to.host && origin.port == to.port
    };
    let found = issuer.origins.iter().find(|(origin, _)| is_it(origin));
    let (_, backend) = found.ok_or("the issuer is to be asked at an origin that is not named")?;
    _ = lines.add("Accept", b"application/json");
    let letter = Letter {
        method: if body.is_empty() { "GET".into() } else { "POST".into() },
        scheme: if to.is_secure { Scheme::Https } else { Scheme::Http },
        authority: to.authority.as_ref().into(),
        target: target.into(),
        lines,
        body,
        max: LARGEST,
        patience: issuer.patience,
    };
    Ok(Ask::Fetch { to: backend.clone(), letter: Box::new(letter) })
}
