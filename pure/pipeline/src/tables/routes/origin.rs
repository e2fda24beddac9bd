//! How routes speak to the endpoints of their backends: as the route's own annotation says, then as
//! one of Traefik's on the Service does, then as the port does.

use std::sync::Arc;

use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::id::TransportId;
use steelyard_model::routing::transport::{
    OriginProtocol, OriginScheme, OriginTls, Roots, Transport,
};
use steelyard_model::{
    Diagnostic, FieldPath, Missing, NamespacedName, OriginTlsDraft, Provenance, Service,
    ServicePort, Severity,
};
use steelyard_tls::{AUTHORITIES_KEY, Unfit, authorities, identity};

use super::password::lets_namespace;
use crate::codes;
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Spoken, Tag};
use crate::tables::row::{Class, ReadSet, Routed, Row};

/// How TLS is spoken to the backends of one Ingress, where it says so itself; or why it must not
/// be.
pub(super) enum OriginTerms {
    Unsaid,
    Said(NamespacedName, OriginTls),
    Refused(RefusalReason),
}

/// How endpoints are spoken to that no Ingress says more of.
pub(crate) fn known(options: &ResolveOptions) -> [Transport; 6] {
    let [h1, h2] = [OriginProtocol::Http1, OriginProtocol::Http2].map(Transport::unverified);
    let timed = [Transport::plain(), Transport::h2c(), options.https.clone()];
    let [plain, h2c, https] = timed.map(|it| it.within(options.times));
    [plain, h2c, options.bytes.clone(), https, h1, h2]
}

impl OriginTerms {
    pub(super) fn new(
        read: &ReadSet<'_>,
        reads: &mut Reads<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let Some(draft) = &read.reading.origin_tls else { return Self::Unsaid };
        if !lets_namespace(read, &draft.secret, reads) {
            diagnostics.push(elsewhere(draft));
            return Self::Refused(RefusalReason::Restriction(draft.place.clone()));
        }
        match terms(draft, reads) {
            Ok(terms) => Self::Said(read.set.object.id(), terms),
            Err(why) => {
                diagnostics.push(why.map_or_else(|| missing(draft), |why| unfit(draft, why)));
                Self::Refused(RefusalReason::Restriction(draft.place.clone()))
            }
        }
    }

    pub(super) fn refusal(&self) -> Option<&RefusalReason> {
        match self {
            Self::Refused(why) => Some(why),
            Self::Unsaid | Self::Said(..) => None,
        }
    }

    /// How a port of a Service is spoken to; what only this Ingress says is put into `routed`.
    pub(super) fn spoken(
        &self,
        read: &ReadSet<'_>,
        service: &Service,
        port: &ServicePort,
        routed: &mut Routed,
    ) -> Spoken {
        let own = service.backend_scheme.or_else(|| by_port(port, Class::Traefik));
        let own = own.unwrap_or(OriginScheme::Http);
        let by_port = by_port(port, read.class);
        let heard = match read.class {
            Class::Nginx => by_port,
            _ => service.backend_scheme.or(by_port),
        };
        let scheme = read.reading.scheme.or(heard).unwrap_or(OriginScheme::Http);
        let transport = self.transport(scheme, routed);
        let is_otherwise = transport != usual(own).id;
        Spoken { transport, scheme, is_otherwise }
    }

    fn transport(&self, scheme: OriginScheme, routed: &mut Routed) -> TransportId {
        let usual = usual(scheme);
        let Self::Said(ingress, terms) = self else { return usual.id };
        if !scheme.is_secure() {
            return usual.id;
        }
        let id = TransportId::from(format!("{ingress}:{}", usual.id));
        if routed.transports.iter().all(|known| known.id != id) {
            let made = Transport { id: id.clone(), tls: Some(terms.clone()), ..usual };
            routed.transports.push(Arc::new(made));
        }
        id
    }
}

/// What is spoken to a port that an object of Traefik's own kinds leads to.
pub(super) fn scheme_of(
    asked: Option<OriginScheme>,
    service: &Service,
    port: &ServicePort,
) -> OriginScheme {
    let said = asked.or(service.backend_scheme).or_else(|| by_port(port, Class::Traefik));
    said.unwrap_or(OriginScheme::Http)
}

