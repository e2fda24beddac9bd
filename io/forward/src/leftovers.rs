//! What an earlier process set on this host that was killed, for who sets nothing of the kind
//! itself: nobody else would undo it.

use steelyard_forwarding::{TableFrame, Why, pass_table};
use steelyard_host::name;
use steelyard_host::nft::Nft;
use steelyard_host::rule::{MarkRule, Routing};

use crate::kernel::{nft_why, routing_why, set_by};
use crate::options::ForwardOptions;
use crate::owner::claimed;

/// What was left, and whether it is gone now.
#[derive(Debug)]
pub struct Leftovers {
    /// What an administrator would look for: the table, the rule, the routes.
    pub what: Vec<String>,
    /// Why it is there still.
    pub stays: Option<Why>,
}

/// Undoes what a process with these options left. None where there is nothing, or another process
/// of this host has it. The rule and its routes tell: they are set before all else, and go last.
pub async fn undo_leftovers(options: &ForwardOptions) -> Option<Leftovers> {
    let _claim = name::take(&claimed(&options.table)).ok()?;
    let rule = MarkRule {
        mark: options.fwmark,
        table: options.route_table,
        priority: options.rule_priority,
    };
    let mut routing = Routing::open().ok()?;
    let routes = routing.addresses(rule.table).ok()?;
    let deleted = routing.delete_rule(rule).map_err(routing_why);
    // Who may not delete it does not see it either.
    if routes.is_empty() && deleted.as_ref().map_or(true, |deleted| *deleted == 0) {
        return None;
    }
    let undone = match deleted {
        Ok(_) => undo(options, &mut routing, rule).await.inspect_err(|_| {
            // By which the next one sees that there is something.
            let _ = routing.add_rule(rule);
        }),
        Err(why) => Err(why),
    };
    Some(Leftovers { what: set_by(&options.table, rule, true).into(), stays: undone.err() })
}

async fn undo(options: &ForwardOptions, routing: &mut Routing, rule: MarkRule) -> Result<(), Why> {
    let (table, mark) = (options.table.clone(), options.fwmark);
    let frame = TableFrame { table, mark, leads: true, counts: true };
    let batch = frame.delete() + &pass_table::delete(&options.table);
    Nft::find().map_err(nft_why)?.run(&batch, |_| {}).await.map_err(nft_why)?;
    for address in routing.addresses(rule.table).map_err(routing_why)? {
        routing.delete_route(rule.table, address).map_err(routing_why)?;
    }
    Ok(())
}
