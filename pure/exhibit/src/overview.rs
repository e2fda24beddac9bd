//! Numbers of all there is (`/api/overview`).

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::fault::Status;
use crate::row::Rows;
use crate::{Part, Section};

/// What is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// What traces are sent by; empty is nothing.
    pub tracing: String,
    /// What metrics are told to; empty is nobody.
    pub metrics: String,
    /// Requests are logged.
    pub access_log: bool,
    /// Where objects come from, by Traefik's names of providers.
    pub providers: Vec<String>,
}

pub(crate) fn overview(
    sections: &BTreeMap<Section, Rows>,
    certificates: &Rows,
    features: &Features,
) -> Bytes {
    let part = |section: Section| numbers(sections.get(&section));
    let all = json!({
        "http": {
            "routers": part(Section::Http(Part::Routers)),
            "services": part(Section::Http(Part::Services)),
            "middlewares": part(Section::Http(Part::Middlewares)),
        },
        "tcp": {
            "routers": part(Section::Tcp(Part::Routers)),
            "services": part(Section::Tcp(Part::Services)),
            "middlewares": part(Section::Tcp(Part::Middlewares)),
        },
        "udp": {
            "routers": part(Section::Udp(Part::Routers)),
            "services": part(Section::Udp(Part::Services)),
        },
        "certificates": numbers(Some(certificates)),
        "features": {
            "tracing": features.tracing,
            "metrics": features.metrics,
            "accessLog": features.access_log,
        },
        "providers": features.providers,
    });
    format!("{all}\n").into()
}

fn numbers(rows: Option<&Rows>) -> Value {
    let rows = || rows.into_iter().flat_map(Rows::values);
    let count = |status| rows().filter(|row| row.status == status).count();
    json!({
        "total": rows().count(),
        "warnings": count(Status::Warning),
        "errors": count(Status::Disabled),
    })
}
