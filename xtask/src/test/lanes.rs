//! Tests in two lanes beside each other. Those with an API server wait more than they work, so
//! they have a lane and a network of their own, with as many others as make the lanes equally long.

use std::io::{BufRead, BufReader, pipe};
use std::process::Command;
use std::thread::scope;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::shell;

const CARGO: [&str; 3] = ["test", "--workspace", "--locked"];
/// Targets that cargo is to run, by how their names begin: `kubernetes_*` is the long part of the
/// first.
const CLUSTER: &[&str] = &["--test", "[hko]*"];
const OTHERS: &[&str] = &["--lib", "--bins", "--test", "[!hko]*"];
const DOCUMENTATION: &[&str] = &["--doc"];
/// Runs what follows in a network with nothing but a loopback, and has `/sys` show that one.
const APART: &[&str] = &["unshare", "--net", "--mount", "sh", "-c", WITHIN, "sh"];
const WITHIN: &str = "mount -t sysfs sysfs /sys && ip link set lo up && exec \"$@\"";

/// Builds all tests, then runs them; which targets failed, as cargo names them.
///
/// # Errors
///
/// When something does not build, or cargo fails and names no target.
pub(super) fn run(env: &[(&str, &str)]) -> Result<Vec<String>> {
    shell::run("cargo", &[&CARGO[..], &["--no-run"]].concat(), env)?;
    let apart = if shell::is_root()? { APART } else { &[] };
    let started = Instant::now();
    let (cluster, others) = scope(|scope| {
        let beside = scope.spawn(|| lane("cluster | ", apart, CLUSTER, env));
        let mut failed = lane("", &[], OTHERS, env)?;
        failed.extend(lane("", &[], DOCUMENTATION, env)?);
        let beside = beside.join().ok().context("whoever watched the cluster's lane is gone")?;
        anyhow::Ok((beside?, failed))
    })?;
    println!("=== {:.1} s", started.elapsed().as_secs_f32());
    Ok([others, cluster].concat())
}

/// Runs some targets and shows what they say, each line behind `mark`; which of them failed.
fn lane(
    mark: &str,
    within: &[&str],
    targets: &[&str],
    env: &[(&str, &str)],
) -> Result<Vec<String>> {
    let words = [within, &["cargo"], &CARGO, &["--no-fail-fast"], targets].concat();
    println!("\n{mark}=== {}", words.join(" "));
    let (said, says) = pipe()?;
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .envs(env.iter().copied())
        .current_dir(crate::root())
        .stdout(says.try_clone()?)
        .stderr(says)
        .spawn()
        .with_context(|| format!("could not start {}", words[0]))?;
    let mut failed = Vec::new();
    for line in BufReader::new(said).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{mark}{line}");
        failed.extend(target(&line).map(str::to_owned));
    }
    if !child.wait()?.success() && failed.is_empty() {
        bail!("`{}` failed", words.join(" "));
    }
    Ok(failed)
}

/// The target that a line of cargo's last words names: "    `-p steelyard-tests --test pair`".
fn target(line: &str) -> Option<&str> {
    let named = line.strip_prefix("    `")?.strip_suffix('`')?;
    named.starts_with("-p ").then_some(named)
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn a_target_is_what_cargo_names_at_the_end() {
        let cases = [
            ("    `-p steelyard-tests --test pair`", Some("-p steelyard-tests --test pair")),
            ("    `-p steelyard-ipam --lib`", Some("-p steelyard-ipam --lib")),
            ("error: 1 target failed:", None),
            ("    `cargo test --help`", None),
            ("test it ... FAILED", None),
        ];
        for (line, expected) in cases {
            assert_eq!(target(line), expected, "{line}");
        }
    }
}
