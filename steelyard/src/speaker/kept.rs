//! What a speaker keeps, so that a restart needs no API server: the key, where the other nodes
//! are, which vips this node may answer for, and what it carries, if it does. Who owns them is
//! known by the others, or by the epochs that the speaker keeps itself.
//!
//! It is what was so last: of a Service that went meanwhile, it knows nothing, nor did the speaker
//! before it. So it is used only where the API server is silent, and until it speaks.

mod carried;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use steelyard_forward::VipPlace;
use steelyard_host::private;
use steelyard_model::Sorted;
use steelyard_plan::{Forward, NodePlan, Serve, Share};
use steelyard_speaker::Keyring;

use crate::key;

/// Bytes of it that are read: more than 10,000 vips have, with what is carried for them.
const LARGEST: u64 = 128 << 20;

/// It, and the file that has it.
pub(super) struct Keeper {
    path: PathBuf,
    key: Option<String>,
    peers: Vec<SocketAddr>,
    vips: Sorted<IpAddr, Share>,
    /// None where others carry packets: endpoints come and go all the time.
    forward: Option<Sorted<VipPlace, Forward>>,
    /// Vips of the gateway, whose listeners are lent to it.
    serve: Sorted<VipPlace, Serve>,
    is_new: bool,
}

impl Keeper {
    /// What was kept in this folder; nothing where there is nothing that makes sense. What is to be
    /// carried is kept by who `carries`.
    pub(super) fn read(folder: &Path, carries: bool) -> Self {
        let path = folder.join("cluster.json");
        let kept: Value = private::read(&path, LARGEST)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = |name: &str| kept[name].as_array().cloned().unwrap_or_default();
        let key = text(&kept["key"]).filter(|it| key::parse(it, "").is_ok());
        let peers = list("peers").iter().filter_map(|it| it.as_str()?.parse().ok()).collect();
        let vips = list("vips").iter().filter_map(vip).map(|it| (it.address, it)).collect();
        let forward = carries.then(|| list("forward").iter().filter_map(carried::read).collect());
        let serve = if carries { list("serve") } else { Vec::new() };
        let serve = serve.iter().filter_map(carried::read_served).collect();
        Self { path, key, peers, vips, forward, serve, is_new: false }
    }

    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The keys.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn keys(&self) -> Result<Keyring> {
        key::parse(self.key.as_deref().context("there is no key")?, "the Secret's key")
    }

    /// Where the other nodes are.
    pub(super) fn peers(&self) -> Vec<SocketAddr> {
        self.peers.clone()
    }

    /// What this node does.
    pub(super) fn duty(&self) -> NodePlan {
        let forward = self.forward.clone().unwrap_or_default();
        let serve = self.serve.clone();
        NodePlan { share: self.vips.clone(), forward, serve, ..NodePlan::default() }
    }

    /// This is the key, if it is one; whether it is another one.
    pub(super) fn set_key(&mut self, text: String) -> bool {
        if self.key.as_ref() == Some(&text) {
            return false;
        }
        if let Err(error) = key::parse(&text, "the Secret's key") {
            tracing::warn!("{error:#}; the key of before stays good");
            return false;
        }
        (self.key, self.is_new) = (Some(text), true);
        true
    }

    pub(super) fn set_peers(&mut self, peers: &[SocketAddr]) {
        if self.peers != peers {
            (self.peers, self.is_new) = (peers.to_vec(), true);
        }
    }

    pub(super) fn set_duty(&mut self, node: &NodePlan) {
        if self.vips != node.share {
            (self.vips, self.is_new) = (node.share.clone(), true);
        }
        if let Some(forward) = self.forward.as_mut().filter(|it| **it != node.forward) {
            forward.clone_from(&node.forward);
            self.is_new = true;
        }
        if self.forward.is_some() && self.serve != node.serve {
            (self.serve, self.is_new) = (node.serve.clone(), true);
        }
    }

    /// Writes what is new; whether there was anything.
    pub(super) fn write(&mut self) -> bool {
        if !std::mem::take(&mut self.is_new) {
            return false;
        }
        if let Err(error) = write(&self.path, self) {
            let path = self.path.display();
            tracing::warn!("{path}: {error}: a restart needs the API server");
        }
        true
    }
}

