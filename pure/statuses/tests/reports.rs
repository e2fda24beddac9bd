//! What is written so that a cluster reports what is decided: nothing twice, and nothing of
//! somebody else's.

use std::time::Duration;

use steelyard_manifest::{
    ClusterEvent, Object, ReadLimits, Role, Selection, Source, load, watched,
};
use steelyard_model::{Holdings, NamespacedName, ObjectRef, Snapshot};
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_plan::{Facts, Plan, ServiceEventKind, plan};
use steelyard_statuses::{
    Events, Happened, IpMode, Owner, PoolStatus, PublishedIngresses, Reportable, Reported, Retries,
    Revision, Rivals, Scope, StatusAddress, StatusChange, StatusKind, StatusOptions, StatusWrite,
    Wanted, WriteOutcome, left_alone, wanted,
};
use steelyard_testbed::manifests::{file, items, service};

const POOL: &str = "apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: pool, namespace: m}
spec: {addresses: [192.0.2.10-192.0.2.19]}";
const INGRESS: &str = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {ingressClassName: traefik, rules: [{host: web.lan, http: {paths: [{path: /, pathType: \
                       Prefix, backend: {service: {name: gate, port: {number: 80}}}}]}}]}";
const NOW: &str = "2026-01-02T00:00:00Z";

/// A world with the Service `gate`, which has an address, waits for one, or is none of ours.
fn world(spec: &str) -> (Snapshot, Plan) {
    let yaml = file(&[POOL, &service("gate", spec), INGRESS]);
    let yaml = match spec {
        "none of ours" => {
            file(&[POOL, &service("gate", "").replace("LoadBalancer", "ClusterIP"), INGRESS])
        }
        _ => yaml,
    };
    let snapshot = resolve(&items(&yaml), &ResolveOptions::default());
    let plan = plan(&snapshot, &Holdings::default(), &Facts::default());
    (snapshot, plan)
}

fn gate() -> NamespacedName {
    NamespacedName::new("default", "gate")
}

/// A status as an API server has it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Served {
    version: u32,
    addresses: Vec<String>,
    mode: Option<&'static str>,
    pool: Option<String>,
    managers: Vec<&'static str>,
}

impl Served {
    fn object(&self, kind: &str, name: &str) -> Object {
        let mode = self.mode.map(|mode| format!(", ipMode: {mode}")).unwrap_or_default();
        let ingress = self.addresses.iter().map(|ip| format!("{{ip: {ip}{mode}}}"));
        let ingress: Vec<String> = ingress.collect();
        let note = self.pool.iter().map(|it| format!("metallb.io/ip-allocated-from-pool: {it}"));
        let managers = self.managers.iter().map(|it| {
            format!(
                "{{manager: {it}, fieldsV1: {{'f:status': {{'f:loadBalancer': {{'f:ingress': {{}}\
                 }}}}}}}}"
            )
        });
        let managers: Vec<String> = managers.collect();
        let version = if kind == "Service" { "v1" } else { "networking.k8s.io/v1" };
        let text = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, annotations: \
             {{{}}}, managedFields: [{}]}}\nstatus: {{loadBalancer: {{ingress: [{}]}}}}\n",
            note.collect::<String>(),
            managers.join(", "),
            ingress.join(", "),
        );
        let loaded = load(&Source::new("x.yaml", text.as_bytes()), &ReadLimits::default());
        assert!(loaded.diagnostics.is_empty(), "{text}\n{:?}", loaded.diagnostics);
        loaded.objects.into_iter().next().expect("an object")
    }

    fn seen(&self, kind: &str, name: &str) -> Reported {
        let mut reported = Reported::default();
        let revision = Revision::new(format!("uid-{name}"), self.version.to_string());
        assert!(reported.see(&self.object(kind, name), revision));
        reported
    }

    /// What an API server makes of a write.
    fn take(&mut self, write: &StatusWrite) {
        let revision = write.revision.as_ref().expect("what was seen has a version");
        assert_eq!(*revision.version, self.version.to_string());
        self.version += 1;
        match &write.change {
            StatusChange::Addresses { addresses, pool, by_force } => {
                assert!(*by_force || self.managers.iter().all(|it| *it == "steelyard-controller"));
                let before = std::mem::replace(
                    &mut self.addresses,
                    addresses.iter().filter_map(|it| it.ip.clone()).collect(),
                );
                let mode = addresses.iter().find_map(|it| it.ip_mode.as_deref());
                let modes = [IpMode::Vip.as_str(), IpMode::Proxy.as_str()];
                self.mode = modes.into_iter().find(|it| Some(*it) == mode);
                self.pool.clone_from(pool);
                if before != self.addresses {
                    self.managers.clear();
                }
                self.managers.push("steelyard-controller");
            }
            StatusChange::NoAddresses => {
                *self = Self { version: self.version, ..Self::default() };
            }
            other => panic!("{other:?}"),
        }
    }
}

