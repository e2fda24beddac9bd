//! Asks for a key that only its owner has, as Traefik Hub's `apiKey` does: who has none is answered
//! 401. Who the owner is, nobody says: each of the hashes may be the key's.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use steelyard_http::{Head as _, RequestEdits, RequestView as _, parameters_called};
use steelyard_model::routing::filter::key::KeyAuth;
use steelyard_passwords::{MOST_PASSWORD, PasswordHash};

use crate::ask::Got;
use crate::context::{Context, Ending};
use crate::found_out::{Digest, DigestParts};
use crate::frame::{Enter, Frame};
use crate::memory::{Kept, Lifespan};
use crate::refusal::Refusal;
use crate::response::Response;
use crate::verified::{PasswordMemory, Verified};

/// Which keys open, and what is known.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey {
    terms: Arc<KeyTerms>,
    verified: Verified,
}

#[derive(Debug)]
struct KeyTerms {
    auth: KeyAuth,
    hashes: Vec<PasswordHash>,
    /// Some of the hashes take time.
    is_slow: bool,
}

impl ApiKey {
    /// None where no key would open.
    pub(crate) fn new(auth: &KeyAuth, kept: Kept<PasswordMemory>, seed: u64) -> Option<Self> {
        let read = |text: &Arc<str>| PasswordHash::read(text).ok();
        let hashes: Vec<PasswordHash> = auth.hashes.iter().filter_map(read).collect();
        let is_slow = hashes.iter().any(PasswordHash::is_slow);
        let terms = Arc::new(KeyTerms { auth: auth.clone(), hashes, is_slow });
        let verified = Verified::new(kept, seed);
        (!terms.hashes.is_empty()).then_some(Self { terms, verified })
    }

    /// The key that a client says, from the first place that has one.
    fn key(&self, head: &RequestEdits<'_>) -> Result<Vec<u8>, Refusal> {
        let auth = &self.terms.auth;
        let said = [
            auth.header.as_deref().map(|name| in_header(head, name, auth.scheme.as_deref())),
            auth.parameter.as_deref().map(|name| in_query(head, name)),
            auth.cookie.as_deref().map(|name| in_cookie(head, name)),
        ];
        let mut found = said.into_iter().flatten().find(|it| *it != Err(Refusal::Nothing));
        let said = found.take().unwrap_or(Err(Refusal::Nothing))?;
        let key = match auth.is_encoded {
            true => STANDARD.decode(said.trim_ascii()).map_err(|_| Refusal::Unreadable)?,
            false => said,
        };
        // An empty one is none, whatever it may be the hash of.
        match key.len() {
            0 => Err(Refusal::Nothing),
            1..=MOST_PASSWORD => Ok(key),
            _ => Err(Refusal::Unreadable),
        }
    }

    fn digest(&self, key: &[u8]) -> Digest {
        let mut parts = DigestParts::by(&self.verified.seed().to_be_bytes());
        self.terms.hashes.iter().for_each(|hash| parts.add(hash.mark()));
        parts.and(key).digest()
    }
}

/// The one line of this name; with a scheme what follows that.
fn in_header(
    head: &RequestEdits<'_>,
    name: &str,
    scheme: Option<&str>,
) -> Result<Vec<u8>, Refusal> {
    let mut found = Err(Refusal::Nothing);
    head.each(&mut |line, value| {
        if line.eq_ignore_ascii_case(name) {
            found = match &found {
                Err(Refusal::Nothing) => Ok(value.to_vec()),
                _ => Err(Refusal::Twice),
            };
        }
    });
    let value = found?;
    let Some(scheme) = scheme else { return Ok(value) };
    let (said, key) = value.split_at_checked(scheme.len()).ok_or(Refusal::Nothing)?;
    let key = key.strip_prefix(b" ").ok_or(Refusal::Nothing)?;
    match said.eq_ignore_ascii_case(scheme.as_bytes()) {
        true => Ok(key.trim_ascii().to_vec()),
        false => Err(Refusal::Nothing),
    }
}

/// The one parameter of this name, decoded.
pub(crate) fn in_query(head: &RequestEdits<'_>, name: &str) -> Result<Vec<u8>, Refusal> {
    let values = parameters_called(head.query().unwrap_or_default(), name);
    one(values.map(|value| value.into_owned().into_bytes()))
}

/// The one cookie of this name.
fn in_cookie(head: &RequestEdits<'_>, name: &str) -> Result<Vec<u8>, Refusal> {
    let mut found = Vec::new();
    head.each(&mut |line, value| {
        if !line.eq_ignore_ascii_case("cookie") {
            return;
        }
        for pair in value.split(|byte| *byte == b';') {
            let at = pair.iter().position(|byte| *byte == b'=');
            let Some((key, value)) = at.map(|at| (&pair[..at], &pair[at + 1..])) else { continue };
            if key.trim_ascii() == name.as_bytes() {
                found.push(value.trim_ascii().to_vec());
            }
        }
    });
    one(found.into_iter())
}

fn one(mut all: impl Iterator<Item = Vec<u8>>) -> Result<Vec<u8>, Refusal> {
    let first = all.next().ok_or(Refusal::Nothing)?;
    if all.next().is_some() { Err(Refusal::Twice) } else { Ok(first) }
}

impl Frame for ApiKey {
    fn lifespan(&self) -> Option<&Lifespan> {
        Some(self.verified.lifespan())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        let key = match self.key(head) {
            Ok(key) => key,
            Err(why) => return why.answer(cx, Response::bare(401)),
        };
        let (digest, terms) = (self.digest(&key), self.terms.clone());
        // All are looked at, whichever it is.
        let work =
            move || terms.hashes.iter().fold(false, |is_any, hash| hash.is_of(&key) | is_any);
        match self.verified.verdict(digest, self.terms.is_slow, work, got, (cx, head)) {
            Ok(true) => Enter::Next,
            Ok(false) => Refusal::Wrong.answer(cx, Response::bare(401)),
            Err(enter) => enter,
        }
    }

    fn done(&mut self, _: &mut Context<'_>, _: Ending) {
        self.verified.end();
    }
}

#[cfg(test)]
mod tests;
