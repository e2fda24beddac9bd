//! `steelyard webhook` beside the controller: asked before an object is written.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::binary;
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;

use crate::certs;
use crate::client::Target;

/// Where it is asked.
const PORT: u16 = 8443;
const PATIENCE: Duration = Duration::from_secs(30);

/// It runs for as long as this is kept.
pub(crate) struct Webhook {
    at: SocketAddr,
    _process: Running,
    _certificate: Scratch,
}

impl Webhook {
    /// Starts it beside what is written in a folder.
    pub(crate) fn start(address: IpAddr, folder: &Path, flags: &[String]) -> Result<Self> {
        let certificate = Scratch::new()?;
        let made = certs::plain("webhook");
        certificate.write("tls.crt", &made.chain)?;
        certificate.write("tls.key", &made.key)?;
        let at = SocketAddr::new(address, PORT);
        let mut command = Command::new(binary::steelyard());
        command.arg("webhook").arg(folder).args(flags);
        command.arg(format!("--listen={at}")).arg("--certificate").arg(certificate.path());
        let mut process = Running::start(command)?;
        process.hush();
        process.wait_for("objects are judged")?;
        Ok(Self { at, _process: process, _certificate: certificate })
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.at
    }

    /// Whether an object may come in, and why not.
    pub(crate) fn admits(&self, object: &Value) -> Result<(bool, String)> {
        let request = json!({
            "uid": "7", "operation": "CREATE", "object": object,
            "resource": { "group": "networking.k8s.io", "version": "v1", "resource": "ingresses" },
        });
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request,
        });
        let asked = json!({
            "scheme": "https", "host": self.at.to_string(), "method": "POST",
            "path": "/networking/v1/ingresses", "port": PORT, "sni": "none",
            "headers": { "Content-Type": "application/json" }, "body": review.to_string(),
        });
        let (address, certs) = (self.at.ip(), &Default::default());
        let target = Target { address, request: &asked, certs, patience: PATIENCE };
        let answer = target.ask(&mut target.connect()?)?;
        ensure!(answer.status == 200, "the webhook has answered {}", answer.status);
        let answer: Value = serde_json::from_slice(&answer.body).context("a review")?;
        let response = &answer["response"];
        let why = response["status"]["message"].as_str().unwrap_or_default();
        Ok((response["allowed"] == true, why.to_owned()))
    }
}