fn told(
    (snapshot, plan): &(Snapshot, Plan),
    rivals: &Rivals,
    options: &StatusOptions,
    reported: &Reported,
) -> Wanted {
    let reportable = Reportable { plan, snapshot, rivals, options, now: NOW };
    let all = wanted(reportable, reported, &Scope::All);
    each_by_itself(reportable, reported, &all);
    all
}

/// What is wanted of some objects is what is wanted of them among all.
fn each_by_itself(reportable: Reportable<'_>, reported: &Reported, all: &Wanted) {
    let services = reportable.snapshot.services.keys().cloned();
    let services = services.map(|id| (StatusKind::Service, id));
    let ingress = (StatusKind::Ingress, NamespacedName::new("default", "web"));
    for (kind, id) in services.chain([ingress]) {
        let mut scope = Scope::nothing();
        scope.extend(kind, [id.clone()]);
        let Wanted { writes, left } = wanted(reportable, reported, &scope);
        let is_one_of_few = |kind| kind != StatusKind::Service && kind != StatusKind::Ingress;
        let is_it = |it: &&StatusWrite| is_one_of_few(it.kind) || scope.holds(it.kind, &it.id);
        assert_eq!(writes, all.writes.iter().filter(is_it).cloned().collect::<Vec<_>>());
        let ours = all.left.iter().filter(|it| scope.holds(StatusKind::Service, &it.service));
        assert_eq!(left, ours.cloned().collect::<Vec<_>>());
        assert_eq!(left, left_alone(reportable, reported, &scope));
    }
}

fn rivals(which: &str) -> Rivals {
    let deployment = NamespacedName::new("metallb-system", "controller");
    match which {
        "metallb" => Rivals { metallb: Some(deployment), ..Rivals::default() },
        "servicelb" => {
            let set = NamespacedName::new("kube-system", "svclb-gate");
            Rivals { service_lb: [(gate(), set)].into(), ..Rivals::default() }
        }
        _ => Rivals::default(),
    }
}

/// Everything a status may be, over everything that may be decided.
#[test]
fn a_status_comes_to_rest_and_is_never_taken_from_somebody_else() {
    let options = StatusOptions::default();
    let mut cases = 0;
    for spec in ["", ", loadBalancerIP: 203.0.113.1", "none of ours"] {
        let world = world(spec);
        for manager in [None, Some("steelyard-controller"), Some("controller"), Some("k3s")] {
            for addresses in [&[][..], &["192.0.2.10"], &["192.0.2.77"], &["192.0.2.77", "::7"]] {
                for pool in [None, Some("pool"), Some("other")] {
                    for rival in ["", "metallb", "servicelb"] {
                        cases += 1;
                        let before = Served {
                            version: 7,
                            addresses: addresses.iter().map(ToString::to_string).collect(),
                            mode: Some("VIP").filter(|_| !addresses.is_empty()),
                            pool: pool.map(str::to_owned),
                            managers: manager
                                .into_iter()
                                .filter(|_| !addresses.is_empty())
                                .collect(),
                        };
                        settles(&world, &before, &rivals(rival), &options);
                    }
                }
            }
        }
    }
    assert_eq!(cases, 432);
}

