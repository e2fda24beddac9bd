//! TLS in a laboratory: one certificate for every host that its routes name and for the gateway's
//! addresses, signed by a CA that lives as long as the laboratory.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, json};
use steelyard_model::NamespacedName;

use super::world::World;
use crate::authority::CertificateAuthority;

/// What its CA is called.
const NAME: &str = "Steelyard lab";
/// The file with the CA's certificate, in the laboratory's folder.
const CA_FILE: &str = "ca.crt";
/// The file with the Secret, among what the nodes read.
const SECRET_FILE: &str = "tls.json";

/// The CA, and for what it has signed.
pub(super) struct Certified {
    authority: CertificateAuthority,
    secret: PathBuf,
    hosts: BTreeSet<String>,
}

impl Certified {
    /// Signs for `world`: the CA is put into `folder`, the Secret into `generated`.
    ///
    /// # Errors
    /// When a file cannot be written, or the machine has no randomness.
    pub(super) fn new(world: &World, folder: &Path, generated: &Path) -> Result<Self> {
        let authority = CertificateAuthority::new(NAME)?;
        let file = ca_file(folder);
        std::fs::write(&file, authority.pem()).with_context(|| file.display().to_string())?;
        let secret = generated.join(SECRET_FILE);
        let mut certified = Self { authority, secret, hosts: BTreeSet::new() };
        certified.follow(world)?;
        Ok(certified)
    }

    /// Signs anew where hosts have come or gone.
    ///
    /// # Errors
    /// The same.
    pub(super) fn follow(&mut self, world: &World) -> Result<()> {
        let hosts: BTreeSet<String> = world.hosts();
        if hosts == self.hosts || hosts.is_empty() {
            return Ok(());
        }
        let id = secret();
        let signed = self.authority.secret(&id, hosts.iter().cloned().collect())?;
        let data: Map<_, _> = signed
            .data
            .into_iter()
            .map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned().into()))
            .collect();
        let text = json!({
            "apiVersion": "v1", "kind": "Secret", "type": signed.kind, "stringData": data,
            "metadata": {"namespace": &*id.namespace, "name": &*id.name},
        });
        // Its key is nobody else's; and no node reads half of it.
        let new = self.secret.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.to_string().as_bytes())?;
        std::fs::rename(new, &self.secret)?;
        self.hosts = hosts;
        Ok(())
    }
}

/// The Secret, whose certificate nodes show for names without another one.
pub(super) fn secret() -> NamespacedName {
    NamespacedName::new("steelyard-lab", "tls")
}

/// The CA's certificate of the laboratory in `folder`.
pub(super) fn ca_file(folder: &Path) -> PathBuf {
    folder.join(CA_FILE)
}
