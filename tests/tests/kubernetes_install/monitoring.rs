//! What the chart shows and warns of is there.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_tests::chart::deploy;
use steelyard_tests::process::run;

/// Names of metrics in an expression.
fn names(expression: &str) -> BTreeSet<String> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_inside(c));
    let prefixes = ["metallb_", "steelyard_", "traefik_", "process_"];
    words.filter(|it| prefixes.iter().any(|own| it.starts_with(own))).map(str::to_owned).collect()
}

#[test]
fn what_is_shown_and_warned_of_is_counted() -> Result<()> {
    let documented = std::fs::read_to_string(deploy("../docs/metrics.md"))?;
    let rules = std::fs::read_to_string(deploy("helm/steelyard/files/rules.yaml"))?;
    let dashboard = std::fs::read_to_string(deploy("helm/steelyard/files/dashboard.json"))?;
    let dashboard: Value = serde_json::from_str(&dashboard)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let shown: Vec<&str> = targets.filter_map(|target| target["expr"].as_str()).collect();
    ensure!(shown.len() >= panels.len(), "each panel shows something");
    for name in names(&(rules + &shown.join(" "))) {
        let family = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
        let is_known = |name: &str| documented.contains(&format!("| `{name}` |"));
        ensure!(is_known(&name) || family.is_some_and(is_known), "docs/metrics.md has no {name}");
    }
    Ok(())
}

#[test]
fn rules_are_taken() -> Result<()> {
    if Command::new("promtool").arg("--version").output().is_err() {
        println!("skipped: there is no promtool");
        return Ok(());
    }
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "rules"]).arg(deploy("helm/steelyard/files/rules.yaml"));
    let told = run(promtool)?;
    ensure!(told.contains("SUCCESS"), "{told}");
    Ok(())
}
