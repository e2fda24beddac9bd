//! What a running instance tells on a terminal.

use std::fmt::Write;

use steelyard_terminal::{Cell, Style, Table, wants_color};

use super::binds;
use super::engine::carried;
use super::engine::{Current, Engine};
use super::privileges::Privileges;
use crate::args::LogStyle;
use crate::text;

/// The page of the live summary.
pub(super) fn summary(engine: &Engine, color: bool) -> String {
    let Some(current) = &engine.current else { return String::new() };
    let privileges = match &engine.settings.privileges {
        Privileges::Full => String::new(),
        Privileges::None { why } => format!(", loopback only ({why})"),
    };
    let mut out = Style::Heading.paint(&format!("steelyard on {}", engine.node()), color);
    let _ = write!(
        out,
        "{privileges}: generation {} in force after {:.1} ms; http://{}/\n\n",
        current.generation,
        current.took.as_secs_f64() * 1000.0,
        engine.admin_address(),
    );
    let mut section = |name: &str, table: Table| {
        if !table.is_empty() {
            out += &Style::Heading.paint(name, color);
            let _ = write!(out, "\n{}\n", table.render(2, color));
        }
    };
    section("ADDRESSES", text::addresses(&current.plan));
    section("REACHED AT", reached(current));
    section("ROUTES", text::routes(&current.snapshot.routing));
    let errors = current.plan.diagnostics.iter().filter(|found| found.is_error()).count();
    if errors > 0 {
        let plural = if errors == 1 { "" } else { "s" };
        let line = format!("{errors} error{plural}: steelyard get diagnostics\n");
        out += &Style::Bad.paint(&line, color);
    }
    out
}

/// The same for a terminal that shows logs; empty where things are reached at their own addresses.
pub(super) fn loopback(engine: &Engine) -> String {
    let is_text = engine.settings.serve.log_format == LogStyle::Text;
    let is_shown = is_text && engine.parts.speaker.is_none();
    let Some(current) = engine.current.as_ref().filter(|_| is_shown) else { return String::new() };
    reached(current).render(0, wants_color())
}

/// Where things are really reached: entry points, and forwarded ports with how they are carried.
fn reached(current: &Current) -> Table {
    let mut table = Table::new(&["WHAT", "AT", "HOW"]);
    for (bind, outcome) in &current.applied.listeners {
        let (at, how): (Cell, Cell) = match outcome {
            Ok(socket) => (binds::reached(bind, *socket).to_string().into(), "gateway".into()),
            Err(error) => (bind.address.to_string().into(), Cell::new(error.as_str(), Style::Bad)),
        };
        table.row([format!("entry point {}", bind.entry_point).into(), at, how]);
    }
    for status in &current.applied.forwarded.ports {
        if let Some(service) = &status.service {
            let (at, how) = carried(status);
            table.row([service.to_string().into(), at.into(), how]);
        }
    }
    table
}
