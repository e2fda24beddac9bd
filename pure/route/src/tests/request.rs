//! Requests and routes as a test writes them.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::rank::Rank;
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::subject::Subject;

use crate::candidate::Candidate;

/// A request; what is not said is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) decoded: String,
    pub(super) method: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    pub(super) client: Option<IpAddr>,
    pub(super) sni: Option<String>,
    pub(super) alpn: Vec<String>,
}

/// A route of a test: no more than the table needs.
#[derive(Clone, Debug)]
pub(super) struct Ranked {
    pub(super) id: Arc<str>,
    pub(super) rank: Rank,
    pub(super) rule: Rule,
}

impl Candidate for Ranked {
    fn id(&self) -> &str {
        &self.id
    }

    fn rank(&self) -> &Rank {
        &self.rank
    }

    fn rule(&self) -> &Rule {
        &self.rule
    }
}

impl Sample {
    /// `GET` of a path at a host.
    pub(super) fn get(host: &str, path: &str) -> Self {
        Self {
            host: host.into(),
            path: path.into(),
            decoded: path.replace("%2F", "/"),
            method: "GET".into(),
            ..Self::default()
        }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }
}

impl Subject for Sample {
    fn host(&self) -> &str {
        &self.host
    }

    fn path(&self, form: PathForm) -> &str {
        match form {
            PathForm::Normal => &self.path,
            PathForm::Decoded => &self.decoded,
        }
    }

    fn method(&self) -> &str {
        &self.method
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers.iter().any(|(known, value)| known == name && test(value.as_bytes()))
    }

    fn any_query(&self, name: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.query.iter().any(|(known, value)| known == name && test(value))
    }

    fn client_ip(&self) -> Option<IpAddr> {
        self.client
    }

    fn server_name(&self) -> Option<&str> {
        self.sni.as_deref()
    }

    fn offers(&self, protocol: &str) -> bool {
        self.alpn.iter().any(|known| known == protocol)
    }
}
