//! What comes before a client's first request, where its listener asks for that: a header of the
//! PROXY protocol, and the first bytes that say where a connection goes. A handshake that ends here
//! is held by `opening/shaken`.
//!
//! Which way that is, is decided in `pure/route` (`EntryTable`). What was read is `held` by the
//! arrival, and whoever goes on with it begins there: no byte is lost, and none is read twice.
//!
//! Invariants: an opening has a bounded time and size, and each core a bounded number of them at a
//! time; why one came to nothing is counted.

mod shaken;

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use steelyard_filters::Admission;
use steelyard_http::release;
use steelyard_model::routing::listener::Security;
use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::subject::Subject;
use steelyard_preface::opening::{ACCEPTED, DECLINED, SSL_REQUEST};
use steelyard_preface::{
    ClientHello, FirstBytes, HelloFault, HelloReader, ProxyFault, ProxyHeader, first_bytes,
};
use steelyard_route::{Choice, EntryTable, Opening, PlainPath, TlsPath};

use super::h2;
use super::tcp::{self, Preamble};
use crate::core::arrival::Arrival;
use crate::core::believed::Believed;
use crate::core::live::{Live, RouteState};
use crate::core::openings::Doorway;
use crate::tell::fault::Fault;
use crate::tell::metrics::HandshakeEnd;
use crate::tell::turned_away::{NoHandshake, TurnedAway};
use crate::wire::Wire;
use shaken::Shaking;

/// A connection of which something comes before its first request.
struct Newcomer<'a> {
    arrival: &'a mut Arrival,
    doorway: Doorway,
    hello: HelloReader,
    preamble: Preamble,
    /// It has asked for GSSAPI, which nobody does twice.
    is_declined: bool,
    /// The client has closed its side.
    is_at_end: bool,
    /// How long a PROXY header may take, while one is read that has to be there.
    awaited: Option<Duration>,
}

/// Where a connection goes.
enum Goal {
    Http,
    /// To HTTP by TLS, which ends here and is held so.
    Https(Box<Shaking>),
    /// To a TCP route, which has let it in: as it comes, or by TLS, which ends here and is held so.
    Tcp(Rc<RouteState>, Admission, Option<Box<Shaking>>),
}

/// What its first bytes come to.
enum Look {
    Goes(Goal),
    /// More of them are needed.
    Partial,
    /// They ask for something that is answered so, and go on.
    Asks(u8),
}

/// A connection as rules see it: its address, and what its handshake names.
pub(super) struct Caller {
    pub(super) address: IpAddr,
    pub(super) hello: ClientHello,
}

/// Whether something comes before the first request.
pub(super) fn is_needed(arrival: &Arrival) -> bool {
    let live = arrival.core.live();
    let table = live.config.table.entry_point(&arrival.listener.point);
    arrival.listener.believed(&arrival.core).has_preface()
        || table.is_some_and(EntryTable::is_divided)
        || arrival.listener.opens(&live)
}

/// Reads what comes first, and has the connection served.
pub(super) async fn open(mut arrival: Arrival) {
    let (opened, preamble) = {
        let mut newcomer = Newcomer::new(&mut arrival);
        let opened = match newcomer.run().await {
            // It is over by the time that requests come.
            Ok(Goal::Https(shaking)) => {
                Box::pin(newcomer.shake(*shaking)).await.map(|()| Goal::Http)
            }
            Ok(Goal::Tcp(route, admission, Some(shaking))) => {
                let shaken = Box::pin(newcomer.shake(*shaking)).await;
                shaken.map(|()| Goal::Tcp(route, admission, None))
            }
            opened => opened,
        };
        (opened, newcomer.preamble)
    };
    arrival.waiting.go_on();
    match opened {
        Ok(Goal::Http | Goal::Https(_)) => match &arrival.tls {
            Some(tls) if tls.is_http2 => h2::serve(arrival).await,
            _ => super::serve_http(arrival),
        },
        Ok(Goal::Tcp(route, admission, _)) => {
            match Box::pin(tcp::reach(&arrival, &route, preamble)).await {
                Ok(reached) => tcp::carry(arrival, reached, admission).await,
                Err(failed) => {
                    tcp::log_unreached(&arrival);
                    turn_away(&arrival, failed.fault.into(), false);
                }
            }
        }
        // Nobody began anything: who speaks now learns that in order.
        Err(TurnedAway::Dismissed) if is_untouched(&arrival) => super::serve_http(arrival),
        Err(why) => {
            let is_told = alert(&arrival, why).await;
            turn_away(&arrival, why, is_told);
        }
    }
}

/// Whether nothing came of it, and nobody needs its place.
fn is_untouched(arrival: &Arrival) -> bool {
    arrival.held.is_none() && !arrival.waiting.is_pressed()
}

