//! A table that took edits in equals one compiled from nothing, and the table before an edit goes
//! on as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::RoutingTable;
use crate::tests::properties::{host, rank, rule, sample};
use crate::tests::request::Sample;
use steelyard_model::object::{FieldPath, ObjectRef, Provenance};
use steelyard_model::routing::id::{EntryPointId, ListenerId, RouteId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind, RouteTimeouts};
use steelyard_model::routing::world::RoutingDelta;

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
            id: id.into(),
            entry_point: entry_point.into(),
            security,
            host,
            gateway: gateway.map(Into::into),
            uses: Vec::new(),
            fallback: None,
            place: None,
        },
    )
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
            place: Provenance {
                object: Arc::new(ObjectRef::new("Test", "default", id)),
                field: FieldPath::root(),
            },
            kind,
            listeners: listeners.into_iter().map(ListenerId::from).collect(),
            rank,
            rule,
            uses: Vec::new(),
            to,
            timeouts: RouteTimeouts::default(),
            manner: Manner::Traefik,
            tls_policy: policy.map(Into::into),
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
fn answers(table: &RoutingTable, sample: &Sample) -> Vec<String> {
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
            for (sample, before) in samples.iter().zip(&before) {
                prop_assert_eq!(answers(&table, sample), answers(&anew, sample));
                prop_assert_eq!(&answers(&former, sample), before);
            }
        }
    }
}
