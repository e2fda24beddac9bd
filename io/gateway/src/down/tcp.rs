//! TCP as clients speak it: a connection goes to an endpoint of its route's backend, and bytes go
//! both ways as they come.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_filters::Admission;
use steelyard_preface::ProxyHeader;
use steelyard_preface::opening::{ACCEPTED, SSL_REQUEST};

use super::over::{CARRIED, Over, UNREACHED};
use crate::core::Core;
use crate::core::arrival::Arrival;
use crate::core::live::{BackendState, Caller, Carriage, Leaf, Picked, RouteState, Target};
use crate::exchange::relay::{Ending, Quiet, Relay, Stand};
use crate::shared::standing::{EndpointStanding, Seat};
use crate::tell::fault::{Failed, Fault};
use crate::up::upstream::Upstream;
use crate::wire::Wire;
use crate::wire::stream::Stream;
use crate::wire::timer::within;

/// What the endpoint is told before what the client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preamble {
    Nothing,
    /// Postgres' wish for TLS, which was granted in the endpoint's name: it shall agree.
    SslRequest,
}

/// What logs call it.
const TCP: &str = "TCP";

/// Who takes a connection.
pub(super) struct Reached {
    service: Rc<BackendState>,
    /// The endpoint's address, for logs.
    label: Arc<str>,
    stream: Stream,
    carriage: Carriage,
    /// Its place at the endpoint, where these are counted.
    seat: Option<Seat>,
}

/// Carries bytes between a client and who took its connection, until that ends. Only then does it
/// count no more among those that were let in.
pub(super) async fn carry(arrival: Arrival, reached: Reached, _admission: Admission) {
    let Reached { service, label, stream: endpoint, carriage, seat: _seat } = reached;
    let Arrival { core, listener, stream, peer, reached, held, waiting, slot: _slot, .. } = arrival;
    let began = Instant::now();
    stream.keep_alive(None);
    endpoint.keep_alive(carriage.alive);
    let timeouts = &core.options().timeouts;
    let quiet = Quiet {
        open: carriage.idle.unwrap_or(timeouts.tcp_silent),
        half_closed: carriage.half_closed.unwrap_or(timeouts.tcp_half_closed),
    };
    let carried = core.counters.count_tcp(&listener.entry_point, &service.name);
    let place = Stand { core: &core, listener: &listener, waiting: &waiting };
    let relay = Relay::new(place, (stream, endpoint), quiet, carried);
    let (ending, [up, down]) = relay.run(held).await;
    let is_reached = !matches!(ending, Ending::Distrusted(..));
    let status = if is_reached { CARRIED } else { UNREACHED };
    let (endpoint, port) = (Some(&*label), reached.map(|reached| reached.port()));
    Over { protocol: TCP, peer, port, endpoint, status, up, down, began }.log(&core, &listener);
    let failed = match ending {
        Ending::Whole | Ending::Broken => return,
        Ending::Cut => Failed::new(Fault::CutOff),
        Ending::Distrusted(why, error) => {
            let failed = Failed { fault: Fault::Untrusted(why), detail: Some(error.into()) };
            core.warn(&failed, &service.name, &label);
            failed
        }
    };
    core.counters.count_fault(&listener.entry_point, failed.fault.cause());
}

/// Tells of a connection that came to no endpoint, where ingress-nginx's ConfigMap wants that.
pub(super) fn log_unreached(arrival: &Arrival) {
    let Arrival { core, listener, peer, reached, .. } = arrival;
    let (peer, port) = (*peer, reached.map(|reached| reached.port()));
    let (up, down, began) = (0, 0, Instant::now());
    let status = UNREACHED;
    Over { protocol: TCP, peer, port, endpoint: None, status, up, down, began }.log(core, listener);
}

/// Connects to an endpoint of a route's backend, and says what is to be said first; to another one
/// where that fails.
///
/// # Errors
/// Where none takes the connection: its client has got nothing then.
pub(super) async fn reach(
    arrival: &Arrival,
    route: &RouteState,
    preamble: Preamble,
) -> Result<Reached, Failed> {
    let core = &arrival.core;
    let leaf = pick(core, arrival.peer.ip(), route)?;
    let service = leaf.backend.clone();
    let carriage = service.carriage().ok_or_else(|| Failed::new(Fault::Refused))?;
    let says = first_words(arrival, &carriage);
    let began = Instant::now();
    let (mut last, mut attempts) = (Failed::new(Fault::NoEndpoints), 0_u32);
    service.budget.earn();
    for index in leaf.attempts() {
        let Some(seat) = leaf.seat(index) else {
            last = Failed::new(Fault::Full);
            continue;
        };
        if attempts > 0 && !may_go_on(core, &service, began) {
            break;
        }
        attempts += 1;
        let standing = leaf.standing(index);
        let upstreams = match upstreams(core, &service, leaf.target(index)).await {
            Ok(upstreams) => upstreams,
            Err(failed) => {
                last = failed;
                continue;
            }
        };
        for upstream in upstreams {
            let begun = begin(core, (&upstream, standing), &carriage, &says, preamble);
            match begun.await {
                Ok(stream) => {
                    let label = upstream.label.clone();
                    return Ok(Reached { service, label, stream, carriage, seat });
                }
                Err(failed) => {
                    core.warn(&failed, &service.name, &upstream.label);
                    last = failed;
                }
            }
        }
    }
    Err(last)
}