fn settles(world: &(Snapshot, Plan), before: &Served, rivals: &Rivals, options: &StatusOptions) {
    let what = format!("{before:?} beside {rivals:?}");
    let first = told(world, rivals, options, &before.seen("Service", "gate"));
    assert!(first.writes.len() + first.left.len() <= 1, "{what}: {first:?}");
    let mut after = before.clone();
    first.writes.iter().for_each(|write| after.take(write));
    let again = told(world, rivals, options, &after.seen("Service", "gate"));
    assert_eq!(again.writes, [], "{what} became {after:?}");
    let of_another = before.managers.contains(&"k3s")
        || before.managers.is_empty() && !before.addresses.is_empty() && before.pool.is_none()
        || before.managers.contains(&"controller") && before.pool.is_none();
    let is_metallbs = before.managers == ["controller"] && rivals.metallb.is_some();
    if of_another || is_metallbs {
        assert_eq!(after, *before, "{what}");
    }
    let row = world.1.services.get(&gate()).filter(|row| !row.addresses.is_empty());
    if let (Some(row), true, true) = (row, first.left.is_empty(), rivals == &Rivals::default()) {
        let said: Vec<String> = row.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(after.addresses, said, "{what}");
    }
}

#[test]
fn what_metallb_left_behind_is_kept_as_it_is() {
    let metallbs = Served {
        addresses: vec!["192.0.2.10".to_owned()],
        mode: Some("VIP"),
        pool: Some("pool".to_owned()),
        managers: vec!["controller"],
        ..Served::default()
    };
    let options = StatusOptions::default();
    let found = told(&world(""), &Rivals::default(), &options, &metallbs.seen("Service", "gate"));
    assert_eq!(found, Wanted::default());
    let moved = Served { addresses: vec!["192.0.2.77".to_owned()], ..metallbs };
    let found = told(&world(""), &Rivals::default(), &options, &moved.seen("Service", "gate"));
    assert!(
        matches!(
            &found.writes[..],
            [StatusWrite { change: StatusChange::Addresses { by_force: true, .. }, .. }]
        ),
        "{found:?}"
    );
}

#[test]
fn packets_that_the_gateway_takes_itself_are_left_alone_by_kube_proxy() {
    let options = StatusOptions { ip_mode: IpMode::Proxy, ..StatusOptions::default() };
    let mut served = Served::default();
    for expected in [1, 0] {
        let seen = served.seen("Service", "gate");
        let found = told(&world(""), &Rivals::default(), &options, &seen);
        assert_eq!(found.writes.len(), expected);
        found.writes.iter().for_each(|write| served.take(write));
    }
    assert_eq!(served.mode, Some("Proxy"));
}

#[test]
fn what_is_not_understood_is_not_taken_back() {
    let ours = Served {
        addresses: vec!["192.0.2.10".to_owned()],
        pool: Some("pool".to_owned()),
        managers: vec!["steelyard-controller"],
        ..Served::default()
    };
    let seen = ours.seen("Service", "gate");
    let options = StatusOptions::default();
    // Neither a Service that cannot be read nor one for which there are no pools any more.
    for yaml in [POOL.to_owned(), service("gate", "")] {
        let snapshot = resolve(&items(&yaml), &ResolveOptions::default());
        let plan = plan(&snapshot, &Holdings::default(), &Facts::default());
        let found = told(&(snapshot, plan), &Rivals::default(), &options, &seen);
        assert_eq!(found, Wanted::default(), "{yaml}");
    }
}

