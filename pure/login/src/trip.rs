//! A login that is under way: what the issuer is told of it, and what comes back.
//!
//! A browser has a secret of its own, for all its tabs. The `state` of a login is sealed and says
//! where the browser is to be led back to, and whose it is; proof (RFC 7636) and nonce are derived
//! from it and the browser's secret, and so stand nowhere. Who has another browser cannot end it
//! (RFC 9700 §4.7), and who reads the `state` learns nothing of it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::bytes::{Reader, Writer};
use crate::seal::{Keys, Purpose};
use crate::target::{LONGEST_TARGET, return_path};

/// Bytes of a `state` that are looked at, at most: the longest target, sealed and in base64.
const LONGEST: usize = 3 * LONGEST_TARGET / 2;

/// What only one browser knows.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserSecret([u8; 32]);

/// A login that is under way.
#[derive(Clone, PartialEq, Eq)]
pub struct Trip {
    /// Its own mark, which no other has.
    pub mark: [u8; 16],
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// How many went before it, without an end.
    pub tries: u8,
    /// Where the browser is led to when it is over.
    pub back: String,
    /// What was sent there waits in the browser to be sent again.
    pub is_resent: bool,
    /// Digest of the browser's secret.
    owner: [u8; 32],
    /// By which key it was sealed.
    key: usize,
}

impl BrowserSecret {
    /// Of random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// As a cookie has it.
    pub fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (len == bytes.len()).then_some(Self(bytes))
    }

    /// As a cookie has it.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn digest(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

impl Trip {
    /// One that begins now in the browser that knows `secret`.
    pub fn begin(mark: [u8; 16], now: u64, back: &str, secret: &BrowserSecret) -> Self {
        let back = return_path(back).unwrap_or("/").to_owned();
        Self { mark, began: now, tries: 0, back, is_resent: false, owner: secret.digest(), key: 0 }
    }

    /// As `state` has it.
    pub fn state(&self, keys: &Keys, nonce: [u8; 12]) -> Option<String> {
        let mut out = Writer::default();
        out.fixed(&self.mark);
        out.number(self.began);
        out.fixed(&[self.tries, u8::from(self.is_resent)]);
        out.fixed(&self.owner);
        out.text(self.back.as_bytes());
        keys.seal(Purpose::Trip, nonce, &out.0)
    }

    /// Reads a `state` that came back; none where it is not ours.
    pub fn read(keys: &Keys, state: &str) -> Option<Self> {
        if state.len() > LONGEST {
            return None;
        }
        let (key, bytes) = keys.open(Purpose::Trip, state)?;
        let mut bytes = Reader(&bytes);
        let (mark, began) = (bytes.fixed()?, bytes.number()?);
        let [tries, is_resent] = bytes.fixed()?;
        let (owner, back) = (bytes.fixed()?, bytes.text()?);
        let back = return_path(back)?.to_owned();
        bytes.is_at_end().then_some(Self {
            mark,
            began,
            tries,
            back,
            is_resent: is_resent != 0,
            owner,
            key,
        })
    }

    /// Whether the browser that knows `secret` has begun it.
    pub fn is_of(&self, secret: &BrowserSecret) -> bool {
        verify_slices_are_equal(&self.owner, &secret.digest()).is_ok()
    }

    /// Whether it has taken no longer than `seconds`.
    pub fn is_in_time(&self, now: u64, seconds: u64) -> bool {
        now <= self.began.saturating_add(seconds)
    }

    /// What proves that who ends it has begun it (RFC 7636 §4.1).
    pub fn verifier(&self, keys: &Keys, secret: &BrowserSecret) -> String {
        self.derived(keys, secret, b"proof")
    }

    /// What is told of a verifier beforehand (RFC 7636 §4.2, `S256`).
    pub fn challenge(verifier: &str) -> String {
        URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()))
    }

    /// What the token of this login says, and no other.
    pub fn nonce(&self, keys: &Keys, secret: &BrowserSecret) -> String {
        self.derived(keys, secret, b"nonce")
    }

    fn derived(&self, keys: &Keys, secret: &BrowserSecret, what: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(keys.derived(self.key, &[what, &self.mark, &secret.0]))
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
