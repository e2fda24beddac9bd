//! One question to one endpoint.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use steelyard_filters::Response;
use steelyard_model::Host;
use steelyard_model::routing::care::{CheckProbe, HealthCheck, HttpProbe};
use steelyard_model::routing::times::ReuseTerms;
use steelyard_model::routing::transport::OriginProtocol;

use crate::core::Core;
use crate::exchange::fetch::{Reading, exchange};
use crate::shared::standing::Spot;
use crate::tell::fault::Failed;
use crate::up::Origin;
use crate::up::reach::Reached;
use crate::up::upstream::{Doubt, Upstream};
use crate::wire::Wire;
use crate::wire::stream::Stream;
use crate::wire::timer::within;

/// So many redirections are followed.
const MOST_HOPS: usize = 10;

/// So much of an answer's body is read; what is longer costs its connection.
const MOST_BODY: usize = 16 * 1024;

/// An empty message of gRPC: whether the whole server is well.
const GRPC_QUESTION: &[u8] = &[0; 5];

/// The message that says so: field 1 is `SERVING`.
const GRPC_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

/// Where a question goes.
struct Goal {
    upstream: Rc<Upstream>,
    /// The endpoint, as a Host header has it.
    authority: String,
    /// Whether its connections may be shared, or must be.
    shares: bool,
}

/// Asks it; why it is not well, if it is not.
pub(super) async fn probe(core: &Core, spot: &Spot, check: &HealthCheck) -> Result<(), String> {
    let asking = async { Ok(ask(core, spot, check).await) };
    match within(check.timeout, Box::pin(asking)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("it did not answer the check within {:?}", check.timeout)),
    }
}

async fn ask(core: &Core, spot: &Spot, check: &HealthCheck) -> Result<(), String> {
    let goal = goal(core, spot, check).await?;
    match &check.probe {
        CheckProbe::Connect { send, expect } => connect(core, &goal, check, send, expect).await,
        CheckProbe::Http(probe) => http(core, &goal, probe).await,
        CheckProbe::Grpc { authority } => grpc(core, &goal, authority.as_deref()).await,
    }
}

async fn goal(core: &Core, spot: &Spot, check: &HealthCheck) -> Result<Goal, String> {
    let port = check.port.unwrap_or(spot.port);
    let (address, name) = match &spot.host {
        Host::Ip(address) => (SocketAddr::new(*address, port), None),
        Host::Name(name) => {
            let known = core.upstreams.resolve(name, port, Instant::now(), check.timeout).await;
            let known = known.map_err(|error| format!("its name is not known: {error}"))?;
            let first = known.first().ok_or("its name has no address")?;
            (*first, Some(name))
        }
    };
    let authority = name.map_or_else(|| address.to_string(), |name| format!("{name}:{port}"));
    let is_plain = matches!(&check.probe, CheckProbe::Http(probe) if probe.is_plain);
    let plain = core.upstreams.at(address);
    let live = core.live();
    let transport = live.config.routing.transports.get(&spot.transport);
    let transport = transport.ok_or("it is not known how it is spoken to")?;
    let is_secure = transport.tls.is_some() && !is_plain;
    let upstream = match live.config.terms.origin(&spot.transport) {
        Some(handshakes) if is_secure => plain.over(&handshakes, name.map(|name| &**name)),
        None if is_secure => return Err("TLS cannot be spoken to it".into()),
        _ => plain,
    };
    let is_grpc = matches!(check.probe, CheckProbe::Grpc { .. });
    let shares = match transport.protocol {
        OriginProtocol::Http2 => is_secure || transport.tls.is_none(),
        OriginProtocol::Negotiated => is_secure,
        OriginProtocol::Http1 | OriginProtocol::Bytes => false,
    };
    let shares = shares || is_grpc;
    Ok(Goal { upstream, authority, shares })
}

async fn connect(
    core: &Core,
    goal: &Goal,
    check: &HealthCheck,
    send: &str,
    expect: &str,
) -> Result<(), String> {
    let stream = goal.upstream.connect(check.timeout).await.map_err(unreached)?;
    let sent = stream.write_all(send.as_bytes(), check.timeout).await;
    sent.map_err(|(error, _)| format!("it takes nothing: {error}"))?;
    let mut held = None;
    let heard = |held: &Option<_>| held.as_deref().map_or(0, |held: &[u8]| held.len());
    while heard(&held) < expect.len() {
        match stream.read(&core.heads, &mut held).await {
            Ok(0) => return Err("it closed the connection".into()),
            Ok(_) => {}
            Err(error) => return Err(format!("it says nothing: {error}")),
        }
    }
    let is_it =
        expect.is_empty() || held.as_deref().is_some_and(|it| it.starts_with(expect.as_bytes()));
    if is_it { Ok(()) } else { Err("it says something else than is expected".into()) }
}

async fn http(core: &Core, goal: &Goal, probe: &HttpProbe) -> Result<(), String> {
    let host = probe.hostname.as_deref().unwrap_or(&goal.authority);
    let mut path = probe.path.to_string();
    for _ in 0..MOST_HOPS {
        let head = head(&probe.method, &path, host, &probe.headers);
        let head = head.ok_or("the check is no request")?;
        let response = answer(core, goal, head.as_bytes(), &probe.method).await?;
        let status = response.status;
        if let Some(next) = redirected(&response, &goal.authority, host).filter(|_| probe.follows) {
            path = next;
            continue;
        }
        let is_good =
            probe.status.map_or_else(|| (200..400).contains(&status), |wanted| wanted == status);
        return if is_good { Ok(()) } else { Err(format!("it answered {status} to the check")) };
    }
    Err("it redirects the check again and again".into())
}