#[test]
fn an_ingress_has_the_addresses_of_the_gateway() {
    let options = StatusOptions {
        ingresses: Some(PublishedIngresses::by(gate())),
        ..StatusOptions::default()
    };
    let (open, shut) = (world(""), world(", loadBalancerIP: 203.0.113.1"));
    let mut served = Served::default();
    for (world, expected) in [(&open, &["192.0.2.10"][..]), (&shut, &[])] {
        for writes in [1, 0] {
            let seen = served.seen("Ingress", "web");
            let found = told(world, &Rivals::default(), &options, &seen);
            assert_eq!(found.writes.len(), writes, "{found:?}");
            found.writes.iter().for_each(|write| served.take(write));
        }
        assert_eq!(served.addresses, expected);
    }
    let traefiks = Served {
        addresses: vec!["192.0.2.77".to_owned()],
        managers: vec!["traefik"],
        ..Served::default()
    };
    let seen = traefiks.seen("Ingress", "web");
    assert_eq!(told(&open, &Rivals::default(), &options, &seen), Wanted::default());
    // Or those that somebody says.
    let mut ingresses = PublishedIngresses::by(gate());
    ingresses.traefik.said = vec![StatusAddress::of_ip("203.0.113.8".parse().unwrap())];
    let said = StatusOptions { ingresses: Some(ingresses), ..StatusOptions::default() };
    let mut served = Served::default();
    let found = told(&open, &Rivals::default(), &said, &served.seen("Ingress", "web"));
    found.writes.iter().for_each(|write| served.take(write));
    assert_eq!(served.addresses, ["203.0.113.8"]);
    let none = StatusOptions::default();
    let seen = Served::default().seen("Ingress", "web");
    assert_eq!(told(&open, &Rivals::default(), &none, &seen), Wanted::default(), "no gateway");
}

fn see(reported: &mut Reported, version: &str, text: &str) -> bool {
    let loaded = load(&Source::new("x.yaml", text.as_bytes()), &ReadLimits::default());
    reported.see(&loaded.objects[0], Revision::new("uid", version))
}

#[test]
fn a_pool_says_how_much_of_it_is_used() {
    let options = StatusOptions::default();
    let pool = |status: &str, manager: &str| {
        let text = format!(
            "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: pool, \
             namespace: m, managedFields: [{{manager: {manager}, fieldsV1: {{'f:status': \
             {{'f:assignedIPv4': {{}}}}}}}}]}}\nspec: {{addresses: \
             [192.0.2.10-192.0.2.19]}}\n{status}\n"
        );
        let mut reported = Reported::default();
        assert!(see(&mut reported, "1", &text));
        reported
    };
    let right = "status: {assignedIPv4: 1, assignedIPv6: 0, availableIPv4: 9, availableIPv6: 0}";
    let wrong = right.replace('9', "8");
    for (status, manager, rival, expected) in [
        ("", "kubectl", "", Some(false)),
        (right, "steelyard-controller", "", None),
        (&*wrong, "steelyard-controller", "", Some(true)),
        (&*wrong, "controller", "", Some(true)),
        (&*wrong, "controller", "metallb", None),
    ] {
        let found = told(&world(""), &rivals(rival), &options, &pool(status, manager));
        let forced = found.writes.iter().map(|write| match write.change {
            StatusChange::Counts { by_force, counts } => {
                assert_eq!((counts.assigned_ipv4, counts.available_ipv4), (1, 9));
                by_force
            }
            _ => panic!("{write:?}"),
        });
        assert_eq!(forced.collect::<Vec<_>>(), Vec::from_iter(expected), "{status} {manager}");
    }
}

