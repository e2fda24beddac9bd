//! Endpoints that lead round, as Services come, move and go.

use super::*;
use crate::Planner;

/// A Service with an address, and an endpoint at one.
fn leading(name: &str, address: u8, to: u8) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations:\n    \
         metallb.io/loadBalancerIPs: 192.168.1.{address}\n    \
         steelyard.dev/endpoints: \"192.168.1.{to}:80\"\n\
         spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}\n"
    )
}

/// A Service is told of it also where it is another one that was edited.
#[test]
fn a_circle_is_told_when_it_closes_and_no_more_when_it_opens() {
    let (mut planner, mut held) = (Planner::default(), Holdings::default());
    let mut told = |services: &[(&str, u8, u8)]| {
        let services: String =
            services.iter().map(|(name, at, to)| leading(name, *at, *to)).collect();
        let yaml = format!("{POOL}{services}");
        let snapshot = resolve(&items(&yaml), &ResolveOptions::default());
        let plan = planner.plan(&snapshot, &held, &facts("n"));
        held.clone_from(&plan.held);
        planner.look_ahead();
        ["a", "b", "c"]
            .map(|name| codes(&plan, &format!("default/{name}")).contains(&"endpoint-circle"))
    };
    let (a, c) = (("a", 240, 241), ("c", 242, 240));
    assert_eq!(told(&[a]), [false, false, false]);
    assert_eq!(told(&[a, ("b", 241, 240)]), [true, true, false]);
    assert_eq!(told(&[a, ("b", 243, 240)]), [false, false, false], "b moved");
    assert_eq!(told(&[a, ("b", 241, 242)]), [false, false, false], "nobody is at .242");
    assert_eq!(told(&[a, ("b", 241, 242), c]), [true, true, true]);
    assert_eq!(told(&[a, ("b", 241, 249), c]), [false, false, false], "b leads elsewhere");
    assert_eq!(told(&[a, ("b", 241, 240)]), [true, true, false]);
    assert_eq!(told(&[a]), [false, false, false], "b is gone");
}
