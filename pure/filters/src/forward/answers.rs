//! Answers of who was asked, for a while: by a digest of all that it was told, of which the
//! configuration can leave lines out that make no difference, and nothing else.

use std::time::Instant;

use steelyard_http::Head as _;
use steelyard_model::routing::filter::access::{AskedAuth, AskedCache};

use crate::ask::Letter;
use crate::found_out::{Digest, DigestParts, FoundOut};
use crate::response::Response;

/// Answers that are kept.
const PLACES: usize = 1 << 12;

/// Bytes of an answer's lines, at most: one that has more is asked for each time.
const LARGEST: usize = 4096;

/// Lines that always count: those by which clients say who they are, since an answer for one is
/// none for another, and those that the gateway says of a request itself.
const ALWAYS: [&str; 10] = [
    "Authorization",
    "Cookie",
    "X-Forwarded-For",
    "X-Forwarded-Method",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Uri",
    "X-Original-URL",
    "X-Original-Method",
    "X-Real-IP",
];

/// What a request is called, which says nothing of who asks and is another for each: it counts
/// where the configuration names it alone.
const NAME: &str = "X-Request-ID";

/// Answers by their keys.
#[derive(Debug, Default)]
pub(crate) struct AuthAnswers(FoundOut<KnownAnswer, PLACES>);

#[derive(Debug)]
struct KnownAnswer {
    until: Instant,
    /// Without its body.
    answer: Response,
}

impl AuthAnswers {
    /// The answer under this key, if it still counts.
    pub(super) fn known(&self, key: &Digest, now: Instant) -> Option<Response> {
        self.0.look(key, |known| (now < known.until).then(|| known.answer.clone())).flatten()
    }

    /// Keeps an answer, where it may be: one that sets a cookie is for one client at one moment.
    pub(super) fn learn(&self, key: Digest, cache: &AskedCache, answer: &Response, now: Instant) {
        let of = |((from, to), _): &&((u16, u16), _)| (*from..=*to).contains(&answer.status);
        let Some((_, duration)) = cache.durations.iter().find(of) else { return };
        let size: usize = answer.lines.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > LARGEST || answer.first("set-cookie").is_some() {
            return;
        }
        let Some(until) = now.checked_add(*duration) else { return };
        let answer = Response { body: bytes::Bytes::new(), ..answer.clone() };
        self.0.learn(key, KnownAnswer { until, answer }, |other| other.until <= now);
    }
}

/// A digest of how somebody is asked and his answer taken: what is another question otherwise.
pub(super) fn stamp(auth: &AskedAuth) -> Digest {
    DigestParts::by(format!("{auth:?}").as_bytes()).digest()
}

/// What an answer to `letter` is kept by.
pub(super) fn key(stamp: &Digest, cache: &AskedCache, letter: &Letter) -> Digest {
    let mut all = DigestParts::by(stamp);
    for part in [&letter.method, &letter.authority, &letter.target] {
        all.add(part.as_bytes());
    }
    for (name, value) in letter.lines.added() {
        let is_it = |it: &&str| it.eq_ignore_ascii_case(name);
        let lines = &cache.lines;
        let is_told = lines.is_empty() && !name.eq_ignore_ascii_case(NAME);
        if is_told || ALWAYS.iter().any(is_it) || lines.iter().any(|it| is_it(&&**it)) {
            all.add(name.to_ascii_lowercase().as_bytes());
            all.add(value);
        }
    }
    all.and(&letter.body).digest()
}
