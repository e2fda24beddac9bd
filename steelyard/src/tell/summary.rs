//! What a running instance tells on a terminal.

use std::fmt::Write;
use std::net::SocketAddr;

use steelyard_terminal::{Cell, Style, Table, wants_color};

use super::current::Current;
use super::moment::carried;
use crate::hands::binds;
use crate::mind::Decided;
use crate::privileges::Privileges;
use crate::text;

/// The page of the live summary; the admin API is at `admin`.
pub(crate) fn summary(
    current: &Current,
    privileges: &Privileges,
    admin: SocketAddr,
    color: bool,
) -> String {
    let Decided { node, generation, plan, .. } = &*current.decided;
    let privileges = match privileges {
        Privileges::Full => String::new(),
        Privileges::None { why } => format!(", loopback only ({why})"),
    };
    let took = current.took.as_secs_f64() * 1000.0;
    let mut out = Style::Heading.paint(&format!("steelyard on {node}"), color);
    let _ = write!(
        out,
        "{privileges}: generation {generation} in force after {took:.1} ms; http://{admin}/\n\n",
    );
    let mut section = |name: &str, table: Table| {
        if !table.is_empty() {
            out += &Style::Heading.paint(name, color);
            let _ = write!(out, "\n{}\n", table.render(2, color));
        }
    };
    section("ADDRESSES", text::addresses(plan));
    section("REACHED AT", reached(current));
    section("ROUTES", text::routes(plan, plan.routes.routing()));
    let errors = plan.diagnostics.iter().filter(|found| found.is_error()).count();
    if errors > 0 {
        let plural = if errors == 1 { "" } else { "s" };
        let line = format!("{errors} error{plural}: steelyard get diagnostics\n");
        out += &Style::Bad.paint(&line, color);
    }
    out
}

/// Where things are reached, for a terminal that shows logs.
pub(crate) fn loopback(current: &Current) -> String {
    reached(current).render(0, wants_color())
}

/// Where things are really reached: entry points, and forwarded ports with how they are carried.
fn reached(current: &Current) -> Table {
    let mut table = Table::new(&["WHAT", "AT", "HOW"]);
    for (bind, outcome) in current.applied.listeners() {
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
