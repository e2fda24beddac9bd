//! What the program says goes where nobody takes it: a pipe without a reader, a held terminal.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use rustix::fs::OFlags;
use steelyard_tests::process::{Running, Signal, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service};
use steelyard_tests::{binary, http};

/// A pipe at `path` that is full and stays so; it is held open by what is returned.
fn full_pipe(path: &Path) -> Result<std::fs::File> {
    let mut make = Command::new("mkfifo");
    make.arg(path);
    run(make)?;
    let flags = i32::try_from(OFlags::NONBLOCK.bits())?;
    let mut pipe =
        std::fs::File::options().read(true).write(true).custom_flags(flags).open(path)?;
    for piece in [&[b'x'; 4096][..], b"x"] {
        while pipe.write_all(piece).map_err(|error| error.kind()) != Err(ErrorKind::WouldBlock) {}
    }
    Ok(pipe)
}

/// An endpoint whose answers are none, each for another reason in the log.
fn babbler() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for (count, client) in listener.incoming().flatten().enumerate() {
            let (mut client, mut head) = (client, [0; 4096]);
            let said = ["babble\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ""];
            // The client may be gone.
            let _ = client.read(&mut head).and_then(|_| client.write(said[count % 3].as_bytes()));
        }
    });
    Ok(address)
}

#[test]
fn nobody_waits_for_who_does_not_read_what_is_said() -> Result<()> {
    let folder = Scratch::new()?;
    let backend = Backend::start("shop")?;
    folder.write("shop.yaml", &service("shop", backend.address))?;
    folder.write("bad.yaml", &service("bad", babbler()?))?;
    folder.write("app.yaml", &ingress("app", "app.test", "shop", ""))?;
    folder.write("babble.yaml", &ingress("babble", "bad.test", "bad", ""))?;
    let held = folder.file(".held");
    let _pipe = full_pipe(&held)?;
    let into_pipe = format!("exec \"$0\" \"$@\" >{0} 2>{0}", held.display());
    let state = folder.file(".state");
    let options = ["--state-dir".as_ref(), state.as_os_str(), "--accesslog=true".as_ref()];
    let mut up = Up::launch(&["sh", "-c", &into_pipe], folder.path(), &options)?;
    up.wait_until_ready()?;
    for _ in 0..30 {
        ensure!(up.get("bad.test", "/")?.status == 502);
        ensure!(up.get("app.test", "/")?.status == 200);
    }
    folder.write("more.yaml", "kind: [}\n")?;
    folder.write("new.yaml", &ingress("new", "new.test", "shop", ""))?;
    up.wait_for("new.test", 200)?;
    ensure!(http::get(up.admin, "localhost", "/healthz")?.status == 200);
    up.process.signal(Signal::TERM)?;
    let status = up.process.wait_for_end()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// A name of a file is no way to make lines of the log, or to give a terminal orders.
#[test]
fn what_is_said_stays_on_its_line() -> Result<()> {
    let folder = Scratch::new()?;
    folder.write("a\n2026-01-01T00:00:00Z  INFO forged\u{1b}[2J.yaml", "kind: [}\n")?;
    let state = folder.file(".state");
    let mut command = Command::new(binary::steelyard());
    command.arg("up").arg(folder.path()).arg("--unprivileged").arg("--state-dir").arg(state);
    for option in ["--admin", "--entrypoints.web.address", "--entrypoints.websecure.address"] {
        command.arg(format!("{option}=127.0.0.1:{}", http::free_port()?));
    }
    let mut up = Running::start(command)?;
    up.wait_for("forged")?;
    let said = up.printed();
    ensure!(said.contains("a\\n2026-01-01T00:00:00Z  INFO forged\\u{1b}[2J.yaml"), "{said}");
    Ok(())
}
