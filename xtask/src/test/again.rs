//! What failed is run once more, by itself: a test that fails beside others and passes alone is
//! unsteady. That is a fault of the test or of what it tests, and is told at the end; it does not
//! say that the change under test is broken.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::shell;

/// With more targets than this failing, something is broken, and all has been said.
const FEW: usize = 3;

/// Runs all tests, then those targets again that failed, if they are few.
pub(super) fn test(args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    let (passed, failed) = run(args, env)?;
    if passed {
        return Ok(());
    }
    if failed.is_empty() || failed.len() > FEW {
        bail!("`cargo {}` failed", args.join(" "));
    }
    for target in &failed {
        let again: Vec<&str> = ["test", "--locked"].into_iter().chain(words(target)).collect();
        shell::run("cargo", &again, env)?;
    }
    println!("\n=== unsteady, to be mended (failed beside others, passed alone):");
    failed.iter().for_each(|target| println!("===   {target}"));
    Ok(())
}

/// Runs them, showing what they say; whether all passed, and which targets did not.
fn run(args: &[&str], env: &[(&str, &str)]) -> Result<(bool, Vec<String>)> {
    println!("\n=== cargo {}", args.join(" "));
    let started = Instant::now();
    let mut child = Command::new("cargo")
        .args(args)
        .envs(env.iter().copied())
        .current_dir(crate::root())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not start cargo")?;
    let stderr = child.stderr.take().context("it was piped")?;
    let mut failed = Vec::new();
    for line in BufReader::new(stderr).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        eprintln!("{line}");
        failed.extend(target(&line).map(str::to_owned));
    }
    let status = child.wait()?;
    println!("=== {:.1} s", started.elapsed().as_secs_f32());
    Ok((status.success(), failed))
}

/// The target that a line of cargo's last words names: "    `-p steelyard-tests --test pair`".
fn target(line: &str) -> Option<&str> {
    let named = line.strip_prefix("    `")?.strip_suffix('`')?;
    named.starts_with("-p ").then_some(named)
}

fn words(target: &str) -> impl Iterator<Item = &str> {
    target.split(' ').filter(|word| !word.is_empty())
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
