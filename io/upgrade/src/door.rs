//! Where a running process is asked to let another one take its place: a Unix socket in its state
//! folder, for its own user and root.

use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use steelyard_host::inherited::Inherited;
use steelyard_host::private;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// The name of the socket in the state folder, and the one by which it is passed on.
const NAME: &str = "upgrade.sock";
const MODE: u32 = 0o600;
/// Bytes of a question or an answer, at most.
const LONGEST: u64 = 64 * 1024;
/// How long whoever comes may take to ask.
const PATIENCE: Duration = Duration::from_secs(2);

/// It, as the process has it. Dropped, its name goes.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    /// None once another process has it.
    path: Option<PathBuf>,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The program; none is the one that the process was started from.
    pub program: Option<PathBuf>,
    /// Seconds that it may take until it is ready.
    pub within: Option<u64>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The process that has taken over; none has where it failed.
    pub process: Option<u32>,
    /// A sentence.
    pub said: String,
}

/// Who asks.
#[derive(Debug)]
pub struct Caller {
    stream: UnixStream,
    /// Whether that is root, who may have anything run anyhow.
    pub is_root: bool,
    /// For what.
    pub request: Request,
}

impl Door {
    /// Opens it in `folder`, or goes on with what another process opened there.
    ///
    /// # Errors
    /// When the folder is of no use, or another process has the door.
    pub fn open(folder: &Path, inherited: &Inherited) -> io::Result<Self> {
        let path = folder.join(NAME);
        if let Some(given) = inherited.take(NAME).pop() {
            let given = std::os::unix::net::UnixListener::from(given);
            given.set_nonblocking(true)?;
            return Ok(Self { listener: UnixListener::from_std(given)?, path: Some(path) });
        }
        private::folder(folder)?;
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => {
                if std::os::unix::net::UnixStream::connect(&path).is_ok() {
                    let why = format!("another instance has {}", path.display());
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
                }
                std::fs::remove_file(&path)?;
            }
            Ok(_) => {
                let why = format!("{} is something else: remove it", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(MODE))?;
        Ok(Self { listener, path: Some(path) })
    }

    /// The next who asks. Cancel-safe but for who is just asking, and has to ask again.
    pub async fn next(&self) -> Caller {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            match tokio::time::timeout(PATIENCE, Caller::take(stream)).await {
                Ok(Ok(caller)) => return caller,
                Ok(Err(error)) => tracing::warn!(%error, "who asks for an upgrade is not heard"),
                Err(_) => {}
            }
        }
    }

    /// It, for the process that takes over, by name.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn share(&self) -> io::Result<(String, OwnedFd)> {
        use std::os::fd::AsFd;
        Ok((NAME.to_owned(), self.listener.as_fd().try_clone_to_owned()?))
    }

    /// Another process has it from now on, under its name.
    pub fn let_go(mut self) {
        self.path = None;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Caller {
    async fn take(stream: UnixStream) -> io::Result<Self> {
        let user = stream.peer_cred()?.uid();
        if user != 0 && user != geteuid().as_raw() {
            let why = format!("user {user} may not");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let mut stream = stream;
        let line = line(&mut stream).await?;
        Ok(Self { request: serde_json::from_str(&line)?, is_root: user == 0, stream })
    }

    /// Tells what became of it. Who asked may be gone.
    pub async fn answer(mut self, answer: &Answer) {
        let Ok(text) = serde_json::to_string(answer) else { return };
        let _ = self.stream.write_all(format!("{text}\n").as_bytes()).await;
    }
}

/// Asks the process whose state is in `folder`, and waits until it is over.
///
/// # Errors
/// When there is none, or it ends before it answers.
pub async fn ask(folder: &Path, request: &Request) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(folder.join(NAME)).await?;
    let text = serde_json::to_string(request)?;
    stream.write_all(format!("{text}\n").as_bytes()).await?;
    let line = line(&mut stream).await?;
    Ok(serde_json::from_str(&line)?)
}

async fn line(stream: &mut UnixStream) -> io::Result<String> {
    let mut text = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut text).await?;
    if text.ends_with('\n') { Ok(text) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_the_door_is_asked_and_the_next_process_goes_on_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = Inherited::default();
        let door = Door::open(folder.path(), &nothing).unwrap();
        let mode = std::fs::metadata(folder.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        let taken = Door::open(folder.path(), &nothing).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);

        let (name, shared) = door.share().unwrap();
        nothing.put(&name, shared);
        door.let_go();
        let door = Door::open(folder.path(), &nothing).unwrap();
        let request = Request { program: Some("/x".into()), within: Some(3) };
        let answer = Answer { process: None, said: "no".to_owned() };
        let serve = async {
            let caller = door.next().await;
            assert_eq!(caller.request, request);
            caller.answer(&answer).await;
        };
        let (told, ()) = tokio::join!(ask(folder.path(), &request), serve);
        assert_eq!(told.unwrap(), answer);
        drop(door);
        assert!(!folder.path().join(NAME).exists());
        let nobody = ask(folder.path(), &request).await.unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::NotFound);
    }
}
