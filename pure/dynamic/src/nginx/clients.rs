//! Certificates of clients.

use serde_json::Value;

use super::{Served, View};
use crate::crd::{PROTOCOLS, SUITES};
use crate::names::words;
use crate::shape::Shape;

impl View<'_> {
    /// Name and content of the terms of handshakes, if clients are asked for certificates: the
    /// outer is none where those whom to believe are not there.
    pub(super) fn terms(self, ingress: Served<'_>) -> Option<Option<(String, Value)>> {
        let Some(secret) = ingress.asks.written("auth-tls-secret") else { return Some(None) };
        let authority = self.material(ingress, secret)?.authority?;
        let client = Shape::default()
            .with("caFiles", vec![authority])
            .with("clientAuthType", verification(ingress));
        let terms = Shape::default()
            .with("cipherSuites", &SUITES[..])
            .with("clientAuth", client.done())
            .with("alpnProtocols", &PROTOCOLS[..]);
        let object = ingress.object;
        let name = words(&format!("{}-{}-{secret}", object.namespace, object.name));
        Some(Some((name, terms.done())))
    }

    /// What of a client's certificate is told to servers.
    pub(super) fn told_certificate(self, ingress: Served<'_>) -> Option<Value> {
        let secret = ingress.asks.written("auth-tls-secret")?;
        if !ingress.asks.is("auth-tls-pass-certificate-to-upstream") {
            return None;
        }
        let verification = verification(ingress);
        // Whoever is not verified here is where the request goes.
        let authority = (verification == ANYONE)
            .then(|| self.material(ingress, secret)?.authority.map(|it| vec![it]));
        let shape = Shape::default()
            .with("clientAuthType", verification)
            .with("caFiles", authority.flatten());
        Some(shape.done())
    }
}

/// Certificates are asked for, and not looked at.
const ANYONE: &str = "RequestClientCert";

/// How a certificate is asked for, in the words of Go's `crypto/tls`.
fn verification(ingress: Served<'_>) -> &'static str {
    match ingress.asks.text("auth-tls-verify-client") {
        "off" => "NoClientCert",
        "optional" => "VerifyClientCertIfGiven",
        "optional_no_ca" => ANYONE,
        _ => "RequireAndVerifyClientCert",
    }
}
