//! The server over TLS, as an API server sees it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use steelyard_webhook::{CERTIFICATE_FILE, KEY_FILE, NothingBeside, Webhook, WebhookOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const NAME: &str = "steelyard-webhook.steelyard-system.svc";
/// Longer than the folder is left unread.
const PATIENCE: Duration = Duration::from_secs(30);

const READY: &str = "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A certificate, its key, and who signed it, in PEM form.
struct Identity {
    authority: String,
    certificate: String,
    key: String,
}

fn identity() -> Identity {
    identity_until(4000)
}

/// One that lapses as that year begins.
fn identity_until(year: i32) -> Identity {
    let make = || -> Result<Identity, rcgen::Error> {
        let (issuer_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
        let mut issuer = CertificateParams::new([])?;
        issuer.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let authority = issuer.self_signed(&issuer_key)?.pem();
        let mut server = CertificateParams::new([NAME.to_owned()])?;
        server.not_after = date_time_ymd(year, 1, 1);
        let certificate = server.signed_by(&key, &Issuer::new(issuer, issuer_key))?.pem();
        Ok(Identity { authority, certificate, key: key.serialize_pem() })
    };
    make().expect("a certificate")
}

fn put(folder: &Path, identity: &Identity) {
    for (name, text) in [(CERTIFICATE_FILE, &identity.certificate), (KEY_FILE, &identity.key)] {
        let new = folder.join("new");
        std::fs::write(&new, text).expect("written");
        std::fs::rename(&new, folder.join(name)).expect("replaced");
    }
}

/// A server on a free port, which shows `identity` for as long as the folder says so.
async fn serve(folder: &Path, identity: &Identity) -> SocketAddr {
    put(folder, identity);
    let listen = "127.0.0.1:0".parse().expect("an address");
    let options = WebhookOptions { listen, folder: folder.to_owned() };
    let webhook = Webhook::open(&options).await.expect("it starts");
    let address = webhook.address().expect("it listens");
    tokio::spawn(webhook.serve(Arc::new(NothingBeside)));
    address
}

/// The clock of a client that takes certificates which have lapsed since.
#[derive(Debug)]
struct LongAgo;

impl TimeProvider for LongAgo {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(946_684_800)))
    }
}

async fn connect(address: SocketAddr, authority: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority.as_bytes()).expect("a certificate");
    roots.add(authority).expect("an authority");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(LongAgo))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn ask(address: SocketAddr, authority: &str, request: &str) -> String {
    let mut stream = connect(address, authority).await.expect("a handshake");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    // Whoever is told that a body is too long may see the connection reset after that.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn it_answers_whoever_believes_its_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shown, other) = (identity(), identity());
    let address = serve(folder.path(), &shown).await;
    assert!(connect(address, &other.authority).await.is_err());
    let review = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":
        {"uid":"7","object":{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool",
        "metadata":{"name":"a","namespace":"b"},"spec":{"addresses":["x"]}},
        "resource":{"group":"metallb.io"}}}"#;
    let conversion = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview",
        "request":{"uid":"7","desiredAPIVersion":"metallb.io/v1beta2","objects":[]}}"#;
    let rows = [
        (post("/validate", review), "HTTP/1.1 200", r#""allowed":false"#),
        (post("/convert", conversion), "HTTP/1.1 200", r#""status":"Success""#),
        (post("/validate", conversion), "HTTP/1.1 400", "not a AdmissionReview"),
        (post("/validate", "{"), "HTTP/1.1 400", "not JSON"),
        (post("/elsewhere", "{}"), "HTTP/1.1 404", "/validate"),
        (READY.into(), "HTTP/1.1 200", "ok"),
        (
            "GET /validate HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".into(),
            "HTTP/1.1 405",
            "",
        ),
        (
            "POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n".into(),
            "HTTP/1.1 413",
            "more than is judged",
        ),
    ];
    for (request, status, said) in rows {
        let answer = ask(address, &shown.authority, &request).await;
        assert!(answer.starts_with(status) && answer.contains(said), "{request}: {answer}");
    }
}

/// No API server would take it, and so none would be told anything: that is to be seen by kubelets.
#[tokio::test]
async fn it_is_ready_while_its_certificate_is_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let (lapsed, valid) = (identity_until(2001), identity());
    let address = serve(folder.path(), &lapsed).await;
    let answer = ask(address, &lapsed.authority, READY).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("lapsed"), "{answer}");
    put(folder.path(), &valid);
    let ready = async {
        while connect(address, &valid.authority).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ask(address, &valid.authority, READY).await
    };
    let answer = tokio::time::timeout(PATIENCE, ready).await.expect("another certificate");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn another_certificate_is_shown_once_it_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (identity(), identity());
    let address = serve(folder.path(), &first).await;
    connect(address, &first.authority).await.expect("the first");
    // Half of one and half of the other fits nobody: the first one stays.
    std::fs::write(folder.path().join(KEY_FILE), &second.key).expect("written");
    tokio::time::timeout(PATIENCE / 2, async {
        connect(address, &first.authority).await.expect("still the first");
    })
    .await
    .expect("it answers");
    put(folder.path(), &second);
    let changed = async {
        while connect(address, &second.authority).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.expect("it is read again");
}

/// Who says nothing keeps nobody out for long.
#[tokio::test]
async fn silent_connections_make_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = identity();
    let address = serve(folder.path(), &shown).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.expect("taken in, or waiting"));
    }
    let question = post("/convert", "{");
    let asked = ask(address, &shown.authority, &question);
    let answer = tokio::time::timeout(PATIENCE * 2, asked).await.expect("in the end");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn without_a_certificate_it_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = identity();
    let listen = "127.0.0.1:0".parse().expect("an address");
    let options = WebhookOptions { listen, folder: folder.path().to_owned() };
    let other = identity();
    let cases: [(&str, &str, &str); 4] = [
        ("", &good.key, "is not a certificate"),
        (&good.certificate, "x", "is not a private key"),
        (&good.certificate, &other.key, "does not fit"),
        (&good.certificate, &good.key, ""),
    ];
    let error = Webhook::open(&options).await.expect_err("there are no files").to_string();
    assert!(error.starts_with("cannot read "), "{error}");
    for (certificate, key, why) in cases {
        std::fs::write(folder.path().join(CERTIFICATE_FILE), certificate).expect("written");
        std::fs::write(folder.path().join(KEY_FILE), key).expect("written");
        match Webhook::open(&options).await {
            Ok(_) => assert_eq!(why, ""),
            Err(error) => assert!(error.to_string().contains(why) && !why.is_empty(), "{error}"),
        }
    }
}
