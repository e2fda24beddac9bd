use std::net::SocketAddr;

use steelyard_gateway::{Bind, Binding};
use steelyard_model::{Endpoint, EndpointState, Host, NamespacedName, Protocol};
use steelyard_plan::ForwardPort;

use super::*;

fn service() -> NamespacedName {
    NamespacedName::new("default", "web")
}

fn serve(address: &str) -> Serve {
    let ports = vec![(Protocol::Tcp, 80, "web".to_owned())];
    Serve { address: address.parse().unwrap(), service: service(), ports }
}

fn forward(address: &str, port: u16) -> Forward {
    let endpoint = Endpoint {
        host: Host::Ip("192.0.2.99".parse().unwrap()),
        port,
        node: None,
        zones: None,
        state: EndpointState::Ready,
    };
    let ports = vec![ForwardPort { protocol: Protocol::Tcp, port: 80, endpoints: vec![endpoint] }];
    Forward { address: address.parse().unwrap(), service: service(), is_closed: false, ports }
}

fn node(serve: &[Serve], forward: &[Forward]) -> NodePlan {
    let places = |at| (service(), at);
    NodePlan {
        serve: serve.iter().cloned().enumerate().map(|(at, it)| (places(at), it)).collect(),
        forward: forward.iter().cloned().enumerate().map(|(at, it)| (places(at), it)).collect(),
        ..NodePlan::default()
    }
}

fn listening(at: Option<&str>) -> Applied {
    let listeners: Listeners = at
        .iter()
        .map(|at| {
            let (entry_point, address) = ("web".to_owned(), "10.0.0.1:80".parse().unwrap());
            let bind =
                Bind { entry_point, protocol: Protocol::Tcp, address, binding: Binding::Vip };
            let socket: SocketAddr = at.parse().unwrap();
            (bind, Ok(socket))
        })
        .collect();
    Applied { opened: Some(Arc::new(listeners)), ..Applied::default() }
}

fn addresses(wanted: &Wanted) -> Vec<String> {
    let Desired { served, forwarded } = &wanted.desired;
    let served = served.values().map(|vip| vip.address);
    served.chain(forwarded.values().map(|vip| vip.address)).map(|it| it.to_string()).collect()
}

#[test]
fn an_address_of_the_machine_is_left_to_the_machine() {
    let node = node(
        &[serve("10.0.0.1"), serve("10.0.0.2")],
        &[forward("10.0.0.1", 1), forward("fd00::2", 1)],
    );
    let own = Arc::new(["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()].into());
    let wanted = Wanted::default().after(&node, &own, &listening(None));
    assert_eq!(addresses(&wanted), ["10.0.0.2", "fd00::2"]);
}

#[test]
fn change_by_change_equals_from_scratch() {
    let (nobody, own) = (Arc::default(), Arc::new(["10.0.0.4".parse().unwrap()].into()));
    let both = [serve("10.0.0.1"), serve("10.0.0.2")];
    let vips = [forward("10.0.0.3", 1), forward("10.0.0.4", 1)];
    let others = [forward("10.0.0.3", 2), forward("10.0.0.5", 1)];
    let (here, there) = (listening(Some("10.0.0.1:8080")), listening(Some("10.0.0.1:8081")));
    let steps: [(NodePlan, &Arc<BTreeSet<IpAddr>>, &Applied); 9] = [
        (node(&both, &vips), &nobody, &here),
        (node(&both, &others), &nobody, &here),
        (node(&both[..1], &others), &nobody, &there),
        (node(&both, &vips), &own, &there),
        (node(&[], &vips), &own, &here),
        (node(&both, &[]), &nobody, &here),
        (node(&both, &vips[1..]), &own, &here),
        (node(&[], &[]), &own, &here),
        (node(&both, &vips), &nobody, &here),
    ];
    let mut kept = Wanted::default();
    for (at, (node, own, applied)) in steps.iter().enumerate() {
        kept = kept.after(node, own, applied);
        assert_eq!(kept, Wanted::default().after(node, own, applied), "step {at}");
    }
}
