//! A world from bytes: every byte is a choice, and where they end every further choice is 0.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{
    AddressRange, AddressRequest, AddressWish, BadRequest, Families, FamilyPolicy, FieldPath,
    Holding, Holdings, Host, Item, L2Advertisement, Labels, NamespacedName, Node, ObjectRef, Pool,
    PoolRequest, Protocol, Selector, Service, ServiceAllocation, ServicePort, ServiceType,
    TargetPort, TrafficPolicy,
};

/// What is planned.
pub(super) struct World {
    pub(super) items: Vec<Arc<Item>>,
    pub(super) held: Holdings,
    pub(super) node: String,
}

/// Bytes, read one choice at a time.
struct Choices<'a>(std::slice::Iter<'a, u8>);

const ADDRESSES: [&str; 8] = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.255",
    "10.0.1.1",
    "fd00::1",
    "fd00::2",
    "fd00:1::1",
    "192.0.2.1",
];
const RANGES: [&[(&str, &str)]; 6] = [
    &[("10.0.0.1", "10.0.0.2")],
    &[("10.0.0.254", "10.0.1.1")],
    &[("fd00::1", "fd00::2")],
    &[("10.0.0.1", "10.0.0.1"), ("fd00::1", "fd00::1")],
    &[("fd00:1::", "fd00:1::ffff:ffff:ffff:ffff"), ("10.0.2.0", "10.0.2.3")],
    &[("10.0.0.0", "10.0.255.255")],
];
const POOLS: [&str; 3] = ["a", "b", "c"];
const TEAMS: [&str; 2] = ["red", "blue"];

impl World {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut from = Choices(bytes.iter());
        let mut items = Vec::new();
        let pools = from.below(POOLS.len() + 1);
        items.extend(POOLS[..pools].iter().map(|name| Item::Pool(Box::new(from.pool(name)))));
        items.extend(
            (0..from.below(3)).map(|n| Item::L2Advertisement(Box::new(from.advertisement(n)))),
        );
        items.extend((0..from.below(4)).map(|n| Item::Node(Box::new(from.node(n)))));
        let mut held = Holdings::default();
        for n in 0..from.below(9) {
            let service = from.service(n);
            if from.one_in(3) {
                let holding = Holding { addresses: from.addresses(), ..Holding::default() };
                held.0.insert(service.id.clone(), holding);
            }
            items.push(Item::Service(Arc::new(service)));
        }
        let node = format!("n{}", from.below(4));
        Self { items: items.into_iter().map(Arc::new).collect(), held, node }
    }
}

