//! A connection between the two, of packets (`SOCK_SEQPACKET`).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use steelyard_host::{user_of_peer, watch_descriptor};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::MOST_SOCKETS;
use crate::closing::{Closer, Shared};
use crate::word::Word;

/// Bytes of a word, at most: names of entry points are short.
const LONGEST: usize = 1024;
/// How long the other one may take to read a word, or to go on with what it has begun to tell.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks whether what was sent before is closed.
const PAUSE: Duration = Duration::from_millis(100);

/// It.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: AsyncFd<OwnedFd>,
    closer: Closer,
}

impl Wire {
    /// Of a connected socket that does not block.
    pub(crate) fn new(socket: OwnedFd, closer: &Closer) -> io::Result<Self> {
        Ok(Self { socket: watch_descriptor(socket)?, closer: closer.clone() })
    }

    /// For tests of what nobody else sends.
    #[cfg(test)]
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        self.socket.get_ref()
    }

    /// The user that the other one was when it connected, or began to listen.
    pub(crate) fn peer(&self) -> io::Result<u32> {
        user_of_peer(self.socket.get_ref())
    }

    /// Sends a word, with sockets beside it.
    ///
    /// # Errors
    /// `TimedOut` where the other one does not read, and those of sending.
    pub(crate) async fn send(&self, word: &Word, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = word.bytes();
        if bytes.len() > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a name is too long"));
        }
        let sent = self.socket.async_io(Interest::WRITABLE, |to| put(to, &bytes, sockets));
        tokio::time::timeout(PATIENCE, sent).await?
    }

    /// The next word and what came beside it; none at the end. Waits as long as it takes, and may
    /// be dropped meanwhile.
    ///
    /// # Errors
    /// `InvalidData` for what is no word, and those of receiving.
    pub(crate) async fn receive(&self) -> io::Result<Option<(Word, Shared)>> {
        while self.closer.is_behind() {
            tokio::time::sleep(PAUSE).await;
        }
        let take = |from: &OwnedFd| take(from, &self.closer);
        self.socket.async_io(Interest::READABLE, take).await
    }

    /// The same of one who has begun to tell something.
    pub(crate) async fn receive_soon(&self) -> io::Result<Option<(Word, Shared)>> {
        tokio::time::timeout(PATIENCE, self.receive()).await?
    }
}

/// It makes no sense.
pub(crate) fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what was told makes no sense")
}

fn put(to: &OwnedFd, bytes: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many sockets at once"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(to, &[IoSlice::new(bytes)], &mut beside, flags)?;
    Ok(())
}

/// What comes beside a word is closed again unless it is returned.
fn take(from: &OwnedFd, closer: &Closer) -> io::Result<Option<(Word, Shared)>> {
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut beside, flags)?;
    let rights = beside.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    let sockets = Shared::new(rights.flatten().collect(), closer);
    if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(nonsense());
    }
    if got.bytes == 0 {
        return Ok(None);
    }
    let word = bytes.get(..got.bytes).and_then(Word::read).ok_or_else(nonsense)?;
    Ok(Some((word, sockets)))
}
