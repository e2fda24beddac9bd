//! Why nobody announces an address, and what to do about it.

use steelyard_model::{Code, FieldPath};

use crate::codes;

/// What keeps an address from being announced by one of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impediment {
    /// No advertisement selects the pool.
    PoolNotAdvertised,
    /// None of those that select the pool selects the Service.
    NotAdvertised,
    /// The Service may share its address, and an L2Advertisement selects Services.
    SharedAndSelected,
    /// No node that is selected may.
    NoNode,
    /// Nobody serves.
    NoEndpoint,
    /// Nobody serves on a node that may.
    NoLocalEndpoint,
    /// It restricts who may come in, which is not honoured; said where that is written.
    Closed,
    /// The advertisements that select the Service contradict each other on every node.
    Contradiction,
}

impl Impediment {
    /// What stands in the way, and what to do; `kind` is that of the advertisements.
    pub(crate) fn words(self, kind: &str) -> (String, String) {
        (self.in_short(kind) + &self.rest(kind), self.help(kind))
    }

    /// What stands in the way, where it is plain what comes of it.
    pub(crate) fn in_short(self, kind: &str) -> String {
        match self {
            Self::PoolNotAdvertised => format!("no {kind} selects the pool of its address"),
            Self::NotAdvertised => format!("the {kind}s of its pool select other Services"),
            Self::SharedAndSelected => {
                format!("its address may be shared and an {kind} selects Services")
            }
            Self::NoNode => "no node may announce it".to_owned(),
            Self::NoEndpoint => "no endpoint of the Service is ready".to_owned(),
            Self::NoLocalEndpoint => {
                "externalTrafficPolicy is Local and no endpoint is on a node that may announce it"
                    .to_owned()
            }
            Self::Closed => "it restricts who may come in".to_owned(),
            Self::Contradiction => {
                format!("{kind}s that select it ask for different localPrefs of the same routes")
            }
        }
    }

    fn rest(self, kind: &str) -> String {
        match self {
            Self::SharedAndSelected => ", so that part of the sharers could be left out".to_owned(),
            Self::NoNode => format!(
                ": those that its {kind}s select are excluded, without network, or there are none"
            ),
            Self::NoEndpoint => ", so nobody announces its address".to_owned(),
            Self::Closed => ", which is not honoured yet, so nobody may".to_owned(),
            Self::PoolNotAdvertised
            | Self::NotAdvertised
            | Self::NoLocalEndpoint
            | Self::Contradiction => String::new(),
        }
    }

    fn help(self, kind: &str) -> String {
        match self {
            Self::PoolNotAdvertised => format!("add an {kind} whose ipAddressPools names the pool"),
            Self::NotAdvertised => {
                format!("give the Service the labels that spec.serviceSelectors of an {kind} wants")
            }
            Self::SharedAndSelected => format!(
                "remove the allow-shared-ip annotation, or spec.serviceSelectors of the {kind}"
            ),
            Self::NoNode => format!(
                "select other nodes in spec.nodeSelectors of the {kind}, or remove the label \
                 node.kubernetes.io/exclude-from-external-load-balancers"
            ),
            Self::NoEndpoint => "add an EndpointSlice with a ready endpoint, or annotate it with \
                 steelyard.dev/endpoints: HOST:PORT"
                .to_owned(),
            Self::NoLocalEndpoint => format!(
                "use externalTrafficPolicy: Cluster, or run an endpoint on a node that the {kind} \
                 selects"
            ),
            Self::Closed => "remove the restriction, or restrict access on the network".to_owned(),
            Self::Contradiction => {
                format!("give those {kind}s one localPref, or let them tell different peers")
            }
        }
    }

    /// Which kind of finding, and the field to change. Pools that nobody advertises are reported
    /// where pools and advertisements are joined.
    pub(crate) fn place(self) -> Option<(Code, FieldPath)> {
        let shared = || FieldPath::annotation("metallb.io/allow-shared-ip");
        Some(match self {
            Self::PoolNotAdvertised | Self::Closed => return None,
            Self::NotAdvertised => (codes::NOT_ADVERTISED, "metadata.labels".into()),
            Self::SharedAndSelected => (codes::SHARED_AND_SELECTED, shared()),
            Self::NoNode => (codes::NO_ELIGIBLE_NODE, FieldPath::root()),
            Self::NoLocalEndpoint => (codes::NO_ELIGIBLE_NODE, "spec.externalTrafficPolicy".into()),
            Self::NoEndpoint => (codes::NO_READY_ENDPOINT, "spec.selector".into()),
            Self::Contradiction => (codes::ADVERTISEMENTS_CONTRADICT, "metadata.labels".into()),
        })
    }
}
