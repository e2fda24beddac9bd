//! How endpoints are spoken to, as a ServersTransport or ServersTransportTCP says.

use std::sync::Arc;

use steelyard_model::handshake_draft::{TransportDraft, TransportTls};
use steelyard_model::routing::id::TransportId;
use steelyard_model::routing::transport::{
    OriginProtocol, OriginScheme, OriginTls, Roots, Transport,
};
use steelyard_model::{Diagnostic, Item, NamespacedName, Secret, Severity};
use steelyard_tls::{CERTIFICATE_KEY, Unfit, identity};

use super::elsewhere::is_of_file;
use super::origin::usual;
use crate::codes;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};
use crate::tables::material::{Loss, looked_up, signers};
use crate::tables::row::{Routed, Row};

/// What may be spoken by a ServersTransport.
const SCHEMES: [OriginScheme; 3] = [OriginScheme::Http, OriginScheme::H2c, OriginScheme::Https];

/// What comes of it where certificates cannot be had.
const LOSS: Loss = Loss {
    severity: Severity::Error,
    code: codes::BACKEND_TLS_SECRET,
    so: "endpoints are to be spoken to by it, so their routes answer 503",
    lacks: "says nothing by which endpoints are spoken to",
};

/// A transport of an object: by what it speaks, or none for bytes.
pub(super) fn transport_id(id: &NamespacedName, scheme: Option<OriginScheme>) -> TransportId {
    let NamespacedName { namespace, name } = id;
    let spoken = scheme.map_or_else(|| "tcp".to_owned(), |scheme| usual(scheme).id.to_string());
    match is_of_file(id) {
        true => format!("{name}/{spoken}").into(),
        false => format!("{namespace}-{name}@kubernetescrd/{spoken}").into(),
    }
}

/// The ways of speaking that an object describes. Where it cannot be had there is none, and who is
/// to be spoken to so is not spoken to.
pub(in crate::tables) fn transport(
    tag: Tag,
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let row = reads.row(&Cell::Object(tag, id.clone()))?;
    let [Item::Transport(draft), ..] = row.items() else { return None };
    let tls = match &draft.tls {
        Some(tls) => Some(terms(tls, reads, diagnostics)?),
        None => None,
    };
    let transports = match draft.is_for_bytes {
        true => vec![made(draft, None, tls)],
        false => SCHEMES.map(|scheme| made(draft, Some(scheme), tls.clone())).to_vec(),
    };
    let transports = transports.into_iter().map(Arc::new).collect();
    Some(Routed { transports, ..Routed::default() }.row())
}

fn made(draft: &TransportDraft, scheme: Option<OriginScheme>, tls: Option<OriginTls>) -> Transport {
    let base = scheme.map_or_else(Transport::bytes, usual);
    let is_secure = scheme.is_none_or(OriginScheme::is_secure);
    let protocol = match base.protocol {
        OriginProtocol::Negotiated if draft.is_http1_only => OriginProtocol::Http1,
        other => other,
    };
    Transport {
        id: transport_id(&draft.object.id(), scheme),
        protocol,
        tls: tls.filter(|_| is_secure),
        proxy_protocol: draft.proxy_protocol,
        connect: draft.connect,
        answer: draft.answer,
        idle: draft.idle,
        half_closed: draft.half_closed,
        alive: draft.alive,
        upkeep: draft.upkeep,
    }
}

fn terms(
    draft: &TransportTls,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<OriginTls> {
    let pem = signers(&draft.roots, LOSS, reads, diagnostics)?;
    let client = match &draft.client {
        Some(link) => {
            let of = |secret: &Secret| identity(secret)?.ok_or(Unfit::Absent(CERTIFICATE_KEY));
            Some(looked_up(link, of, LOSS, reads, diagnostics)?)
        }
        None => None,
    };
    let roots = match (draft.is_verified, pem.is_empty()) {
        (false, _) => Roots::Nobody,
        (true, true) => Roots::System,
        (true, false) => Roots::Pem(pem.into()),
    };
    Some(OriginTls {
        server_name: draft.server_name.clone(),
        roots,
        client: client.map(Arc::new),
        versions: draft.versions,
        ciphers: draft.ciphers.clone(),
        ..OriginTls::default()
    })
}
