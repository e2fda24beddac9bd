//! Answers of who was asked, for a while: by a digest of all that it was told, of which the
//! configuration can leave lines out that make no difference, and nothing else.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{Context, SHA256, digest};
use steelyard_http::Head as _;
use steelyard_model::routing::filter::access::{AskedAuth, AskedCache};

use crate::ask::Letter;
use crate::response::Response;

/// Answers that are kept.
const PLACES: usize = 1 << 12;

/// Bytes of an answer's lines, at most: one that has more is asked for each time.
const LARGEST: usize = 4096;

/// Lines that the gateway says of a request itself, and that always count.
const OWN: [&str; 8] = [
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
#[derive(Debug)]
pub(crate) struct AuthAnswers(Box<[ArcSwapOption<KnownAnswer>]>);

#[derive(Debug)]
struct KnownAnswer {
    key: [u8; 32],
    until: Instant,
    /// Without its body.
    answer: Response,
}

impl Default for AuthAnswers {
    fn default() -> Self {
        Self((0..PLACES).map(|_| ArcSwapOption::empty()).collect())
    }
}

impl AuthAnswers {
    /// The answer under this key, if it still counts.
    pub(super) fn known(&self, key: &[u8; 32], now: Instant) -> Option<Response> {
        let known = self.place(key).load();
        let known = known.as_ref().filter(|it| it.key == *key && now < it.until)?;
        Some(known.answer.clone())
    }

    /// Keeps an answer, where it may be: one that sets a cookie is for one client at one moment.
    pub(super) fn learn(&self, key: [u8; 32], cache: &AskedCache, answer: &Response, now: Instant) {
        let of = |((from, to), _): &&((u16, u16), _)| (*from..=*to).contains(&answer.status);
        let Some((_, duration)) = cache.durations.iter().find(of) else { return };
        let size: usize = answer.lines.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > LARGEST || answer.first("set-cookie").is_some() {
            return;
        }
        let Some(until) = now.checked_add(*duration) else { return };
        let answer = Response { body: bytes::Bytes::new(), ..answer.clone() };
        self.place(&key).store(Some(Arc::new(KnownAnswer { key, until, answer })));
    }

    fn place(&self, key: &[u8; 32]) -> &ArcSwapOption<KnownAnswer> {
        &self.0[usize::from(u16::from_be_bytes([key[0], key[1]])) % PLACES]
    }
}

/// A digest of how somebody is asked and his answer taken: what is another question otherwise.
pub(super) fn stamp(auth: &AskedAuth) -> [u8; 32] {
    let mut stamp = [0; 32];
    stamp.copy_from_slice(digest(&SHA256, format!("{auth:?}").as_bytes()).as_ref());
    stamp
}

/// What an answer to `letter` is kept by.
pub(super) fn key(stamp: &[u8], cache: &AskedCache, letter: &Letter) -> [u8; 32] {
    let mut all = Context::new(&SHA256);
    let mut add = |part: &[u8]| {
        // Lengths first, so that nothing said is taken for the end of what was said before.
        all.update(&(part.len() as u64).to_be_bytes());
        all.update(part);
    };
    add(stamp);
    for part in [&letter.method, &letter.authority, &letter.target] {
        add(part.as_bytes());
    }
    for (name, value) in letter.lines.added() {
        let is_it = |it: &&str| it.eq_ignore_ascii_case(name);
        let lines = &cache.lines;
        let is_told = lines.is_empty() && !name.eq_ignore_ascii_case(NAME);
        if is_told || OWN.iter().any(is_it) || lines.iter().any(|it| is_it(&&**it)) {
            add(name.to_ascii_lowercase().as_bytes());
            add(value);
        }
    }
    add(&letter.body);
    let mut key = [0; 32];
    key.copy_from_slice(all.finish().as_ref());
    key
}
