//! What a Service asks of its addresses: MetalLB's annotations under both prefixes, and the field.

use std::sync::Arc;

use steelyard_model::{AddressWish, Service};

use super::*;

const NEW: &str = "metallb.io";
const OLD: &str = "metallb.universe.tf";

fn wish(annotations: &str, spec: &str) -> AddressWish {
    AddressWish::clone(&service(annotations, spec).wish)
}

fn service(annotations: &str, spec: &str) -> Arc<Service> {
    let yaml = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: a, annotations: {{{annotations}}}}}\n\
         spec: {{type: LoadBalancer, ports: [{{port: 80}}]{spec}}}\n"
    );
    match only(lowered(&yaml)) {
        Item::Service(service) => service,
        other => panic!("{other:?}"),
    }
}

/// The addresses, or what is wrong with them, and where they are written.
fn asked(annotations: &str, spec: &str) -> String {
    match wish(annotations, spec).request {
        None => "any".into(),
        Some(request) => match request.addresses {
            Ok(addresses) => format!("{addresses:?} by {}", request.path),
            Err(bad) => format!("{bad:?} by {}", request.path),
        },
    }
}

#[test]
fn addresses_are_asked_for_in_one_place() {
    let field = "spec.loadBalancerIP";
    let by = |prefix: &str| format!("metadata.annotations[\"{prefix}/loadBalancerIPs\"]");
    let ips = |prefix: &str, value: &str| format!("{prefix}/loadBalancerIPs: {value:?}");
    for (annotations, spec, expected) in [
        (String::new(), "", "any".into()),
        (String::new(), ", loadBalancerIP: ''", "any".into()),
        (ips(NEW, ""), "", "any".into()),
        (String::new(), ", loadBalancerIP: 10.0.0.1", format!("[10.0.0.1] by {field}")),
        (String::new(), ", loadBalancerIP: x", format!("Field(\"x\") by {field}")),
        (ips(NEW, "10.0.0.1, fd00::1"), "", format!("[10.0.0.1, fd00::1] by {}", by(NEW))),
        (ips(NEW, "::ffff:10.0.0.1"), "", format!("[10.0.0.1] by {}", by(NEW))),
        (ips(OLD, "10.0.0.1"), "", format!("[10.0.0.1] by {}", by(OLD))),
        (
            format!("{}, {}", ips(OLD, "10.0.0.1"), ips(NEW, "10.0.0.2")),
            "",
            format!("[10.0.0.2] by {}", by(NEW)),
        ),
        // An empty one hides the older.
        (format!("{}, {}", ips(OLD, "10.0.0.1"), ips(NEW, "")), "", "any".into()),
        (ips(NEW, "10.0.0.1,x"), "", format!("List(\"10.0.0.1,x\") by {}", by(NEW))),
        (
            ips(NEW, "10.0.0.1,10.0.0.2"),
            "",
            format!("Families([10.0.0.1, 10.0.0.2]) by {}", by(NEW)),
        ),
        (ips(NEW, "10.0.0.1"), ", loadBalancerIP: 10.0.0.1", format!("Twice by {}", by(NEW))),
    ] {
        assert_eq!(asked(&annotations, spec), expected, "{annotations} {spec}");
    }
}

#[test]
fn pool_and_key_and_what_is_noted() {
    let all =
        format!("{NEW}/address-pool: p, {NEW}/allow-shared-ip: k, {NEW}/ip-allocated-from-pool: q");
    let service_of_all = service(&all, "");
    let found = AddressWish::clone(&service_of_all.wish);
    let pool = found.pool.expect("a pool");
    let path = "metadata.annotations[\"metallb.io/address-pool\"]";
    assert_eq!((&*pool.name, &*pool.path.0), ("p", path));
    assert_eq!(found.sharing_key.as_deref(), Some("k"));
    assert_eq!(service_of_all.noted_pool.as_deref(), Some("q"));
    assert_eq!(found.deprecated, []);

    let old = service(&format!("{OLD}/allow-shared-ip: '', {OLD}/ip-allocated-from-pool: q"), "");
    assert_eq!(old.noted_pool, None);
    let old = AddressWish::clone(&old.wish);
    // There, and empty: MetalLB heeds both.
    assert_eq!(old.sharing_key.as_deref(), Some(""));
    assert_eq!(old.pool, None);
    let deprecated = old.deprecated.iter().map(|it| (it.key.as_str(), it.is_request));
    let expected = [
        ("metallb.universe.tf/allow-shared-ip", true),
        ("metallb.universe.tf/ip-allocated-from-pool", false),
    ];
    assert!(deprecated.eq(expected), "{:?}", old.deprecated);
    assert_eq!(wish(&format!("{NEW}/address-pool: ''"), ""), AddressWish::default());
}
