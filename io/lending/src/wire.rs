//! A connection between the two, of packets (`SOCK_SEQPACKET`).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use steelyard_host::watch_descriptor;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::MOST_SOCKETS;
use crate::word::Word;

/// Bytes of a word, at most: names of entry points are short.
const LONGEST: usize = 1024;
/// How long the other one may take to read a word, or to go on with what it has begun to tell.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// It.
#[derive(Debug)]
pub(crate) struct Wire(AsyncFd<OwnedFd>);

impl Wire {
    /// Of a connected socket that does not block.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        watch_descriptor(socket).map(Self)
    }

    /// For tests of what nobody else sends.
    #[cfg(test)]
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        self.0.get_ref()
    }

    /// The user that the other one was when it connected, or began to listen.
    pub(crate) fn peer(&self) -> io::Result<u32> {
        Ok(socket_peercred(self.0.get_ref())?.uid.as_raw())
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
        let sent = self.0.async_io(Interest::WRITABLE, |to| put(to, &bytes, sockets));
        tokio::time::timeout(PATIENCE, sent).await?
    }

    /// The next word and what came beside it; none at the end. Waits as long as it takes, and may
    /// be dropped meanwhile.
    ///
    /// # Errors
    /// `InvalidData` for what is no word, and those of receiving.
    pub(crate) async fn receive(&self) -> io::Result<Option<(Word, Vec<OwnedFd>)>> {
        self.0.async_io(Interest::READABLE, take).await
    }

    /// The same of one who has begun to tell something.
    pub(crate) async fn receive_soon(&self) -> io::Result<Option<(Word, Vec<OwnedFd>)>> {
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
fn take(from: &OwnedFd) -> io::Result<Option<(Word, Vec<OwnedFd>)>> {
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut beside, flags)?;
    let rights = beside.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    let sockets: Vec<OwnedFd> = rights.flatten().collect();
    if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(nonsense());
    }
    if got.bytes == 0 {
        return Ok(None);
    }
    let word = bytes.get(..got.bytes).and_then(Word::read).ok_or_else(nonsense)?;
    Ok(Some((word, sockets)))
}
