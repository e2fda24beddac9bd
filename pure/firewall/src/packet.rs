//! The packet that is followed: the first of a client to a port of a vip, and the answer to it.

use std::net::{IpAddr, SocketAddr};

use steelyard_model::Protocol;

/// The first packet of a connection to a vip. Where from is open: any client of the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The vip.
    pub vip: IpAddr,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port of the vip.
    pub port: u16,
    /// The interface that it comes in by, and its answer leaves by, where that is known.
    pub iif: Option<String>,
    /// What we do to it.
    pub way: Way,
}

/// What we do to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is delivered on this host to whoever listens on the vip.
    Here {
        /// The bit of its mark by which it is routed.
        mark: u32,
        /// The priority, in the hook prerouting, at which it gets the mark.
        marked_at: i32,
        /// Its listener is found for it before it is routed (`tproxy`).
        leads: bool,
    },
    /// It is translated, and goes on.
    On {
        /// To there.
        to: SocketAddr,
        /// Through this interface, where that is known.
        oif: Option<String>,
        /// An address of this host.
        is_own: bool,
    },
}

/// Which of the two packets that have to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// What the client sends.
    There,
    /// What it is answered.
    Back,
}

/// The priority of the hook prerouting at which destinations are translated.
pub(crate) const TRANSLATION: i32 = -100;
/// The priority of the hook postrouting at which the sources of answers are translated back.
pub(crate) const BACK_TRANSLATION: i32 = 100;
