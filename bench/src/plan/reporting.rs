//! What of many Ingresses is to be reported once one of them is another.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use steelyard::pipeline::Pipeline;
use steelyard::planning::again;
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::{Holdings, NamespacedName, Snapshot};
use steelyard_plan::{Facts, Plan, Planner};
use steelyard_statuses::{
    PublishedIngresses, Reportable, Reported, Revision, Rivals, Scope, StatusKind, StatusOptions,
    differing, wanted,
};

use super::worlds::{CLUSTER_IP, pool, routed, service, source};

/// How often it is decided.
const REPEATED: u32 = 50;
/// The gateway's Service: the first that [`service`] makes, in another namespace than the routes.
const GATEWAY: usize = 0;

/// One of `count` Ingresses leads somewhere else, and was heard of.
pub(super) fn one_of_many(count: usize) -> Result<Duration> {
    let route = |n: usize, path: &str| routed(n, path, 80, CLUSTER_IP);
    let mut files =
        vec![source("all.yaml", &(pool("home", "10.0.0.0/16", "") + &service(GATEWAY, 80)))];
    files.extend((1..=count).map(|n| source(&format!("{n}.yaml"), &route(n, "/"))));
    let (mut pipeline, mut planner) = (Pipeline::default(), Planner::default());
    let mut look = |files: &[Source]| -> (Snapshot, Plan) {
        let world = pipeline.update(files);
        let snapshot = world.snapshot.clone();
        let (_, plan) = again(&mut planner, world, &Holdings::default(), &Facts::default());
        (snapshot, plan)
    };
    let before = look(&files);
    files[count / 2] = source(&files[count / 2].name, &route(count / 2, "/new"));
    let now = look(&files);
    let name = |n: usize| NamespacedName::new(format!("team-{}", n % 20), format!("app-{n:05}"));
    let options = StatusOptions {
        ingresses: Some(PublishedIngresses::by(name(GATEWAY))),
        ..StatusOptions::default()
    };
    let rivals = Rivals::default();
    let [before, now] = [&before, &now].map(|(snapshot, plan)| Reportable {
        plan,
        snapshot,
        rivals: &rivals,
        options: &options,
        now: "",
    });
    let row = now.plan.services.get(&name(GATEWAY)).context("the gateway has an address")?;
    let address = row.addresses.first().context("the gateway has an address")?;
    let mut reported = Reported::default();
    for n in 1..=count {
        let NamespacedName { namespace, name } = name(n);
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, namespace: \
             {namespace}}}\nstatus: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}\n"
        );
        let loaded = load(&Source::new("x.yaml", text.as_bytes()), &ReadLimits::default());
        let object = loaded.objects.first().context("an Ingress")?;
        reported.see(object, Revision::new(name, "1"));
    }
    let mut took = Duration::ZERO;
    for _ in 0..REPEATED {
        let start = Instant::now();
        let mut scope = differing(before, now);
        scope.extend(StatusKind::Ingress, [name(count / 2)]);
        let found = black_box(wanted(now, &reported, &scope));
        took += start.elapsed();
        let is_narrow = matches!(&scope, Scope::These(these) if !these.is_empty());
        ensure!(is_narrow, "{scope:?}");
        ensure!(found.writes.is_empty(), "{:?}", found.writes.first());
    }
    Ok(took / REPEATED)
}
