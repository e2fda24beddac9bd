//! Who says of certificates whether they are good: `openssl ocsp`, for cases that name one.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use anyhow::Result;
use rcgen::CustomExtension;
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;

/// The place of a responder (RFC 5280, section 4.2.2.1): `authorityInfoAccess`, and in it OCSP.
const ACCESS: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 1];
const OCSP: [u8; 10] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1];
/// The number of the certificate that is good; a case has one.
pub(crate) const SERIAL: u8 = 0x2a;

/// A port that nobody listens at.
pub(crate) fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Names a responder in a certificate.
pub(crate) fn named(at: SocketAddr) -> CustomExtension {
    let wrap = |kind: u8, inner: &[u8]| {
        let length = u8::try_from(inner.len()).expect("a short extension");
        [&[kind, length], inner].concat()
    };
    let place = wrap(0x86, format!("http://{at}/").as_bytes());
    let method = wrap(0x30, &[&OCSP[..], &place].concat());
    CustomExtension::from_oid_content(&ACCESS, wrap(0x30, &method))
}

/// Starts one that answers in the name of a signer (certificate and key).
pub(crate) fn start(at: SocketAddr, folder: &Scratch, signer: [&str; 2]) -> Result<Running> {
    std::fs::create_dir_all(folder.file(".ocsp"))?;
    let [certificate, key, index] = ["ca.crt", "ca.key", "index"].map(|it| format!(".ocsp/{it}"));
    let known = format!("V\t401231000000Z\t\t{SERIAL:02X}\tunknown\t/CN=leaf\n");
    for (name, text) in [(&certificate, signer[0]), (&key, signer[1]), (&index, &known)] {
        std::fs::write(folder.file(name), text)?;
    }
    let mut command = Command::new("openssl");
    command.args(["ocsp", "-nmin", "9", "-port", &at.port().to_string()]);
    let files = [("-CA", &certificate), ("-rsigner", &certificate), ("-rkey", &key)];
    for (option, name) in [&files[..], &[("-index", &index)]].concat() {
        command.arg(option).arg(folder.file(name));
    }
    let mut process = Running::start(command)?;
    process.hush();
    process.wait_for("waiting for")?;
    Ok(process)
}
