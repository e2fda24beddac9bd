//! Certificates that ask to be shown with what their signer says of them (OCSP): `openssl ocsp`
//! answers, and `openssl s_client` looks at what it is shown.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair};
use steelyard_gateway::{Gateway, GatewayOptions, Lacking};
use steelyard_model::routing::tls::Certificate;
use steelyard_tls::Unstapled;
use support::tls::*;
use support::*;

type Signer = CertifiedIssuer<'static, KeyPair>;

/// Who signs, in the middle of a chain, and its files.
struct Office {
    folder: PathBuf,
    root: Signer,
    middle: Signer,
    processes: Vec<Child>,
}

impl Office {
    fn new(name: &str) -> Self {
        let folder = format!("steelyard-staples-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let params = |name: &str| {
            let mut asked = CertificateParams::new(Vec::new()).unwrap();
            asked.distinguished_name.push(rcgen::DnType::CommonName, name);
            asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            asked
        };
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(params("root"), key()).unwrap();
        let middle = CertifiedIssuer::signed_by(params("middle"), key(), &root).unwrap();
        let office = Self { folder, root, middle, processes: Vec::new() };
        office.write("root.crt", &office.root.pem());
        office.write("middle.crt", &office.middle.pem());
        office.write("middle.key", &office.middle.key().serialize_pem());
        for (name, signs) in [("delegate", true), ("clerk", false)] {
            let mut asked = CertificateParams::new(Vec::new()).unwrap();
            asked.distinguished_name.push(rcgen::DnType::CommonName, name);
            if signs {
                asked.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::OcspSigning];
            }
            let key = KeyPair::generate().unwrap();
            let pem = asked.signed_by(&key, &office.middle).unwrap().pem();
            office.write(&format!("{name}.crt"), &pem);
            office.write(&format!("{name}.key"), &key.serialize_pem());
        }
        office
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A certificate for `NAME.test` that asks for an answer of this responder; its serial number.
    fn certificate(&self, name: &str, responder: SocketAddr) -> (Certificate, u8) {
        let serial = name.bytes().fold(1, u8::wrapping_add) & 0x7f | 1;
        let mut asked = CertificateParams::new(vec![format!("{name}.test")]).unwrap();
        asked.serial_number = Some(vec![serial].into());
        let url = format!("http://{responder}/ocsp");
        let location = [&[0x86, u8::try_from(url.len()).unwrap()], url.as_bytes()].concat();
        let method = [&[6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1][..], &location].concat();
        let wrap = |inner: &[u8]| [&[0x30, u8::try_from(inner.len()).unwrap()], inner].concat();
        asked.custom_extensions = vec![
            CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 5, 5, 7, 1, 24],
                vec![0x30, 3, 2, 1, 5],
            ),
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], wrap(&wrap(&method))),
        ];
        let key = KeyPair::generate().unwrap();
        let pem = asked.signed_by(&key, &self.middle).unwrap().pem();
        let chain = format!("{pem}{}", self.middle.pem());
        (of_secret(name, &chain, &key.serialize_pem()), serial)
    }

    /// `openssl ocsp`, which knows these: `V` is good, `R` is revoked. It signs by these files.
    fn respond(&mut self, at: SocketAddr, (signer, key): (&str, &str), known: &[(&str, u8)]) {
        let line = |(standing, serial): &(&str, u8)| {
            let revoked = if *standing == "R" { "260101000000Z" } else { "" };
            format!("{standing}\t401231000000Z\t{revoked}\t{serial:02X}\tunknown\t/CN={serial}\n")
        };
        let index = self.write("index.txt", &known.iter().map(line).collect::<String>());
        let path = |name: &str| self.folder.join(name).display().to_string();
        let said = std::fs::File::create(path("said")).unwrap();
        let mut command = Command::new("openssl");
        command.args(["ocsp", "-port", &at.port().to_string(), "-index", &index, "-nmin", "9"]);
        command.args(["-CA", &path("middle.crt"), "-rsigner", &path(signer)]);
        command.args(["-rkey", &path(key)]).stdin(Stdio::null());
        command.stdout(said.try_clone().unwrap()).stderr(said);
        self.processes.push(command.spawn().unwrap());
        // It answers one after the other, and whoever connects and says nothing holds it up.
        let is_there = || std::fs::read_to_string(path("said")).unwrap().contains("waiting for");
        eventually("it responds", is_there);
    }

    /// What `openssl s_client` says of what it is shown.
    fn look(&self, gateway: SocketAddr, name: &str) -> String {
        let root = self.folder.join("root.crt").display().to_string();
        let mut command = Command::new("openssl");
        command.args([
            "s_client",
            "-connect",
            &gateway.to_string(),
            "-status",
            "-servername",
            name,
        ]);
        command.args(["-CAfile", &root, "-verify_return_error"]).stdin(Stdio::null());
        let said = command.output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.status.success(), "{text}\n{}", String::from_utf8_lossy(&said.stderr));
        text
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn counted(gateway: &Gateway, line: &str) -> bool {
    scrape(gateway).contains(&format!("steelyard_ocsp_{line}\n"))
}

