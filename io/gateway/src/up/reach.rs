//! A connection to an endpoint that may speak HTTP/2: a place on one that requests share, or one
//! for a request after the other, as the endpoint agrees to.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::h2::{Errand, Session};
use super::security::untrusted;
use super::upstream::Upstream;
use crate::wire::session::Unshaken;
use crate::wire::stream::Stream;
use crate::wire::timer::within;

/// What came of asking for a place on a connection.
pub(crate) enum Reached {
    /// A place.
    Shared(Errand),
    /// The endpoint did not agree to HTTP/2: a connection for one request after the other.
    Alone(Stream),
}

/// Where somebody else's connection was not made, or takes nothing.
const REFUSED: io::ErrorKind = io::ErrorKind::ConnectionRefused;

impl Upstream {
    /// A place on a connection that is made for it, or for somebody who waited for one meanwhile.
    pub(crate) async fn reach(&self, limit: Duration) -> io::Result<Reached> {
        let began = Instant::now();
        let sessions = &self.sessions;
        let alone = sessions.making.lock().await;
        if let Some((_, why)) = sessions.failed.borrow().as_ref().filter(|it| it.0 >= began) {
            return Err(why.clone().map_or_else(|| REFUSED.into(), untrusted));
        }
        let is_news = |session: &&Rc<Session>| session.idle_since.get() >= began;
        let made = sessions.open.borrow().iter().find(is_news).cloned();
        if let Some(session) = made.filter(|session| session.has_room()) {
            return Ok(Reached::Shared(Errand::new(session)));
        }
        // Nothing that is made is for others.
        if self.is_alone() {
            drop(alone);
            return self.reach_anew(limit).await;
        }
        let reached = self.reach_anew(limit).await;
        let failed = reached.as_ref().err().map(|error| {
            let inner = error.get_ref().and_then(|it| it.downcast_ref::<Unshaken>());
            (Instant::now(), inner.cloned())
        });
        *sessions.failed.borrow_mut() = failed;
        reached
    }

    /// A new connection, and a place on it if it can be shared.
    async fn reach_anew(&self, limit: Duration) -> io::Result<Reached> {
        let stream = self.make(limit, b"", true).await?;
        if self.security.as_ref().is_some_and(|security| !security.agreed(&stream)) {
            return Ok(Reached::Alone(stream));
        }
        let scheme = if self.security.is_some() { "https" } else { "http" };
        let making = async {
            let session = Session::make(stream, (self.address, scheme), self.pings()).await?;
            // One that takes nothing would be one more for each who asks.
            session.has_room().then_some(session).ok_or_else(|| REFUSED.into())
        };
        let session = within(limit, making).await?;
        self.sessions.open.borrow_mut().push(session.clone());
        Ok(Reached::Shared(Errand::new(session)))
    }
}
