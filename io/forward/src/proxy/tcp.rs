//! TCP in this process: bytes copied both ways; each half is closed when its sender closes it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use steelyard_host::places::{Place, Places};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

use super::{Rotation, keep_alive};

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const BUFFER: usize = 32 * 1024;
/// Before accepting again when the process has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn run(listener: TcpListener, rotation: Arc<Rotation>, places: Places) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let place = match places.take_now() {
                    Some(place) => place,
                    // The next ones wait in the kernel.
                    None => places.take().await,
                };
                tokio::spawn(carry(client, Arc::clone(&rotation), place));
            }
            Err(error) => {
                places.note_failure();
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn carry(mut client: TcpStream, rotation: Arc<Rotation>, _place: Place) {
    let Ok(mut endpoint) = connect(&rotation).await else {
        reset(&client);
        return;
    };
    keep_alive(&client);
    keep_alive(&endpoint);
    let copied = copy_bidirectional_with_sizes(&mut client, &mut endpoint, BUFFER, BUFFER).await;
    if copied.is_err() {
        // One side broke off: so shall the other see it, and not an orderly end.
        reset(&client);
        reset(&endpoint);
    }
}

/// To the endpoint whose turn it is; where that fails, to the next, each once.
async fn connect(rotation: &Rotation) -> io::Result<TcpStream> {
    let mut last = io::Error::other("there is no endpoint");
    for address in rotation.round() {
        match connect_to(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                tracing::debug!(%address, %error, "endpoint does not answer");
                last = error;
            }
        }
    }
    Err(last)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn reset(stream: &TcpStream) {
    // Closing with a linger time of zero sends a reset; failing that, an orderly end will do.
    let _ = stream.set_zero_linger();
}