impl Choices<'_> {
    /// Less than `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }

    /// Rarely, and never where the bytes have ended.
    fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == limit - 1
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn addresses(&mut self) -> Vec<IpAddr> {
        let count = 1 + self.below(2);
        (0..count).map(|_| parsed(self.one_of(&ADDRESSES))).collect()
    }

    fn team(&mut self) -> Labels {
        let team = self.one_of(&TEAMS).to_owned();
        [("team".to_owned(), team)].into()
    }

    fn selectors(&mut self) -> Vec<Selector> {
        let count = usize::from(self.one_in(3));
        let one = |_| Selector { match_labels: self.team(), expressions: Vec::new() };
        (0..count).map(one).collect()
    }

    fn pool(&mut self, name: &str) -> Pool {
        let range = |(start, end): &(&str, &str)| {
            AddressRange::new(parsed(start), parsed(end)).expect("the menu has ranges")
        };
        Pool {
            id: NamespacedName::new("metallb-system", name),
            object: ObjectRef::new("IPAddressPool", "metallb-system", name).into(),
            labels: self.team(),
            ranges: self.one_of(&RANGES).iter().map(range).collect(),
            mapped: Vec::new(),
            auto_assign: !self.one_in(4),
            avoid_buggy_ips: self.one_in(3),
            allocation: self.one_in(3).then(|| self.allocation()),
        }
    }

    fn allocation(&mut self) -> ServiceAllocation {
        let namespaces = if self.one_in(2) { vec!["x".to_owned()] } else { Vec::new() };
        ServiceAllocation {
            priority: i64::from(self.one_in(2)),
            namespaces,
            namespace_selectors: self.selectors(),
            service_selectors: self.selectors(),
        }
    }

    fn advertisement(&mut self, n: usize) -> L2Advertisement {
        let name = format!("ad{n}");
        let pools = if self.one_in(2) { vec![self.one_of(&POOLS).to_owned()] } else { Vec::new() };
        L2Advertisement {
            id: NamespacedName::new("metallb-system", &*name),
            object: ObjectRef::new("L2Advertisement", "metallb-system", &*name).into(),
            pools,
            pool_selectors: self.selectors(),
            node_selectors: self.selectors(),
            service_selectors: self.selectors(),
            interfaces: if self.one_in(3) { vec!["eth0".to_owned()] } else { Vec::new() },
            preferred_nodes: Vec::new(),
        }
    }

    fn node(&mut self, n: usize) -> Node {
        let name = format!("n{n}");
        Node {
            name: name.as_str().into(),
            object: ObjectRef::new("Node", "", &*name).into(),
            labels: self.team(),
            internal_ips: if self.one_in(3) { self.addresses() } else { Vec::new() },
            external_ips: Vec::new(),
            network_unavailable: self.one_in(5),
            excluded: self.one_in(5),
        }
    }

    fn service(&mut self, n: usize) -> Service {
        let (namespace, name) = (self.one_of(&["x", "y"]), format!("s{n}"));
        let local = self.one_in(4);
        let policies = [
            None,
            Some(FamilyPolicy::SingleStack),
            Some(FamilyPolicy::PreferDualStack),
            Some(FamilyPolicy::RequireDualStack),
        ];
        Service {
            id: NamespacedName::new(namespace, &*name),
            object: ObjectRef::new("Service", namespace, &*name).into(),
            labels: self.team(),
            created: self.one_in(3).then(|| "2024-01-01T00:00:00Z".into()),
            kind: ServiceType::LoadBalancer,
            selector: self.team(),
            ports: vec![self.port()],
            headless: self.one_in(20),
            cluster_ips: if self.one_in(3) { self.addresses() } else { Vec::new() },
            external_ips: Box::default(),
            ip_families: &[],
            family_policy: self.one_of(&policies),
            load_balancer_class: self.one_in(20).then(|| "other".into()),
            wish: self.wish().shared(),
            external_traffic_policy: if local {
                TrafficPolicy::Local
            } else {
                TrafficPolicy::Cluster
            },
            health_check_node_port: None,
            stays_in_zone: false,
            publish_not_ready: false,
            status_addresses: if self.one_in(4) { self.addresses() } else { Vec::new() },
            gateway: self.one_of(&[None, Some(true), Some(false)]),
            static_endpoints: self.endpoints().into(),
            refusal: None,
            backend_refusal: None,
            backend_scheme: None,
            backend_wish: None,
            noted_pool: None,
        }
    }

    /// Addresses that Services may have: then they may lead to each other, or round.
    fn endpoints(&mut self) -> Vec<(Host, u16)> {
        let addresses = if self.one_in(2) { self.addresses() } else { Vec::new() };
        addresses.into_iter().map(|address| (Host::Ip(address), 8080)).collect()
    }

    fn port(&mut self) -> ServicePort {
        let port = self.one_of(&[80, 81, 443]);
        ServicePort {
            name: None,
            protocol: self.one_of(&[Protocol::Tcp, Protocol::Udp]),
            port,
            target: TargetPort::Number(8080),
            node_port: None,
            scheme: None,
        }
    }

    fn wish(&mut self) -> AddressWish {
        let path = FieldPath::root;
        let key = self.one_in(2).then(|| self.one_of(&["k", "l", ""]).to_owned());
        let pool = self.one_in(4).then(|| self.one_of(&["a", "b", "nope"]).to_owned());
        let listed = self.one_in(4).then(|| listed(self.addresses()));
        let single = self.one_in(6).then(|| Ok(vec![parsed(self.one_of(&ADDRESSES))]));
        let addresses = match (listed, single) {
            (Some(_), Some(_)) => Some(Err(BadRequest::Twice)),
            (listed, single) => listed.or(single),
        };
        AddressWish {
            request: addresses.map(|addresses| AddressRequest { addresses, path: path() }),
            pool: pool.map(|name| PoolRequest { name, path: path() }),
            sharing_key: key,
            ..AddressWish::default()
        }
    }
}

fn listed(addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, BadRequest> {
    match Families::of(&addresses) {
        Some(_) => Ok(addresses),
        None => Err(BadRequest::Families(addresses)),
    }
}

fn parsed(text: &str) -> IpAddr {
    text.parse().expect("the menu has addresses")
}
