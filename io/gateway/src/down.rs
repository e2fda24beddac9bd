//! What clients speak: a module per protocol, from a connection to requests and back.

mod h1;
mod h2;

use tokio::task::spawn_local;

use crate::core::arrival::Arrival;

/// Serves a client until its connection ends. What it speaks is told by its first bytes.
pub(crate) fn serve(arrival: Arrival) {
    // HTTP/2 takes more memory than most connections ever need: it has a task of its own.
    h1::serve(arrival, |arrival, held| drop(spawn_local(h2::serve(arrival, held))));
}
