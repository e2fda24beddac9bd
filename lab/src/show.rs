//! `lab show`: the drawing once more, or what it is drawn of.

use std::process::ExitCode;

use steelyard_terminal::OutputFormat;

use super::console::Console;
use super::desk::{self, Answer, Request};

/// Prints how things are in the laboratory of this name.
pub(super) fn run(lab: &str, output: OutputFormat) -> anyhow::Result<ExitCode> {
    let console = Console::new();
    let request = match output {
        OutputFormat::Json => Request::Show,
        OutputFormat::Text => Request::Draw { color: console.color(), columns: console.columns() },
    };
    let text = match desk::ask(lab, &request)? {
        Answer::Seen(view) => serde_json::to_string_pretty(&view)? + "\n",
        Answer::Drawn(drawing) => format!("\n{drawing}\n"),
        Answer::Done(sentence) | Answer::Refused(sentence) => anyhow::bail!(sentence),
    };
    steelyard_terminal::put(&text)?;
    Ok(ExitCode::SUCCESS)
}
