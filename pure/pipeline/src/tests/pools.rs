use super::*;

fn pool(id: &str, addresses: &str) -> String {
    let (namespace, name) = id.split_once('/').unwrap();
    format!(
        "---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: {name}, \
         namespace: {namespace}, labels: {{zone: {name}}}}}\nspec: {{addresses: [{addresses}]}}\n"
    )
}

fn advertisement(id: &str, spec: &str) -> String {
    let (namespace, name) = id.split_once('/').unwrap();
    format!(
        "---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {{name: {name}, \
         namespace: {namespace}}}\nspec: {spec}\n"
    )
}

fn pools(snapshot: &Snapshot) -> Vec<String> {
    snapshot.pools.iter().map(|pool| pool.id.to_string()).collect()
}

/// `pool: advertisement advertisement` for every pool that some advertisement selects.
fn selections(snapshot: &Snapshot) -> Vec<String> {
    let line = |(pool, ads): (&steelyard_model::NamespacedName, &Vec<usize>)| {
        let names = ads.iter().map(|index| snapshot.l2_advertisements[*index].id.to_string());
        format!("{pool}: {}", names.collect::<Vec<_>>().join(" "))
    };
    snapshot.pool_advertisements.iter().map(line).collect()
}

#[test]
fn of_two_pools_that_overlap_the_later_one_is_not_used() {
    let all = advertisement("m/all", "{}");
    let yaml = pool("m/b", "10.0.0.0/24, 10.2.0.0/24")
        + &pool("m/a", "10.0.0.200-10.0.1.10, fd00::/64")
        + &pool("o/a", "'fd00::ff/128', 10.9.0.0/24, 10.0.1.0/30")
        + &pool("z/fits", "10.2.0.0/24")
        + &all;
    let snapshot = joined(&yaml);
    // `z/fits` overlaps only a pool that is not used itself.
    assert_eq!(pools(&snapshot), ["m/a", "z/fits"]);
    assert_eq!(
        findings(&snapshot),
        [
            "error pool-overlap IPAddressPool/m/b spec.addresses[0]",
            "error pool-overlap IPAddressPool/o/a spec.addresses[0]",
            "error pool-overlap IPAddressPool/o/a spec.addresses[2]",
        ]
    );
    assert!(first(&snapshot).message.contains("IPAddressPool/m/a"));
    assert_eq!(selections(&snapshot), ["m/a: m/all", "z/fits: m/all"]);
}

#[test]
fn advertisements_select_by_name_by_label_or_all() {
    let yaml = pool("m/a", "10.0.0.0/24")
        + &pool("m/b", "10.1.0.0/24")
        + &pool("m/c", "10.2.0.0/24")
        + &advertisement("m/named", "{ipAddressPools: [a]}")
        + &advertisement("m/labelled", "{ipAddressPoolSelectors: [{matchLabels: {zone: b}}]}")
        + &advertisement(
            "m/both",
            "{ipAddressPools: [a], ipAddressPoolSelectors: [{matchLabels: {zone: b}}]}",
        );
    let snapshot = joined(&yaml);
    assert_eq!(selections(&snapshot), ["m/a: m/both m/named", "m/b: m/both m/labelled"]);
    assert_eq!(findings(&snapshot), ["warning pool-not-announced IPAddressPool/m/c"]);
}

#[test]
fn a_missing_pool_does_not_make_an_advertisement_select_all() {
    let yaml = pool("m/first-pool", "10.0.0.0/24")
        + &advertisement("m/ad", "{ipAddressPools: [frist-pool]}");
    let snapshot = joined(&yaml);
    assert_eq!(
        findings(&snapshot),
        [
            "warning pool-not-announced IPAddressPool/m/first-pool",
            "warning pool-missing L2Advertisement/m/ad spec.ipAddressPools[0]",
        ]
    );
    assert!(words(&snapshot, "pool-missing").contains("did you mean `first-pool`?"));
}

#[test]
fn a_name_means_the_own_namespace_then_the_only_one() {
    let pools = pool("m/a", "10.0.0.0/24") + &pool("o/a", "10.1.0.0/24");
    let own = joined(&(pools.clone() + &advertisement("o/ad", "{ipAddressPools: [a]}")));
    assert_eq!(selections(&own), ["o/a: o/ad"]);
    let unclear = joined(&(pools + &advertisement("x/ad", "{ipAddressPools: [a]}")));
    assert_eq!(selections(&unclear), [""; 0]);
    assert!(words(&unclear, "pool-name-ambiguous").contains("namespaces m, o"));
    let only = pool("m/a", "10.0.0.0/24") + &advertisement("x/ad", "{ipAddressPools: [a]}");
    assert_eq!(selections(&joined(&only)), ["m/a: x/ad"]);
}

#[test]
fn only_the_config_namespace_counts() {
    let yaml = pool("m/a", "10.0.0.0/24")
        + &pool("o/b", "10.0.0.0/24")
        + &advertisement("m/ad", "{}")
        + &advertisement("o/ad", "{}");
    let options =
        ResolveOptions { config_namespace: Some("m".into()), ..ResolveOptions::default() };
    let snapshot = resolve(&items(&yaml), &options);
    assert_eq!(selections(&snapshot), ["m/a: m/ad"]);
    assert_eq!(
        findings(&snapshot),
        [
            "error outside-config-namespace IPAddressPool/o/b metadata.namespace",
            "error outside-config-namespace L2Advertisement/o/ad metadata.namespace",
        ]
    );
}