/// Who has begun a handshake, and had no answer yet, is told why it ends (RFC 8446 §6.2). Whether
/// it was.
async fn alert(arrival: &Arrival, why: TurnedAway) -> bool {
    const FATAL: u8 = 2;
    let Some(alert) = why.alert() else { return false };
    let stall = arrival.core.options().timeouts.write;
    let record = [21, 3, 3, 0, 2, FATAL, alert.into()];
    arrival.stream.write_all(&record, stall).await.is_ok()
}

fn turn_away(arrival: &Arrival, why: TurnedAway, is_told: bool) {
    let Arrival { core, listener, peer, stream, .. } = arrival;
    if let Some(cause) = why.cause() {
        core.counters.count_turned_away(&listener.entry_point, cause);
    }
    match why {
        // It has been told why.
        TurnedAway::Tls(why) => {
            core.counters.count_handshake(&listener.entry_point, HandshakeEnd::Failed(why.cause()));
        }
        _ if is_told => {}
        // What comes to no endpoint has no orderly end.
        _ => stream.reset(),
    }
    tracing::debug!(?why, %peer, entry_point = %listener.entry_point, "a connection ends early");
}

impl<'a> Newcomer<'a> {
    fn new(arrival: &'a mut Arrival) -> Self {
        let doorway = Doorway::enter(&arrival.core);
        let (hello, preamble) = (HelloReader::default(), Preamble::Nothing);
        let (is_declined, is_at_end, awaited) = (false, false, None);
        Self { arrival, doorway, hello, preamble, is_declined, is_at_end, awaited }
    }

    async fn run(&mut self) -> Result<Goal, TurnedAway> {
        let believed = self.arrival.listener.believed(&self.arrival.core);
        if believed.has_preface() {
            self.read_proxy_header(&believed).await?;
        }
        loop {
            match self.look()? {
                Look::Goes(course) => return Ok(course),
                Look::Partial if self.is_at_end => return Err(TurnedAway::ClientGone),
                Look::Partial => self.read().await?,
                Look::Asks(answer) => {
                    release(&mut self.arrival.held, SSL_REQUEST.len());
                    let stall = self.arrival.core.options().timeouts.write;
                    let answered = self.arrival.stream.write_all(&[answer], stall).await;
                    answered.map_err(|_| TurnedAway::ClientGone)?;
                }
            }
        }
    }

    /// Reads a PROXY header, if there is one, and believes it, if that is so settled: whoever is
    /// not believed has its header taken away all the same, as with Traefik. Where there is none
    /// the connection goes on as it is; in the end also one that waits for its server to speak.
    /// With ingress-nginx there has to be one.
    async fn read_proxy_header(&mut self, believed: &Believed) -> Result<(), TurnedAway> {
        let is_believed = believed.proxied.covers(self.arrival.peer.ip());
        self.awaited = believed.awaited;
        let read = self.read_preface(is_believed).await;
        self.awaited = None;
        read
    }

    async fn read_preface(&mut self, is_believed: bool) -> Result<(), TurnedAway> {
        let has_to_be = self.awaited.is_some();
        loop {
            let came = self.arrival.held.as_deref().unwrap_or_default();
            match ProxyHeader::read(came) {
                Ok(Some((header, length))) => {
                    release(&mut self.arrival.held, length);
                    if let Some((source, reached)) = header.addresses.filter(|_| is_believed) {
                        (self.arrival.peer, self.arrival.reached) = (source, Some(reached));
                    }
                    return Ok(());
                }
                Err(ProxyFault::Missing) if !has_to_be => return Ok(()),
                Err(fault) => return Err(fault.into()),
                Ok(None) if self.is_at_end => return Err(TurnedAway::ClientGone),
                Ok(None) => {}
            }
            match self.read().await {
                Err(TurnedAway::Late) if self.arrival.held.is_none() && !has_to_be => {
                    return Ok(());
                }
                read => read?,
            }
        }
    }

    /// Where the connection goes, by what came of it: the connection table.
    fn look(&mut self) -> Result<Look, TurnedAway> {
        let live = self.arrival.core.live();
        let table = live.config.table.entry_point(&self.arrival.listener.point);
        let opens = self.arrival.listener.opens(&live);
        let Some(table) = table.filter(|table| table.is_divided() || opens) else {
            return Ok(Look::Goes(Goal::Http));
        };
        if self.preamble == Preamble::Nothing
            && let Opening::Serve(choice) = table.opening(&self.caller(ClientHello::default()))
        {
            return Ok(Look::Goes(self.tcp(self.route(&live, &choice), None)?));
        }
        let came = self.arrival.held.as_deref().unwrap_or_default();
        match first_bytes(came) {
            Some(FirstBytes::Tls) => match self.hello.read(came)? {
                Some(hello) => self.secure(&live, table, hello),
                None => Ok(Look::Partial),
            },
            _ if self.preamble == Preamble::SslRequest && !came.is_empty() => {
                Err(HelloFault::NotTls.into())
            }
            Some(FirstBytes::SslRequest) if table.has_tcp_over_tls() => {
                self.preamble = Preamble::SslRequest;
                Ok(Look::Asks(ACCEPTED))
            }
            Some(FirstBytes::GssRequest) if table.has_tcp_over_tls() && !self.is_declined => {
                self.is_declined = true;
                Ok(Look::Asks(DECLINED))
            }
            None if came.is_empty() || !self.is_at_end => Ok(Look::Partial),
            _ => Ok(Look::Goes(match table.plain(&self.caller(ClientHello::default())) {
                PlainPath::Tcp(choice) => self.tcp(self.route(&live, &choice), None)?,
                PlainPath::Http => Goal::Http,
            })),
        }
    }

