//! `up` itself, as a user would start it: how much memory it has, and how long an edit takes until
//! a request is answered by it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::results::median;

use super::worlds::{live, pool};

/// What it runs on: a folder of routes, each in a file of its own.
pub(crate) struct Home {
    pub(crate) routes: usize,
    /// Edits until the memory is looked at again.
    pub(crate) edits: usize,
    /// The file of one of them.
    pub(crate) written: fn(usize) -> String,
    /// The same, led to the Service `live` from a host.
    pub(crate) led: fn(usize, &str) -> String,
}

/// What was measured of one process.
pub(crate) struct Lived {
    pub(crate) after_start_mebibytes: f64,
    pub(crate) after_edits_mebibytes: f64,
    /// The median over the edits; zero where there was none.
    pub(crate) edit_milliseconds: f64,
}

/// A running `up`, ended when dropped.
struct Running {
    child: Child,
    client: TcpStream,
}

/// Its memory is looked at when so much time has passed without an edit.
const REST: Duration = Duration::from_secs(4);
/// For everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

const WEB: &str = "127.0.0.1:18085";
const ADMIN: &str = "127.0.0.1:18095";

/// Starts `binary` with a folder of its own, edits there, and ends it.
pub(crate) fn run(binary: &Path, home: &Home) -> Result<Lived> {
    let folder = std::env::temp_dir().join(format!("steelyard-bench-{}", std::process::id()));
    let lived = measure(binary, &folder, home);
    std::fs::remove_dir_all(&folder)?;
    lived
}

fn measure(binary: &Path, folder: &Path, home: &Home) -> Result<Lived> {
    let backend = backend()?;
    write(folder, home)?;
    let mut running = Running::start(binary, folder, backend, home)?;
    std::thread::sleep(REST);
    let after_start_mebibytes = running.resident()?;
    let mut took = Vec::new();
    for edit in 0..home.edits {
        // Here and there, so that every part of what is kept is written anew.
        let n = edit * 37 % home.routes;
        let (host, next) = (format!("edit-{edit}.example"), folder.join("next"));
        std::fs::write(&next, (home.led)(n, &host))?;
        let start = Instant::now();
        std::fs::rename(&next, file(folder, n))?;
        running.wait_for(&host)?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    std::thread::sleep(REST);
    let after_edits_mebibytes = running.resident()?;
    let edit_milliseconds = if took.is_empty() { 0.0 } else { median(took) };
    Ok(Lived { after_start_mebibytes, after_edits_mebibytes, edit_milliseconds })
}

fn file(folder: &Path, n: usize) -> PathBuf {
    folder.join(format!("apps-{n:05}.yaml"))
}

fn write(folder: &Path, home: &Home) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("pools.yaml"), pool("home", "10.0.0.0/16", ""))?;
    for n in 0..home.routes {
        std::fs::write(file(folder, n), (home.written)(n))?;
    }
    Ok(())
}

/// Answers every request, one connection at a time and several.
fn backend() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answer = |mut stream: TcpStream| {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

impl Running {
    fn start(binary: &Path, folder: &Path, backend: SocketAddr, home: &Home) -> Result<Self> {
        std::fs::write(folder.join("live.yaml"), live(backend))?;
        std::fs::write(file(folder, 0), (home.led)(0, "first.example"))?;
        let child = Command::new(binary)
            .args(["up", "--unprivileged", "--workers", "2", "--admin", ADMIN])
            .arg(format!("--entrypoints.web.address={WEB}"))
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| binary.display().to_string())?;
        // Ended also where nobody answers.
        let mut child = Some(child);
        let start = Instant::now();
        loop {
            if let Ok(client) = TcpStream::connect(WEB) {
                client.set_nodelay(true)?;
                client.set_read_timeout(Some(PATIENCE))?;
                let child = child.take().context("it was started")?;
                let mut running = Self { child, client };
                running.wait_for("first.example")?;
                return Ok(running);
            }
            if start.elapsed() > PATIENCE {
                end(child.as_mut().context("it was started")?);
                anyhow::bail!("nothing listens at {WEB}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks until a route leads from `host` to the backend.
    fn wait_for(&mut self, host: &str) -> Result<()> {
        let start = Instant::now();
        while !self.is_answered(host)? {
            ensure!(start.elapsed() < PATIENCE, "no route from {host}");
        }
        Ok(())
    }

    fn is_answered(&mut self, host: &str) -> Result<bool> {
        write!(self.client, "HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.client.read(&mut buffer)?;
            ensure!(read > 0, "the gateway closed the connection");
            head.extend_from_slice(&buffer[..read]);
        }
        Ok(head.starts_with(b"HTTP/1.1 200"))
    }

    /// Its memory, in MiB.
    fn resident(&self) -> Result<f64> {
        crate::memory::resident(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
