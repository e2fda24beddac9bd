//! A client's connection that was just taken in, and what came of it before its first request.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::shared::crowd::Presence;
use crate::wire::buffers::Buffer;
use crate::wire::secured::Secured;
use crate::wire::stream::Stream;
use steelyard_host::places::TakenPlace;

use super::Core;
use super::listener::Listener;
use super::waiting::Waiting;

/// A client's connection, for whoever speaks its protocol.
pub(crate) struct Arrival {
    pub(crate) core: Rc<Core>,
    pub(crate) listener: Rc<Listener>,
    pub(crate) stream: Stream,
    /// Where it comes from: what a PROXY header says of it, where that is believed.
    pub(crate) peer: SocketAddr,
    /// The address that was connected to, where a PROXY header says so.
    pub(crate) reached: Option<SocketAddr>,
    /// What came of it and was not used yet: whoever goes on with it begins with this.
    pub(crate) held: Option<Buffer>,
    /// What was agreed on in its handshake; none where it is plain.
    pub(crate) tls: Option<Rc<Secured>>,
    pub(crate) waiting: Rc<Waiting>,
    /// To be held as long as the connection is.
    pub(crate) slot: Slot,
}

/// A connection's place among all that are open, given up however it ends.
pub(crate) struct Slot {
    core: Rc<Core>,
    listener: Rc<Listener>,
    slot: usize,
    _place: TakenPlace,
    _presence: Presence,
}

impl Arrival {
    pub(super) fn new(
        core: Rc<Core>,
        listener: Rc<Listener>,
        stream: Stream,
        peer: SocketAddr,
        (place, presence): (TakenPlace, Presence),
    ) -> Self {
        let waiting = Rc::new(Waiting::default());
        let at = core.connections.borrow_mut().insert(waiting.clone(), listener.clone());
        listener.open.set(listener.open.get() + 1);
        core.counters.accepted.set(core.counters.accepted.get() + 1);
        let slot = Slot {
            core: core.clone(),
            listener: listener.clone(),
            slot: at,
            _place: place,
            _presence: presence,
        };
        let (reached, held, tls) = (None, None, None);
        Self { core, listener, stream, peer, reached, held, tls, waiting, slot }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.listener.open.set(self.listener.open.get() - 1);
        self.core.connections.borrow_mut().remove(self.slot);
    }
}
