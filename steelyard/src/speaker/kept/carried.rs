//! What a node carries, as it is kept: addresses that are forwarded to endpoints, and those of the
//! gateway.

use std::net::IpAddr;

use serde_json::{Value, json};
use steelyard_forward::VipPlace;
use steelyard_model::{Endpoint, EndpointState, Host, NamespacedName, Protocol};
use steelyard_plan::{Forward, ForwardPort, Serve};

/// As it is written.
pub(super) fn told((place, vip): (&VipPlace, &Forward)) -> Value {
    let ports = vip.ports.iter().map(|port| {
        let endpoints = port.endpoints.iter().map(|it| match &it.host {
            Host::Ip(ip) => json!([ip, it.port]),
            Host::Name(name) => json!([name, it.port]),
        });
        let endpoints: Vec<Value> = endpoints.collect();
        json!([port.protocol.to_string(), port.port, endpoints])
    });
    json!({
        "address": vip.address,
        "namespace": &*vip.service.namespace,
        "name": &*vip.service.name,
        "place": place.1,
        "closed": vip.is_closed,
        "ports": ports.collect::<Vec<_>>(),
    })
}

/// The same, read again; none where it makes no sense. Not a part of it: who is closed must not
/// come back open.
pub(super) fn read(kept: &Value) -> Option<(VipPlace, Forward)> {
    let text = |name: &str| kept[name].as_str();
    let service = NamespacedName::new(text("namespace")?, text("name")?);
    let place = usize::try_from(kept["place"].as_u64()?).ok()?;
    let ports: Option<Vec<ForwardPort>> = kept["ports"].as_array()?.iter().map(port).collect();
    let forward = Forward {
        address: text("address")?.parse().ok()?,
        service: service.clone(),
        is_closed: kept["closed"].as_bool()?,
        ports: ports?,
    };
    Some(((service, place), forward))
}

/// An address of the gateway, as it is written.
pub(super) fn told_served((place, vip): (&VipPlace, &Serve)) -> Value {
    let ports = vip.ports.iter();
    let ports = ports.map(|(protocol, port, name)| json!([protocol.to_string(), port, name]));
    json!({
        "address": vip.address,
        "namespace": &*vip.service.namespace,
        "name": &*vip.service.name,
        "place": place.1,
        "ports": ports.collect::<Vec<_>>(),
    })
}

/// The same, read again; none where it makes no sense.
pub(super) fn read_served(kept: &Value) -> Option<(VipPlace, Serve)> {
    let text = |name: &str| kept[name].as_str();
    let service = NamespacedName::new(text("namespace")?, text("name")?);
    let place = usize::try_from(kept["place"].as_u64()?).ok()?;
    let port = |it: &Value| Some((protocol(&it[0])?, number(&it[1])?, it[2].as_str()?.to_owned()));
    let ports: Option<Vec<_>> = kept["ports"].as_array()?.iter().map(port).collect();
    let address = text("address")?.parse().ok()?;
    Some(((service.clone(), place), Serve { address, service, ports: ports? }))
}

fn port(kept: &Value) -> Option<ForwardPort> {
    let endpoints: Option<Vec<Endpoint>> = kept[2].as_array()?.iter().map(endpoint).collect();
    let (protocol, port) = (protocol(&kept[0])?, number(&kept[1])?);
    Some(ForwardPort { protocol, port, endpoints: endpoints? })
}

fn protocol(kept: &Value) -> Option<Protocol> {
    let all = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    all.into_iter().find(|it| *kept == it.to_string())
}

/// Those that are kept are those to be used, all alike.
fn endpoint(kept: &Value) -> Option<Endpoint> {
    let host = kept[0].as_str()?;
    let host = match host.parse::<IpAddr>() {
        Ok(ip) => Host::Ip(ip),
        Err(_) => Host::Name(host.into()),
    };
    Some(Endpoint {
        host,
        port: number(&kept[1])?,
        state: EndpointState::Ready,
        node: None,
        zones: None,
    })
}

fn number(kept: &Value) -> Option<u16> {
    u16::try_from(kept.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_told_and_nonsense_is_nothing() {
        let ready = |host, port| Endpoint {
            host,
            port,
            state: EndpointState::Ready,
            node: None,
            zones: None,
        };
        let service = NamespacedName::new("default", "echo");
        let endpoints = vec![
            ready(Host::Ip("10.0.0.5".parse().unwrap()), 8080),
            ready(Host::Ip("fd00::5".parse().unwrap()), 8080),
            ready(Host::Name("nas.lan".into()), 5000),
        ];
        let all = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
        let ports =
            all.map(|protocol| ForwardPort { protocol, port: 80, endpoints: endpoints.clone() });
        let vip = Forward {
            address: "10.0.0.200".parse().unwrap(),
            service: service.clone(),
            is_closed: true,
            ports: ports.into(),
        };
        let place = (service, 1);
        let kept = told((&place, &vip));
        assert_eq!(read(&kept), Some((place, vip)));
        for (part, nonsense) in [
            ("closed", json!(null)),
            ("ports", json!([["ICMP", 80, []]])),
            ("ports", json!([["TCP", 80, [["10.0.0.5"]]]])),
            ("ports", json!([["TCP", 80_000, []]])),
            ("address", json!("here")),
            ("place", json!(-1)),
        ] {
            let mut kept = kept.clone();
            kept[part] = nonsense;
            assert_eq!(read(&kept), None, "{kept}");
        }
    }
}
