//! MetalLB's, on Services. Under its older prefix they count where the other is absent; that it
//! is deprecated is said where addresses are given.

use super::row::{Annotation, State, rows};
use super::vocabulary::{Prefixes, Vocabulary};

pub(super) const PREFIX: &str = "metallb.io/";
pub(crate) const OLD_PREFIX: &str = "metallb.universe.tf/";

pub(crate) const METALLB: Vocabulary = Vocabulary {
    whose: "MetalLB",
    prefixes: Prefixes::Fixed(&[PREFIX, OLD_PREFIX]),
    rows: &[&ON_SERVICE],
    is_closed: true,
    // An empty value under the one prefix hides what is written under the other.
    empty_is_absent: false,
};

const ON_SERVICE: [Annotation; 4] = rows! { Service:
    "address-pool" POOL, [];
    "loadBalancerIPs" ADDRESSES, [];
    "allow-shared-ip" SHARING, [];
    "ip-allocated-from-pool" NOTED, [];
};

// Keys come sorted, so that of two prefixes the one in use comes first.
const POOL: State = State::Reads(|written, wishes, _| {
    wishes.pool.get_or_insert_with(|| written.into());
});
const ADDRESSES: State = State::Reads(|written, wishes, _| {
    wishes.addresses.get_or_insert_with(|| written.into());
});
const SHARING: State = State::Reads(|written, wishes, _| {
    wishes.sharing_key.get_or_insert_with(|| written.into());
});
const NOTED: State = State::Reads(|written, wishes, _| {
    if written.key.starts_with(PREFIX) {
        wishes.noted_pool = Some(written.value.to_owned());
    }
});

/// Those that ask for something.
pub(crate) const REQUESTS: [&str; 3] = ["address-pool", "loadBalancerIPs", "allow-shared-ip"];
