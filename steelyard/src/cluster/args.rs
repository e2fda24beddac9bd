//! What each role in a cluster is told.

use std::path::PathBuf;

use clap::Args;
use steelyard_statuses::Owner;

use crate::args::WorldArgs;
use crate::entry_points::StaticOptions;

/// The pod that a role runs in, which the chart tells it.
#[derive(Args, Clone)]
pub(crate) struct PodArgs {
    /// The pod that this is, with which goes what it reports
    #[arg(long, value_name = "NAME", env = "POD_NAME", hide_env_values = true)]
    pub(crate) pod_name: Option<String>,
    /// Its uid
    #[arg(long, value_name = "UID", env = "POD_UID", hide_env_values = true)]
    pub(crate) pod_uid: Option<String>,
}

impl PodArgs {
    /// With whom goes what it reports, where that is known.
    pub(crate) fn owner(&self) -> Option<Owner> {
        let (name, uid) = (self.pod_name.clone()?, self.pod_uid.clone()?);
        Some(Owner { name, uid })
    }
}

/// Where the API server is, and who this is.
#[derive(Args, Clone)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// How the API server is reached
    /// [default: as the pod it runs in, else $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Namespace that Steelyard is installed in
    #[arg(long, value_name = "NS", env = "POD_NAMESPACE", default_value = "steelyard-system")]
    pub(crate) namespace: String,
    /// Name of the Node that this runs on [default: the host's name]
    #[arg(long, value_name = "NAME", env = "NODE_NAME",
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) node_name: Option<String>,
    /// Serve and explain, but announce nothing and write nothing: to stand beside what is there
    #[arg(long)]
    pub(crate) shadow: bool,
    /// Read metallb.io objects from this namespace only
    #[arg(long, value_name = "NS")]
    pub(crate) config_namespace: Option<String>,
    /// Serve Services of this load balancer class only
    #[arg(long, value_name = "CLASS")]
    pub(crate) lb_class: Option<String>,
}

impl ClusterArgs {
    /// How objects are understood, with Traefik's static options.
    pub(crate) fn world(&self, fixed: StaticOptions) -> WorldArgs {
        WorldArgs {
            config_namespace: self.config_namespace.clone(),
            lb_class: self.lb_class.clone(),
            node: self.node_name.clone(),
            default_ssl_certificate: None,
            compat: None,
            fixed,
        }
    }
}
