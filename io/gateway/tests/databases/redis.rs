//! Redis, in plain and over TLS: by server name, and for whoever else needs one.

use std::net::SocketAddr;
use std::process::Command;

use super::support::tcp::*;
use super::support::tls::{Authority, secure, secure_gateway};
use super::support::*;
use super::{Daemon, Folder, answer, free, is_there};

/// Redis with a user `ann`, in plain at `plainly` and over TLS at `securely`.
pub(super) struct Redis {
    pub(super) daemon: Daemon,
    pub(super) plainly: SocketAddr,
    pub(super) securely: SocketAddr,
}

impl Redis {
    /// It, in a folder of this name.
    pub(super) fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// The same with more options.
    pub(super) fn start_with(name: &str, options: &[&str]) -> Self {
        let folder = Folder::new(name);
        folder.put_certificate(&["redis.test"]);
        let [plainly, securely] = [free(), free()];
        let mut server = Command::new("redis-server");
        server.args(["--bind", "127.0.0.1", "--save", "", "--port", &plainly.port().to_string()]);
        server.args(["--tls-port", &securely.port().to_string(), "--tls-auth-clients", "no"]);
        for (option, file) in [
            ("--tls-cert-file", "own.pem"),
            ("--tls-key-file", "own.key"),
            ("--tls-ca-cert-file", "ca.pem"),
        ] {
            server.args([option, &folder.path(file)]);
        }
        server.args(options);
        let daemon = Daemon::start(server, folder, plainly);
        let redis = Self { daemon, plainly, securely };
        redis.told(&["acl", "setuser", "ann", "on", ">secret", "~*", "+@all"]);
        redis
    }

    /// What its own client is told.
    pub(super) fn told(&self, what: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client.args(["-e", "-h", "127.0.0.1", "-p", &self.plainly.port().to_string()]);
        answer(client.args(what)).unwrap()
    }

    pub(super) fn signal(&self, signal: &str) {
        super::run(Command::new("kill").args([signal, &self.daemon.child.id().to_string()]));
    }
}

/// By server name: passed on to who has the certificate, or as clear text from where TLS ends.
#[test]
fn redis_goes_by_server_name() {
    if !is_there("redis-server") {
        return;
    }
    let Redis { daemon, plainly, securely } = Redis::start("redis");
    let named = [passed_on("redis", "redis.test", &[securely])];
    let (gateway, at) = tcp_gateway(&named, Default::default());
    let authority = Authority::new("gateway");
    let theirs = daemon.folder.path("gateway.pem");
    std::fs::write(&theirs, authority.pem()).unwrap();
    let mut map = secure(&[], &[authority.certificate("redis", &["redis.test"])]);
    ended("redis", "redis.test", &[plainly]).put_into(&mut map);
    let (_ending, ends) = secure_gateway(&map, Default::default());
    let own = daemon.folder.path("ca.pem");
    let ask = |at: SocketAddr, secure: &[&str], what: &[&str]| {
        let mut client = Command::new("redis-cli");
        client.args(["-e", "-h", "127.0.0.1", "-p", &at.port().to_string()]).args(secure);
        answer(client.args(what))
    };
    let by = |name: &'static str, ca| ["--tls", "--sni", name, "--cacert", ca];
    let large = "x".repeat(100_000);
    assert_eq!(ask(at, &by("redis.test", &own), &["set", "k", &large]).as_deref(), Some("OK"));
    assert_eq!(ask(ends, &by("redis.test", &theirs), &["get", "k"]), Some(large));
    assert_eq!(ask(at, &by("other.test", &own), &["ping"]), None, "it has no route");
    assert_eq!(ask(at, &by("redis.test", &theirs), &["ping"]), None, "it is its own certificate");
    gateway.apply(&with_tcp(routing(&[]), &[plain("redis", &[plainly])]), 3);
    assert_eq!(ask(at, &[], &["strlen", "k"]).as_deref(), Some("100000"));
}