#[test]
fn the_controller_says_whether_its_configuration_is_valid() {
    let owner = Some(Owner { name: "c-0".to_owned(), uid: "pod-0".to_owned() });
    let options =
        StatusOptions { namespace: Some("s".to_owned()), owner, ..StatusOptions::default() };
    let mut reported = Reported::default();
    let find =
        |reported: &Reported| told(&world(""), &Rivals::default(), &options, reported).writes;
    let writes = find(&reported);
    assert!(matches!(
        &writes[..],
        [StatusWrite {
            kind: StatusKind::State,
            revision: None,
            change: StatusChange::Establish { owner: Some(_), .. },
            ..
        }]
    ));
    let text = |status: &str| {
        format!(
            "apiVersion: metallb.io/v1beta1\nkind: ConfigurationState\nmetadata: {{name: \
             controller, namespace: s, labels: {{metallb.io/component-type: controller}}, \
             ownerReferences: [{{uid: pod-0}}]}}\n{status}\n"
        )
    };
    see(&mut reported, "1", &text(""));
    let writes = find(&reported);
    let [StatusWrite { change: StatusChange::State(state), .. }] = &writes[..] else {
        panic!("{writes:?}");
    };
    assert_eq!(state.conditions[0].last_transition_time, NOW);
    see(
        &mut reported,
        "2",
        &text(
            "status: {result: Valid, conditions: [{type: poolReconcilerValid, status: 'True', \
             reason: Reconciled, message: '', lastTransitionTime: '2026-01-01T00:00:00Z'}]}",
        ),
    );
    assert_eq!(find(&reported), [], "the time of a condition that stays is no change");
    // Another replica leads, in another pod.
    let other = Some(Owner { name: "c-1".to_owned(), uid: "pod-1".to_owned() });
    let options = StatusOptions { owner: other, ..options.clone() };
    let writes = told(&world(""), &Rivals::default(), &options, &reported).writes;
    assert!(matches!(&writes[..], [StatusWrite { change: StatusChange::Establish { .. }, .. }]));
}

#[test]
fn what_is_older_than_what_is_known_is_not_taken() {
    let text = service("gate", "");
    let mut reported = Reported::default();
    assert!(see(&mut reported, "10", &text));
    assert!(!see(&mut reported, "9", &text));
    let version = |reported: &Reported| {
        reported.revision(StatusKind::Service, &gate()).map(|it| it.version.to_string())
    };
    assert_eq!(version(&reported).as_deref(), Some("10"));
    assert!(see(&mut reported, "11", &text));
    let object = ObjectRef::new("Service", "default", "gate");
    reported.gone(&object, "another");
    assert_eq!(version(&reported).as_deref(), Some("11"));
    reported.gone(&object, "uid");
    assert_eq!(version(&reported), None);
    assert!(see(&mut reported, "9", &text), "a new one of the name");
    reported.keep("Service", |_| false);
    assert_eq!(version(&reported), None);

    // A store that was put back has older versions of the same.
    assert!(see(&mut reported, "12", &text));
    let kind = |name: &str| watched(Role::Controller).iter().find(|it| it.kind == name);
    let anew = |name: &str| ClusterEvent::Anew(Selection::all(kind(name).expect("it is read")));
    assert!(reported.heed(&anew("Ingress")) && !see(&mut reported, "8", &text));
    assert!(reported.heed(&anew("Service")) && see(&mut reported, "8", &text));
    assert_eq!(version(&reported).as_deref(), Some("8"));
}

fn write(name: &str) -> StatusWrite {
    StatusWrite {
        kind: StatusKind::Service,
        id: NamespacedName::new("default", name),
        revision: None,
        change: StatusChange::NoAddresses,
    }
}

