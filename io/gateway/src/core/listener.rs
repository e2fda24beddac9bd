//! A listener on one core, as its connections see it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use steelyard_http::{ForwardedPolicy, Hop, Spelling};
use steelyard_model::routing::entry_point::Trust;
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::route::Manner;

/// Where connections come in.
pub(crate) struct Listener {
    /// Its entry point, as routes know it.
    pub(crate) point: EntryPointId,
    /// The same, as metrics and logs know it.
    pub(crate) entry_point: Arc<str>,
    /// `address:port`, for Host when a client names none.
    pub(crate) address: String,
    /// In which spelling paths are forwarded, unless their route says so.
    pub(crate) path: Spelling,
    /// Whose word about clients is taken.
    pub(crate) forwarded: Arc<ForwardedPolicy>,
    /// Who may say by a PROXY header where a connection comes from; where it is nobody, none is
    /// read.
    pub(crate) proxied: Arc<Trust>,
    /// No further requests: connections close after the one they are at.
    pub(crate) closing: Cell<bool>,
    /// How many are open at the entry point.
    pub(crate) open: Rc<Cell<i64>>,
}

impl Listener {
    /// One that nobody listens at.
    #[cfg(test)]
    pub(crate) fn of_test() -> Rc<Self> {
        Rc::new(Self {
            point: "web".into(),
            entry_point: "web".into(),
            address: String::new(),
            path: Spelling::Normal,
            forwarded: Arc::default(),
            proxied: Arc::default(),
            closing: Cell::new(false),
            open: Rc::default(),
        })
    }

    /// What the next hop is told of a client, in a route's manner.
    pub(crate) fn hop<'a>(&'a self, client_lines: &'a [u8], manner: Manner) -> Hop<'a> {
        let path = match manner {
            Manner::Traefik => self.path,
            Manner::Nginx => Spelling::AsAsked,
        };
        Hop { client_lines, fallback_host: &self.address, path, manner }
    }
}
