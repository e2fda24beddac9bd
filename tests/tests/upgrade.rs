//! A new process takes the place of the one that runs, and nobody notices: on loopback, on a LAN,
//! and by systemd's sockets.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Pid;
use steelyard_tests::load::{Ask, Load, datagrams, lasting, lines, pace};
use steelyard_tests::process::{Running, Signal};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service};
use steelyard_tests::upgraded::Upgrades;
use steelyard_tests::{binary, http, wait};

const ROUTES: &str = "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRouteTCP\nmetadata: \
                      {name: lines}\nspec:\n  entryPoints: [lines]\n  routes:\n  - match: \
                      HostSNI(`*`)\n    services: [{name: lines, port: 80}]\n---\napiVersion: \
                      traefik.io/v1alpha1\nkind: IngressRouteUDP\nmetadata: {name: words}\nspec:\n  \
                      entryPoints: [words]\n  routes:\n  - services: [{name: words, port: 80}]\n";

/// An instance on loopback that serves HTTP, lines over TCP, and datagrams.
struct Site {
    up: Up,
    upgrades: Upgrades,
    asks: Vec<Ask>,
    folder: Scratch,
    _backend: Backend,
}

impl Site {
    fn start() -> Result<Self> {
        let (folder, backend) = (Scratch::new()?, Backend::start("app")?);
        let manifests = service("app", backend.address)
            + &ingress("app", "app.test", "app", "")
            + &service("lines", lines("127.0.0.1:0")?)
            + &service("words", datagrams("127.0.0.1:0")?)
                .replace("{port: 80}", "{port: 80, protocol: UDP}")
            + ROUTES;
        folder.write("all.yaml", &manifests)?;
        let [tcp, udp] = [http::free_port()?, http::free_port()?];
        let state = folder.file(".state");
        let options = [
            format!("--entrypoints.lines.address=127.0.0.1:{tcp}"),
            format!("--entrypoints.words.address=127.0.0.1:{udp}/udp"),
            format!("--state-dir={}", state.display()),
            "--drain=60".to_owned(),
        ];
        let options: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
        let mut up = Up::launch(&[], folder.path(), &options)?;
        up.wait_until_ready()?;
        let host = "app.test".to_owned();
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let asks = vec![
            Ask::Get(up.web, host.clone()),
            Ask::GetAnew(up.web, host.clone()),
            Ask::Post(up.web, host),
            Ask::Lines(local(tcp)),
            Ask::Datagrams(local(udp)),
        ];
        Ok(Self { up, upgrades: Upgrades::of(&state), asks, folder, _backend: backend })
    }

    /// A program of these lines.
    fn program(&self, name: &str, lines: &str) -> Result<String> {
        let file = self.folder.file(name);
        std::fs::write(&file, format!("#!/bin/sh\n{lines}\n"))?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
        Ok(file.display().to_string())
    }
}

#[test]
fn ten_upgrades_under_load_lose_nothing() -> Result<()> {
    let mut site = Site::start()?;
    let (clients, pace) = pace();
    let asks = site.asks.iter().cycle().take(usize::try_from(clients)?.max(site.asks.len()));
    let load = Load::start(&asks.cloned().collect::<Vec<_>>(), pace);
    let between = lasting().map_or(Duration::from_millis(100), |all| all / 11);
    for number in 0..10 {
        std::thread::sleep(between);
        let process = site.upgrades.once()?;
        wait::until(&format!("readiness after upgrade {number} to {process:?}"), || {
            site.up.is_ready()
        })?;
    }
    let tally = load.end();
    eprintln!("ten upgrades: {} questions, {} failed", tally.asked, tally.failed);
    tally.is_whole(400)?;
    // Their last connections have ended: so do they.
    ensure!(site.up.process.wait_for_end()?.success());
    site.upgrades.wait_for_former()?;
    site.upgrades.stop()
}

