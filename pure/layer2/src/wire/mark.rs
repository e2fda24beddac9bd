//! A mark: what a machine that shares vips with others says beside the address, for these alone.
//!
//! It travels where nobody else looks: behind an ARP packet, where short frames have padding
//! (RFC 826 says nothing of what follows, and hosts do not read it), and as an option of a neighbor
//! advertisement by a number kept for experiments (RFC 4727 §4), which hosts that do not know it
//! skip (RFC 4861 §4.6). What it means is not known here.

/// Bytes of a [`Mark`].
pub const MARK: usize = 22;
/// Number of the option of neighbor discovery (RFC 4727 §4).
pub(super) const OPTION: u8 = 253;
/// Its length, in units of eight bytes.
pub(super) const UNITS: u8 = 3;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub [u8; MARK]);

impl Mark {
    /// What follows an ARP packet, unless it is padding.
    pub(super) fn behind(rest: &[u8]) -> Option<Self> {
        let bytes = *rest.first_chunk()?;
        (bytes != [0; MARK]).then_some(Self(bytes))
    }
}
