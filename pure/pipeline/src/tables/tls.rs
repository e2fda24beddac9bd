//! What Ingresses ask for in `spec.tls`, and what becomes of it: TLS is not served yet.

use steelyard_model::{Diagnostic, Missing, NamespacedName, RouteSet, Severity};

use crate::codes;

/// Says it of one Ingress; `is_there` looks for a Secret.
pub(super) fn report(
    set: &RouteSet,
    mut is_there: impl FnMut(&NamespacedName) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if let Some(place) = &set.tls {
        diagnostics.push(Diagnostic::at(
            Severity::Warning,
            codes::TLS_NOT_SERVED,
            place,
            "TLS is not served yet: these hosts answer plain HTTP only",
            "use http:// for now, or put something that ends TLS in front",
        ));
    }
    for (secret, place) in &set.tls_secrets {
        if is_there(secret) {
            continue;
        }
        let NamespacedName { namespace, name } = secret;
        let missing = Missing::named("Secret", name).within(namespace).sought();
        let message = format!("there is no Secret `{name}` in namespace {namespace}");
        let help = format!("add a Secret `{name}` of type kubernetes.io/tls to {namespace}");
        let (severity, code) = (Severity::Warning, codes::TLS_SECRET_MISSING);
        let found = Diagnostic::at(severity, code, place, message, help);
        diagnostics.push(found.missing(missing));
    }
}