#[test]
fn a_write_that_fails_waits_longer_each_time_and_keeps_no_other_waiting() {
    let mut retries = Retries::default();
    let mut now = steelyard_testbed::simulation::start();
    let both = || vec![write("a"), write("b")];
    let id = |name: &str| NamespacedName::new("default", name);
    assert_eq!(retries.begin(now, both()).len(), 2);
    assert_eq!(retries.begin(now, both()), [], "both are on their way");
    retries.end(now, StatusKind::Service, &id("b"), WriteOutcome::Gone);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        retries.end(now, StatusKind::Service, &id("a"), WriteOutcome::Failed(None));
        assert_eq!(retries.begin(now, both()), [write("b")]);
        retries.end(now, StatusKind::Service, &id("b"), WriteOutcome::Gone);
        let due = retries.deadline().expect("it is tried again");
        pauses.push(due - now);
        now = due;
        assert_eq!(retries.begin(now, vec![write("a")]), [write("a")]);
    }
    assert!(pauses.is_sorted() && pauses[0] < Duration::from_secs(1), "{pauses:?}");
    assert_eq!(pauses.last(), Some(&Duration::from_secs(30)));
    for _ in 0..12 {
        retries.end(now, StatusKind::Service, &id("a"), WriteOutcome::Conflict);
        let due = retries.deadline().expect("it is tried again");
        assert!(due - now < Duration::from_secs(1), "what changes gets its turn");
        now = due;
        assert_eq!(retries.begin(now, vec![write("a")]), [write("a")]);
    }
    let asked = Some(Duration::from_secs(7));
    retries.end(now, StatusKind::Service, &id("a"), WriteOutcome::Deposed);
    retries.begin(now, vec![write("a")]);
    retries.end(now, StatusKind::Service, &id("a"), WriteOutcome::Failed(asked));
    assert_eq!(retries.deadline(), asked.map(|pause| now + pause));
    retries.settle(&Scope::All, |_, _| false);
    assert_eq!((retries.deadline(), retries.running()), (None, 0));
}

#[test]
fn only_those_that_were_looked_at_wait_no_longer() {
    let mut retries = Retries::default();
    let now = steelyard_testbed::simulation::start();
    let of = |kind, name| StatusWrite { kind, ..write(name) };
    let others = [(StatusKind::Pool, "a"), (StatusKind::Ingress, "a"), (StatusKind::Ingress, "d")];
    let others = others.map(|(kind, name)| of(kind, name));
    let writes = ["a", "b", "c"].map(write).into_iter().chain(others).collect();
    for it in retries.begin(now, writes) {
        retries.end(now, it.kind, &it.id, WriteOutcome::Failed(None));
    }
    let later = now + Duration::from_secs(1);
    let due = |retries: &Retries| -> Vec<(StatusKind, String)> {
        retries.due(later).map(|(kind, id)| (kind, id.name.to_string())).collect()
    };
    let service = |name: &str| (StatusKind::Service, name.to_owned());
    let mut looked_at = Scope::nothing();
    let names = |names: &[&str]| -> Vec<NamespacedName> {
        names.iter().map(|name| NamespacedName::new("default", *name)).collect()
    };
    looked_at.extend(StatusKind::Service, names(&["a", "b", "d"]));
    looked_at.extend(StatusKind::Ingress, names(&["d"]));
    retries.settle(&looked_at, |_, id| *id.name == *"b");
    let ingress = (StatusKind::Ingress, "a".to_owned());
    assert_eq!(due(&retries), [service("b"), service("c"), ingress]);
    assert!(retries.due(now).next().is_none());
    retries.settle(&Scope::All, |_, id| *id.name == *"c");
    assert_eq!(due(&retries), [service("c")]);
}

