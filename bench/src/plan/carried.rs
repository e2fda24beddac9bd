//! From what is wanted of the forwarder to what is in force in the kernel, in a network namespace
//! with a table of its own.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use steelyard_forward::{Carried, Desired, ForwardOptions, Forwarded, ForwardedPort, Forwarder};
use steelyard_host::netns::{Namespace, unavailable};
use steelyard_model::{NamespacedName, Protocol};

/// How often the endpoint changes; the median counts.
const CHANGES: u16 = 9;

/// An endpoint of one of `count` vips changes; `anew`: and everything is looked at again.
pub(super) fn carried(count: usize, anew: bool) -> Result<Duration> {
    if let Some(why) = unavailable() {
        bail!("no network namespace: {why}");
    }
    let host = Namespace::create("bench-carried")?;
    host.ip(&["link", "add", "lan", "type", "veth", "peer", "name", "far"])?;
    host.ip(&["link", "set", "far", "up"])?;
    host.ip(&["address", "add", "10.255.255.1/8", "dev", "lan"])?;
    host.ip(&["link", "set", "lan", "up"])?;
    host.set("net.ipv4.ip_forward", "1")?;
    let folder = std::env::temp_dir().join(format!("bench-carried-{}", std::process::id()));
    let outcome = inside(&host, changes(count, anew, folder.clone()));
    let _ = std::fs::remove_dir_all(folder);
    outcome?
}

fn inside<T: Send>(host: &Namespace, work: impl Future<Output = T> + Send) -> Result<T> {
    let outcome = host.run(|| -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(work))
    });
    outcome?
}

async fn changes(count: usize, anew: bool, state_dir: std::path::PathBuf) -> Result<Duration> {
    let options = ForwardOptions { state_dir, ..ForwardOptions::default() };
    let forwarder = Forwarder::start(options).await?;
    let mut desired = Desired::new([], (0..count).map(|n| vip(n, 8080)));
    forwarder.apply(&desired).await;
    let place = desired.forwarded.keys().nth(count / 2).cloned().context("there are vips")?;
    let mut took = Vec::new();
    for port in 0..CHANGES {
        desired.forwarded.insert(place.clone(), vip(count / 2, 9_000 + port));
        let begun = Instant::now();
        let observed = match anew {
            true => forwarder.apply(&desired).await,
            false => forwarder.change(&desired).await,
        };
        took.push(begun.elapsed());
        let is_carried = |it: &Carried| matches!(it, Carried::Nftables { endpoints: 1 });
        let all = observed.ports.iter().all(|port| is_carried(&port.carried));
        ensure!(all && observed.ports.len() == count, "not all are carried in the kernel");
    }
    forwarder.remove().await.map_err(|why| anyhow::anyhow!("{why}"))?;
    took.sort_unstable();
    Ok(took[took.len() / 2])
}

fn vip(n: usize, port: u16) -> Forwarded {
    let low = u32::try_from(n).unwrap_or(u32::MAX);
    let at = |high: u32| IpAddr::V4(Ipv4Addr::from((10 << 24) + (high << 16) + low));
    let endpoints = vec![SocketAddr::new(at(200), port)];
    Forwarded {
        address: at(1),
        service: NamespacedName::new("default", &*format!("app-{n:05}")),
        is_closed: false,
        ports: vec![ForwardedPort { protocol: Protocol::Tcp, port: 80, endpoints }],
    }
}
