//! Each code of the dialects and of the join has a golden input that provokes it.

use std::collections::BTreeSet;

use std::sync::Arc;

use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{ReadLimits, Source, load};

use super::*;

const DECLARED: [&str; 2] =
    [include_str!("../codes.rs"), include_str!("../../../dialects/src/codes.rs")];

fn provoked(yaml: &str, options: &ResolveOptions) -> BTreeSet<String> {
    let loaded = load(&Source::new("test.yaml", yaml.as_bytes()), &ReadLimits::default());
    let mut codes = BTreeSet::new();
    let mut items = Vec::new();
    for object in &loaded.objects {
        let lowered = lower(object, &LowerOptions::default());
        codes.extend(lowered.diagnostics.iter().map(|d| d.code.to_string()));
        items.extend(lowered.items.into_iter().map(Arc::new));
    }
    let snapshot = resolve(&items, options);
    codes.extend(snapshot.diagnostics.iter().map(|d| d.code.to_string()));
    codes
}

#[test]
fn every_code_has_an_input() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/check");
    let mut count = 0;
    for declared in DECLARED {
        let names = declared.split("Code::new(\"").skip(1);
        let names = names.map(|rest| rest.split('"').next().unwrap());
        // Those are about which version is in force.
        let of_versions = ["last-good-kept", "closed-until-mended"];
        for name in names.filter(|name| !of_versions.contains(name)) {
            let yaml = std::fs::read_to_string(folder.join(format!("{name}.in.yaml"))).unwrap();
            let mut options = ResolveOptions::default();
            if name == "outside-config-namespace" {
                options.config_namespace = Some("metallb-system".into());
            }
            if name == "entry-point-closed" {
                options.entry_points[0].filters = vec!["default-login@kubernetescrd".into()];
            }
            if name == "stream-port-taken" {
                let settings =
                    steelyard_model::NamespacedName::new("ingress-nginx", "tcp-services");
                options.nginx.tcp_services = Some(settings);
            }
            if name == "belief-overruled" {
                options.entry_points[0].own_belief.forwarded = true;
            }
            let found = provoked(&yaml, &options);
            assert!(found.contains(name), "{name}: {found:?}");
            count += 1;
        }
    }
    assert!(count > 40, "{count} codes");
}
