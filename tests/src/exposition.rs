//! What `/metrics` answers, held against what is declared and against Prometheus' own tool.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use steelyard_metrics::table;

/// Names that dashboards ask for, and that promtool would have otherwise.
const OF_NGINX: &str = "nginx_ingress_controller_";

/// Holds every family of an exposition against its declaration, and has `promtool` judge the whole.
pub fn check(text: &str) -> Result<()> {
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    for line in helps {
        let (name, help) = line.split_once(' ').context("a help text")?;
        let declared = table::ALL.iter().find(|it| it.name == name);
        let declared = declared.with_context(|| format!("{name} is not declared"))?;
        ensure!(help.trim_end_matches('.') == declared.help, "{name}: {help}");
        let header = format!("# TYPE {name} {}\n", declared.kind.as_str());
        ensure!(text.matches(&header).count() == 1, "not once: {header}");
        for series in text.lines().filter_map(|line| line.strip_prefix(name)) {
            let Some(labels) = series.strip_prefix('{') else { continue };
            for label in declared.labels {
                ensure!(labels.contains(&format!("{label}=\"")), "{name} without {label}");
            }
        }
    }
    judge(text)
}

/// `promtool check metrics`.
fn judge(text: &str) -> Result<()> {
    let piped = Stdio::piped;
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(piped()).stdout(piped()).stderr(piped());
    let mut promtool = match command.spawn() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped promtool check metrics: promtool is not installed");
            return Ok(());
        }
        promtool => promtool.context("promtool")?,
    };
    promtool.stdin.take().context("a pipe")?.write_all(text.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let theirs = said.lines().filter(|line| !line.starts_with(OF_NGINX)).count() == 0;
    let is_well = output.status.success() || theirs && !said.is_empty();
    ensure!(is_well && theirs, "promtool: {said}\nof:\n{text}");
    Ok(())
}
