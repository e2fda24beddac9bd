//! What a session's datagrams are sealed with: AES-256-GCM, the counter as nonce.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes that a seal adds behind the content.
pub(super) const TAG: usize = 16;

/// The key of one session.
pub(super) enum Cipher {
    Aes(LessSafeKey),
    /// None at all.
    #[cfg(test)]
    Clear,
}

impl Cipher {
    /// `key` has 32 bytes.
    pub(super) fn new(key: &[u8]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key);
        Self::Aes(LessSafeKey::new(key.expect("HMAC-SHA-256 gives the 32 bytes of an AES-256 key")))
    }

    /// Seals `content` where it is.
    pub(super) fn seal(&self, counter: u64, header: &[u8], content: &mut [u8]) -> [u8; TAG] {
        match self {
            Self::Aes(key) => key
                .seal_in_place_separate_tag(nonce(counter), Aad::from(header), content)
                .expect("a datagram is far below what GCM can seal")
                .as_ref()
                .try_into()
                .expect("a tag of GCM has 16 bytes"),
            #[cfg(test)]
            Self::Clear => [0; TAG],
        }
    }

    /// Opens what was sealed where it is; how long the content is, if the seal is good.
    pub(super) fn open(&self, counter: u64, header: &[u8], sealed: &mut [u8]) -> Option<usize> {
        match self {
            Self::Aes(key) => {
                let content = key.open_in_place(nonce(counter), Aad::from(header), sealed);
                content.ok().map(|content| content.len())
            }
            #[cfg(test)]
            Self::Clear => sealed.len().checked_sub(TAG),
        }
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}
