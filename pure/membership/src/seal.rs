//! Datagrams sealed with AES-256-GCM: nobody without the key reads them, makes them, or repeats
//! them.
//!
//! ```text
//!  0        4        8               16              32              40
//!  ┌────────┬────────┬───────────────┬───────────────┬───────────────┬───────────────────────┐
//!  │"SYM" 1 │ key id │ sender epoch  │     salt      │    counter    │ sealed content + tag  │
//!  └────────┴────────┴───────────────┴───────────────┴───────────────┴───────────────────────┘
//! ```
//!
//! The cluster's key seals nothing itself. Each start of each node has a key of its own, made from
//! it by HMAC-SHA-256 over sender epoch and salt, so the counter alone is a nonce that is never
//! used twice. A receiver takes a sender's highest epoch only, and each counter once
//! ([`window`]); that a datagram is no older than the receiver's own start is not known here, but
//! by what is in it (see [`Segment`](crate::Segment)).
//!
//! Two keys may be known at once: everything is sealed with the newest, and opened with either.

mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac};

use self::window::Window;
use crate::id::NodeId;

/// Largest datagram that is looked at.
pub const MAX_DATAGRAM: usize = 2048;
const MAGIC: [u8; 4] = *b"SYM\x01";
const HEADER: usize = 40;
/// Senders remembered at most.
const MAX_SENDERS: usize = 1024;

/// A cluster's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    secret: [u8; 32],
    id: [u8; 4],
}

/// The keys that are good now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    /// Seals.
    pub newest: Key,
    /// Still opens, while a new key makes its way.
    pub older: Option<Key>,
}

/// One start of one node: what its datagrams are sealed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Session {
    pub(crate) epoch: u64,
    pub(crate) salt: [u8; 16],
}

/// Why a datagram is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// It is none of ours: too short, too long, another magic.
    Foreign,
    /// It is of another version.
    Version,
    /// It is sealed with a key that we do not have.
    UnknownKey,
    /// It was not made with the key it names.
    Forged,
    /// It was made with our key, but makes no sense.
    Malformed,
    /// It was sent before the sender's last start.
    Stale,
    /// It was there before, or is too old to know.
    Replayed,
    /// There are more senders than can be.
    TooMany,
}

impl Refused {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Foreign,
        Self::Version,
        Self::UnknownKey,
        Self::Forged,
        Self::Malformed,
        Self::Stale,
        Self::Replayed,
        Self::TooMany,
    ];

    /// One word, kebab-case, stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Version => "version",
            Self::UnknownKey => "unknown-key",
            Self::Forged => "forged",
            Self::Malformed => "malformed",
            Self::Stale => "stale",
            Self::Replayed => "replayed",
            Self::TooMany => "too-many-senders",
        }
    }
}

/// Seals what this node sends.
pub(crate) struct Sealer {
    session: Session,
    ring: Keyring,
    key: LessSafeKey,
    counter: u64,
}

/// Opens what others sent.
pub(crate) struct Opener {
    ring: Keyring,
    /// Keys of sessions from which a good datagram came.
    sessions: BTreeMap<([u8; 4], Session), LessSafeKey>,
    senders: BTreeMap<NodeId, (Session, Window)>,
}

/// A datagram whose seal is good, before its sender is known.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) content: Vec<u8>,
    key: [u8; 4],
    counter: u64,
    fresh: Option<LessSafeKey>,
}

