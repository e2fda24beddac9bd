//! The new process.

use std::path::Path;

use anyhow::{Context, Result, bail};
use steelyard_host::inherited::Inherited;
use steelyard_upgrade::{ProcessLine, notify, predecessor};

use super::Stage;
use crate::instance::Instance;
use crate::legacy::{Baton, Estate, Inheritance};

/// What has to be said to the process that this one takes over from, if there is one.
pub(crate) struct Heir {
    line: Option<ProcessLine>,
    /// As it is known for systemd's part.
    inherited: Inherited,
}

impl Heir {
    /// Hears what there is to take over, and what systemd has opened. To be called at the start.
    ///
    /// # Errors
    /// When what this process was told of that is not so.
    pub(crate) async fn hear() -> Result<(Self, Inheritance)> {
        let line = predecessor().context("cannot take over from another process")?;
        let Some(line) = line else {
            let sockets = Inherited::activated().context("cannot take the sockets of systemd")?;
            let heir = Self { line: None, inherited: sockets.clone() };
            return Ok((heir, Inheritance { sockets, ..Inheritance::default() }));
        };
        let told = line.hear::<Estate>().await;
        let (estate, descriptors) = told.context("the other process does not say what it has")?;
        if estate.sockets.len() != descriptors.len() {
            bail!(
                "the other process names {} descriptors, not {}",
                estate.sockets.len(),
                descriptors.len()
            );
        }
        let sockets = Inherited::default();
        for (name, held) in estate.sockets.iter().zip(descriptors) {
            sockets.put(name, held);
        }
        let heir = Self { line: Some(line), inherited: sockets.clone() };
        Ok((heir, Inheritance { sockets, forward: estate.forward, is_heir: true }))
    }

    /// Takes over, now that `instance` has done all that it can before.
    ///
    /// # Errors
    /// When the other process does not let it: then that one goes on, and this one must end.
    pub(crate) async fn take_over(&mut self, instance: &mut Instance) -> Result<()> {
        if let Some(line) = self.line.take() {
            line.say(&Stage::Prepared, &[]).await.context("the other process is gone")?;
            let told = line.hear::<Baton>().await;
            let (mut baton, sockets) = told.context("the other process went on by itself")?;
            let sessions = baton.take_sessions(sockets);
            instance.take_over(baton, sessions).await;
            line.say(&Stage::InCharge, &[]).await.context("the other process is gone")?;
            tracing::info!("took over from the process that ran before");
        }
        for what in self.inherited.unclaimed() {
            tracing::warn!("a socket of systemd is no entry point's: {what}");
        }
        notify("READY=1");
        Ok(())
    }

    /// What was passed on, and nobody has taken yet.
    pub(crate) fn sockets(&self) -> &Inherited {
        &self.inherited
    }
}

/// Whether a path may be started by the other process.
pub(super) fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}
