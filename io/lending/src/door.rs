//! Where the two meet: a Unix socket that nobody else may connect to.

use std::fs::{Metadata, Permissions, symlink_metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    socket_with,
};
use steelyard_host::watch_descriptor;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::closing::Closer;
use crate::wire::Wire;

/// Its owner and its group may connect.
const MODE: u32 = 0o660;
/// Who waits to be taken in.
const BACKLOG: i32 = 4;

/// Bits of a folder's mode by which others may put something else in the place of what is in it.
const WRITABLE: u32 = 0o022;
/// The bit by which they may not.
const STICKY: u32 = 0o1000;

/// It, as the lender has it.
pub(crate) struct Door {
    socket: AsyncFd<OwnedFd>,
    name: DoorName,
    closer: Closer,
}

/// Its name, which goes with it unless it is another one's by then.
#[derive(Clone, Debug)]
pub(crate) struct DoorName {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl Door {
    /// Makes it at `path`, for its owner and the group of this number. What an earlier lender left
    /// there goes.
    ///
    /// # Errors
    /// When there is anything else at `path`, or the folder does not let us, or lets others.
    pub(crate) fn open(path: &Path, group: u32, closer: &Closer) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
            is_ours_alone(folder)?;
        }
        match symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => {
                let why = "something else is there: remove it";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Err(_) => {}
        }
        let socket = socket()?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Nobody is taken in before this is so: only then does it listen.
        std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
        lchown(path, None, Some(group))?;
        listen(&socket, BACKLOG)?;
        let name = DoorName { path: path.to_owned(), file: file(&symlink_metadata(path)?) };
        Ok(Self { socket: watch_descriptor(socket)?, name, closer: closer.clone() })
    }

    /// What it is found by.
    pub(crate) fn name(&self) -> DoorName {
        self.name.clone()
    }

    /// The next who comes.
    pub(crate) async fn next(&self) -> io::Result<Wire> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accept = |door: &OwnedFd| Ok(accept_with(door, flags)?);
        Wire::new(self.socket.async_io(Interest::READABLE, accept).await?, &self.closer)
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }
}

impl DoorName {
    /// Takes it away. What the next lender has made there meanwhile stays.
    pub(crate) fn remove(&self) {
        if symlink_metadata(&self.path).is_ok_and(|found| file(&found) == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn file(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

fn is_ours_alone(folder: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(folder)?.mode();
    if mode & WRITABLE == 0 || mode & STICKY != 0 {
        return Ok(());
    }
    let why = format!("others may write {}: chmod go-w", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Comes to the door at `path`.
///
/// # Errors
/// When there is none, or many wait there.
pub(crate) fn enter(path: &Path, closer: &Closer) -> io::Result<Wire> {
    let socket = socket()?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Wire::new(socket, closer)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}
