//! How a speaker behaves, and why one does not start.

use std::io;
use std::sync::Arc;

use steelyard_host::links::LinkError;
use steelyard_host::packet::PacketError;
use steelyard_layer2::Timing;

use crate::lan::former::Formers;
use crate::lan::gate::Gate;
use crate::lan::interface::Exclude;
use crate::lan::legacy::Expectation;
use crate::lan::membership::Membership;

/// How a speaker behaves.
#[derive(Clone, Debug)]
pub struct SpeakerOptions {
    /// Interfaces to answer on, by name; empty means automatic.
    pub interfaces: Vec<String>,
    /// Interfaces that automatic leaves alone.
    pub exclude: Exclude,
    /// Waits, number of probes, and what to do about rivals.
    pub timing: Timing,
    /// Whether it answers `ping`. Not where the kernel does (no guard rules stand).
    pub echo: bool,
    /// With whom vips are shared; none answers for all of them.
    pub membership: Option<Membership>,
    /// Handles packets of flows that began at former owners; without, they break.
    pub formers: Option<Arc<dyn Formers>>,
    /// Handles packets for vips.
    pub gate: Option<Arc<dyn Gate>>,
    /// Another process answers until then; none where there is none.
    pub expects: Option<Expectation>,
}

/// Why nothing can be answered here.
#[derive(Debug, thiserror::Error)]
pub enum NoSpeaker {
    /// No raw frames.
    #[error("cannot answer for addresses on the LAN")]
    Packet(#[from] PacketError),
    /// No interfaces.
    #[error("cannot answer for addresses on the LAN")]
    Links(#[from] LinkError),
    /// Nothing can be kept for the next start.
    #[error("cannot keep what the next start needs")]
    Keep(#[source] io::Error),
    /// No thread, or no runtime for it.
    #[error("cannot start the speaker's thread")]
    Thread(#[source] io::Error),
}

impl Default for SpeakerOptions {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            exclude: Exclude::default(),
            timing: Timing::default(),
            echo: true,
            membership: None,
            formers: None,
            gate: None,
            expects: None,
        }
    }
}
