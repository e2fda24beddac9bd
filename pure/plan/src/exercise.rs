//! Any bytes as a small crowded world, joined and planned, with what must hold afterwards.
//! Fuzzing and the corpus share it.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{Family, Item, NamespacedName, ObjectRef, Service, Snapshot};

use crate::{AnnouncementRow, Facts, Plan, plan};
use steelyard_pipeline::{ResolveOptions, resolve};
use world::World;

/// Plans the world that `bytes` describe.
///
/// # Panics
///
/// When an invariant of the planner does not hold; no bytes may cause that.
pub fn exercise(bytes: &[u8]) {
    let World { items, held, node } = World::read(bytes);
    let snapshot = resolve(&items, &ResolveOptions::default());
    let facts = Facts { node, ..Facts::default() };
    let first = plan(&snapshot, &held, &facts);
    check(&snapshot, &first);
    let again = plan(&snapshot, &first.held, &facts);
    assert_eq!(addresses(&first), addresses(&again), "planned again, addresses stay");
    assert_eq!(first.held, again.held, "what is held is a fixed point");
    let reversed: Vec<Arc<Item>> = items.into_iter().rev().collect();
    let other = plan(&resolve(&reversed, &ResolveOptions::default()), &held, &facts);
    assert_eq!(format!("{first:?}"), format!("{other:?}"), "the order of input does not count");
}

/// Who has which addresses.
fn addresses(plan: &Plan) -> BTreeMap<NamespacedName, Vec<IpAddr>> {
    plan.services.iter().map(|(id, row)| (id.clone(), row.addresses.to_vec())).collect()
}

fn check(snapshot: &Snapshot, plan: &Plan) {
    let given = addresses(plan);
    for (id, addresses) in &given {
        let service = &snapshot.services[id].service;
        check_addresses(snapshot, plan, service, addresses);
        let others = given.iter().filter(|(other, _)| *other > id);
        for (other, _) in
            others.filter(|(_, theirs)| theirs.iter().any(|it| addresses.contains(it)))
        {
            let other = &snapshot.services[other].service;
            assert!(may_share(service, other), "{id} and {} share an address", other.id);
        }
    }
    for found in &plan.diagnostics {
        assert!(!found.message.is_empty() && !found.help.is_empty(), "{found:?}");
    }
    let of_nodes: BTreeSet<IpAddr> =
        snapshot.nodes.iter().flat_map(|node| node.addresses()).collect();
    for row in plan.announcements.values() {
        let AnnouncementRow::Layer2(row) = row else { continue };
        let is_free = !of_nodes.contains(&row.address);
        assert!(is_free || row.owner.is_none(), "{} is a node's, and announced", row.address);
        let known = given.values().flatten().any(|address| *address == row.address);
        assert!(known, "{} is announced and nobody has it", row.address);
    }
}

/// One address, or one of each family, all in one pool; or a word on why there is none.
fn check_addresses(snapshot: &Snapshot, plan: &Plan, service: &Service, addresses: &[IpAddr]) {
    match addresses {
        [] => {
            let about = |object: &ObjectRef| *object == *service.object;
            let told = plan.diagnostics.iter().any(|it| it.object.as_ref().is_some_and(about));
            assert!(told, "{} is pending and nobody says why", service.id);
        }
        [_] => {}
        [a, b] => assert!(Family::of(*a) != Family::of(*b), "{addresses:?}"),
        _ => panic!("{} has {addresses:?}", service.id),
    }
    let in_one = |pool: &steelyard_model::Pool| addresses.iter().all(|it| pool.contains(*it));
    assert!(addresses.is_empty() || snapshot.pools.iter().any(in_one), "{addresses:?}");
}

