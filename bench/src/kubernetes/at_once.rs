//! A thousand Services that find a pool at once, beside a loop that only writes their statuses, by
//! the same kind of request (server-side apply).

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::json;
use steelyard_kube::Connection;
use steelyard_tests::cluster::{PATIENCE, until};
use steelyard_tests::wait;

use super::load::service;
use super::site::{Site, WRITES_CALM, address};
use crate::results::Row;

/// What its rows begin with.
pub(super) const NAME: &str = "1,000 Services find a pool at once";
const SERVICES: usize = 1_000;
/// What the loop has under way, which is what the controller has.
const AT_A_TIME: usize = 32;
const GOAL: f64 = 1.3;
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(10);

/// The time for all of them, and how often each was written.
pub(super) fn rows(rounds: u32) -> Result<Vec<Row>> {
    let (mut ours, mut theirs, mut writes) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..rounds {
        let site = Site::start("once")?;
        theirs.push(loop_alone(&site)?);
        let (seconds, written) = controller(&site)?;
        println!("{NAME}: {seconds:.2} s, the loop {:.2} s", theirs[theirs.len() - 1]);
        ours.push(seconds);
        writes = writes.max(written / SERVICES as f64);
    }
    let [ours, theirs] = [ours, theirs].map(|it| super::figures::percentile(it, 50));
    let (until, each) = (format!("{NAME}: until all have addresses"), format!("{NAME}: writes"));
    Ok(vec![
        Row::alone(&until, "s", ours, GOAL, rounds).beside("a loop that writes statuses", theirs),
        Row::alone(&format!("{each} of a status, at most"), "", writes, 1.0, rounds),
    ])
}

fn make(site: &Site, namespace: &str) -> Result<()> {
    site.cluster().kubectl(&["create", "namespace", namespace])?;
    site.cluster()
        .api()
        .create_many(SERVICES, |at| service(namespace, &format!("s{at}"), "LoadBalancer"))
}

/// Nobody else looks at these: their class is nobody's.
fn loop_alone(site: &Site) -> Result<f64> {
    make(site, "loop")?;
    let kubeconfig = site.kubeconfig();
    let seconds = site.cluster().client().run(|| write_all(&kubeconfig))??;
    site.cluster().kubectl(&["delete", "namespace", "loop", "--timeout=120s"])?;
    Ok(seconds)
}

/// Seconds that it takes.
fn write_all(kubeconfig: &Path) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connection = Connection::open(Some(kubeconfig), None).await?;
        let start = Instant::now();
        let all = iter(0..SERVICES).map(|at| patch(&connection, at));
        let outcomes: Vec<Result<()>> = all.buffer_unordered(AT_A_TIME).collect().await;
        outcomes.into_iter().collect::<Result<()>>()?;
        Ok(start.elapsed().as_secs_f64())
    })
}

async fn patch(connection: &Connection, at: usize) -> Result<()> {
    let ip = format!("198.19.{}.{}", at / 256, at % 256);
    let body = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "loop", "name": format!("s{at}")},
        "status": {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": "VIP"}]}},
    });
    let path = format!("/api/v1/namespaces/loop/services/s{at}/status?fieldManager=loop");
    let request = http::Request::patch(path)
        .header("Content-Type", "application/apply-patch+yaml")
        .body(body.to_string().into_bytes())?;
    let object: serde_json::Value = connection.client().request(request).await?;
    ensure!(address(&object) == Some(&*ip), "{object}");
    Ok(())
}

fn controller(site: &Site) -> Result<(f64, f64)> {
    make(site, "ours")?;
    let mut running = site.controller()?;
    let (before, told) = (site.status_writes()?, site.writes_told());
    let start = Instant::now();
    site.add_pool()?;
    let written = || site.writes_told() - told >= SERVICES as f64;
    wait::until_some_within(PATIENCE, LOOK, "all to be written", || written().then_some(()))
        .with_context(|| running.printed())?;
    let all = || {
        let services = site.services("ours").unwrap_or_default();
        services.len() == SERVICES && services.iter().all(|it| address(it).is_some())
    };
    // What else was written may be among them.
    if !all() {
        until("all to have an address", all).with_context(|| running.printed())?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let written = super::figures::settled(WRITES_CALM, || site.status_writes())? - before;
    running.stop()?;
    Ok((seconds, written))
}
