//! Databases with their own clients and servers, through TCP routes: those that speak first, and by
//! server name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "databases/counting.rs"]
mod counting;
#[path = "databases/postgres.rs"]
mod postgres;
#[path = "databases/redis.rs"]
mod redis;
mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use support::tcp::*;
use support::tls::Authority;
use support::*;

/// A server in a folder of its own, ended with the test.
struct Daemon {
    child: Child,
    folder: Folder,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start(mut server: Command, folder: Folder, address: SocketAddr) -> Self {
        server.current_dir(&folder.0).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Self { child: server.spawn().unwrap(), folder };
        eventually("it listens", || TcpStream::connect(address).is_ok());
        daemon
    }
}

/// Gone with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("steelyard-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// A certificate for these names in `own.pem`, its key in `own.key`, and in `ca.pem` who has
    /// signed it.
    fn put_certificate(&self, names: &[&str]) {
        let (authority, key) = (Authority::new("ca"), rcgen::KeyPair::generate().unwrap());
        let texts = [authority.pem(), authority.sign(names, &key), key.serialize_pem()];
        for (name, text) in ["ca.pem", "own.pem", "own.key"].iter().zip(texts) {
            std::fs::write(self.path(name), text).unwrap();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// An address that is free, to be listened at by somebody else.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn is_there(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        eprintln!("skipped: there is no {program}");
    }
    is_there
}

/// What a client prints when it comes to an answer.
fn answer(client: &mut Command) -> Option<String> {
    let output = client.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

/// It is its server that speaks first, so nothing is awaited of its client; TLS is their own
/// business too.
#[test]
fn mariadb_speaks_first() {
    if !is_there("mariadbd") {
        return;
    }
    let (folder, address) = (Folder::new("mariadb"), free());
    folder.put_certificate(&["db.test", "127.0.0.1"]);
    let data = format!("--datadir={}", folder.path("data"));
    let mut install = Command::new("mariadb-install-db");
    install.args(["--no-defaults", "--skip-test-db", "--user=root", &data]);
    run(install.stdout(Stdio::null()).stderr(Stdio::null()));
    let mut server = Command::new("mariadbd");
    server.args(["--no-defaults", "--skip-grant-tables", "--user=root", &data]);
    server.args([&format!("--port={}", address.port()), "--bind-address=127.0.0.1"]);
    server.args(["--socket=socket", "--ssl-cert", &folder.path("own.pem")]);
    server.args(["--ssl-key", &folder.path("own.key")]);
    let daemon = Daemon::start(server, folder, address);
    let (gateway, at) = tcp_gateway(&[plain("db", &[address])], Default::default());
    let ca = daemon.folder.path("ca.pem");
    let asks = "select 41 + 1, variable_value <> '' from information_schema.session_status \
                where variable_name = 'Ssl_cipher'";
    for (secure, expected) in
        [(&["--skip-ssl"][..], "42\t0"), (&["--ssl-verify-server-cert", "--ssl-ca", &ca], "42\t1")]
    {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--protocol=tcp", "-h127.0.0.1", "-BNe", asks]);
        client.arg(format!("-P{}", at.port())).args(secure);
        assert_eq!(answer(&mut client).as_deref(), Some(expected), "{secure:?}");
    }
    let counted =
        "steelyard_tcp_connections_total{entrypoint=\"web\",service=\"default-db-1@tcp\"}";
    eventually("it is counted", || scrape(&gateway).contains(counted));
}