/// What their responder says is shown; where it says nothing that can be believed they are shown
/// all the same, and that is told.
#[test]
fn certificates_are_shown_with_what_their_signer_says() {
    let mut office = Office::new("shown");
    let (responder, junk) = (free(), Server::answering(|_| ok("no answer")));
    let server = Server::echo("one");
    let all = [
        office.certificate("good", responder),
        office.certificate("revoked", responder),
        office.certificate("stranger", responder),
        office.certificate("junk", junk.address),
        office.certificate("gone", dead()),
    ];
    let signer = ("delegate.crt", "delegate.key");
    office.respond(responder, signer, &[("V", all[0].1), ("R", all[1].1)]);
    let routes = ["good.test", "revoked.test", "stranger.test", "junk.test", "gone.test"];
    let routes = routes.map(|host| route(host, host, "/", &[server.address]));
    let certificates = all.map(|(certificate, _)| certificate);
    let options = GatewayOptions { workers: 1, ..Default::default() };
    let (gateway, address) = secure_gateway(&secure(&routes, &certificates), options);
    eventually("all were asked", || {
        counted(&gateway, "answers_total{outcome=\"taken\"} 2")
            && counted(&gateway, "answers_total{outcome=\"none\"} 3")
            && counted(&gateway, "lacking 4")
    });
    let good = office.look(address, "good.test");
    assert!(good.contains("OCSP Response Status: successful"), "{good}");
    assert!(good.contains("Cert Status: good"), "{good}");
    assert!(office.look(address, "revoked.test").contains("Cert Status: revoked"));
    for name in ["stranger.test", "junk.test", "gone.test"] {
        assert!(office.look(address, name).contains("no response sent"), "{name}");
    }
    let lacking = gateway.lacking();
    let why = |name: &str| lacking.get(&format!("default/{name}").as_str().into()).copied();
    assert_eq!(why("good"), None);
    assert_eq!(why("revoked"), Some(Lacking::Revoked));
    assert_eq!(why("stranger"), Some(Lacking::Answer(Unstapled::Unknown)));
    assert_eq!(why("junk"), Some(Lacking::Answer(Unstapled::Malformed)));
    assert_eq!(why("gone"), Some(Lacking::Answer(Unstapled::Unreached)));
    // Who is gone is forgotten, and who stays is not asked again.
    gateway.apply(&secure(&routes, &certificates[..1]), 2);
    eventually("none lacks", || counted(&gateway, "lacking 0"));
    assert!(office.look(address, "good.test").contains("Cert Status: good"));
}

/// Whoever writes a certificate chooses who is asked: none of these takes memory, leads elsewhere,
/// or keeps the next one from being asked.
#[test]
fn whatever_a_responder_says_has_a_bound() {
    let office = Office::new("bound");
    let elsewhere = Server::answering(|_| ok("here"));
    let moved = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n",
        elsewhere.address
    );
    let taken = Arc::<AtomicUsize>::default();
    let count = taken.clone();
    let endless = Server::start(move |mut stream, _| {
        let mut head = b"HTTP/1.1 200 OK\r\n".as_slice();
        while stream.write_all(head).is_ok() {
            count.fetch_add(head.len(), Ordering::SeqCst);
            head = b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n";
        }
    });
    let moved = Server::start(move |mut stream, _| drop(stream.write_all(moved.as_bytes())));
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n";
    let long = Server::start(move |mut stream, _| drop(stream.write_all(long.as_bytes())));
    let servers = [("endless", endless), ("moved", moved), ("long", long)];
    let certificates =
        Vec::from_iter(servers.iter().map(|(name, it)| office.certificate(name, it.address).0));
    let options = GatewayOptions { workers: 1, ..Default::default() };
    let (gateway, _) = secure_gateway(&secure(&[], &certificates), options);
    let asked = "answers_total{outcome=\"none\"} 3";
    eventually("all were asked", || counted(&gateway, asked) && counted(&gateway, "lacking 3"));
    let unreached = Lacking::Answer(Unstapled::Unreached);
    assert!(gateway.lacking().into_values().all(|why| why == unreached), "{:?}", gateway.lacking());
    assert_eq!(elsewhere.accepted.load(Ordering::SeqCst), 0, "nobody is led elsewhere");
    let sent = taken.load(Ordering::SeqCst);
    assert!(sent < 32 << 20, "{sent}: sockets hold more than is heard, and not much more");
}

/// What is signed by nobody who may is shown to nobody: not by who has another key, though names
/// and serial agree, nor by somebody whom the signer has signed for other things.
#[test]
fn answers_of_strangers_are_not_shown() {
    let server = Server::echo("one");
    for (name, signer) in [
        ("own", ("middle.crt", "middle.key")),
        ("clerk", ("clerk.crt", "clerk.key")),
        ("stranger", ("stranger.crt", "stranger.key")),
    ] {
        let mut office = Office::new(name);
        let stranger = Office::new("strangers");
        office.write("stranger.crt", &stranger.middle.pem());
        office.write("stranger.key", &stranger.middle.key().serialize_pem());
        let responder = free();
        let (certificate, serial) = office.certificate("good", responder);
        office.respond(responder, signer, &[("V", serial)]);
        let routes = [route("good", "good.test", "/", &[server.address])];
        let options = GatewayOptions { workers: 1, ..Default::default() };
        let (gateway, address) = secure_gateway(&secure(&routes, &[certificate]), options);
        let is_own = name == "own";
        let outcome = if is_own { "taken" } else { "none" };
        let asked = format!("answers_total{{outcome=\"{outcome}\"}} 1");
        eventually(name, || counted(&gateway, &asked));
        let why: Vec<_> = gateway.lacking().into_values().collect();
        let unsigned = [Lacking::Answer(Unstapled::Unsigned)];
        assert_eq!(why, if is_own { &[] } else { &unsigned[..] }, "{name}");
        assert_eq!(office.look(address, "good.test").contains("no response sent"), !is_own);
    }
}
