//! By which terms handshakes for the hosts of an Ingress are held, where it names some.

use std::sync::Arc;

use steelyard_model::{Diagnostic, NamespacedName};

use super::{routed, routers};
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::Row;

/// The routes of an Ingress, held by the terms that it names.
pub(in crate::tables) fn held(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let mut made = routed(id, reads, options, diagnostics)?;
    let row = reads.row(&Cell::Set(id.clone()))?;
    let reading = row.set().reading;
    let policy = match &reading.tls_options {
        Some(named) => routers::held_by(named, options, reads, diagnostics),
        None if reading.is_tls => routers::usual(options),
        None => None,
    };
    if let (Some(_), Row::Routed(routed)) = (&policy, &mut made) {
        let routed = Arc::get_mut(routed).expect("it was made just now");
        for route in &mut routed.routes {
            Arc::make_mut(route).tls_policy.clone_from(&policy);
        }
    }
    Some(made)
}
