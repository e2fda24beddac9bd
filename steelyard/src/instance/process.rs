//! What this process is, and takes of the machine: the families that every exporter has.

use steelyard_host::descriptors;
use steelyard_host::usage::Usage;
use steelyard_metrics::{Exposition, table};

/// Tells them, under names of ingress-nginx too where it is to stand in its place. What the system
/// does not say is left out.
pub(crate) fn expose(is_nginx: bool, out: &mut Exposition) {
    out.family(&table::BUILD).put([&env!("CARGO_PKG_VERSION")], 1);
    if let Ok(usage) = Usage::now() {
        out.family(&table::PROCESS_CPU).put([], usage.processor.as_secs_f64());
        out.family(&table::PROCESS_MEMORY).put([], usage.resident);
        out.family(&table::PROCESS_START).put([], usage.started.as_secs_f64());
        if is_nginx {
            out.family(&table::NGINX_PROCESS_CPU).put([], usage.processor.as_secs_f64());
            out.family(&table::NGINX_PROCESS_MEMORY).put([], usage.resident);
            out.family(&table::NGINX_PROCESS_START).put([], usage.started.as_secs_f64());
        }
    }
    if let Ok(open) = descriptors::open() {
        out.family(&table::PROCESS_OPEN_FDS).put([], open);
    }
    out.family(&table::PROCESS_MAX_FDS).put([], descriptors::limit());
}
