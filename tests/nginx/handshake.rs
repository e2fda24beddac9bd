//! What a handshake shows: certificate, version, cipher suite, ticket and staple. What stands in
//! a certificate or in a staple is read by `openssl`.

use std::io::{Read, Result as IoResult, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use rustls::{ClientConnection, ProtocolVersion};

/// What has been shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    /// The certificate.
    pub(crate) leaf: Vec<u8>,
    /// TLS version, and cipher suite, as nginx calls them.
    pub(crate) version: &'static str,
    pub(crate) cipher: String,
    /// Whether a ticket came with it, before TLS 1.3.
    pub(crate) has_ticket: bool,
    /// What the signer of the certificate says of it.
    pub(crate) staple: Vec<u8>,
}

/// A handshake, done over a socket that was looked at meanwhile.
pub(crate) fn of(session: &ClientConnection, seen: &[u8], staple: &Mutex<Vec<u8>>) -> Handshake {
    let leaf = session.peer_certificates().and_then(|it| it.first());
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2",
        _ => "1.3",
    };
    let cipher = session.negotiated_cipher_suite().and_then(|it| it.suite().as_str());
    let cipher = cipher.unwrap_or_default();
    Handshake {
        leaf: leaf.map(|it| it.to_vec()).unwrap_or_default(),
        version,
        cipher: openssl_name(cipher),
        has_ticket: has_ticket(seen),
        staple: staple.lock().unwrap().clone(),
    }
}

/// `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384` is its `ECDHE-RSA-AES256-GCM-SHA384`; names of TLS 1.3
/// are the same for both.
fn openssl_name(name: &str) -> String {
    match name.strip_prefix("TLS_").filter(|rest| rest.contains("_WITH_")) {
        Some(rest) => rest.replace("_WITH_", "-").replace("AES_", "AES").replace('_', "-"),
        None => name.to_owned(),
    }
}

/// Whether a NewSessionTicket is among records (RFC 5077, section 3.3), up to the first that are
/// encrypted.
fn has_ticket(mut records: &[u8]) -> bool {
    let mut messages = Vec::new();
    while let [22, _, _, high, low, rest @ ..] = records {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        messages.extend_from_slice(&rest[..length]);
        records = &rest[length..];
    }
    let mut left = &messages[..];
    while let [kind, a, b, c, rest @ ..] = left {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == 4 {
            return true;
        }
        left = rest.get(length..).unwrap_or_default();
    }
    false
}

/// A socket that keeps what has come, for as long as it is asked to.
pub(crate) struct Watched {
    pub(crate) stream: TcpStream,
    pub(crate) seen: Option<Vec<u8>>,
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        let count = self.stream.read(into)?;
        if let Some(seen) = &mut self.seen {
            seen.extend_from_slice(&into[..count]);
        }
        Ok(count)
    }
}

impl Write for Watched {
    fn write(&mut self, from: &[u8]) -> IoResult<usize> {
        self.stream.write(from)
    }

    fn flush(&mut self) -> IoResult<()> {
        self.stream.flush()
    }
}

/// Where a staple is put.
pub(crate) type Staple = Arc<Mutex<Vec<u8>>>;

/// What a certificate says, by what `openssl` calls it: `subject.CN`, `issuer.O` and the like,
/// and its names (`dns`).
pub(crate) fn particulars(leaf: &[u8]) -> Result<Vec<(String, String)>> {
    let asked = ["x509", "-inform", "DER", "-noout", "-subject", "-issuer"];
    let text =
        openssl(&[&asked[..], &["-ext", "subjectAltName", "-nameopt", "sep_multiline"]], leaf)?;
    let mut said = Vec::new();
    let mut of = "";
    for line in text.lines().map(str::trim) {
        if let Some(names) = line.strip_prefix("DNS:") {
            said.extend(names.split(", DNS:").map(|name| ("dns".to_owned(), name.to_owned())));
        }
        match line.split_once('=') {
            Some((name, "")) => of = if name == "issuer" { "issuer" } else { "subject" },
            Some((name, value)) => said.push((format!("{of}.{name}"), value.to_owned())),
            None => {}
        }
    }
    Ok(said)
}

/// What a staple says of its certificate: `good`, `revoked`.
pub(crate) fn standing(staple: &[u8]) -> Result<String> {
    ensure!(!staple.is_empty(), "no staple was shown");
    let asked = ["ocsp", "-respin", "/dev/stdin", "-resp_text", "-noverify"];
    let text = openssl(&[&asked[..]], staple)?;
    let found = text.lines().find_map(|line| line.trim().strip_prefix("Cert Status: "));
    Ok(found.context("a staple without a status")?.to_owned())
}

fn openssl(arguments: &[&[&str]], input: &[u8]) -> Result<String> {
    let mut command = Command::new("openssl");
    command.args(arguments.concat()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().context("openssl")?;
    child.stdin.take().context("its input")?.write_all(input)?;
    let said = child.wait_with_output()?;
    ensure!(said.status.success(), "openssl: {}", String::from_utf8_lossy(&said.stderr));
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}
