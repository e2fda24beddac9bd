//! Keys, and what is sealed with them: AES-256-GCM-SIV (RFC 8452), so that what is sealed can
//! neither be read nor changed, and a nonce that were drawn twice would tell nothing but that.
//!
//! A key is for one filter and one purpose: they are derived by HKDF (RFC 5869) from a secret, the
//! filter's name and the purpose. Of several secrets the first seals and all open, so that one can
//! take the place of another.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a secret, at least: what is shorter is guessed.
const SHORTEST: usize = 16;
/// Secrets, at most: each is tried.
const MOST: usize = 8;
const SALT: &[u8] = b"steelyard login 1";

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Who is logged in.
    Session,
    /// A login that is under way.
    Trip,
}

/// Why secrets make no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysFault {
    /// There is none.
    None,
    /// One has fewer than 16 bytes.
    Short,
    /// There are more than eight.
    Many,
}

/// Keys of one filter; copies are the same.
#[derive(Clone)]
pub struct Keys(Arc<[OneKey]>);

struct OneKey {
    session: LessSafeKey,
    trip: LessSafeKey,
    derivation: hmac::Key,
}

impl Keys {
    /// Derives them from what stands in `secret`, one secret a line, for who is called `owner`.
    ///
    /// # Errors
    /// When there is none, one is short, or they are too many.
    pub fn derive(secret: &[u8], owner: &str) -> Result<Self, KeysFault> {
        let lines = secret.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let secrets: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
        match secrets.as_slice() {
            [] => Err(KeysFault::None),
            secrets if secrets.len() > MOST => Err(KeysFault::Many),
            secrets if secrets.iter().any(|it| it.len() < SHORTEST) => Err(KeysFault::Short),
            secrets => {
                let keys = secrets.iter().map(|secret| OneKey::derive(secret, owner));
                keys.collect::<Option<_>>().map(Self).ok_or(KeysFault::None)
            }
        }
    }

    /// What `text` becomes, as base64url; `nonce` is random. None where it cannot be sealed.
    pub fn seal(&self, purpose: Purpose, nonce: [u8; NONCE_LEN], text: &[u8]) -> Option<String> {
        let key = self.0.first()?.of(purpose);
        let mut bytes = text.to_vec();
        let aad = Aad::from(purpose.name());
        let nonce_of = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_of, aad, &mut bytes).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &bytes].concat()))
    }

    /// What was sealed, and by which of the keys; none where it was not, with these and for this.
    pub fn open(&self, purpose: Purpose, text: &str) -> Option<(usize, Vec<u8>)> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        self.0.iter().enumerate().find_map(|(index, key)| {
            let mut bytes = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let aad = Aad::from(purpose.name());
            let len = key.of(purpose).open_in_place(nonce, aad, &mut bytes).ok()?.len();
            bytes.truncate(len);
            Some((index, bytes))
        })
    }

    /// What nobody can tell who has not the key of this index, from these parts.
    pub(crate) fn derived(&self, index: usize, parts: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        let Some(key) = self.0.get(index) else { return out };
        let mut context = hmac::Context::with_key(&key.derivation);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl OneKey {
    fn derive(secret: &[u8], owner: &str) -> Option<Self> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret);
        let bytes = |purpose: &str| {
            let mut out = [0; 32];
            let info = [purpose.as_bytes(), b"\0", owner.as_bytes()];
            root.expand(&info, hkdf::HKDF_SHA256).ok()?.fill(&mut out).ok()?;
            Some(out)
        };
        let sealing = |purpose: Purpose| {
            let key = bytes(purpose.name())?;
            Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &key).ok()?))
        };
        Some(Self {
            session: sealing(Purpose::Session)?,
            trip: sealing(Purpose::Trip)?,
            derivation: hmac::Key::new(hmac::HMAC_SHA256, &bytes("derivation")?),
        })
    }

    fn of(&self, purpose: Purpose) -> &LessSafeKey {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::Trip => &self.trip,
        }
    }
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Trip => "trip",
        }
    }
}

impl KeysFault {
    /// The same in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::None => "there is no secret in it",
            Self::Short => "a secret of it has fewer than 16 bytes",
            Self::Many => "there are more than 8 secrets in it",
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}
