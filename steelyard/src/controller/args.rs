//! What `controller` is told.

use std::time::Duration;

use clap::{Args, ValueEnum};
use steelyard_lease::ElectionTiming;
use steelyard_model::NamespacedName;
use steelyard_statuses::IpMode;

use crate::args::{ShowArgs, namespaced};
use crate::cluster::{ClusterArgs, PodArgs};

/// `steelyard controller`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ControllerArgs {
    #[command(flatten)]
    pub(super) pod: PodArgs,
    /// The Service by which the gateway is reached, whose addresses Ingresses have
    /// [default: steelyard-gateway in its own namespace]
    #[arg(long, value_name = "NS/NAME", value_parser = namespaced)]
    pub(super) gateway_service: Option<NamespacedName>,
    /// How packets from inside the cluster reach addresses of Services
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub(super) ip_mode: IpModeName,
    /// Seconds that a lease stands which nobody renews
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(super) lease_duration: u64,
    /// Seconds that a leader leads after it began to ask for its last renewal
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(super) lease_deadline: u64,
    /// Seconds between two attempts to renew it
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub(super) lease_retry: u64,
    #[command(flatten)]
    pub(super) show: ShowArgs,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

const EXAMPLES: &str = "\
Examples:
  steelyard controller --shadow           beside MetalLB, from a laptop: what would be decided
  steelyard controller --lb-class steelyard.dev/lb
                                          for Services of that class only

Two replicas may run: one leads, by the Lease steelyard-controller.

Exit status: 0 ended by a signal, 2 could not start.";

/// `--ip-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IpModeName {
    /// kube-proxy takes them too, as with MetalLB
    #[default]
    Vip,
    /// They take the way of packets from outside: where Steelyard itself serves there
    Proxy,
}

impl From<IpModeName> for IpMode {
    fn from(name: IpModeName) -> Self {
        match name {
            IpModeName::Vip => Self::Vip,
            IpModeName::Proxy => Self::Proxy,
        }
    }
}

impl ControllerArgs {
    /// How long what lasts in the election.
    ///
    /// # Errors
    /// When a leader would lead for as long as others wait.
    pub(super) fn timing(&self) -> anyhow::Result<ElectionTiming> {
        let [duration, deadline, retry] =
            [self.lease_duration, self.lease_deadline, self.lease_retry].map(Duration::from_secs);
        anyhow::ensure!(
            Duration::ZERO < retry && retry < deadline && deadline < duration,
            "--lease-retry must be less than --lease-deadline, and that less than --lease-duration"
        );
        Ok(ElectionTiming { duration, deadline, retry })
    }
}
