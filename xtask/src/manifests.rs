//! What a cluster is given, made from its sources: CustomResourceDefinitions from the notation in
//! deploy/crds, and the plain manifests from the Helm chart.

mod definitions;
mod notation;
mod plain;
mod schema;
mod yaml;

use std::path::PathBuf;

use anyhow::{Context, Result};

/// Groups of kinds, by the name of their file.
const GROUPS: [&str; 2] = ["metallb", "traefik"];
const CHART: &str = "deploy/helm/steelyard";

/// Writes all of it.
pub(crate) fn run() -> Result<()> {
    for group in GROUPS {
        let target = target(group);
        std::fs::write(&target, definitions(group)?)
            .with_context(|| target.display().to_string())?;
        println!("wrote {}", target.display());
    }
    std::fs::write(plain::target(), plain::made()?)?;
    println!("wrote {}", plain::target().display());
    Ok(())
}

fn target(group: &str) -> PathBuf {
    crate::root().join(CHART).join("crds").join(format!("{group}.yaml"))
}

/// The CustomResourceDefinitions of a group, as YAML.
fn definitions(group: &str) -> Result<String> {
    let source = crate::root().join("deploy/crds").join(format!("{group}.txt"));
    let text = std::fs::read_to_string(&source).with_context(|| source.display().to_string())?;
    let found = definitions::read(&text).with_context(|| source.display().to_string())?;
    let head = format!("# Made from deploy/crds/{group}.txt by `cargo xtask manifests`.\n");
    Ok(head + &yaml::documents(&found))
}

#[cfg(test)]
mod tests {
    #[test]
    fn definitions_are_what_the_notation_says() {
        for group in super::GROUPS {
            let there = std::fs::read_to_string(super::target(group)).unwrap_or_default();
            let made = super::definitions(group).expect("a readable notation");
            assert!(there == made, "{group}: `cargo xtask manifests` was not run");
        }
    }
}
