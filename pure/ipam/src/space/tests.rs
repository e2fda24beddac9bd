//! Numbering against plain enumeration; capacity.

use steelyard_model::{AddressRange, Family, NamespacedName, ObjectRef, Pool};

use super::*;

fn pool(ranges: &[(&str, &str)], avoid_buggy_ips: bool) -> Pool {
    let range = |(start, end): &(&str, &str)| {
        AddressRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
    };
    Pool {
        id: NamespacedName::new("metallb-system", "pool"),
        object: ObjectRef::new("IPAddressPool", "metallb-system", "pool").into(),
        labels: Default::default(),
        ranges: ranges.iter().map(range).collect(),
        mapped: Vec::new(),
        auto_assign: true,
        avoid_buggy_ips,
        allocation: None,
    }
}

/// Takes everything, in order.
fn drain(space: &mut Space) -> Vec<String> {
    let mut taken = Vec::new();
    while let Some(position) = space.first_free() {
        let address = space.address(position);
        assert_eq!(space.position(position.0, address), Some(position));
        space.take(position);
        taken.push(address.to_string());
    }
    taken
}

#[test]
fn addresses_come_range_by_range_lowest_first() {
    let ranges = [("10.0.0.254", "10.0.1.1"), ("fd00::ff", "fd00::100"), ("10.0.0.0", "10.0.0.1")];
    for (avoid, v4) in [
        (false, vec!["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1", "10.0.0.0", "10.0.0.1"]),
        (true, vec!["10.0.0.254", "10.0.1.1", "10.0.0.1"]),
    ] {
        let pool = pool(&ranges, avoid);
        let mut space = Space::new(&pool, Family::V4);
        assert_eq!(space.capacity, v4.len() as u64);
        assert_eq!(drain(&mut space), v4);
        assert_eq!(space.available(), 0);
        assert!(!space.is_open());
        assert_eq!(drain(&mut Space::new(&pool, Family::V6)), ["fd00::ff", "fd00::100"]);
    }
}

#[test]
fn what_is_released_comes_first_again() {
    let mut space = Space::new(&pool(&[("10.0.0.0", "10.0.3.255")], true), Family::V4);
    let all = drain(&mut space);
    assert_eq!(all.len(), 4 * 254);
    for address in ["10.0.2.17", "10.0.1.1"] {
        space.release(space.position(0, address.parse().unwrap()).unwrap());
    }
    assert_eq!(space.available(), 2);
    assert_eq!(drain(&mut space), ["10.0.1.1", "10.0.2.17"]);
}

#[test]
fn left_out_addresses_have_no_place() {
    let pool = pool(&[("10.0.0.0", "10.0.0.255"), ("10.0.1.255", "10.0.2.0")], true);
    let space = Space::new(&pool, Family::V4);
    for (range, address) in [(0, "10.0.0.0"), (0, "10.0.0.255"), (1, "10.0.1.255"), (0, "10.0.1.1")]
    {
        assert_eq!(space.position(range, address.parse().unwrap()), None, "{address}");
    }
    assert_eq!(space.capacity, 254);
    assert!(space.is_open());
}

#[test]
fn capacities_saturate() {
    for (start, end, capacity) in [
        ("10.0.0.0", "10.0.0.255", 256),
        ("0.0.0.0", "255.255.255.255", 1 << 32),
        ("fd00::", "fd00::ffff:ffff:ffff", 1 << 48),
        ("fd00::", "fd00::3fff:ffff:ffff:ffff", i64::MAX as u64),
        ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", i64::MAX as u64),
    ] {
        let pool = pool(&[(start, end)], false);
        let space = Space::new(&pool, pool.ranges[0].family());
        assert_eq!(space.capacity, capacity, "{start}-{end}");
    }
}
