//! Whose word about clients is taken at a listener: as its entry point's own options say, else as
//! ingress-nginx's ConfigMap does, where its class serves there; and where that has it logged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use steelyard_http::{ForwardedPolicy, NginxVouching, USUAL_LIST, Vouching};
use steelyard_model::routing::belief::{NginxBelief, NginxForwarded};
use steelyard_model::routing::entry_point::{EntryPoint, SECURE};
use steelyard_model::routing::filter::nginx::NginxStrays;
use steelyard_model::routing::trust::Trust;

use crate::options::EntryTerms;
use crate::tell::access_log::NginxLogging;

/// Whose word is taken, by one configuration.
pub(crate) struct Believed {
    /// What lines of requests say.
    pub(crate) forwarded: Arc<ForwardedPolicy>,
    /// What stands before connections.
    pub(crate) proxied: Arc<Trust>,
    /// How long that may take, where it has to be there.
    pub(crate) awaited: Option<Duration>,
    /// The line that lists those whom a request has passed.
    pub(crate) list: Box<str>,
    /// Backends of class nginx are told lines whose names have underscores.
    pub(crate) keeps_underscores: bool,
    /// The port that clients ask at, where no PROXY header says another one.
    pub(crate) port: u16,
    /// Connections that a PROXY header says come to this port are by TLS, wherever that ended.
    pub(crate) secure_port: Option<u16>,
    /// Where ingress-nginx's ConfigMap has requests, or connections, logged.
    pub(crate) log: Option<NginxLogging>,
    /// What is answered to requests that no route takes, as ingress-nginx does.
    pub(crate) strays: Option<Arc<NginxStrays>>,
    /// Whether TLS is spoken there, and nothing else.
    pub(crate) is_secure: bool,
    /// After how many datagrams of its endpoint a session ends, where that is said.
    pub(crate) answers: Option<u64>,
}

impl Believed {
    pub(crate) fn of(terms: &EntryTerms, point: Option<&EntryPoint>, port: u16) -> Self {
        let mut this = Self {
            forwarded: terms.forwarded.clone(),
            proxied: terms.proxied.clone(),
            awaited: None,
            list: USUAL_LIST.into(),
            keeps_underscores: false,
            port: point.map_or(port, |point| point.port),
            secure_port: None,
            log: None,
            strays: point.and_then(|it| it.nginx.as_deref()?.strays.clone()),
            is_secure: point.is_some_and(|point| point.is_secure),
            answers: point.and_then(|it| it.nginx.as_deref()?.answers),
        };
        if let Some(nginx) = point.and_then(|point| point.nginx.as_deref()) {
            this.take(&nginx.belief);
        }
        this
    }

    fn take(&mut self, nginx: &NginxBelief) {
        if let Some(list) = &nginx.list {
            self.list.clone_from(list);
        }
        self.keeps_underscores = nginx.keeps_underscores;
        if let Some(forwarded) = &nginx.forwarded {
            self.forwarded = Arc::new(policy(forwarded, &self.forwarded));
        }
        if let Some(proxied) = &nginx.proxied {
            self.proxied = Arc::new(proxied.trust.clone());
            self.awaited = Some(proxied.wait);
            self.secure_port = Some(SECURE.port);
        }
    }

    /// What a client may say of others.
    pub(crate) fn vouching(&self, client: SocketAddr) -> Vouching {
        Vouching::new(self.forwarded.clone(), client.ip())
    }

    /// Whether a connection that was made to this address was made by TLS.
    pub(crate) fn is_of_tls(&self, reached: Option<SocketAddr>) -> bool {
        self.secure_port.is_some_and(|port| reached.is_some_and(|it| it.port() == port))
    }

    /// Whether connections may begin with a PROXY header.
    pub(crate) fn has_preface(&self) -> bool {
        self.awaited.is_some() || *self.proxied != Trust::Nobody
    }
}

fn policy(of: &NginxForwarded, own: &ForwardedPolicy) -> ForwardedPolicy {
    let other = of.list.as_deref().filter(|name| !name.eq_ignore_ascii_case(USUAL_LIST));
    ForwardedPolicy {
        trust: of.trust.clone(),
        client_header: other.map(Into::into),
        nginx: Some(NginxVouching {
            list: of.list.clone(),
            has_lines: of.has_lines,
            is_full: of.is_full,
        }),
        underscores: own.underscores,
        shown: own.shown.clone(),
        ..ForwardedPolicy::default()
    }
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::belief::NginxProxied;
    use steelyard_model::routing::entry_point::NginxSocket;
    use steelyard_model::{FieldPath, ObjectRef, Provenance};

    use super::*;

    #[test]
    fn the_configmap_says_where_options_do_not() {
        let object = Arc::new(ObjectRef::new("ConfigMap", "a", "b"));
        let place = Provenance::new(&object, FieldPath::from("data"));
        let trust = || Trust::Ranges(vec!["10.0.0.0/8".parse().unwrap()]);
        let forwarded = NginxForwarded {
            trust: trust(),
            list: Some("CF-Connecting-IP".into()),
            has_lines: true,
            is_full: false,
            place: place.clone(),
        };
        let proxied = NginxProxied { trust: trust(), wait: Duration::from_secs(5), place };
        let mut point = EntryPoint::new("web", 8080);
        let terms = EntryTerms::default();
        let usual = Believed::of(&terms, Some(&point), 80);
        assert!(!usual.has_preface() && usual.port == 8080);
        let list = Some("CF-Connecting-IP".into());
        let belief = NginxBelief {
            forwarded: Some(forwarded),
            proxied: Some(proxied),
            list,
            ..NginxBelief::default()
        };
        point.nginx = Some(Arc::new(NginxSocket { belief, ..NginxSocket::default() }));
        let said = Believed::of(&terms, Some(&point), 80);
        assert!(said.has_preface() && *said.proxied == trust());
        assert_eq!((&*said.list, &*usual.list), ("CF-Connecting-IP", "X-Forwarded-For"));
        assert_eq!(said.forwarded.client_header.as_deref(), Some("CF-Connecting-IP"));
        assert!(said.forwarded.nginx.as_ref().is_some_and(|it| it.has_lines && !it.is_full));
    }
}
