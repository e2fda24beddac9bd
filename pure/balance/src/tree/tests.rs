//! Trees of any shape, also such that nobody means; what each kind chooses is asked in
//! `pure/route/tests/model`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use steelyard_model::routing::backend::{Backend, CopiedBody, Edge, FixedAnswer};
use steelyard_model::{ObjectRef, Provenance};

use super::*;

struct Wood {
    backends: BTreeMap<u32, Backend>,
    shapes: Cell<usize>,
    /// Filters stand on all ways.
    is_filtered: bool,
}

impl Tree for Wood {
    type Node = u32;

    fn shape<'n>(&self, node: &'n u32) -> Shape<'n> {
        self.shapes.set(self.shapes.get() + 1);
        // The borrow is of the node: a test's backends live as long as the test.
        let backend = self.backends.get(node).cloned();
        backend.map_or(Shape::Nothing, |it| Shape::of(Box::leak(Box::new(it))))
    }

    fn follow(&self, node: &u32, edge: usize) -> u32 {
        let edges = self.backends[node].edges();
        edges[edge].backend.as_str().parse().expect("a number")
    }

    fn turn(&self, _: &u32, mut weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
        weights.position(|weight| weight > 0)
    }

    fn token(&self, node: &u32, edge: usize) -> Arc<str> {
        token(&self.backends[node].edges()[edge].backend)
    }

    fn is_drawn(&self, _: &u32, _: usize, share: (u32, u32)) -> bool {
        share.0 > 0
    }

    fn is_filtered(&self, _: &u32) -> bool {
        self.is_filtered
    }
}

struct Nobody;

impl Asker for Nobody {
    fn cookie(&self, _: &str) -> Option<&str> {
        None
    }

    fn header(&self, _: &str) -> Option<&str> {
        None
    }

    fn client(&self) -> &str {
        "192.0.2.1"
    }
}

fn edge(to: u32, weight: u32) -> Edge {
    Edge { backend: to.to_string().into(), weight, uses: Vec::new() }
}

fn answer() -> Backend {
    Backend::Answer(FixedAnswer { status: 200, headers: Vec::new(), body: "".into() })
}

fn wood(backends: impl IntoIterator<Item = (u32, Backend)>) -> Wood {
    Wood { backends: backends.into_iter().collect(), shapes: Cell::new(0), is_filtered: false }
}

#[test]
fn a_tree_of_shared_parts_is_not_walked_to_its_end() {
    let all = |to: u32| (0..20).map(move |_| edge(to, 1)).collect();
    let weighted = |at: u32| (at, Backend::Weighted { edges: all(at + 1), sticky: None });
    let nowhere = wood((0..14).map(weighted));
    assert_eq!(choose(&nowhere, 0, &Nobody).leaf, None);
    assert!(nowhere.shapes.get() < 2 * MOST_LOOKS, "{}", nowhere.shapes.get());
}

#[test]
fn a_wide_choice_has_all_its_edges() {
    let edges = (1..20_000).map(|to| edge(to, 1)).collect();
    let far = u32::try_from(MOST_LOOKS).expect("a small number") + 1;
    let it = wood([(0, Backend::Weighted { edges, sticky: None }), (far, answer())]);
    assert_eq!(choose(&it, 0, &Nobody).leaf, Some(far));
}

#[test]
fn a_choice_waits_where_filters_stand_on_its_ways_or_bodies_have_a_bound() {
    let failover = |statuses: &[(u16, u16)], replay| Backend::Failover {
        primary: edge(1, 1),
        fallback: Box::new(edge(2, 1)),
        statuses: statuses.to_vec(),
        replay,
    };
    for (is_filtered, statuses, replay, is_there, leaf, rescues, waits) in [
        (true, &[(500, 599)][..], None, true, None, 0, true),
        (false, &[(500, 599)], None, true, Some(1), 1, false),
        (true, &[], None, true, Some(1), 0, false),
        (true, &[(500, 599)], None, false, Some(2), 0, false),
        (false, &[(500, 599)], Some(9), true, None, 0, true),
        (false, &[], Some(9), true, Some(1), 0, false),
        (false, &[(500, 599)], Some(9), false, Some(2), 0, false),
    ] {
        let first = is_there.then(|| (1, answer()));
        let above = Backend::Weighted { edges: vec![edge(3, 1)], sticky: None };
        let rest = [(0, above), (3, failover(statuses, replay)), (2, answer())];
        let it = Wood { is_filtered, ..wood(rest.into_iter().chain(first)) };
        let choice = choose(&it, 0, &Nobody);
        assert_eq!((choice.leaf, choice.rescues.len()), (leaf, rescues), "{statuses:?}");
        let fork = choice.fork.map(|fork| (fork.node, fork.path.edges().collect(), fork.replay));
        assert_eq!(fork, waits.then(|| (3, vec![0], replay)), "{statuses:?}");
    }
}

fn backend(nodes: u32) -> impl Strategy<Value = Backend> {
    let an_edge = move || (0..nodes, 0_u32..3).prop_map(|(to, weight)| edge(to, weight));
    let edges = move || prop::collection::vec(an_edge(), 0..4);
    prop_oneof![
        Just(answer()),
        edges().prop_map(|edges| Backend::Weighted { edges, sticky: None }),
        edges().prop_map(|edges| Backend::Rendezvous { edges }),
        (an_edge(), edges()).prop_map(|(main, copies)| Backend::Mirror {
            main,
            copies: copies.into_iter().map(|edge| (edge, 50)).collect(),
            body: CopiedBody::Without,
        }),
        (an_edge(), an_edge()).prop_map(|(primary, fallback)| Backend::Failover {
            primary,
            fallback: Box::new(fallback),
            statuses: vec![(500, 599)],
            replay: None,
        }),
        (an_edge(), an_edge(), 0_u32..2).prop_map(|(main, canary, part)| Backend::Canary {
            main,
            canary: Box::new(canary),
            by: Box::new(CanaryChoice { weight: (part, 1), ..CanaryChoice::default() }),
            affinity: CanaryAffinity::Sticky,
            place: Box::new(Provenance::new(
                &ObjectRef::new("Ingress", "default", "new").into(),
                ""
            )),
        }),
    ]
}

proptest! {
    /// Also where it leads back to itself.
    #[test]
    fn every_choice_ends_and_its_path_leads_to_its_leaf(
        backends in prop::collection::btree_map(0_u32..6, backend(7), 1..6),
    ) {
        let it = wood(backends);
        let choice = choose(&it, 0, &Nobody);
        let walk = |path: EdgePath| path.edges().fold(0, |node, edge| it.follow(&node, edge));
        if let Some(leaf) = choice.leaf {
            prop_assert_eq!(walk(choice.path), leaf);
            prop_assert!(matches!(it.backends[&leaf], Backend::Answer(_)));
        }
        for path in choice.copies.iter().map(|it| it.path).chain(choice.rescues.iter().map(|it| it.path)) {
            walk(path);
        }
    }
}
