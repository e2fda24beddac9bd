//! Ten thousand Services: what each role needs of memory, and what a restart does.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use steelyard_tests::cluster::until;
use steelyard_tests::process::Running;

use super::load::{service, slice};
use super::site::{Site, WRITES_CALM, address, settled_memory};
use crate::results::Row;

/// What its rows begin with.
pub(super) const NAME: &str = "10,000 Services with endpoints";
const SERVICES: usize = 10_000;
const NAMESPACE: &str = "many";

/// Who has which address.
type Addresses = BTreeMap<String, String>;

pub(super) fn rows() -> Result<Vec<Row>> {
    let site = Site::start("many")?;
    site.add_pool()?;
    site.cluster().kubectl(&["create", "namespace", NAMESPACE])?;
    let api = site.cluster().api();
    let name = |at: usize| format!("s{at}");
    api.create_many(SERVICES, |at| service(NAMESPACE, &name(at), "LoadBalancer"))?;
    api.create_many(SERVICES, |at| slice(NAMESPACE, &name(at), "10.255.0.1", 8080))?;
    let mut controller = site.controller()?;
    let before = addresses(&site, &controller)?;
    let controller_memory = settled_memory(&controller)?;
    println!("{NAME}: controller {controller_memory:.1} MB");
    controller.stop()?;
    // All of them are of a subnet of this host, so it answers for them.
    site.cluster().client().ip(&["address", "add", "198.18.255.254/16", "dev", "eth0"])?;
    let mut speaker = site.role("speaker", &["--state-dir", "/run/steelyard-bench-speaker"])?;
    site.wait_until_ready(&speaker)?;
    let speaker_memory = settled_memory(&speaker)?;
    println!("{NAME}: speaker {speaker_memory:.1} MB");
    speaker.stop()?;
    let written = site.status_writes()?;
    let mut controller = site.controller()?;
    let after = addresses(&site, &controller)?;
    let written = super::figures::settled(WRITES_CALM, || site.status_writes())? - written;
    controller.stop()?;
    ensure!(before.len() == SERVICES, "{} Services", before.len());
    let moved = before.iter().filter(|(name, address)| after.get(*name) != Some(address)).count();
    let restart = format!("{NAME}: the controller starts again");
    Ok(vec![
        Row::alone(&format!("{NAME}: controller's memory"), "MB", controller_memory, 120.0, 1),
        Row::alone(&format!("{NAME}: speaker's memory"), "MB", speaker_memory, 80.0, 1),
        Row::alone(&format!("{restart}: addresses that move"), "", moved as f64, 0.0, 1),
        Row::alone(&format!("{restart}: status writes"), "", written, 0.0, 1),
    ])
}

/// Who has which, once everybody has one.
fn addresses(site: &Site, controller: &Running) -> Result<Addresses> {
    let mut all = Addresses::new();
    until("all to have an address", || {
        let services = site.services(NAMESPACE).unwrap_or_default();
        let named = services.iter().filter_map(|it| {
            let name = it["metadata"]["name"].as_str()?;
            Some((name.to_owned(), address(it)?.to_owned()))
        });
        all = named.collect();
        all.len() == SERVICES
    })
    .with_context(|| controller.printed())?;
    Ok(all)
}
