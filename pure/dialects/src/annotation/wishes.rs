//! What the annotations that are read ask for.

use steelyard_model::router_draft::{BackendWish, ObjectLink};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::tls::TlsVersion;
use steelyard_model::routing::transport::OriginScheme;
use steelyard_model::{FieldPath, Host, OpenPath};

/// An annotation as it is written.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

/// All of it; what is not said is as if nobody asked.
#[derive(Default)]
pub(crate) struct Wishes {
    /// The class of an Ingress, where its field says none.
    pub(crate) class: Option<Text>,
    /// An IngressClass for all Ingresses that name none.
    pub(crate) is_default_class: bool,
    /// Entry points; empty means the default ones.
    pub(crate) entry_points: Vec<EntryPointId>,
    /// What requests pass.
    pub(crate) filters: Vec<ObjectLink>,
    /// Routes are for TLS only.
    pub(crate) is_tls: bool,
    /// The terms by which their handshakes are held.
    pub(crate) tls_options: Option<ObjectLink>,
    /// Whether who asks in plain is led to TLS, where that is served; and wherever.
    pub(crate) redirects: Option<bool>,
    pub(crate) always_redirects: bool,
    /// Handshakes are passed on.
    pub(crate) passthrough: Option<Text>,
    /// Whether the gateway serves a Service, where somebody decides.
    pub(crate) gateway: Option<bool>,
    /// Endpoints outside Kubernetes.
    pub(crate) endpoints: Vec<(Host, u16)>,
    /// What endpoints are spoken to in.
    pub(crate) scheme: Option<OriginScheme>,
    /// How a Service is asked, in words of Traefik.
    pub(crate) backend: Option<BackendWish>,
    /// What is told of requests.
    pub(crate) observability: Observability,
    /// The number of routes.
    pub(crate) number: Option<i64>,
    /// How paths are compared whose type leaves that open, and where that is said.
    pub(crate) open_paths: Option<(OpenPath, FieldPath)>,
    /// How TLS is spoken to them.
    pub(crate) origin: OriginWishes,
    pub(crate) addresses: Option<Text>,
    pub(crate) pool: Option<Text>,
    pub(crate) sharing_key: Option<Text>,
    /// The pool that a Service's addresses are from, as whoever gave them notes it.
    pub(crate) noted_pool: Option<String>,
}

/// How TLS is to be spoken to endpoints.
#[derive(Default)]
pub(crate) struct OriginWishes {
    /// Names the Secret with what it takes.
    pub(crate) secret: Option<Text>,
    pub(crate) is_verified: bool,
    pub(crate) server_name: Option<String>,
    pub(crate) sends_name: bool,
    pub(crate) versions: Option<(TlsVersion, TlsVersion)>,
    /// Annotations that do nothing without the Secret.
    pub(crate) keys: Vec<String>,
}

/// A text, and the annotation that has it.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Entry<'_> {
    /// What Go's `ParseBool` makes of it; none of what is no such word.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.value.trim() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
            _ => None,
        }
    }

    /// What nginx makes of it.
    pub(crate) fn is_on(&self) -> bool {
        self.value.trim() == "on"
    }

    pub(crate) fn path(&self) -> FieldPath {
        FieldPath::annotation(self.key)
    }
}

impl From<&Entry<'_>> for Text {
    fn from(written: &Entry<'_>) -> Self {
        Self { key: written.key.to_owned(), value: written.value.to_owned() }
    }
}
