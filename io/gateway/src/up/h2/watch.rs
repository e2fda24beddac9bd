//! Whether an endpoint is still there, on a connection that nothing is heard of: it is asked by
//! PINGs, where its transport wants that. One that does not answer is given up with all that is
//! under way on it, so that who waits for an answer is told, and the next request finds another.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Instant;

use h2::{Ping, PingPong};
use steelyard_model::routing::transport::Pings;
use tokio::task::AbortHandle;
use tokio::time::{sleep_until, timeout};

use super::Session;

/// Of one connection.
pub(super) struct Watch {
    /// When something was heard of it last.
    pub(super) heard: Rc<Cell<Instant>>,
    pub(super) pings: Pings,
    pub(super) session: Weak<Session>,
    pub(super) address: SocketAddr,
}

impl Watch {
    /// As long as the connection is there, which `driver` carries.
    pub(super) async fn keep(self, mut ping: PingPong, driver: AbortHandle) {
        let is_over = || driver.is_finished() || self.session.strong_count() == 0;
        loop {
            let due = self.heard.get() + self.pings.silence;
            sleep_until(due.into()).await;
            if is_over() {
                return;
            }
            if self.heard.get() + self.pings.silence > Instant::now() {
                continue;
            }
            match timeout(self.pings.answer, ping.ping(Ping::opaque())).await {
                Ok(Ok(_)) => self.heard.set(Instant::now()),
                Ok(Err(_)) => return,
                Err(_) => break,
            }
        }
        tracing::debug!(address = %self.address, "an endpoint has not answered a PING");
        driver.abort();
        self.session.upgrade().into_iter().for_each(|session| session.is_over.set(true));
    }
}