impl Key {
    /// A key of 32 random bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        let mut text = b"steelyard membership key id".to_vec();
        text.extend_from_slice(&secret);
        let hash = digest::digest(&digest::SHA256, &text);
        let id = hash.as_ref()[..4].try_into().expect("a hash has 32 bytes");
        Self { secret, id }
    }

    fn of_session(&self, session: Session) -> LessSafeKey {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let mut context = hmac::Context::with_key(&secret);
        context.update(b"steelyard membership session");
        context.update(&session.epoch.to_be_bytes());
        context.update(&session.salt);
        let key = UnboundKey::new(&AES_256_GCM, context.sign().as_ref());
        LessSafeKey::new(key.expect("HMAC-SHA-256 gives the 32 bytes of an AES-256 key"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

impl Key {
    /// What tells keys apart without giving them away.
    pub fn name(&self) -> String {
        format!("{:08x}", u32::from_be_bytes(self.id))
    }
}

impl Keyring {
    /// A single key.
    pub fn new(newest: Key) -> Self {
        Self { newest, older: None }
    }

    fn find(&self, id: [u8; 4]) -> Option<&Key> {
        [Some(&self.newest), self.older.as_ref()].into_iter().flatten().find(|key| key.id == id)
    }
}

impl Session {
    /// What peers repeat, besides the epoch, to show that they heard this very start.
    pub(crate) fn tag(&self) -> u32 {
        u32::from_be_bytes(self.salt[..4].try_into().expect("a salt has 16 bytes"))
    }
}

impl Sealer {
    pub(crate) fn new(ring: Keyring, session: Session) -> Self {
        let key = ring.newest.of_session(session);
        Self { session, ring, key, counter: 0 }
    }

    pub(crate) fn session(&self) -> Session {
        self.session
    }

    /// From now on seals with these keys' newest.
    pub(crate) fn set_keys(&mut self, ring: Keyring) {
        *self = Self { counter: self.counter, ..Self::new(ring, self.session) };
    }

    /// Begins a later session of the same start.
    pub(crate) fn renew(&mut self, epoch: u64) {
        *self = Self::new(self.ring.clone(), Session { epoch, ..self.session });
    }

    pub(crate) fn seal(&mut self, content: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let header = header(self.ring.newest.id, self.session, self.counter);
        let mut datagram = Vec::with_capacity(HEADER + content.len() + AES_256_GCM.tag_len());
        datagram.extend_from_slice(&header);
        datagram.extend_from_slice(content);
        let tag = self
            .key
            .seal_in_place_separate_tag(
                nonce(self.counter),
                Aad::from(header),
                &mut datagram[HEADER..],
            )
            .expect("a datagram is far below what GCM can seal");
        datagram.extend_from_slice(tag.as_ref());
        datagram
    }
}

impl Opener {
    pub(crate) fn new(ring: Keyring) -> Self {
        Self { ring, sessions: BTreeMap::new(), senders: BTreeMap::new() }
    }

    pub(crate) fn set_keys(&mut self, ring: Keyring) {
        self.sessions.retain(|(id, _), _| ring.find(*id).is_some());
        self.ring = ring;
    }

    /// Checks the seal. Whether it was there before is [`Opener::admit`]'s to say, once the
    /// content has told the sender.
    pub(crate) fn open(&self, datagram: &[u8]) -> Result<Opened, Refused> {
        let Some((header, sealed)) = datagram.split_at_checked(HEADER) else {
            return Err(Refused::Foreign);
        };
        if datagram.len() > MAX_DATAGRAM || header[..3] != MAGIC[..3] {
            return Err(Refused::Foreign);
        }
        if header[3] != MAGIC[3] {
            return Err(Refused::Version);
        }
        let id: [u8; 4] = part(&header[4..]);
        let session = Session { epoch: number(&header[8..]), salt: part(&header[16..]) };
        let counter = number(&header[32..]);
        let key = self.ring.find(id).ok_or(Refused::UnknownKey)?;
        let known = self.sessions.get(&(id, session));
        let fresh = known.is_none().then(|| key.of_session(session));
        let key = known.or(fresh.as_ref()).expect("one of the two is there");
        let mut content = sealed.to_vec();
        let header: [u8; HEADER] = part(header);
        let length = key
            .open_in_place(nonce(counter), Aad::from(header), &mut content)
            .map_err(|_| Refused::Forged)?
            .len();
        content.truncate(length);
        Ok(Opened { session, content, key: id, counter, fresh })
    }

    /// Takes note of a datagram of `sender`, if it is new.
    pub(crate) fn admit(&mut self, sender: NodeId, opened: &mut Opened) -> Result<(), Refused> {
        if self.senders.len() >= MAX_SENDERS && !self.senders.contains_key(&sender) {
            return Err(Refused::TooMany);
        }
        let (session, window) =
            self.senders.entry(sender).or_insert_with(|| (opened.session, Window::default()));
        if opened.session.epoch < session.epoch {
            return Err(Refused::Stale);
        }
        if opened.session != *session {
            // Of two starts with one epoch, the one with the higher salt: all agree on one.
            if opened.session < *session {
                return Err(Refused::Stale);
            }
            let old = std::mem::replace(session, opened.session);
            *window = Window::default();
            self.sessions.retain(|(_, known), _| *known != old);
        }
        if !window.take(opened.counter) {
            return Err(Refused::Replayed);
        }
        if let Some(key) = opened.fresh.take() {
            self.sessions.insert((opened.key, opened.session), key);
        }
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("session", &self.session).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("senders", &self.senders.len()).finish_non_exhaustive()
    }
}

fn header(key: [u8; 4], session: Session, counter: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&key);
    header[8..16].copy_from_slice(&session.epoch.to_be_bytes());
    header[16..32].copy_from_slice(&session.salt);
    header[32..].copy_from_slice(&counter.to_be_bytes());
    header
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn part<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes[..N].try_into().expect("the slice has that length")
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(part(bytes))
}
