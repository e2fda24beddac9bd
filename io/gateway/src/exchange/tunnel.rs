//! After 101: bytes both ways, until both sides are done.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::core::Core;
use crate::wire::buffers::Buffer;
use crate::wire::stream::{read, write_all};

/// Carries bytes between `client` and `upstream`; `ahead` is what the client had sent already.
/// Returns how many bytes went to the client.
pub(crate) async fn tunnel(
    core: &Core,
    client: &mut TcpStream,
    mut upstream: TcpStream,
    ahead: Option<Buffer>,
) -> u64 {
    let stall = core.options().timeouts.write;
    let (mut client_from, mut client_to) = client.split();
    let (mut from, mut to) = upstream.split();
    let (up, down) = (Cell::new(0), Cell::new(0));
    let forth = async {
        if let Some(ahead) = ahead {
            write_all(&mut to, &ahead, stall).await.map_err(|(error, _)| error)?;
        }
        pump(core, &mut client_from, &mut to, &up, stall).await
    };
    let back = pump(core, &mut from, &mut client_to, &down, stall);
    // An error on either side ends both; a proper end lets the other side finish.
    let _ = tokio::try_join!(forth, back);
    down.get()
}

async fn pump(
    core: &Core,
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    count: &Cell<u64>,
    stall: Duration,
) -> io::Result<()> {
    let mut slot = None;
    while read(from, &core.bulk, &mut slot).await? > 0 {
        let Some(buffer) = &mut slot else { continue };
        write_all(to, buffer, stall).await.map_err(|(error, _)| error)?;
        count.set(count.get() + buffer.filled as u64);
        buffer.filled = 0;
    }
    to.shutdown().await
}
