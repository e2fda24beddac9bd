//! What failed is run once more, by itself: a test that fails beside others and passes alone is
//! unsteady. That is a fault of the test or of what it tests, and is told at the end; it does not
//! say that the change under test is broken.

use anyhow::{Result, bail};

use crate::shell;

/// With more targets than this failing, something is broken, and all has been said.
const FEW: usize = 3;

/// Runs the targets that failed again, if they are few.
///
/// # Errors
///
/// When one fails again, or too many have failed.
pub(super) fn test(failed: &[String], env: &[(&str, &str)]) -> Result<()> {
    if failed.len() > FEW {
        bail!("{} targets failed:\n{}", failed.len(), failed.join("\n"));
    }
    for target in failed {
        let again: Vec<&str> = ["test", "--locked"].into_iter().chain(target.split(' ')).collect();
        shell::run("cargo", &again, env)?;
    }
    if !failed.is_empty() {
        println!("\n=== unsteady, to be mended (failed beside others, passed alone):");
        failed.iter().for_each(|target| println!("===   {target}"));
    }
    Ok(())
}