/// How it is spoken where nobody says more: in words of Traefik certificates are verified, in those
/// of ingress-nginx they are not.
pub(super) fn usual(scheme: OriginScheme) -> Transport {
    match scheme {
        OriginScheme::Http => Transport::plain(),
        OriginScheme::H2c => Transport::h2c(),
        OriginScheme::Https => Transport::https(),
        OriginScheme::SecureHttp1 | OriginScheme::SecureHttp2 => {
            Transport::unverified(scheme.protocol())
        }
    }
}

/// What a port says. Traefik speaks TLS to one by its number or name, too; nginx asks for no
/// protocol in a handshake.
fn by_port(port: &ServicePort, class: Class) -> Option<OriginScheme> {
    let is_named = port.name.as_deref().is_some_and(|name| name.starts_with("https"));
    match port.scheme {
        Some(OriginScheme::Https) if class == Class::Nginx => Some(OriginScheme::SecureHttp1),
        None if class.asks_as_traefik() && (port.port == 443 || is_named) => {
            Some(OriginScheme::Https)
        }
        said => said,
    }
}

/// What a Secret says; or what is wrong with it, and none where it is not there.
fn terms(draft: &OriginTlsDraft, reads: &mut Reads<'_>) -> Result<OriginTls, Option<Unfit>> {
    let row = reads.row(&Cell::Object(Tag::Secret, draft.secret.clone()));
    let secret = row.as_ref().and_then(Row::secret).ok_or(None)?;
    let (roots, client) = (authorities(secret)?, identity(secret)?);
    if roots.is_none() && client.is_none() {
        return Err(Some(Unfit::Absent(AUTHORITIES_KEY)));
    }
    let roots = match (draft.is_verified, roots) {
        (false, _) => Roots::Nobody,
        (true, Some(pem)) => Roots::Pem(pem),
        (true, None) => Roots::System,
    };
    let OriginTlsDraft { server_name, sends_name, versions, .. } = draft;
    Ok(OriginTls {
        place: Some(Provenance::new(&secret.object, FieldPath::root())),
        server_name: Some(server_name.clone()),
        sends_name: *sends_name,
        roots,
        client: client.map(Arc::new),
        versions: *versions,
        ..OriginTls::default()
    })
}

fn elsewhere(draft: &OriginTlsDraft) -> Diagnostic {
    let NamespacedName { namespace, name } = &draft.secret;
    let own = &draft.place.object.namespace;
    let message = format!(
        "Secret {}, by which TLS is spoken to backends, is in another namespace: the routes answer \
         503",
        draft.secret
    );
    let help = format!(
        "copy it from {namespace}, and write `{own}/{name}`; or let Ingresses name those of others: \
         `allow-cross-namespace-resources: \"true\"` in ingress-nginx's ConfigMap"
    );
    Diagnostic::at(Severity::Error, codes::BACKEND_TLS_SECRET, &draft.place, message, help)
}

fn missing(draft: &OriginTlsDraft) -> Diagnostic {
    let NamespacedName { namespace, name } = &draft.secret;
    let say = |no: &str| {
        format!(
            "there is {no} Secret `{name}` in namespace {namespace}, by which TLS is spoken to \
             backends: the routes answer 503"
        )
    };
    let help = format!("add the Secret to {namespace}, or name another");
    let code = codes::BACKEND_TLS_SECRET;
    let missing = Missing::named("Secret", name).within(namespace).sought();
    Diagnostic::at(Severity::Error, code, &draft.place, say("no"), help)
        .missing(missing.if_invalid(say("no valid")))
}

fn unfit(draft: &OriginTlsDraft, why: Unfit) -> Diagnostic {
    let message = format!(
        "Secret {} says nothing by which TLS is spoken to backends: {why}; the routes answer 503",
        draft.secret
    );
    Diagnostic::at(Severity::Error, codes::BACKEND_TLS_SECRET, &draft.place, message, why.help())
}
