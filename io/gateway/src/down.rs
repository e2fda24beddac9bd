//! What clients speak: a module per protocol, from a connection to requests and back.

mod age;
mod h1;
mod h2;
mod opening;
mod over;
mod tcp;
mod udp;

use tokio::task::spawn_local;

use std::rc::Rc;

use tokio::task::JoinHandle;

use crate::core::Core;
use crate::core::arrival::Arrival;
use crate::core::datagrams::Datagrams;
use crate::core::listener::Listener;
use crate::core::worker::Servants;

/// Who serves what comes in.
pub(crate) const SERVANTS: Servants = Servants { connection: serve, datagrams };

fn datagrams(core: Rc<Core>, listener: Rc<Listener>, port: Datagrams) -> JoinHandle<()> {
    spawn_local(udp::serve(core, listener, port))
}

/// Serves a client until its connection ends.
fn serve(arrival: Arrival) {
    // Most connections are decided about by their listener alone, and cost nothing here.
    if opening::is_needed(&arrival) {
        spawn_local(opening::open(arrival));
    } else {
        serve_http(arrival);
    }
}

/// The same where HTTP is spoken, as its first bytes tell in which version.
fn serve_http(arrival: Arrival) {
    // HTTP/2 takes more memory than most connections ever need: it has a task of its own.
    h1::serve(arrival, |arrival| drop(spawn_local(h2::serve(arrival))));
}