/// The head of a question; none where something in it would be more than one line.
fn head(method: &str, path: &str, host: &str, headers: &[(Arc<str>, Arc<str>)]) -> Option<String> {
    let is_line = |text: &str| !text.bytes().any(|byte| byte.is_ascii_control());
    let mut fields = headers.iter().flat_map(|(name, value)| [name, value]);
    if !([method, path, host].into_iter().all(is_line) && fields.all(|it| is_line(it))) {
        return None;
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut head = format!("{method} {slash}{path} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in headers {
        head.extend([&**name, ": ", value, "\r\n"]);
    }
    Some(head + "\r\n")
}

/// Where at the same endpoint a response leads.
fn redirected(response: &Response, authority: &str, host: &str) -> Option<String> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let mut lines = response.lines.iter();
    let (_, to) = lines.find(|(name, _)| name.eq_ignore_ascii_case("location"))?;
    let to = std::str::from_utf8(to).ok()?;
    let path = match to.split_once("://") {
        None => to,
        Some((_, rest)) => {
            let (at, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if at != authority && at != host {
                return None;
            }
            if path.is_empty() { "/" } else { path }
        }
    };
    let is_path = path.starts_with('/') && path.bytes().all(|it| it.is_ascii_graphic());
    is_path.then(|| path.to_owned())
}

async fn grpc(core: &Core, goal: &Goal, authority: Option<&str>) -> Result<(), String> {
    let host = authority.unwrap_or(&goal.authority);
    let mut question = format!(
        "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nHost: {host}\r\n\
         Content-Type: application/grpc\r\nTE: trailers\r\nContent-Length: {}\r\n\r\n",
        GRPC_QUESTION.len()
    )
    .into_bytes();
    question.extend_from_slice(GRPC_QUESTION);
    let response = answer(core, goal, &question, "POST").await?;
    if response.status == 200 && *response.body == *GRPC_SERVING {
        return Ok(());
    }
    Err("it does not say by gRPC that it serves".into())
}

/// What it answers. What was kept may have been closed in the moment it was taken: then a fresh
/// connection tells.
async fn answer(
    core: &Core,
    goal: &Goal,
    question: &[u8],
    method: &str,
) -> Result<Response, String> {
    let Goal { upstream, shares, .. } = goal;
    if *shares && !upstream.is_alone() {
        if let Some(errand) = upstream.place(core.tick.get(), None)
            && let Ok(response) = said(core, upstream, errand, question, method).await
        {
            return Ok(response);
        }
        let limit = core.options().timeouts.connect;
        return match upstream.reach(limit).await.map_err(unreached)? {
            Reached::Shared(errand) => said(core, upstream, errand, question, method).await,
            Reached::Alone(stream) => said(core, upstream, stream, question, method).await,
        }
        .map_err(broken);
    }
    let now = core.tick.get();
    let doubt = Doubt { is_repeatable: false, now, terms: ReuseTerms::default() };
    if let Some(kept) = upstream.checkout(doubt)
        && let Ok(response) = said(core, upstream, kept.into_inner(), question, method).await
    {
        return Ok(response);
    }
    let stream: Stream =
        upstream.connect(core.options().timeouts.connect).await.map_err(unreached)?;
    said(core, upstream, stream, question, method).await.map_err(broken)
}

async fn said<E: Origin>(
    core: &Core,
    upstream: &Upstream,
    origin: E,
    question: &[u8],
    method: &str,
) -> io::Result<Response> {
    let reading = Reading { method, max: MOST_BODY, is_cut: true, room: &|_| true };
    exchange(core, upstream, origin, question, reading).await
}

fn unreached(error: io::Error) -> String {
    let Failed { fault, detail } = Failed::connect(error);
    let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{detail}", fault.reason())
}

fn broken(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection before it answered".into(),
        _ => format!("its answer is none: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_lead_to_the_same_endpoint_or_nowhere() {
        let to = |status: u16, location: &str| {
            let mut response = Response::of(status);
            response.lines.push(("Location".into(), location.as_bytes().into()));
            redirected(&response, "10.0.0.1:80", "a")
        };
        for (status, location, expected) in [
            (302, "/next?x", Some("/next?x")),
            (308, "http://10.0.0.1:80/next", Some("/next")),
            (301, "https://a", Some("/")),
            (302, "http://elsewhere/next", None),
            (302, "next", None),
            (302, "/a b", None),
            (304, "/next", None),
            (200, "/next", None),
        ] {
            assert_eq!(to(status, location).as_deref(), expected, "{status} {location}");
        }
    }

    #[test]
    fn questions_are_requests() {
        let lines = [("X-A".into(), "1".into())];
        let expected = "HEAD /up HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n";
        assert_eq!(head("HEAD", "/up", "a", &lines).as_deref(), Some(expected));
        assert_eq!(head("HEAD", "up", "a", &lines).as_deref(), Some(expected));
        assert_eq!(head("GET", "/\r\nX: y", "a", &lines), None);
        assert_eq!(head("GET", "/", "a", &[("x".into(), "y\n".into())]), None);
    }
}