/// An API server that leaves out what it does not know, or somebody who puts back what was there.
#[test]
fn what_is_written_and_comes_to_nothing_is_written_ever_less_often() {
    let mut retries = Retries::default();
    let mut now = steelyard_testbed::simulation::start();
    let id = NamespacedName::new("default", "a");
    let mut pauses = Vec::new();
    for _ in 0..12 {
        assert_eq!(retries.begin(now, vec![write("a")]), [write("a")]);
        retries.end(now, StatusKind::Service, &id, WriteOutcome::Written);
        assert_eq!(retries.begin(now, vec![write("a")]), [], "it was just written");
        let due = retries.deadline().expect("it is tried again");
        pauses.push(due - now);
        now = due;
    }
    assert!(pauses.is_sorted() && pauses[0] < Duration::from_secs(1), "{pauses:?}");
    assert_eq!(pauses.last(), Some(&Duration::from_secs(30)));
    // What is decided anew is written at once, and what has come to something is forgotten.
    retries.begin(now, vec![write("a")]);
    retries.end(now, StatusKind::Service, &id, WriteOutcome::Written);
    let counts = StatusChange::Counts { counts: PoolStatus::default(), by_force: false };
    let another = StatusWrite { change: counts, ..write("a") };
    assert_eq!(retries.begin(now, vec![another.clone()]), [another]);
    retries.end(now, StatusKind::Service, &id, WriteOutcome::Written);
    retries.settle(&Scope::All, |_, _| false);
    assert_eq!((retries.deadline(), retries.running()), (None, 0));
}

#[test]
fn what_happens_again_is_counted_and_who_has_many_gets_few() {
    let object = ObjectRef::new("Service", "default", "gate");
    let mut events = Events::default();
    let start = steelyard_testbed::simulation::start();
    let happened = |message| Happened {
        object: &object,
        uid: "u",
        kind: ServiceEventKind::Warning,
        reason: "AllocationFailed",
        message,
    };
    let first = events.tell(start, "t1", happened("no pool")).expect("an event");
    let again = events.tell(start, "t2", happened("no pool")).expect("an event");
    assert_eq!((first.count, again.count), (1, 2));
    assert_eq!((&*again.first, &*again.last), ("t1", "t2"));
    assert_eq!(first.name, again.name);
    let other = events.tell(start, "t2", happened("another")).expect("an event");
    assert_ne!(other.name, first.name);
    let told = (0..100).filter_map(|_| events.tell(start, "t3", happened("no pool"))).count();
    assert_eq!(told, 22);
    let later = start + Duration::from_secs(300);
    assert!(events.tell(later, "t4", happened("no pool")).is_some());
    assert_eq!(events.tell(later, "t4", happened("no pool")), None);
}

#[test]
fn of_very_many_events_the_oldest_are_counted_from_the_start() {
    const MOST: u32 = 10_000;
    let mut events = Events::default();
    let start = steelyard_testbed::simulation::start();
    let object = ObjectRef::new("Service", "default", "gate");
    let mut tell = |at: u32| {
        let (uid, message) = (format!("uid-{at}"), "no pool");
        let kind = ServiceEventKind::Warning;
        let it = Happened { object: &object, uid: &uid, kind, reason: "Why", message };
        let now = start + Duration::from_millis(u64::from(at));
        events.tell(now, "t", it).expect("an event").count
    };
    assert!((0..=MOST).all(|at| tell(at) == 1));
    assert_eq!(tell(MOST), 2);
    assert_eq!(tell(0), 1, "it made place for the last one");
    assert_eq!(tell(2), 2);
}

/// The findings as data, beside those of `check`.
#[test]
fn what_is_left_alone_is_said() {
    let status = |manager| Served {
        addresses: vec!["192.0.2.77".to_owned()],
        managers: vec![manager],
        ..Served::default()
    };
    let mut text = String::new();
    for (rival, served) in
        [("metallb", Served::default()), ("servicelb", status("k3s")), ("", status("kube-vip"))]
    {
        let rivals = rivals(rival);
        let seen = served.seen("Service", "gate");
        let found = told(&world(""), &rivals, &StatusOptions::default(), &seen);
        let left = found.left.iter().map(steelyard_statuses::LeftAlone::diagnostic);
        for it in rivals.diagnostic().into_iter().chain(left) {
            let object = it.object.as_ref().expect("an object");
            text +=
                &format!("warning[{}]: {object}: {}\n  help: {}\n", it.code, it.message, it.help);
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/cluster/rivals.out.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).expect("the golden file can be written");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text, "UPDATE=1 rewrites it");
}