    /// Where a handshake goes.
    fn secure(
        &mut self,
        live: &Live,
        table: &EntryTable<Route>,
        hello: ClientHello,
    ) -> Result<Look, TurnedAway> {
        let caller = self.caller(hello);
        let path = if self.preamble == Preamble::SslRequest {
            table
                .starttls(&caller)
                .map(TlsPath::Tcp)
                .ok_or_else(|| TurnedAway::from(Fault::NoRoute))?
        } else {
            table.hello(&caller)
        };
        match path {
            TlsPath::Tcp(choice) => {
                let route = self.route(live, &choice);
                let held = match table.end_of_tls(&caller, &choice.candidate.listeners) {
                    Some(Security::Passthrough) => None,
                    Some(Security::Terminate { policy, .. }) => {
                        let policy = choice.candidate.terms(policy.as_ref());
                        let shaking = Shaking::new(live, policy, caller.hello)?;
                        Some(Box::new(shaking.for_bytes()))
                    }
                    Some(Security::Plain) | None => return Err(Fault::Refused.into()),
                };
                // What was granted in its name is not for the endpoint.
                if held.is_some() {
                    self.preamble = Preamble::Nothing;
                }
                Ok(Look::Goes(self.tcp(route, held)?))
            }
            TlsPath::Refuse => Err(TurnedAway::Policies),
            TlsPath::Challenge => Err(TurnedAway::Tls(NoHandshake::Refused)),
            TlsPath::Https(policy) => {
                let shaking = Shaking::new(live, policy, caller.hello)?;
                Ok(Look::Goes(Goal::Https(Box::new(shaking))))
            }
        }
    }

    fn route(&self, live: &Live, choice: &Choice<'_, Route>) -> Rc<RouteState> {
        self.arrival.core.scene(live).route(choice.candidate)
    }

    /// To a TCP route, if that lets it in: who is turned away is so before a handshake.
    fn tcp(&self, route: Rc<RouteState>, held: Option<Box<Shaking>>) -> Result<Goal, TurnedAway> {
        let admission = route.admit(self.arrival.peer.ip()).map_err(TurnedAway::NotAdmitted)?;
        Ok(Goal::Tcp(route, admission, held))
    }

    fn caller(&self, hello: ClientHello) -> Caller {
        Caller { address: self.arrival.peer.ip().to_canonical(), hello }
    }

    /// How much time is left.
    fn left(&self) -> Duration {
        let Arrival { core, listener, .. } = &*self.arrival;
        let timeouts = &core.options().timeouts;
        let is_for_tls = listener.opens(&core.live());
        let limit = if is_for_tls { timeouts.handshake.min(listener.head) } else { listener.head };
        let limit = self.awaited.map_or(limit, |awaited| limit.min(awaited));
        limit.saturating_sub(self.doorway.since.elapsed())
    }

    /// Reads on.
    async fn read(&mut self) -> Result<(), TurnedAway> {
        let limit = self.left();
        let Arrival { core, listener, stream, held, waiting, .. } = &mut *self.arrival;
        if held.as_ref().is_some_and(|held| held.is_full()) {
            return Err(TurnedAway::TooLong);
        }
        let since = self.doorway.since;
        let reading = poll_fn(|cx| match stream.poll_read(&core.heads, held, cx) {
            Poll::Pending if waiting.wait_for_opening(cx, since, listener.closing.get()) => {
                Poll::Ready(Err(TurnedAway::Dismissed))
            }
            polled => polled.map_err(|_| TurnedAway::ClientGone),
        });
        let read = tokio::time::timeout(limit, reading).await.map_err(|_| TurnedAway::Late)?;
        match (read?, &held) {
            // Who looks whether somebody listens does no more than this.
            (0, None) => Err(TurnedAway::Dismissed),
            (0, Some(_)) => {
                self.is_at_end = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Subject for Caller {
    fn host(&self) -> &str {
        ""
    }

    fn path(&self, _: PathForm) -> &str {
        "/"
    }

    fn method(&self) -> &str {
        ""
    }

    fn any_header(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }

    fn any_query(&self, _: &str, _: &mut dyn FnMut(&str) -> bool) -> bool {
        false
    }

    fn client_ip(&self) -> Option<IpAddr> {
        Some(self.address)
    }

    fn server_name(&self) -> Option<&str> {
        self.hello.server_name.as_deref()
    }

    fn offers(&self, protocol: &str) -> bool {
        self.hello.protocols.iter().any(|it| **it == *protocol.as_bytes())
    }
}
