//! A table that took edits in equals one compiled from nothing, and the table before an edit goes
//! on as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::RoutingTable;
use crate::tests::properties::{host, rank, rule, sample};
use crate::tests::ranked::Ranked;
use steelyard_model::object::{FieldPath, ObjectRef, Provenance};
use steelyard_model::routing::id::{EntryPointId, ListenerId, RouteId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::world::RoutingDelta;
use steelyard_testbed::Probe;
use steelyard_testbed::probe::get;

const LISTENERS: &[&str] = &["l0", "l1", "l2", "l3"];
const ROUTES: &[&str] = &["r0", "r1", "r2", "r3", "r4", "r5"];
const POINTS: &[&str] = &["a", "b"];

fn listener() -> impl Strategy<Value = Listener> {
    let security = select(&[0_u8, 1, 2][..]).prop_map(|kind| match kind {
        0 => Security::Plain,
        1 => Security::Terminate { policy: None, certificates: Vec::new() },
        _ => Security::Passthrough,
    });
    let gateway = prop::option::of(select(&["g", "h"][..]));
    (select(LISTENERS), select(POINTS), security, host(), gateway).prop_map(
        |(id, entry_point, security, host, gateway)| Listener {
            host,
            gateway: gateway.map(Into::into),
            ..Listener::new(id.into(), entry_point.into(), security)
        },
    )
}

fn place(id: &str) -> Provenance {
    Provenance { object: Arc::new(ObjectRef::new("Test", "default", id)), field: FieldPath::root() }
}

fn route() -> impl Strategy<Value = Route> {
    let kind = select(&[RouteKind::Http, RouteKind::Http, RouteKind::Tcp][..]);
    let to = prop_oneof![
        3 => Just(Destination::Backend("b".into())),
        1 => subsequence(ROUTES, 0..3)
            .prop_map(|ids| Destination::Routes(ids.into_iter().map(RouteId::from).collect())),
    ];
    let policy = prop::option::of(select(&["p", "q"][..]));
    (select(ROUTES), kind, subsequence(LISTENERS, 0..3), (rank(), rule()), to, policy).prop_map(
        |(id, kind, listeners, (rank, rule), to, policy)| Route {
            id: id.into(),
            place: place(id),
            kind,
            listeners: listeners.into_iter().map(ListenerId::from).collect(),
            rank,
            rule: rule.into(),
            uses: Vec::new(),
            to,
            timeouts: None,
            manner: Manner::Traefik,
            tls_policy: policy.map(Into::into),
            observability: Observability::default(),
        },
    )
}

fn edit() -> impl Strategy<Value = RoutingDelta> {
    let listeners = prop::collection::vec((listener(), any::<bool>()), 0..3);
    let routes = prop::collection::vec((route(), 0_u8..4), 0..5);
    (listeners, routes).prop_map(|(listeners, routes)| {
        // Of a thing that is told twice the last counts.
        let listeners: BTreeMap<_, _> = listeners
            .into_iter()
            .map(|(it, stays)| (it.id.clone(), stays.then(|| Arc::new(it))))
            .collect();
        let routes: BTreeMap<_, _> = routes
            .into_iter()
            .map(|(it, stays)| (it.id.clone(), (stays > 0).then(|| Arc::new(it))))
            .collect();
        RoutingDelta {
            listeners: listeners.into_iter().collect(),
            routes: routes.into_iter().collect(),
            ..RoutingDelta::default()
        }
    })
}

/// All that a table says of `sample`.
fn answers(table: &RoutingTable, sample: &Probe) -> Vec<String> {
    let mut all = Vec::new();
    for id in POINTS.iter().map(|name| EntryPointId::from(*name)) {
        let Some(point) = table.entry_point(&id) else { continue };
        for is_tls in [false, true] {
            let choice = point.choose(is_tls, sample);
            all.push(format!("{id} {is_tls} {:?}", choice.map(|it| (&it.candidate.id, it.bids))));
        }
        all.push(format!("{:?} {:?}", point.opening(sample), point.plain(sample)));
        all.push(format!("{:?} {:?}", point.hello(sample), point.starttls(sample)));
        all.push(format!("{:?}", point.misdirection("a.b", &sample.host)));
    }
    for parent in ROUTES {
        let choice = table.child(&(*parent).into(), sample);
        all.push(format!("{parent} {:?}", choice.map(|it| &it.candidate.id)));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn edits_equal_compiling_anew(
        edits in prop::collection::vec(edit(), 1..8),
        samples in prop::collection::vec(sample(), 3),
    ) {
        let mut table = RoutingTable::default();
        let (mut listeners, mut routes) = (BTreeMap::new(), BTreeMap::new());
        for edit in edits {
            let former = table.clone();
            let before: Vec<_> = samples.iter().map(|sample| answers(&former, sample)).collect();
            for (id, now) in &edit.listeners {
                match now {
                    Some(now) => _ = listeners.insert(id.clone(), now.clone()),
                    None => _ = listeners.remove(id),
                }
            }
            for (id, now) in &edit.routes {
                match now {
                    Some(now) => _ = routes.insert(id.clone(), now.clone()),
                    None => _ = routes.remove(id),
                }
            }
            table.change(&edit);
            let listeners: Vec<_> = listeners.values().rev().cloned().collect();
            let routes: Vec<_> = routes.values().rev().cloned().collect();
            let anew = RoutingTable::compile(&listeners, &routes);
            prop_assert_eq!(table.len(), routes.len());
            prop_assert_eq!(table.is_empty(), routes.is_empty());
            for (sample, before) in samples.iter().zip(&before) {
                prop_assert_eq!(answers(&table, sample), answers(&anew, sample));
                prop_assert_eq!(&answers(&former, sample), before);
            }
        }
    }
}

/// An HTTP route for everything on `l0`, of one rank with all others like it.
fn alike(id: &str) -> Arc<Route> {
    Arc::new(Route {
        id: id.into(),
        place: place(id),
        kind: RouteKind::Http,
        listeners: vec!["l0".into()],
        rank: Ranked::named(id).rank.clone(),
        rule: Rule::always().into(),
        uses: Vec::new(),
        to: Destination::Backend("b".into()),
        timeouts: None,
        manner: Manner::Traefik,
        tls_policy: None,
        observability: Observability::default(),
    })
}

fn plain(id: &str) -> Arc<Listener> {
    Arc::new(Listener::new(id.into(), "a".into(), Security::Plain))
}

fn serving(table: &RoutingTable) -> Option<&RouteId> {
    let point = table.entry_point(&"a".into())?;
    point.choose(false, &get("a.b", "/")).map(|choice| &choice.candidate.id)
}

#[test]
fn of_one_rank_the_first_name_serves_and_each_is_taken_out_alone() {
    for routes in [["r0", "r1"], ["r1", "r0"]] {
        let mut table = RoutingTable::compile(&[plain("l0")], &routes.map(alike));
        for (serves, gone) in [("r0", "r0"), ("r1", "r1")] {
            assert_eq!(serving(&table), Some(&serves.into()));
            let routes = [(gone.into(), None)].into_iter().collect();
            table.change(&RoutingDelta { routes, ..RoutingDelta::default() });
        }
        assert_eq!(serving(&table), None);
    }
}

#[test]
fn of_listeners_for_one_host_the_first_name_serves() {
    let mut on_other = Route::clone(&alike("other"));
    on_other.listeners = vec!["l1".into()];
    let routes = [Arc::new(on_other), alike("route")];
    for listeners in [["l0", "l1"], ["l1", "l0"]] {
        let table = RoutingTable::compile(&listeners.map(plain), &routes);
        assert_eq!(serving(&table), Some(&"route".into()), "{listeners:?}");
    }
}
