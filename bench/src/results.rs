//! `bench/results/NAME.json`: rows from which docs/performance.md is made.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Begins what is said of rows that were measured at a commit of their own.
const MEASURED: &str = "Measured at commit";

/// One measurement; lower is better in every row.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) ours: f64,
    /// What it is compared with, if with anything.
    #[serde(flatten)]
    pub(crate) beside: Option<Beside>,
    /// Bounds the ratio where there is one, else `ours`.
    pub(crate) goal: f64,
    pub(crate) rounds: u32,
}

/// The other side of a comparison.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Beside {
    pub(crate) peer: String,
    pub(crate) theirs: f64,
    pub(crate) ratio: f64,
}

/// A whole file of rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Results {
    /// The commit that was measured.
    pub(crate) commit: String,
    /// What it ran on.
    pub(crate) machine: String,
    pub(crate) rows: Vec<Row>,
    /// What has to be said beside them, as sentences: what is missing, for example.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

impl Row {
    /// A row without a peer.
    pub(crate) fn alone(name: &str, unit: &str, ours: f64, goal: f64, rounds: u32) -> Self {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        Self { name, unit, ours, beside: None, goal, rounds }
    }

    /// The same beside `peer`, which needed `theirs`: now the goal bounds the ratio.
    pub(crate) fn beside(self, peer: &str, theirs: f64) -> Self {
        let beside = Beside { peer: peer.to_owned(), theirs, ratio: self.ours / theirs };
        Self { beside: Some(beside), ..self }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:60} {:9.2} {:7}", self.name, self.ours, self.unit)?;
        if let Some(beside) = &self.beside {
            write!(f, " {:10} {:9.2}  ratio {:.2}", beside.peer, beside.theirs, beside.ratio)?;
        }
        write!(f, " (goal {:.2})", self.goal)
    }
}

/// Writes the rows to `path` and shows them.
pub(crate) fn write(path: &Path, rows: Vec<Row>) -> Result<()> {
    write_with_notes(path, rows, Vec::new())
}

/// The same, with what has to be said beside them.
pub(crate) fn write_with_notes(path: &Path, rows: Vec<Row>, notes: Vec<String>) -> Result<()> {
    let results = Results { commit: commit(), machine: machine(), rows, notes };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let text = serde_json::to_string_pretty(&results)? + "\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    for row in &results.rows {
        println!("{row}");
    }
    for note in &results.notes {
        println!("{note}");
    }
    Ok(())
}

/// Puts rows in the place of those whose names begin so, and leaves the others and what is said of
/// them; says at which commit these were measured, where that is another.
pub(crate) fn replace(
    path: &Path,
    begins: &[String],
    rows: Vec<Row>,
    notes: Vec<String>,
) -> Result<()> {
    let mut results = match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Results { commit: commit(), machine: machine(), rows: Vec::new(), notes: Vec::new() }
        }
        Err(error) => return Err(error).context(path.display().to_string()),
    };
    let is_replaced = |text: &str| begins.iter().any(|begin| text.starts_with(begin.as_str()));
    results.rows.retain(|row| !is_replaced(&row.name));
    results.notes.retain(|note| !is_replaced(note));
    for row in &rows {
        println!("{row}");
    }
    results.rows.extend(rows);
    let names: Vec<&str> = begins.iter().map(|begin| begin.trim_end_matches(", ")).collect();
    let which = format!(": {}.", names.join("; "));
    results.notes.retain(|note| !(note.starts_with(MEASURED) && note.ends_with(&which)));
    let commit = commit();
    let said = (commit != results.commit).then(|| format!("{MEASURED} {commit}{which}"));
    results.notes.extend(notes.into_iter().chain(said));
    std::fs::write(path, serde_json::to_string_pretty(&results)? + "\n")?;
    Ok(())
}

/// The middle of `values`.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// Processor and kernel: what a reader needs to compare.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = kernel.split('-').next().unwrap_or_default().trim().to_owned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let congestion =
        std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("{cores} × {model}, Linux {release}, {}", congestion.trim())
}
