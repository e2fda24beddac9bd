//! How parts of a cluster are started, and where their files are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use steelyard_host::netns::Namespace;

use super::program::program;

/// The parts of the program that a cluster runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Where the API server keeps everything.
    Etcd,
    /// The API server.
    ApiServer,
    /// kube-controller-manager.
    Controllers,
    /// kube-scheduler.
    Scheduler,
    /// The stand-in kubelet.
    Kubelet,
    /// kube-proxy.
    Proxy,
    /// kubectl.
    Kubectl,
    /// Helm.
    Helm,
    /// Makes keys.
    Keys,
    /// Makes etcd forget.
    Compact,
}

impl Program {
    fn word(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "apiserver",
            Self::Controllers => "controllers",
            Self::Scheduler => "scheduler",
            Self::Kubelet => "kubelet",
            Self::Proxy => "proxy",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
            Self::Keys => "keys",
            Self::Compact => "compact",
        }
    }
}

/// The program, and the folder of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    folder: PathBuf,
}

impl Parts {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// A file or folder of the cluster's.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A key or certificate.
    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.file("keys").join(name)
    }

    /// Who somebody is to the API server: `admin`, `proxy`, a node's name…
    pub(super) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.key(&format!("{user}.kubeconfig"))
    }

    /// A part on a host. It ends with the thread that starts it, at the latest: whoever kills a
    /// test run kills its clusters.
    pub(super) fn command(&self, host: &Namespace, part: Program) -> Command {
        // Only into the network: in a mount namespace of its own, as `ip netns exec` makes one, a
        // kubelet would keep the names of its pods' namespaces to itself.
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", host.name()));
        command.args(["setpriv", "--pdeathsig", "KILL"]).arg(program()).arg(part.word());
        // Where parts have their own files, they are the cluster's.
        command.env("KUBECONFIG", self.kubeconfig("admin")).env("HOME", &self.folder);
        command.current_dir(&self.folder);
        command
    }

    /// A part on this machine, which needs no network.
    pub(super) fn local(part: Program) -> Command {
        let mut command = Command::new(program());
        command.arg(part.word());
        command
    }
}
