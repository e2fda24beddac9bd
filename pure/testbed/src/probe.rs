//! Requests by hand, as rules see them.

use std::net::IpAddr;

use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::subject::Subject;

/// A request, or a connection's first bytes; what is not said is empty.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "they are what a rule asks for")]
pub struct Probe {
    pub host: String,
    pub rooted: bool,
    pub path: String,
    pub decoded: String,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub client: Option<IpAddr>,
    pub sni: Option<String>,
    pub alpn: Vec<String>,
}

/// `GET` of a path at a host.
pub fn get(host: &str, path: &str) -> Probe {
    Probe {
        host: host.into(),
        path: path.into(),
        decoded: path.replace("%2F", "/"),
        method: "GET".into(),
        ..Probe::default()
    }
}

/// A handshake for a server name.
pub fn hello(sni: &str) -> Probe {
    Probe { sni: Some(sni.into()), ..Probe::default() }
}

impl Probe {
    /// Over TLS, by a handshake for its host.
    #[must_use]
    pub fn over_tls(self) -> Self {
        Self { sni: Some(self.host.clone()), ..self }
    }

    /// With another method.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self { method: method.into(), ..self }
    }

    /// With one more header; its name in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With one more parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Whose handshake offers one more protocol.
    #[must_use]
    pub fn offering(mut self, protocol: &str) -> Self {
        self.alpn.push(protocol.into());
        self
    }
}

impl Subject for Probe {
    fn host(&self) -> &str {
        &self.host
    }

    fn is_rooted(&self) -> bool {
        self.rooted
    }

    fn path(&self, form: PathForm) -> &str {
        match form {
            PathForm::Normal | PathForm::Readable => &self.path,
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
