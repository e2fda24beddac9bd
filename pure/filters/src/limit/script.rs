//! How many of a source were let in of late, counted by a server that many replicas share: what is
//! sent to it, and what of its reply is believed.
//!
//! The bucket is Traefik's: a hash under `rate:MIDDLEWARE:SOURCE` with `last`, in microseconds
//! since 1970, and `tokens`, which expires when it must be full. The time is the server's own, so
//! that clocks of replicas make no difference.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use steelyard_model::routing::filter::limit::RateLimit;

use super::buckets::Pace;
use crate::ask::Script;

/// Takes one out of a bucket, and says whether it may be had and how long it is waited for.
const TAKE: &str = "\
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local patience, expiry = tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local kept = redis.call('HMGET', KEYS[1], 'last', 'tokens')
local last, tokens = tonumber(kept[1]), tonumber(kept[2])
if not last or not tokens then last, tokens = now, burst end
local passed = math.max(0, now - last)
local left = math.min(burst, tokens + passed * rate) - 1
local wait = 0
if left < 0 then wait = -left / rate end
if wait > patience then return {'0', string.format('%.0f', math.ceil(wait))} end
redis.call('HSET', KEYS[1], 'last', string.format('%.0f', now), 'tokens', tostring(left))
redis.call('EXPIRE', KEYS[1], expiry)
return {'1', string.format('%.0f', math.ceil(wait))}
";

/// For how long a bucket is kept that nobody asks for, at most.
const MOST_SECONDS: f64 = 86_400.0;

/// Bytes of a source that stand in a key as they are; of a longer one it is a digest.
const LONGEST: usize = 256;

/// Scripts of one limit.
#[derive(Clone, Debug)]
pub(crate) struct TakeScript {
    prefix: String,
    digest: Arc<str>,
    arguments: Arc<[String]>,
}

impl TakeScript {
    /// `owner` is what the middleware is called.
    #[expect(clippy::cast_precision_loss, reason = "a rate of so many digits is as good")]
    pub(crate) fn new(owner: &str, limit: &RateLimit, pace: Pace) -> Self {
        let period = limit.period.as_micros().max(1);
        let rate = limit.average as f64 / period as f64;
        // As soon as it must be full it is as good as none. Traefik has it expire sooner, so that
        // who waits two seconds may have all of a large one again.
        let full = (limit.burst.saturating_add(1)) as f64 / (rate * 1_000_000.0);
        let expiry = (full.ceil() + 1.0).clamp(2.0, MOST_SECONDS);
        let arguments = [
            rate.to_string(),
            limit.burst.to_string(),
            pace.patience_micros().to_string(),
            expiry.to_string(),
        ];
        let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, TAKE.as_bytes());
        // Traefik writes namespace and name of an object with a hyphen between.
        let prefix = format!("rate:{}:", owner.replace('/', "-"));
        Self { prefix, digest: hex(sum.as_ref()).into(), arguments: arguments.into() }
    }

    /// The script for one of this source.
    pub(crate) fn of(&self, source: &[u8]) -> Script {
        let mut key = self.prefix.clone().into_bytes();
        match source.len() {
            0..=LONGEST => key.extend_from_slice(source),
            _ => key.extend_from_slice(hex(digest(&SHA256, source).as_ref()).as_bytes()),
        }
        let (digest, arguments) = (self.digest.clone(), self.arguments.clone());
        Script { text: TAKE, digest, key: key.into(), arguments }
    }
}

/// What a reply says: how long to wait for one, or when to come again.
pub(crate) fn verdict(reply: &[Box<[u8]>]) -> Option<Result<u64, u64>> {
    let [is_had, wait] = reply else { return None };
    let wait = str::from_utf8(wait).ok()?.parse().ok()?;
    match &**is_had {
        b"1" => Some(Ok(wait)),
        b"0" => Some(Err(wait)),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_believed_as_far_as_they_are_verdicts() {
        let of = |parts: &[&str]| {
            let parts: Vec<Box<[u8]>> = parts.iter().map(|it| it.as_bytes().into()).collect();
            verdict(&parts)
        };
        assert_eq!(of(&["1", "0"]), Some(Ok(0)));
        assert_eq!(of(&["1", "250000"]), Some(Ok(250_000)));
        assert_eq!(of(&["0", "900000"]), Some(Err(900_000)));
        for parts in [&["2", "0"][..], &["1"], &["1", "x"], &["1", "-1"], &["1", "1", "1"], &[]] {
            assert_eq!(of(parts), None, "{parts:?}");
        }
    }
}