/// Whether one more endpoint may be tried for a connection, as for requests.
fn may_go_on(core: &Core, service: &BackendState, began: Instant) -> bool {
    let now = Instant::now();
    if now.saturating_duration_since(began) > core.options().timeouts.connect_all {
        return false;
    }
    let may = service.budget.spend(now);
    if may {
        core.counters.count_retry(&service.name);
    } else {
        core.counters.count_unspent(&service.name);
    }
    may
}

/// The endpoints that take what comes of `client`.
pub(super) fn pick(core: &Core, client: IpAddr, route: &RouteState) -> Result<Leaf, Failed> {
    let live = core.live();
    let mut recipes = Vec::new();
    let picked = route.pick_for_bytes(&core.scene(&live), &Caller::at(client), &mut recipes);
    let (fault, why) = match picked {
        Picked::Leaf(leaf) if recipes.is_empty() => return Ok(leaf),
        Picked::Leaf(..) => (Fault::Refused, Some("its filters are for requests".into())),
        Picked::Refused(_, why) => (Fault::Refused, Some(why)),
        Picked::Fork(_) | Picked::Nothing => (Fault::NoEndpoints, None),
    };
    match why {
        Some(why) => core.refused(&route.name, &why),
        None => core.warn(&Failed::new(fault), &route.name, ""),
    }
    Err(Failed::new(fault))
}

/// What an endpoint is told before it hears the client.
fn first_words(arrival: &Arrival, carriage: &Carriage) -> Vec<u8> {
    let Some(version) = carriage.proxy_protocol else { return Vec::new() };
    let reached = arrival.reached.or_else(|| arrival.stream.local_address().ok());
    // A client that is gone already has come to an address of its own family.
    let unknown = SocketAddr::new(arrival.peer.ip(), 0);
    ProxyHeader::write(version, arrival.peer, reached.unwrap_or(unknown))
}

/// The addresses of an endpoint, as it is spoken to there.
async fn upstreams(
    core: &Core,
    service: &BackendState,
    target: &Target,
) -> Result<Vec<Rc<Upstream>>, Failed> {
    let (name, port) = match target {
        Target::Address(upstream) => return Ok(vec![service.origin(upstream, None)]),
        Target::Name(name, port) => (name, *port),
    };
    let limit = core.options().timeouts.connect;
    match core.upstreams.resolve(name, port, Instant::now(), limit).await {
        Ok(addresses) => {
            let at = |address| service.origin(&core.upstreams.at(address), Some(name));
            Ok(addresses.iter().copied().map(at).collect())
        }
        Err(error) => {
            let failed = Failed { fault: Fault::Unresolved, detail: Some(error.into()) };
            core.warn(&failed, &service.name, name);
            Err(failed)
        }
    }
}

/// Connects to one address, and says what is to be said first.
async fn begin(
    core: &Core,
    (upstream, standing): (&Upstream, &EndpointStanding),
    carriage: &Carriage,
    says: &[u8],
    preamble: Preamble,
) -> Result<Stream, Failed> {
    let limit = carriage.connect.unwrap_or_else(|| core.options().timeouts.connect);
    let connected = upstream.connect_with(says, limit).await;
    standing.connected(Instant::now(), &connected);
    let stream = connected.map_err(Failed::connect)?;
    if preamble == Preamble::SslRequest {
        agree(core, &stream, limit).await?;
    }
    Ok(stream)
}

/// Wishes for TLS, and hears that the endpoint agrees: its client was told so already.
async fn agree(core: &Core, stream: &Stream, limit: Duration) -> Result<(), Failed> {
    let said = stream.write_all(&SSL_REQUEST, limit).await.map_err(|(error, _)| error);
    said.map_err(|error| broken(error, Fault::UpstreamClosed))?;
    let mut held = None;
    let read = within(limit, stream.read(&core.heads, &mut held)).await;
    match (read, held.as_deref()) {
        (Ok(_), Some([ACCEPTED])) => Ok(()),
        (Ok(_), _) => Err(Failed::new(Fault::Unencrypted)),
        (Err(error), _) => Err(broken(error, Fault::UpstreamTimeout)),
    }
}

fn broken(error: io::Error, fault: Fault) -> Failed {
    Failed { fault, detail: Some(error.into()) }
}