#[test]
fn who_does_not_take_over_leaves_the_old_one_in_charge() -> Result<()> {
    let mut site = Site::start()?;
    let load = Load::start(&site.asks, Duration::from_millis(5));
    let says = |said: &str, part: &str| {
        ensure!(said.contains(part) && said.contains("the process that runs goes on"), "{said}");
        Ok(())
    };
    says(&site.upgrades.fails(&["/nowhere/steelyard"])?, "/nowhere/steelyard is no program")?;
    let crashes = site.program("crashes", "exit 3")?;
    says(&site.upgrades.fails(&[&crashes])?, "ended before it was in charge: exit status: 3")?;
    // As a version that knows an option no more.
    let invalid = format!("exec {} up --no-such-option", binary::steelyard().display());
    let invalid = site.program("invalid", &invalid)?;
    says(&site.upgrades.fails(&[&invalid])?, "ended before it was in charge: exit status: 2")?;
    let sleeps = site.program("sleeps", "exec sleep 60")?;
    let late = &[&sleeps[..], "--within", "1"];
    says(&site.upgrades.fails(late)?, "not ready within 1 s")?;

    // One at a time, however it is asked for.
    let mut slow = Running::start(site.upgrades.command(&[&sleeps, "--within", "3"]))?;
    wait::until("an upgrade that takes its time", || {
        site.up.process.printed().matches("/sleeps is started").count() == 2
    })?;
    let second = site.upgrades.fails(&[])?;
    ensure!(second.contains("under way already"), "{second}");
    site.up.process.signal(Signal::USR2)?;
    site.up.process.wait_for("an upgrade is under way already")?;
    ensure!(slow.wait_for_end()?.code() == Some(1), "{}", slow.printed());

    ensure!(site.up.is_ready());
    let told = site.up.read("events")?.to_string();
    ensure!(told.contains("UpgradeFailed"), "{told}");
    // And then it works, by a signal as well.
    let before = site.up.process.pid()?;
    site.up.process.signal(Signal::USR2)?;
    site.up.process.wait_for("took over from the process")?;
    let process = wait::until_some("the new process", || {
        let printed = site.up.process.printed();
        let number = |said: &str| said.split_once(" has taken over")?.0.parse().ok();
        let number = printed.split("\"process ").find_map(number)?;
        Pid::from_raw(number).filter(|it| *it != before)
    })?;
    site.upgrades.processes.push(process);
    site.upgrades.once()?;
    load.end().is_whole(500)?;
    ensure!(site.up.process.wait_for_end()?.success());
    site.upgrades.stop()
}

/// As systemd starts a service by its sockets (sd_listen_fds(3)), with a shell for systemd.
#[test]
fn sockets_of_systemd_are_served() -> Result<()> {
    let (folder, backend) = (Scratch::new()?, Backend::start("app")?);
    let manifests = service("app", backend.address) + &ingress("app", "app.test", "app", "");
    folder.write("all.yaml", &manifests)?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let (at, nowhere) = (listener.local_addr()?, stranger.local_addr()?);
    let notes = std::os::unix::net::UnixDatagram::bind(folder.file("notify"))?;
    notes.set_read_timeout(Some(wait::PATIENCE))?;
    // A shell gives the two their places, and its own number is the one that systemd would say.
    fcntl_setfd(&listener, FdFlags::empty())?;
    fcntl_setfd(&stranger, FdFlags::empty())?;
    let script = format!(
        "exec 3<&{} 4<&{}; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:other exec \"$@\"",
        listener.as_raw_fd(),
        stranger.as_raw_fd()
    );
    let state = format!("--state-dir={}", folder.file(".state").display());
    let web = format!("--entrypoints.web.address={at}");
    let path = folder.file("notify").display().to_string();
    let notify = format!("NOTIFY_SOCKET={path}");
    let by = ["env", &notify, "bash", "-c", &script, "bash"];
    let options = [OsStr::new(&state), OsStr::new(&web)];
    let mut up = Up::launch_at(at, &by, folder.path(), &options)?;
    let mut word = [0; 200];
    let length = notes.recv(&mut word)?;
    ensure!(word.starts_with(b"READY=1"), "{}", String::from_utf8_lossy(&word[..length]));
    drop(listener);
    up.wait_for("app.test", 200)?;
    let said = format!("a socket of systemd is no entry point's: other (UDP {nowhere})");
    up.process.wait_for(&said)?;
    up.process.stop()?;
    let length = notes.recv(&mut word)?;
    ensure!(word[..length].starts_with(b"STOPPING=1"));
    Ok(())
}
