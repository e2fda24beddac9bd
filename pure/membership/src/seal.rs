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
//! Two keys may be known at once, and both open. A node that has the newer one first must not be
//! cut off from those who do not have it yet: hellos go out once under each key, and a node is
//! spoken to under the newest once it was seen to use that itself ([`Opened::newest`]).

mod cipher;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::{digest, hmac};

use self::cipher::{Cipher, TAG};
use self::window::Window;
use crate::id::NodeId;

/// Largest datagram that is looked at.
pub const MAX_DATAGRAM: usize = 2048;
const MAGIC: [u8; 4] = *b"SYM\x01";
const HEADER: usize = 40;
/// Senders remembered at most. Only who has the key is one; then who was silent for the longest
/// time makes room.
const MAX_SENDERS: usize = 1024;
#[cfg(test)]
const CLEAR: [u8; 4] = *b"none";

/// A cluster's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    secret: [u8; 32],
    id: [u8; 4],
}

/// The keys that are good now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    /// Seals what goes to nodes that have it.
    pub newest: Key,
    /// Still opens, and seals what goes to nodes that were not seen to have the newest.
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
    newest: Cipher,
    older: Option<Cipher>,
    /// Of both keys: receivers see one sequence.
    counter: u64,
}

/// Under which of two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Under {
    Newest,
    /// The newest where there is no other.
    Older,
}

/// Opens what others sent.
pub(crate) struct Opener {
    ring: Keyring,
    /// Keys of sessions from which a good datagram came.
    sessions: BTreeMap<([u8; 4], Session), Cipher>,
    senders: BTreeMap<NodeId, Sender>,
    /// Good datagrams so far: a clock for who was silent how long.
    admitted: u64,
}

/// What is known of who sends.
struct Sender {
    session: Session,
    window: Window,
    /// Of [`Opener::admitted`], when it was last heard.
    heard: u64,
}

/// A datagram whose seal is good, before its sender is known.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) content: Vec<u8>,
    /// Whether it is sealed under our newest key.
    pub(crate) newest: bool,
    pub(crate) counter: u64,
    key: [u8; 4],
    fresh: Option<Cipher>,
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

    /// What marks are made with.
    pub(crate) fn of_marks(&self) -> hmac::Key {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let derived = hmac::sign(&secret, b"steelyard membership mark");
        hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
    }

    fn of_session(&self, session: Session) -> Cipher {
        #[cfg(test)]
        if self.id == CLEAR {
            return Cipher::Clear;
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let mut context = hmac::Context::with_key(&secret);
        context.update(b"steelyard membership session");
        context.update(&session.epoch.to_be_bytes());
        context.update(&session.salt);
        Cipher::new(context.sign().as_ref())
    }
}

#[cfg(test)]
impl Key {
    /// Seals nothing: most simulations need no secrecy, and are faster without.
    pub(crate) fn clear() -> Self {
        Self { secret: [0; 32], id: CLEAR }
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
        let newest = ring.newest.of_session(session);
        let older = ring.older.as_ref().map(|key| key.of_session(session));
        Self { session, ring, newest, older, counter: 0 }
    }

    /// Goes on with a session that counted so far.
    pub(crate) fn resumed(ring: Keyring, session: Session, counter: u64) -> Self {
        Self { counter, ..Self::new(ring, session) }
    }

    pub(crate) fn session(&self) -> Session {
        self.session
    }

    pub(crate) fn counter(&self) -> u64 {
        self.counter
    }

    /// So many counts are left out.
    pub(crate) fn skip(&mut self, counts: u64) {
        self.counter += counts;
    }

    /// From now on seals with these keys; whether the newest is another than before.
    pub(crate) fn set_keys(&mut self, ring: Keyring) -> bool {
        let another = ring.newest != self.ring.newest;
        *self = Self { counter: self.counter, ..Self::new(ring, self.session) };
        another
    }

    /// Whether a new key makes its way.
    pub(crate) fn has_two(&self) -> bool {
        self.older.is_some()
    }

    /// Begins a later session of the same start.
    pub(crate) fn renew(&mut self, epoch: u64) {
        *self = Self::new(self.ring.clone(), Session { epoch, ..self.session });
    }

    pub(crate) fn seal(&mut self, under: Under, content: &[u8]) -> Vec<u8> {
        let older = self.ring.older.as_ref().zip(self.older.as_ref());
        let (key, of_session) = match older.filter(|_| under == Under::Older) {
            Some(older) => older,
            None => (&self.ring.newest, &self.newest),
        };
        self.counter += 1;
        let header = header(key.id, self.session, self.counter);
        let mut datagram = Vec::with_capacity(HEADER + content.len() + TAG);
        datagram.extend_from_slice(&header);
        datagram.extend_from_slice(content);
        let tag = of_session.seal(self.counter, &header, &mut datagram[HEADER..]);
        datagram.extend_from_slice(&tag);
        datagram
    }
}

impl Opener {
    pub(crate) fn new(ring: Keyring) -> Self {
        Self { ring, sessions: BTreeMap::new(), senders: BTreeMap::new(), admitted: 0 }
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
        let length = key.open(counter, header, &mut content).ok_or(Refused::Forged)?;
        content.truncate(length);
        let newest = id == self.ring.newest.id;
        Ok(Opened { session, content, newest, key: id, counter, fresh })
    }

    /// Takes note of a datagram of `sender`, if it is new.
    pub(crate) fn admit(&mut self, sender: NodeId, opened: &mut Opened) -> Result<(), Refused> {
        if self.senders.len() >= MAX_SENDERS && !self.senders.contains_key(&sender) {
            self.forget_one();
        }
        self.admitted += 1;
        let heard = self.admitted;
        let Sender { session, window, heard: last } =
            self.senders.entry(sender).or_insert_with(|| Sender {
                session: opened.session,
                window: Window::default(),
                heard,
            });
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
        *last = heard;
        if let Some(key) = opened.fresh.take() {
            self.sessions.insert((opened.key, opened.session), key);
        }
        Ok(())
    }

    /// By which start a node sends, and its highest count.
    pub(crate) fn heard_of(&self, sender: NodeId) -> Option<(Session, u64)> {
        self.senders.get(&sender).map(|it| (it.session, it.window.highest()))
    }

    /// Takes for granted that a node sends by this start, and has come to this count.
    pub(crate) fn remember(&mut self, sender: NodeId, session: Session, counter: u64) {
        self.admitted += 1;
        let (window, heard) = (Window::full(counter), self.admitted);
        self.senders.insert(sender, Sender { session, window, heard });
    }

    /// Forgets who was silent for the longest time. Should a recording of it be played afterwards,
    /// that does not name our session, and is not believed.
    fn forget_one(&mut self) {
        let silent = self.senders.iter().min_by_key(|(_, it)| it.heard).map(|(node, _)| *node);
        if let Some(sender) = silent.and_then(|node| self.senders.remove(&node)) {
            self.sessions.retain(|(_, known), _| *known != sender.session);
        }
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

fn part<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes[..N].try_into().expect("the slice has that length")
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(part(bytes))
}
