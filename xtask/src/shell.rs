//! Running other programs, with their output shown and their failure named.

use std::ffi::OsStr;
use std::process::{Command, ExitStatus};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Runs `program` in the root of the repository; its output goes to ours.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, args: &[S], env: &[(&str, &str)]) -> Result<()> {
    let status = status(program, args, env)?;
    if !status.success() {
        bail!("`{}` failed: {status}", describe(program, args));
    }
    Ok(())
}

/// The same for a program whose failure has a meaning: how it ended.
pub(crate) fn status<S: AsRef<OsStr>>(
    program: &str,
    args: &[S],
    env: &[(&str, &str)],
) -> Result<ExitStatus> {
    let shown = describe(program, args);
    println!("\n=== {shown}");
    let started = Instant::now();
    let status = Command::new(program)
        .args(args)
        .envs(env.iter().copied())
        .current_dir(crate::root())
        .status()
        .with_context(|| format!("could not start `{shown}`"))?;
    println!("=== {:.1} s", started.elapsed().as_secs_f32());
    Ok(status)
}

/// What `program` prints on standard output, trimmed.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(crate::root())
        .output()
        .with_context(|| format!("could not start `{}`", describe(program, args)))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether we may do everything here.
pub(crate) fn is_root() -> Result<bool> {
    Ok(output("id", &["-u"])? == "0")
}

/// Whether a program of this name is on the PATH.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}

fn describe<S: AsRef<OsStr>>(program: &str, args: &[S]) -> String {
    let words = args.iter().map(|word| word.as_ref().to_string_lossy().into_owned());
    std::iter::once(program.to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
