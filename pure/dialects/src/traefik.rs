//! Traefik's annotations, `traefik.ingress.kubernetes.io/…`, on Ingresses and Services.
//!
//! `router.entrypoints` is honoured. Of the rest those that restrict access close the routes (on
//! a Service: the routes to it), and so does an unknown name that is nearly one of those.

use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::suggest::closeness;
use steelyard_model::{ClassReading, FieldPath, Labels, Severity};

use crate::codes;
use crate::findings::Findings;
use crate::nginx::{close, not_honoured, refuse};

pub(crate) const PREFIX: &str = "traefik.ingress.kubernetes.io/";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Miss {
    /// Done.
    Honoured,
    /// Access would be wider than asked for.
    Security,
    /// We would speak another protocol than the backend.
    Protocol,
    /// Requests are served otherwise than asked for. TLS itself is here, its options are not: they
    /// may ask for client certificates.
    Functional,
    /// Nobody sees a difference.
    Cosmetic,
}

/// Name, what not honouring it means, and the value that asks for what we do anyway.
type Annotation = (&'static str, Miss, &'static str);

const ON_INGRESS: [Annotation; 13] = [
    ("router.entrypoints", Miss::Honoured, ""),
    ("router.middlewares", Miss::Security, ""),
    ("router.priority", Miss::Functional, "0"),
    ("router.rulesyntax", Miss::Functional, "v3"),
    ("router.pathmatcher", Miss::Functional, "pathprefix"),
    ("router.tls", Miss::Functional, "false"),
    ("router.tls.certresolver", Miss::Functional, ""),
    ("router.tls.options", Miss::Security, ""),
    ("router.tls.domains", Miss::Cosmetic, ""),
    ("router.observability.accesslogs", Miss::Cosmetic, ""),
    ("router.observability.metrics", Miss::Cosmetic, ""),
    ("router.observability.tracing", Miss::Cosmetic, ""),
    ("router.observability.traceverbosity", Miss::Cosmetic, ""),
];

const ON_SERVICE: [Annotation; 14] = [
    ("service.nativelb", Miss::Functional, "false"),
    ("service.nodeportlb", Miss::Functional, "false"),
    ("service.serversscheme", Miss::Protocol, "http"),
    ("service.serverstransport", Miss::Security, ""),
    ("service.passhostheader", Miss::Functional, "true"),
    ("service.middlewares", Miss::Security, ""),
    ("service.sticky.cookie", Miss::Functional, "false"),
    ("service.sticky.cookie.name", Miss::Functional, ""),
    ("service.sticky.cookie.secure", Miss::Functional, ""),
    ("service.sticky.cookie.samesite", Miss::Functional, ""),
    ("service.sticky.cookie.domain", Miss::Functional, ""),
    ("service.sticky.cookie.httponly", Miss::Functional, ""),
    ("service.sticky.cookie.maxage", Miss::Functional, ""),
    ("service.sticky.cookie.path", Miss::Functional, ""),
];

/// What annotations do to the routes of an Ingress.
pub(crate) fn apply(annotations: &Labels, effects: &mut ClassReading, findings: &mut Findings<'_>) {
    apply_known(annotations, &ON_INGRESS, effects, findings);
    let key = format!("{PREFIX}router.entrypoints");
    let written = annotations.get(&key).map(String::as_str).unwrap_or_default();
    let names = written.split(',').map(str::trim).filter(|name| !name.is_empty());
    effects.entry_points = names.map(EntryPointId::from).collect();
}

/// Why routes to a Service answer 503, if its annotations ask for what we do not honour.
pub(crate) fn check_service(
    annotations: &Labels,
    findings: &mut Findings<'_>,
) -> Option<RefusalReason> {
    let mut effects = ClassReading::default();
    apply_known(annotations, &ON_SERVICE, &mut effects, findings);
    effects.refusal
}

fn apply_known(
    annotations: &Labels,
    known: &[Annotation],
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
) {
    for (key, value) in annotations {
        let Some(written) = key.strip_prefix(PREFIX) else { continue };
        // Traefik reads names without regard to case; the domains of a router are numbered.
        let mut name = written.to_ascii_lowercase();
        if name.starts_with("router.tls.domains") {
            name.truncate("router.tls.domains".len());
        }
        if value.trim().is_empty() {
            continue;
        }
        let Some((_, miss, neutral)) = known.iter().find(|known| known.0 == name) else {
            unknown(&name, key, known, effects, findings);
            continue;
        };
        if value.trim().eq_ignore_ascii_case(neutral) {
            continue;
        }
        match miss {
            Miss::Security => refuse(key, effects, findings),
            Miss::Protocol => {
                let code = codes::BACKEND_PROTOCOL_NOT_HONOURED;
                let message = format!("annotation `{key}: {value}` is not honoured yet");
                let help = "let the backend answer HTTP/1.1 without TLS";
                close(code, key, message, help, effects, findings);
            }
            Miss::Functional => not_honoured(key, value, findings),
            Miss::Honoured | Miss::Cosmetic => {}
        }
    }
}

fn unknown(
    name: &str,
    key: &str,
    known: &[Annotation],
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
) {
    let kind = findings.object().kind.clone();
    let message = format!("Traefik has no annotation `{key}` on objects of kind {kind}");
    let elsewhere = ON_INGRESS.iter().chain(&ON_SERVICE).any(|known| known.0 == name);
    let near = known.iter().filter_map(|known| Some((closeness(name, known.0)?, known)));
    let nearest = near.min_by_key(|(rank, known)| (*rank, known.1 != Miss::Security));
    let help = match nearest {
        Some((_, (meant, Miss::Security, _))) if !elsewhere => {
            let message = format!("{message}, but it is named like one that restricts access");
            let help = format!("did you mean `{PREFIX}{meant}`?");
            return close(codes::ACCESS_NOT_HONOURED, key, message, &help, effects, findings);
        }
        _ if elsewhere && &*kind == "Service" => "move it to the Ingress".to_owned(),
        _ if elsewhere => "move it to the Service".to_owned(),
        Some((_, (meant, ..))) => format!("did you mean `{PREFIX}{meant}`?"),
        None => "remove it".to_owned(),
    };
    let path = FieldPath::annotation(key);
    findings.say(Severity::Warning, codes::ANNOTATION_UNKNOWN, &path, message, help);
}
