//! Keys that are had from an address: fetched by one for all, kept for as long as the answer says,
//! and asked for again where a token names one that is not among them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use steelyard_http::{Head as _, LineEdits, Scheme};
use steelyard_model::routing::filter::token::KeyAddress;
use steelyard_tokens::KeyRing;

use super::TokenMemory;
use super::mark::{KeyMark, mark};
use crate::ask::{Ask, Flight, Got, Letter};
use crate::context::{Context, Note};
use crate::response::Response;

/// How long keys are good whose answer does not say.
const USUAL: Duration = Duration::from_mins(5);
/// How long they are good at least, whatever is said, and how often they are asked for at most.
const LEAST: Duration = Duration::from_secs(10);
/// How long at most.
const MOST: Duration = Duration::from_hours(24);
/// How long they are believed when no others can be had.
const STALE: Duration = Duration::from_hours(24);
/// Bytes of a set, at most.
const LARGEST: usize = 1 << 20;

/// Keys of an issuer.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    /// Where they are from: an address that is another one now has none yet.
    of: KeyAddress,
    /// None where they could not be had.
    ring: Option<KeyRing>,
    mark: KeyMark,
    /// When they were asked for.
    asked: Instant,
    /// When they are to be asked for again.
    due: Instant,
    /// When they came.
    came: Instant,
}

/// Where one request stands with an issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct Issuer {
    /// It has asked, or has heard of who did.
    has_asked: bool,
    /// It asks for all that wait.
    leads: bool,
    /// How often it may ask again.
    left: u8,
}

impl Issuer {
    /// Keys and their mark, else what to ask for them; neither where they cannot be had.
    pub(super) fn keys(
        &self,
        kept: &TokenMemory,
        address: &KeyAddress,
        now: Instant,
    ) -> Result<(KeyRing, KeyMark), Option<Ask>> {
        let keys = kept.keys.load();
        let keys = keys.as_deref().filter(|keys| keys.of == *address);
        if !self.has_asked && keys.is_none_or(|keys| now >= keys.due) {
            return Err(Some(Ask::Shared(flight(address))));
        }
        let fresh = keys.filter(|keys| now.saturating_duration_since(keys.came) < STALE);
        let ring = fresh.and_then(|keys| Some((keys.ring.clone()?, keys.mark)));
        ring.ok_or(None)
    }

    /// What to ask where a token names a key that is not there; nothing where that was done of
    /// late.
    pub(super) fn has_other_keys(&self, kept: &TokenMemory, now: Instant) -> Option<Ask> {
        let keys = kept.keys.load();
        let is_late = |keys: &IssuerKeys| now.saturating_duration_since(keys.asked) < LEAST;
        if self.has_asked || keys.as_deref().is_none_or(is_late) {
            return None;
        }
        // They are due now: who asks next asks for them.
        let due = keys.as_deref().map(|keys| IssuerKeys {
            of: keys.of.clone(),
            ring: keys.ring.clone(),
            mark: keys.mark,
            asked: keys.asked,
            due: now,
            came: keys.came,
        });
        kept.keys.store(due.map(Arc::new));
        Some(Ask::Sleep(Duration::ZERO))
    }

    /// Takes in what was got; what is to be asked next.
    pub(super) fn hear(
        &mut self,
        kept: &TokenMemory,
        address: &KeyAddress,
        got: Got,
        cx: &mut Context<'_>,
    ) -> Option<Ask> {
        match got {
            Got::Flight(Flight::Lead) => {
                (self.has_asked, self.leads) = (true, true);
                self.left = address.retries;
                return Some(fetch(address));
            }
            Got::Flight(Flight::Found(_)) => self.has_asked = true,
            Got::Unanswered if self.leads && self.left > 0 => {
                self.left -= 1;
                return Some(fetch(address));
            }
            Got::Response(answer) if self.leads => {
                kept.keys.store(Some(Arc::new(learnt(kept, address, &answer, cx.now))));
                self.tell(address, cx);
            }
            Got::Unanswered | Got::TooLarge if self.leads => self.miss(kept, address, cx),
            Got::Unanswered => self.has_asked = true,
            _ => {}
        }
        None
    }

    fn miss(&mut self, kept: &TokenMemory, address: &KeyAddress, cx: &mut Context<'_>) {
        kept.keys.store(Some(Arc::new(missed(kept, address, cx.now))));
        self.tell(address, cx);
    }

    /// Who waits may go on.
    fn tell(&mut self, address: &KeyAddress, cx: &mut Context<'_>) {
        self.leads = false;
        cx.notes.push(Note::Found(flight(address), Bytes::new()));
    }
}

fn flight(address: &KeyAddress) -> Arc<str> {
    format!("keys of {}", address.url).into()
}

fn learnt(kept: &TokenMemory, address: &KeyAddress, answer: &Response, now: Instant) -> IssuerKeys {
    let ring = (answer.status == 200).then(|| KeyRing::set(&answer.body).ok()).flatten();
    let Some(ring) = ring else { return missed(kept, address, now) };
    let good = answer.first("cache-control").and_then(max_age).unwrap_or(USUAL);
    let due = now + good.clamp(LEAST, MOST);
    let mark = mark("set", &answer.body);
    IssuerKeys { of: address.clone(), ring: Some(ring), mark, asked: now, due, came: now }
}

/// The former ones stay for a while, and are asked for again soon.
fn missed(kept: &TokenMemory, address: &KeyAddress, now: Instant) -> IssuerKeys {
    let keys = kept.keys.load();
    let (ring, mark, came) = match keys.as_deref().filter(|keys| keys.of == *address) {
        Some(keys) => (keys.ring.clone(), keys.mark, keys.came),
        None => (None, KeyMark::default(), now),
    };
    IssuerKeys { of: address.clone(), ring, mark, asked: now, due: now + LEAST, came }
}

fn max_age(value: &[u8]) -> Option<Duration> {
    let value = str::from_utf8(value).ok()?;
    let mut directives = value.split(',').map(str::trim);
    let seconds = directives.find_map(|it| it.strip_prefix("max-age="))?;
    Some(Duration::from_secs(seconds.trim_matches('"').parse().ok()?))
}

fn fetch(address: &KeyAddress) -> Ask {
    Ask::Fetch { to: address.backend.clone(), letter: Box::new(letter(address)) }
}

fn letter(address: &KeyAddress) -> Letter {
    let KeyAddress { url, patience, .. } = address;
    let mut lines = LineEdits::default();
    _ = lines.add("Accept", b"application/jwk-set+json, application/json");
    Letter {
        method: "GET".into(),
        scheme: if url.is_secure { Scheme::Https } else { Scheme::Http },
        authority: (*url.authority).into(),
        target: (*url.target).into(),
        lines,
        body: Bytes::new(),
        max: LARGEST,
        patience: *patience,
    }
}
