//! Which API server, and who asks it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// Longest time until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time until what is sent is taken.
const SEND: Duration = Duration::from_secs(30);

/// A way to an API server, with the rights of whoever asks.
pub struct Connection {
    config: Config,
    client: Mutex<Renewable>,
}

struct Renewable {
    client: Client,
    /// How often it was made anew.
    age: u64,
}

/// Why there is no way to an API server.
#[derive(Debug, thiserror::Error)]
pub enum Unconnected {
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// This is no pod, or one without a token.
    #[error("this is not a pod with a service account: {0}")]
    NotInCluster(#[from] kube::config::InClusterError),
    /// Certificates, keys or the plugin that makes tokens.
    #[error("no client can be made for it: {0}")]
    Client(#[from] kube::Error),
}

impl Connection {
    /// As a kubeconfig says: the given one, else that of `KUBECONFIG` or `~/.kube/config`; the
    /// given context, else its current one. Without any of that, in a pod, as its service account.
    ///
    /// # Errors
    /// When the kubeconfig or what it names cannot be used.
    pub async fn open(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
    ) -> Result<Self, Unconnected> {
        let is_told = kubeconfig.is_some() || context.is_some();
        let has_own = std::env::var_os("KUBECONFIG").is_some();
        if !is_told && !has_own && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            return Self::in_cluster();
        }
        let read = match kubeconfig {
            Some(file) => Kubeconfig::read_from(file)?,
            None => Kubeconfig::read()?,
        };
        let context = context.map(str::to_owned);
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        Self::new(Config::from_custom_kubeconfig(read, &options).await?)
    }

    /// As the service account of the pod this runs in.
    ///
    /// # Errors
    /// When this is no pod.
    pub fn in_cluster() -> Result<Self, Unconnected> {
        Self::new(Config::incluster()?)
    }

    fn new(mut config: Config) -> Result<Self, Unconnected> {
        config.connect_timeout = Some(CONNECT);
        config.write_timeout = Some(SEND);
        // Who asks knows better what to do then.
        config.default_retry = false;
        let client = Client::try_from(config.clone())?;
        Ok(Self { config, client: Mutex::new(Renewable { client, age: 0 }) })
    }

    /// To ask with. Not to be kept: with another token there is another one.
    pub fn client(&self) -> Client {
        self.current().0
    }

    /// The namespace of the pod this runs in, or of the context.
    pub fn namespace(&self) -> &str {
        &self.config.default_namespace
    }

    /// The API server's address.
    pub fn server(&self) -> String {
        self.config.cluster_url.to_string()
    }

    pub(crate) fn current(&self) -> (Client, u64) {
        let held = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        (held.client.clone(), held.age)
    }

    /// The API server does not take the token of the client of this age any more: reads it again.
    pub(crate) fn renew(&self, age: u64) {
        let mut held = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if held.age == age
            && let Ok(client) = Client::try_from(self.config.clone())
        {
            *held = Renewable { client, age: age + 1 };
        }
    }
}

impl std::fmt::Debug for Connection {
    /// Without what it is let in by.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server", &self.server()).finish_non_exhaustive()
    }
}
