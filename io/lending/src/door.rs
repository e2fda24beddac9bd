//! Where the two meet: a Unix socket that nobody else may connect to.

use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::Path;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    socket_with,
};
use steelyard_host::watch_descriptor;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::wire::Wire;

/// Its owner and its group may connect.
const MODE: u32 = 0o660;
/// Who waits to be taken in.
const BACKLOG: i32 = 4;

/// It, as the lender has it.
pub(crate) struct Door(AsyncFd<OwnedFd>);

impl Door {
    /// Makes it at `path`, for its owner and the group of this number. What an earlier lender left
    /// there goes.
    ///
    /// # Errors
    /// When there is anything else at `path`, or the folder does not let us.
    pub(crate) fn open(path: &Path, group: u32) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => {}
        }
        let socket = socket()?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Nobody is taken in before this is so: only then does it listen.
        std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
        chown(path, None, Some(group))?;
        listen(&socket, BACKLOG)?;
        watch_descriptor(socket).map(Self)
    }

    /// The next who comes.
    pub(crate) async fn next(&self) -> io::Result<Wire> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accept = |door: &OwnedFd| Ok(accept_with(door, flags)?);
        Wire::new(self.0.async_io(Interest::READABLE, accept).await?)
    }
}

/// Comes to the door at `path`.
///
/// # Errors
/// When there is none, or many wait there.
pub(crate) fn enter(path: &Path) -> io::Result<Wire> {
    let socket = socket()?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Wire::new(socket)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}
