//! Sockets, and the ones that are there by themselves.

use std::net::IpAddr;
use std::sync::Arc;

use crate::object::Provenance;
use crate::protocol::Protocol;
use crate::routing::belief::{NginxBelief, OwnBelief};
use crate::routing::filter::content::EncodedCharacters;
use crate::routing::filter::nginx::NginxStrays;
use crate::routing::id::{EntryPointId, ListenerId};
use crate::routing::listener::{Listener, Security};
use crate::routing::nginx_log::NginxLog;

/// A socket: static options, vips and Gateways each make some. Two owners of one socket are a
/// finding of the join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// `web`.
    pub id: EntryPointId,
    /// Addresses to listen on; none means all of the host's.
    pub addresses: Vec<IpAddr>,
    /// Port.
    pub port: u16,
    /// TCP (HTTP, TLS and plain TCP routes share it) or UDP.
    pub protocol: Protocol,
    /// Routes that do not say are for TLS (Traefik's `http.tls`).
    pub is_secure: bool,
    /// What its own options say of whose word is taken.
    pub own_belief: OwnBelief,
    /// What ingress-nginx's ConfigMap says, where its class serves here.
    pub nginx: Option<Arc<NginxSocket>>,
    /// Routes that name no entry point are here (`asDefault`).
    pub is_default: bool,
    /// Who asks here is led elsewhere.
    pub redirection: Option<EntryPointRedirection>,
    /// What every request passes first: filters by the names that other providers have for them
    /// (`NAMESPACE-NAME@kubernetescrd`).
    pub filters: Vec<Arc<str>>,
    /// Challenges of certificates are not led there (`allowACMEByPass`).
    pub lets_challenges: bool,
    /// Which encoded characters paths may have; none is all that may be anywhere.
    pub characters: Option<EncodedCharacters>,
    /// The terms of handshakes where no route names others, by such a name.
    pub tls_options: Option<Arc<str>>,
    /// What asks for it; none for one that is built in or a static option.
    pub place: Option<Provenance>,
}

/// What ingress-nginx's ConfigMap says of an entry point where its class serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxSocket {
    /// Whose word about clients is taken.
    pub belief: NginxBelief,
    /// Where and how requests or connections are logged; none is not at all.
    pub log: Option<Arc<NginxLog>>,
    /// After how many datagrams of its endpoint a session ends, where that is said.
    pub answers: Option<u64>,
    /// What is answered to requests that no route takes, where ingress-nginx would have been asked
    /// for all of them; none is as this program does.
    pub strays: Option<Arc<NginxStrays>>,
}

/// An entry point that is there without being asked for. These are the only places that know
/// their names and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its port, unless it is moved.
    pub port: u16,
    /// What ports of Services are called that mean it, besides its name.
    pub alias: &'static str,
    /// Whether it is for TLS.
    pub is_secure: bool,
}

/// HTTP as it comes.
pub const PLAIN: BuiltIn = BuiltIn { name: "web", port: 80, alias: "http", is_secure: false };
/// HTTP over TLS.
pub const SECURE: BuiltIn =
    BuiltIn { name: "websecure", port: 443, alias: "https", is_secure: true };
/// The name of the entry point of the program's own services. It is there where it is asked for,
/// and routes that name no entry point are not on it.
pub const OWN: &str = "traefik";
/// Its port, unless it is moved.
pub const OWN_PORT: u16 = 8080;
/// All of them.
pub const BUILT_IN: [BuiltIn; 2] = [PLAIN, SECURE];

impl BuiltIn {
    /// The entry point as it is where nobody moves it.
    pub fn entry_point(self) -> EntryPoint {
        EntryPoint::new(self.name, self.port)
    }
}

impl EntryPoint {
    /// An entry point on all addresses of the host; that of a built-in name is for TLS if the
    /// built-in one is.
    pub fn new(name: &str, port: u16) -> Self {
        Self {
            id: name.into(),
            addresses: Vec::new(),
            port,
            protocol: Protocol::Tcp,
            is_secure: BUILT_IN.iter().any(|known| known.name == name && known.is_secure),
            own_belief: OwnBelief::default(),
            nginx: None,
            is_default: false,
            redirection: None,
            lets_challenges: false,
            filters: Vec::new(),
            characters: None,
            tls_options: None,
            place: None,
        }
    }

    /// Its listeners, each for every host: plain, TLS that ends here, and TLS that is passed on;
    /// one of UDP is plain.
    pub fn listeners(&self) -> Vec<Listener> {
        let listener = |id, security| Listener::new(id, self.id.clone(), security);
        let plain = listener(self.plain_listener(), Security::Plain);
        if self.protocol == Protocol::Udp {
            return vec![plain];
        }
        let tls = Security::Terminate { policy: None, certificates: Vec::new() };
        vec![
            plain,
            listener(self.tls_listener(), tls),
            listener(self.passthrough_listener(), Security::Passthrough),
        ]
    }

    /// The listener of routes that do not say whether they are for TLS.
    pub fn default_listener(&self) -> ListenerId {
        if self.is_secure { self.tls_listener() } else { self.plain_listener() }
    }

    /// The listener of routes for requests as they come.
    pub fn plain_listener(&self) -> ListenerId {
        (&self.id).into()
    }

    /// The listener of routes for TLS.
    pub fn tls_listener(&self) -> ListenerId {
        format!("{}/tls", self.id).into()
    }

    /// The listener of routes for TLS that ends at their endpoints.
    pub fn passthrough_listener(&self) -> ListenerId {
        format!("{}/passthrough", self.id).into()
    }
}

/// Where an entry point leads all who ask there (`http.redirections.entryPoint`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPointRedirection {
    /// The name of an entry point, or a port.
    pub to: Arc<str>,
    /// Whether it is a name.
    pub is_named: bool,
    /// The port.
    pub port: u16,
    /// What is spoken there.
    pub scheme: Arc<str>,
    /// Whether clients may remember it.
    pub is_permanent: bool,
    /// [`crate::routing::rank::Rank::number`] of its route.
    pub number: i64,
}
