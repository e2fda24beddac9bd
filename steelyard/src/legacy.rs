//! What a process gives to the one that takes its place.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};
use steelyard_forward::ForwardLegacy;
use steelyard_gateway::HandedSession;
use steelyard_host::inherited::Inherited;
use steelyard_speaker::SpeakerLegacy;

/// What a process is given that takes over, before it begins; nothing where it begins anew.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    pub(crate) sockets: Inherited,
    pub(crate) forward: Option<ForwardLegacy>,
    /// Another process goes on until this one says that it is prepared.
    pub(crate) is_heir: bool,
}

/// What is told first; descriptors are beside it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Estate {
    /// The names of the descriptors.
    pub(crate) sockets: Vec<String>,
    pub(crate) forward: Option<ForwardLegacy>,
}

/// What is told once the new process is prepared. Beside it are the sessions' sockets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Baton {
    /// Vips that packets are taken in for.
    pub(crate) live: Vec<IpAddr>,
    pub(crate) speaker: Option<SpeakerLegacy>,
    sessions: Vec<ToldSession>,
}

/// A session of UDP, but for its socket.
#[derive(Debug, Serialize, Deserialize)]
struct ToldSession {
    listener: String,
    core: usize,
    client: SocketAddr,
    reached: Option<IpAddr>,
    endpoint: (String, u16),
}

impl Baton {
    /// It, with what is beside it.
    pub(crate) fn new(
        live: Vec<IpAddr>,
        speaker: Option<SpeakerLegacy>,
        sessions: Vec<HandedSession>,
    ) -> (Self, Vec<OwnedFd>) {
        let told = sessions.into_iter().map(|it| {
            let HandedSession { listener, core, client, reached, endpoint, socket } = it;
            (ToldSession { listener, core, client, reached, endpoint }, socket)
        });
        let (sessions, sockets) = told.unzip();
        (Self { live, speaker, sessions }, sockets)
    }

    pub(crate) fn take_sessions(&mut self, sockets: Vec<OwnedFd>) -> Vec<HandedSession> {
        let told = std::mem::take(&mut self.sessions).into_iter().zip(sockets);
        let whole = told.map(|(it, socket)| {
            let ToldSession { listener, core, client, reached, endpoint } = it;
            HandedSession { listener, core, client, reached, endpoint, socket }
        });
        whole.collect()
    }
}
