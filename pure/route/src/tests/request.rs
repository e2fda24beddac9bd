//! Requests and routes as a test writes them.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
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
pub(crate) struct Ranked {
    pub(crate) id: Arc<str>,
    pub(crate) rank: Rank,
    pub(crate) rule: Rule,
}

impl Ranked {
    /// A route for everything, of the plainest rank.
    pub(crate) fn named(id: &str) -> Arc<Self> {
        let specific = Specificity::new(HostSpecificity::Any, PathSpecificity::Length(Reverse(0)));
        let rank = Rank {
            ladder: Ladder::Specific,
            number: 0,
            specific,
            provider: 0,
            created: None,
            object: "default/object".into(),
            index: 0,
        };
        Arc::new(Self { id: id.into(), rank, rule: Rule::always() })
    }
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
