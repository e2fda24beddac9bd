//! PostgreSQL's own client and server, through TCP routes: by server name behind its wish for TLS,
//! and in plain text.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::run;
use super::support::tcp::*;
use super::support::*;

/// Who runs the server, where we are root: it does not run as that.
const USER: &str = "nobody";

/// A server with a folder of its own, ended with the test.
struct Postgres {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Postgres {
    /// None where it is not installed.
    fn start() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let programs = versions.flatten().map(|it| it.path().join("bin")).max()?;
        let folder = std::env::temp_dir().join(format!("steelyard-pg-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        if is_root {
            run(Command::new("chown").arg(USER).arg(&folder));
        }
        let command = |program: &Path| {
            let mut command = Command::new(if is_root { Path::new("runuser") } else { program });
            if is_root {
                command.args(["-u", USER, "--"]).arg(program);
            }
            command.current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let data = folder.join("data");
        run(command(&programs.join("initdb"))
            .args(["-U", "admin", "-A", "trust", "-D"])
            .arg(&data));
        let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                    -subj /CN=db -keyout data/server.key -out data/server.crt";
        run(command(Path::new("openssl")).args(make.split_whitespace()));
        let address = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let settings = format!("-c ssl=on -c listen_addresses=127.0.0.1 -p {} -k", address.port());
        let mut server = command(&programs.join("postgres"));
        server.args(settings.split(' ')).arg("").arg("-D").arg(&data);
        let child = server.spawn().unwrap();
        eventually("it listens", || TcpStream::connect(address).is_ok());
        Some(Self { child, folder, address })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let file = self.folder.join("data/postmaster.pid");
        let pid = std::fs::read_to_string(file).unwrap_or_default();
        let pid = pid.lines().next().unwrap_or_default().to_owned();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What psql says to a sum.
fn psql(host: &str, gateway: SocketAddr, mode: &str) -> Option<String> {
    let to = format!(
        "host={host} hostaddr={} port={} user=admin dbname=postgres sslmode={mode} \
         connect_timeout=20",
        gateway.ip(),
        gateway.port()
    );
    let mut psql = Command::new("psql");
    let output = psql.args([&to, "-XAtc", "select 41 + 1"]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn psql_comes_to_its_server() {
    let Some(server) = Postgres::start() else {
        eprintln!("skipped: there is no PostgreSQL");
        return;
    };
    let address = server.address;
    eventually("it answers", || psql("db", address, "require").is_some());
    let named = [passed_on("db", "db.example", &[address])];
    let (gateway, at) = tcp_gateway(&named, Default::default());
    assert_eq!(psql("db.example", at, "require").as_deref(), Some("42"));
    assert_eq!(psql("other.example", at, "require"), None, "it has no route");
    // Where TLS ends here, its server is asked for none.
    let mut map = tls::secure(&[], &[]);
    ended("db", "db.example", &[address]).put_into(&mut map);
    let (_gateway, ends) = tls::secure_gateway(&map, Default::default());
    assert_eq!(psql("db.example", ends, "require").as_deref(), Some("42"));
    // In plain text, and whatever its server agrees to.
    gateway.apply(&with_tcp(routing(&[]), &[plain("db", &[address])]), 3);
    for mode in ["disable", "prefer", "require"] {
        assert_eq!(psql("db.example", at, mode).as_deref(), Some("42"), "{mode}");
    }
}
