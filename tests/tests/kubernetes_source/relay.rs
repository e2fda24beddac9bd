//! A way to the API server that can be cut: it passes bytes on, on the host of a client.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use steelyard_host::netns::Namespace;
use steelyard_tests::cluster::Cluster;
use steelyard_tests::scratch::Scratch;

/// The way. It is there until the process ends; after the test nobody takes it.
pub(crate) struct Relay {
    way: Arc<Way>,
    kubeconfig: PathBuf,
    _scratch: Scratch,
}

struct Way {
    is_open: AtomicBool,
    /// Both ends of each connection.
    ends: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Opens it, for whom this kubeconfig is.
    pub(crate) fn start(cluster: &Cluster, kubeconfig: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(kubeconfig)?;
        let server = text.split("https://").nth(1).context("a server")?;
        let server = server.split(['"', '\n', ' ', '/']).next().context("an address")?;
        let to: SocketAddr = server.parse().context(server.to_owned())?;
        let host = Namespace::existing(cluster.client().name())?;
        let listener = host.run(|| TcpListener::bind("127.0.0.1:0"))??;
        let here = listener.local_addr()?;
        let scratch = Scratch::new()?;
        let kubeconfig = scratch.file("kubeconfig");
        let told = format!("https://{here}");
        let text = text.replace(&format!("https://{server}"), &told);
        let name = to.ip().to_string();
        let text = with_server_name(&text, &told, &name);
        std::fs::write(&kubeconfig, text)?;
        let way = Arc::new(Way { is_open: AtomicBool::new(true), ends: Mutex::default() });
        let passing = way.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                passing.pass(stream, || host.run(|| TcpStream::connect(to)).ok()?.ok());
            }
        });
        Ok(Self { way, kubeconfig, _scratch: scratch })
    }

    /// The same, by this way.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Cuts all connections, and lets no other one be.
    pub(crate) fn close(&self) {
        self.way.is_open.store(false, Ordering::SeqCst);
        let mut ends = self.way.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.drain(..).for_each(|end| _ = end.shutdown(Shutdown::Both));
    }

    /// Lets connections be again.
    pub(crate) fn open(&self) {
        self.way.is_open.store(true, Ordering::SeqCst);
    }
}

/// Certificates are for the address of the API server, not of the relay.
fn with_server_name(text: &str, server: &str, name: &str) -> String {
    let lines = text.lines().map(|line| {
        let Some(at) = line.find(server).and_then(|_| line.find("server:")) else {
            return line.to_owned();
        };
        format!("{line}\n{}tls-server-name: \"{name}\"", " ".repeat(at))
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Way {
    fn pass(&self, near: TcpStream, connect: impl Fn() -> Option<TcpStream>) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_open.load(Ordering::SeqCst) {
            return;
        }
        let Some(far) = connect() else { return };
        for (from, to) in [(&near, &far), (&far, &near)] {
            let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
            std::thread::spawn(move || {
                let mut buffer = [0; 16 << 10];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    if to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        ends.extend([near, far]);
    }
}
