//! `cargo xtask mutants CRATE`: each small change of a crate that no test notices.
//!
//! A survivor is a missing test, or a line that need not be there, or it is argued in [`LIST`].
//! Survivors that are not argued fail the command, and so do arguments that no survivor needs.

mod arguments;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{install, shell};
use arguments::Arguments;

/// Where crates lie.
const LAYERS: [&str; 2] = ["pure", "io"];

/// Why some survive.
const LIST: &str = "xtask/mutants.txt";

/// Some survived, or hung; anything else that is not success is a failure of the run.
const FOUND: [i32; 3] = [0, 2, 3];

/// Tests are asked often: once each is enough, and what fails need not fail beautifully.
const ENV: [(&str, &str); 4] = [
    ("STEELYARD_FAST", "1"),
    ("STEELYARD_HTTP_SIM_RUNS", "1500"),
    ("PROPTEST_MAX_SHRINK_ITERS", "0"),
    ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1"),
];

/// A mutant, as cargo-mutants lists it.
#[derive(Deserialize)]
struct Mutant {
    /// `FILE:LINE:COLUMN: what`.
    name: String,
    file: String,
}

#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: Summary,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Mutant),
}

#[derive(Deserialize, PartialEq, Eq)]
enum Summary {
    Success,
    CaughtMutant,
    MissedMutant,
    Unviable,
    Failure,
    Timeout,
}

/// Mutates the crate `name`, without its prefix, and lists what survives its own tests.
pub(crate) fn run(name: &str, options: &[String]) -> Result<()> {
    let package = format!("steelyard-{name}");
    let Some(folder) = folder(&package)? else {
        bail!("no crate {package} in pure/ or io/: name one of these, for example `http`");
    };
    let program = install::cargo_tool(install::CARGO_MUTANTS)?;
    let program = program.to_string_lossy();
    let text = std::fs::read_to_string(crate::root().join(LIST)).context(LIST)?;
    let arguments = Arguments::parse(&text, &folder)?;
    let listed = shell::output(&program, &["mutants", "--list", "--json", "--package", &package])?;
    let keys = keys(&serde_json::from_str::<Vec<Mutant>>(&listed)?);
    let gone = arguments.without_mutant(&keys.values().map(String::as_str).collect());
    if !gone.is_empty() {
        bail!("{LIST} argues mutants that are no more:\n{}", gone.join("\n"));
    }
    let output = format!("target/mutants/{name}");
    let mut args = vec!["mutants", "--package", &package, "--output", &output, "--no-shuffle"];
    args.extend(options.iter().map(String::as_str));
    std::fs::create_dir_all(crate::root().join(&output))?;
    let status = shell::status(&program, &args, &ENV)?;
    if !status.code().is_some_and(|code| FOUND.contains(&code)) {
        bail!("cargo-mutants failed: {status}");
    }
    let outcomes = crate::root().join(output).join("mutants.out/outcomes.json");
    let outcomes: Outcomes = serde_json::from_str(&std::fs::read_to_string(outcomes)?)?;
    judge(&arguments, &keys, outcomes)
}

/// Says which survivors nobody argues, and which arguments nobody needs.
fn judge(arguments: &Arguments, keys: &BTreeMap<String, String>, of: Outcomes) -> Result<()> {
    let (mut survived, mut caught) = (BTreeSet::new(), BTreeSet::new());
    for outcome in of.outcomes {
        let Scenario::Mutant(mutant) = outcome.scenario else { continue };
        let key = keys.get(&mutant.name).context("a mutant that was not listed was tried")?;
        match outcome.summary {
            Summary::MissedMutant => _ = survived.insert(key.as_str()),
            Summary::CaughtMutant | Summary::Timeout => _ = caught.insert(key.as_str()),
            Summary::Success | Summary::Unviable | Summary::Failure => {}
        }
    }
    let (argued, open): (Vec<&str>, Vec<&str>) =
        survived.into_iter().partition(|key| arguments.has(key));
    let needless: Vec<&str> = caught.iter().filter(|key| arguments.has(key)).copied().collect();
    println!("{} caught, {} argued, {} open", caught.len(), argued.len(), open.len());
    for key in &open {
        println!("survived: {key}");
    }
    for key in &needless {
        println!("caught, and argued in {LIST}: {key}");
    }
    if !open.is_empty() || !needless.is_empty() {
        bail!("each survivor gets a test, or simpler code, or a line with a reason in {LIST}");
    }
    Ok(())
}

