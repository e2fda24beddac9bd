//! What the two say to each other: words as JSON, with descriptors beside them, over a pair of
//! sockets that has no name (`SOCK_SEQPACKET`).
//!
//! A word may be longer than a packet, and more may be passed beside it: it comes in several, of
//! which the last says so.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use steelyard_host::watch_descriptor;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Bytes of a word in one packet.
const PIECE: usize = 32 * 1024;
/// Descriptors beside one packet (`SCM_MAX_FD` is 253).
const BESIDE: usize = 200;
/// Bytes of a word, and descriptors beside it: a hundred thousand sessions have fewer.
const LONGEST: usize = 256 << 20;
const MOST: usize = 1 << 20;
/// First byte of a packet.
const MORE: u8 = b'+';
const LAST: u8 = b'.';
/// Before it is tried again to pass more than may be on their way at a time.
const PAUSE: Duration = Duration::from_millis(5);

/// One end.
#[derive(Debug)]
pub struct ProcessLine(AsyncFd<OwnedFd>);

impl ProcessLine {
    /// Both ends: ours, and what the other process is given.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::new(ours)?, theirs))
    }

    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self(watch_descriptor(socket)?))
    }

    /// Says a word, and passes descriptors beside it.
    ///
    /// # Errors
    /// When nobody hears it.
    pub async fn say<T: Serialize + Sync>(&self, word: &T, beside: &[OwnedFd]) -> io::Result<()> {
        let bytes = serde_json::to_vec(word)?;
        let (mut bytes, mut beside) = (&bytes[..], beside);
        loop {
            let (piece, later) = bytes.split_at(bytes.len().min(PIECE));
            let (some, others) = beside.split_at(beside.len().min(BESIDE));
            (bytes, beside) = (later, others);
            let is_last = bytes.is_empty() && beside.is_empty();
            let some: Vec<BorrowedFd<'_>> = some.iter().map(AsFd::as_fd).collect();
            self.put(if is_last { LAST } else { MORE }, piece, &some).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn put(&self, head: u8, piece: &[u8], beside: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            let send = |to: &OwnedFd| send(to, head, piece, beside);
            match self.0.async_io(Interest::WRITABLE, send).await {
                // Too many are on their way.
                Err(error)
                    if error.raw_os_error()
                        == Some(rustix::io::Errno::TOOMANYREFS.raw_os_error()) =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                sent => return sent,
            }
        }
    }

    /// The next word, and what came beside it.
    ///
    /// # Errors
    /// `UnexpectedEof` where the other one has ended, `InvalidData` where it makes no sense.
    pub async fn hear<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        let (mut word, mut beside) = (Vec::new(), Vec::new());
        loop {
            let mut packet = vec![0; PIECE + 1];
            let take = |from: &OwnedFd| receive(from, &mut packet, &mut beside);
            let length = self.0.async_io(Interest::READABLE, take).await?;
            let Some((head, piece)) = packet[..length].split_first() else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            word.extend_from_slice(piece);
            if word.len() > LONGEST || beside.len() > MOST {
                return Err(nonsense("it is too long"));
            }
            if *head == LAST {
                return Ok((serde_json::from_slice(&word)?, beside));
            }
        }
    }
}

fn send(to: &OwnedFd, head: u8, piece: &[u8], beside: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BESIDE))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !beside.is_empty() && !rights.push(SendAncillaryMessage::ScmRights(beside)) {
        return Err(nonsense("there is more beside it than has room"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(to, &[IoSlice::new(&[head]), IoSlice::new(piece)], &mut rights, flags)?;
    Ok(())
}

fn receive(from: &OwnedFd, packet: &mut [u8], beside: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BESIDE))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = recvmsg(from, &mut [IoSliceMut::new(packet)], &mut rights, flags)?;
    for message in rights.drain() {
        if let RecvAncillaryMessage::ScmRights(all) = message {
            beside.extend(all);
        }
    }
    if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(nonsense("a packet was cut off: there may be no descriptors left"));
    }
    Ok(got.bytes)
}

fn nonsense(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn words_of_any_length_arrive_with_what_is_beside_them() {
        let (ours, theirs) = ProcessLine::pair().unwrap();
        let theirs = ProcessLine::new(theirs).unwrap();
        let listeners: Vec<TcpListener> =
            (0..450).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let places: Vec<_> = listeners.iter().map(|it| it.local_addr().unwrap()).collect();
        let beside: Vec<OwnedFd> = listeners.into_iter().map(OwnedFd::from).collect();
        let long = "x".repeat(3 * PIECE + 7);
        let say = async {
            ours.say(&long, &beside).await.unwrap();
            ours.say(&7, &[]).await.unwrap();
        };
        let hear = async {
            let (word, beside) = theirs.hear::<String>().await.unwrap();
            assert_eq!(word, long);
            let there = beside.into_iter().map(|it| TcpListener::from(it).local_addr().unwrap());
            assert_eq!(there.collect::<Vec<_>>(), places);
            let (number, nothing) = theirs.hear::<u32>().await.unwrap();
            assert_eq!((number, nothing.len()), (7, 0));
        };
        tokio::join!(say, hear);
        drop(ours);
        let ended = theirs.hear::<u32>().await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    }
}
