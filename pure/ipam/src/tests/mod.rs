//! Builders, and the shape in which the tables state what comes out.

mod properties;
mod reserved;
mod rules;
mod scale;
mod sharing;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{
    AddressRange, Holding, Holdings, Labels, NamespacedName, ObjectRef, Pool, Service,
    ServiceAllocation,
};
use steelyard_testbed::services::{load_balancer, tcp as port, wish};

use crate::{Assignments, Options, assign};

/// `a=b,c=d`.
fn labels(text: &str) -> Labels {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

/// A pool with ranges such as `10.0.0.1-10.0.0.9` or `fd00::1`.
fn pool(name: &str, ranges: &[&str]) -> Pool {
    let range = |text: &&str| {
        let (start, end) = text.split_once('-').unwrap_or((text, text));
        AddressRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
    };
    Pool {
        id: NamespacedName::new("metallb-system", name),
        object: ObjectRef::new("IPAddressPool", "metallb-system", name).into(),
        labels: Labels::new(),
        ranges: ranges.iter().map(range).collect(),
        mapped: Vec::new(),
        auto_assign: true,
        avoid_buggy_ips: false,
        allocation: None,
    }
}

fn with_allocation(mut pool: Pool, allocation: ServiceAllocation) -> Pool {
    pool.allocation = Some(allocation);
    pool
}

/// A LoadBalancer Service `namespace/name` on TCP 80.
fn service(id: &str) -> Service {
    let (namespace, name) = id.split_once('/').unwrap();
    load_balancer(namespace, name, vec![port(80)])
}

/// The same with one thing changed.
fn with(mut service: Service, change: impl FnOnce(&mut Service)) -> Service {
    change(&mut service);
    service
}

/// With annotations; those without a prefix are under MetalLB's of today.
fn annotated(id: &str, annotations: &[(&str, &str)]) -> Service {
    asking(id, annotations, "")
}

/// The same with a `spec.loadBalancerIP` too.
fn asking(id: &str, annotations: &[(&str, &str)], load_balancer_ip: &str) -> Service {
    with(service(id), |it| it.wish = wish(annotations, load_balancer_ip).into())
}

fn addresses(text: &str) -> Vec<IpAddr> {
    text.split_whitespace().map(|address| address.parse().unwrap()).collect()
}

fn held(entries: &[(&str, &str)]) -> Holdings {
    let entry = |(id, text): &(&str, &str)| {
        let (namespace, name) = id.split_once('/').unwrap();
        let holding = Holding { addresses: addresses(text), ..Holding::default() };
        (NamespacedName::new(namespace, name), holding)
    };
    Holdings(entries.iter().map(entry).collect())
}

fn run(pools: &[Pool], services: &[Service], held: &Holdings) -> Assignments {
    let services = services.iter().cloned().map(Arc::new);
    assign(pools, &BTreeMap::new(), services, held, &Options::default())
}

/// `ns/name: addresses (pool)  reason…` for each Service.
fn told(out: &Assignments) -> Vec<String> {
    let line = |(id, it): (&NamespacedName, &crate::Assignment)| {
        let list: Vec<_> = it.addresses.iter().map(ToString::to_string).collect();
        let list = if list.is_empty() { "-".to_owned() } else { list.join(" ") };
        let events: Vec<_> = it.events.iter().map(|event| event.reason).collect();
        format!("{id}: {list} [{}]", events.join(", "))
    };
    out.services.iter().map(line).collect()
}