/// The rule, plainly: the same key, the same policy, no port in common.
fn may_share(a: &Service, b: &Service) -> bool {
    let ports = |it: &Service| -> Vec<_> {
        it.ports.iter().map(|port| (port.protocol, port.port)).collect()
    };
    a.wish.sharing_key.as_ref().is_some_and(|key| !key.is_empty())
        && a.wish.sharing_key == b.wish.sharing_key
        && a.external_traffic_policy == b.external_traffic_policy
        && ports(a).iter().all(|port| !ports(b).contains(port))
}

#[cfg(test)]
mod tests {
    use steelyard_model::Holdings;
    use steelyard_model::routing::entry_point::EntryPoint;
    use steelyard_testbed::corpus;

    use super::*;
    use crate::{Absent, Author, Occupant, Planner};

    /// Mostly it is decided here.
    const AUTHORS: [Author; 8] = {
        let mut authors = [Author::Here; 8];
        (authors[5], authors[6]) = (Author::Holdings, Author::Statuses);
        authors[7] = Author::Nobody;
        authors
    };

    /// Replays the fuzz corpus.
    #[test]
    fn the_fuzz_corpus_holds() {
        let count = corpus::replay("planner", exercise);
        assert!(count >= 10, "the corpus has only {count} files");
    }

    /// Bytes from a fixed seed.
    struct Seeded(u64);

    impl Seeded {
        fn byte(&mut self) -> u8 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_be_bytes()[0]
        }

        fn below(&mut self, limit: usize) -> usize {
            usize::from(self.byte()) % limit
        }
    }

    const SEED: Seeded = Seeded(0x9e37_79b9_7f4a_7c15);

    /// A few thousand worlds from a fixed seed.
    #[test]
    fn worlds_from_a_seed_hold() {
        let mut seeded = SEED;
        for _ in 0..2_000 {
            let bytes: [u8; 160] = std::array::from_fn(|_| seeded.byte());
            exercise(&bytes);
        }
    }

    /// A planner that has planned other worlds before plans each as one that has not: worlds that
    /// differ in pools, advertisements, nodes, Services, entry points, holdings or facts.
    #[test]
    fn planning_again_equals_planning_from_scratch() {
        let mut seeded = SEED;
        for _ in 0..60 {
            let mut bytes: [u8; 160] = std::array::from_fn(|_| seeded.byte());
            let (mut planner, mut held) = (Planner::default(), Holdings::default());
            for step in 0..25 {
                for _ in 0..seeded.below(3) {
                    // The first bytes say how many there are of each kind.
                    let limit = [20, 160][seeded.below(2)];
                    bytes[seeded.below(limit)] = seeded.byte();
                }
                let world = World::read(&bytes);
                if seeded.below(8) == 0 {
                    held = world.held;
                }
                let mut entry_points = vec![EntryPoint::new("web", 80)];
                if seeded.below(4) > 0 {
                    entry_points.push(EntryPoint::new("other", 81));
                }
                let options = ResolveOptions { entry_points, ..ResolveOptions::default() };
                let snapshot = resolve(&world.items, &options);
                let absent = if seeded.below(8) == 0 { Absent::KeepAll } else { Absent::Release };
                let own: BTreeMap<IpAddr, Occupant> = match seeded.below(8) {
                    0 => [("10.0.0.1".parse().unwrap(), Occupant::ThisMachine)].into(),
                    _ => BTreeMap::new(),
                };
                let facts = Facts {
                    node: world.node,
                    absent,
                    occupants: own,
                    author: AUTHORS[seeded.below(AUTHORS.len())],
                    leaves_forwarding: seeded.below(4) == 0,
                    settles: seeded.below(4) == 0,
                    ..Facts::default()
                };
                let again = planner.plan(&snapshot, &held, &facts);
                let scratch = plan(&snapshot, &held, &facts);
                assert_eq!(format!("{again:#?}"), format!("{scratch:#?}"), "step {step}");
                if seeded.below(2) == 0 {
                    planner.look_ahead();
                }
                if seeded.below(4) > 0 {
                    held = again.held;
                }
            }
        }
    }
}
