use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use steelyard_manifest::Source;

use super::*;

const POOL: &str = "apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: home, namespace: metallb-system}
spec: {addresses: [192.0.2.10-192.0.2.20]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all, namespace: metallb-system}
";

fn service(name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default, \
         annotations: {{steelyard.dev/endpoints: '192.0.2.99:80'}}}}\n\
         spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}\n"
    )
}

fn sight(text: &str) -> Sight {
    Sight::complete(vec![Source::new("all.yaml", text.as_bytes())])
}

fn own() -> OwnFacts {
    OwnFacts { named: "a".to_owned(), ..OwnFacts::default() }
}

fn addresses(decided: &Decided) -> Vec<IpAddr> {
    decided.plan.services.values().flat_map(|row| row.addresses.to_vec()).collect()
}

/// What is decided is not in force: only what was written down is held.
#[test]
fn what_was_not_written_down_is_decided_anew() {
    let mut mind = Mind::new(ResolveOptions::default(), Holdings::default(), Vec::new());
    let now = Instant::now();
    mind.see(sight(&(POOL.to_owned() + &service("web"))));
    let first = mind.take(&own(), now);
    assert_eq!(addresses(&first), ["192.0.2.10".parse::<IpAddr>().unwrap()]);
    mind.see(sight(&(POOL.to_owned() + &service("app") + &service("web"))));
    let unwritten = mind.take(&own(), now);
    let app = "192.0.2.10".parse::<IpAddr>().unwrap();
    assert_eq!(addresses(&unwritten)[0], app, "nobody held it");
    mind.hold(&first.plan.held);
    let written = mind.take(&own(), now);
    let web = written.plan.services.values().find(|row| row.name == "web").unwrap();
    assert_eq!(web.addresses, addresses(&first));
}

#[test]
fn a_node_object_is_this_machine_by_name_or_by_address() {
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: b}\n\
                status: {addresses: [{type: InternalIP, address: 192.0.2.2}]}\n";
    let mut mind = Mind::new(ResolveOptions::default(), Holdings::default(), Vec::new());
    mind.see(sight(&(POOL.to_owned() + node)));
    let now = Instant::now();
    assert_eq!(mind.take(&own(), now).node, "a");
    let addresses = Arc::new(["192.0.2.2".parse().unwrap()].into());
    let at_address = OwnFacts { addresses, ..own() };
    assert_eq!(mind.take(&at_address, now).node, "b");
}

/// The same world and facts come to the same decision, however it was come to.
#[test]
fn a_decision_hangs_on_what_was_taken_in_alone() {
    let texts = [service("web"), service("app"), service("web") + &service("app")];
    let mut kept = Mind::new(ResolveOptions::default(), Holdings::default(), Vec::new());
    let mut now = Instant::now();
    for text in texts {
        let text = POOL.to_owned() + &text;
        let mut fresh = Mind::new(ResolveOptions::default(), Holdings::default(), Vec::new());
        fresh.see(sight(&text));
        kept.see(sight(&text));
        kept.take(&own(), now);
        // What is gone from a file is believed to be when that has lasted.
        now += Duration::from_hours(1);
        let (kept, fresh) = (kept.take(&own(), now), fresh.take(&own(), now));
        let told = |it: &Decided| serde_json::to_value(&it.plan).unwrap();
        assert_eq!(told(&kept), told(&fresh));
        assert_eq!(kept.snapshot, fresh.snapshot);
    }
}