fn write(path: &Path, kept: &Keeper) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        private::folder(folder)?;
    }
    private::replace(path, &serde_json::to_vec(kept)?)
}

/// As it is written: one after the other, since a tree of all of it would be ten times as large.
impl Serialize for Keeper {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { path: _, key, peers, vips, forward, serve, is_new: _ } = self;
        let share = |vip: &Share| {
            let Share { address, interfaces, candidates } = vip;
            json!({ "address": address, "interfaces": interfaces, "candidates": candidates })
        };
        let mut kept = to.serialize_map(None)?;
        kept.serialize_entry("key", key)?;
        kept.serialize_entry("peers", &Each(|| peers.iter().map(ToString::to_string)))?;
        kept.serialize_entry("vips", &Each(|| vips.values().map(share)))?;
        let forward = || forward.iter().flat_map(Sorted::iter);
        kept.serialize_entry("forward", &Each(|| forward().map(carried::told)))?;
        kept.serialize_entry("serve", &Each(|| serve.iter().map(carried::told_served)))?;
        kept.end()
    }
}

/// A list whose items are made one by one.
struct Each<F>(F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((self.0)())
    }
}

fn vip(kept: &Value) -> Option<Share> {
    let candidate = |it: &Value| {
        let score = it[1].as_u64().and_then(|score| u32::try_from(score).ok())?;
        Some((Arc::from(it[0].as_str()?), score))
    };
    let interfaces = kept["interfaces"].as_array()?;
    Some(Share {
        address: kept["address"].as_str()?.parse().ok()?,
        interfaces: interfaces.iter().filter_map(|it| Some(it.as_str()?.to_owned())).collect(),
        candidates: kept["candidates"].as_array()?.iter().filter_map(candidate).collect(),
    })
}

#[cfg(test)]
mod tests {
    use steelyard_model::{NamespacedName, Protocol};

    use super::*;

    #[test]
    fn what_is_kept_is_there_again_and_nonsense_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = Keeper::read(folder.path(), true);
        assert!(!keeper.has_key() && !keeper.write());
        assert!(!keeper.set_key("short".to_owned()));
        let key = "0f".repeat(32);
        assert!(keeper.set_key(key.clone()) && !keeper.set_key(key));
        let peers = ["10.0.0.2:9181".parse().unwrap(), "[fd00::2]:9181".parse().unwrap()];
        keeper.set_peers(&peers);
        let address: IpAddr = "10.0.0.200".parse().unwrap();
        let candidates = [("node-1".into(), 3), ("node-2".into(), 0)].into();
        let share = Share { address, interfaces: vec!["eth0".to_owned()], candidates };
        let share: Sorted<_, _> = [(address, share)].into_iter().collect();
        let service = NamespacedName::new("default", "echo");
        let closed = Forward { address, service: service.clone(), is_closed: true, ports: vec![] };
        let forward = [((service, 0), closed)].into_iter().collect();
        let gateway = NamespacedName::new("steelyard-system", "steelyard-gateway");
        let ports = vec![(Protocol::Tcp, 80, "web".to_owned())];
        let served = Serve { address, service: gateway.clone(), ports };
        let serve = [((gateway, 0), served)].into_iter().collect();
        let duty = NodePlan { share, forward, serve, ..NodePlan::default() };
        keeper.set_duty(&duty);
        assert!(keeper.write() && !keeper.write());

        let again = Keeper::read(folder.path(), true);
        assert_eq!(again.duty(), duty);
        let alone = Keeper::read(folder.path(), false).duty();
        assert!(alone.forward.is_empty() && alone.serve.is_empty(), "others carry it");
        assert_eq!(again.peers(), peers);
        assert_eq!(again.keys().unwrap(), keeper.keys().unwrap());
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(folder.path().join("cluster.json")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o077, 0, "the key is for nobody else");
        for nonsense in ["", "{", "[1]", r#"{"key": "x", "vips": [{"address": 1}, 2]}"#] {
            std::fs::write(folder.path().join("cluster.json"), nonsense).unwrap();
            let nothing = Keeper::read(folder.path(), true);
            assert!(!nothing.has_key() && nothing.duty().share.is_empty(), "{nonsense}");
        }
    }
}