/// By the name of each mutant what it is called in the list: the same without a line, and numbered
/// where several in a file are called so.
fn keys(mutants: &[Mutant]) -> BTreeMap<String, String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let key = |mutant: &Mutant| {
        let place = &mutant.name[mutant.file.len()..];
        let what = place.split_once(": ").map_or(place, |(_, what)| what);
        let key = format!("{}: {what}", mutant.file);
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        let key = if *count == 1 { key } else { format!("{key} #{count}") };
        (mutant.name.clone(), key)
    };
    mutants.iter().map(key).collect()
}

/// Where the package lies, from the root.
fn folder(package: &str) -> Result<Option<String>> {
    let line = format!("name = \"{package}\"");
    for layer in LAYERS {
        for entry in std::fs::read_dir(crate::root().join(layer))? {
            let entry = entry?;
            let manifest = std::fs::read_to_string(entry.path().join("Cargo.toml"));
            if manifest.is_ok_and(|text| text.lines().any(|it| it == line)) {
                return Ok(Some(format!("{layer}/{}", entry.file_name().to_string_lossy())));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(name: &str) -> Mutant {
        Mutant { name: name.into(), file: "pure/a/src/lib.rs".into() }
    }

    fn outcomes(of: &[(&str, &str)]) -> Outcomes {
        let one = |(name, summary): &(&str, &str)| {
            format!(
                r#"{{"scenario": {{"Mutant": {{"name": "{name}", "file": "pure/a/src/lib.rs"}}}},
                "summary": "{summary}"}}"#
            )
        };
        let all: Vec<String> = of.iter().map(one).collect();
        let baseline = r#"{"scenario": "Baseline", "summary": "Success"}"#;
        let text = format!(r#"{{"outcomes": [{baseline}, {}]}}"#, all.join(", "));
        serde_json::from_str(&text).expect("it is as cargo-mutants writes it")
    }

    #[test]
    fn a_mutant_is_known_by_what_it_is_not_by_its_line() {
        let first = "pure/a/src/lib.rs:3:9: replace < with <= in f";
        let second = "pure/a/src/lib.rs:8:9: replace < with <= in f";
        let keys = keys(&[mutant(first), mutant(second)]);
        assert_eq!(keys[first], "pure/a/src/lib.rs: replace < with <= in f");
        assert_eq!(keys[second], "pure/a/src/lib.rs: replace < with <= in f #2");
    }

    #[test]
    fn survivors_are_argued_and_arguments_have_survivors() {
        let name = "pure/a/src/lib.rs:3:9: replace < with <= in f";
        let keys = keys(&[mutant(name)]);
        let none = Arguments::parse("", "pure/a").expect("it is empty");
        let line = "pure/a/src/lib.rs: replace < with <= in f: same: they are never equal";
        let one = Arguments::parse(line, "pure/a").expect("it is a line");
        for (arguments, summary, is_fine) in [
            (&none, "MissedMutant", false),
            (&one, "MissedMutant", true),
            (&none, "CaughtMutant", true),
            (&one, "CaughtMutant", false),
            (&one, "Timeout", false),
            (&none, "Unviable", true),
        ] {
            let judged = judge(arguments, &keys, outcomes(&[(name, summary)]));
            assert_eq!(judged.is_ok(), is_fine, "{summary}");
        }
    }
}
