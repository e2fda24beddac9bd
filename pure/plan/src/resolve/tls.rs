//! What Ingresses ask for in `spec.tls`, and what becomes of it: TLS is not served yet.

use steelyard_model::{Diagnostic, Missing, RouteSet, Severity};

use super::codes;
use super::suggestion::Suggester;
use super::world::World;

pub(super) fn report(
    world: &World<'_>,
    sets: &[(&RouteSet, super::routes::Class)],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut suggester = Suggester::new();
    for (set, _) in sets {
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
            let (namespace, name) = (&*secret.namespace, &*secret.name);
            if world.secrets.contains_key(&(namespace, name)) {
                continue;
            }
            let names = world.secrets.range((namespace, "")..);
            let names = names
                .map(|(id, _)| *id)
                .take_while(|(other, _)| *other == namespace)
                .map(|(_, name)| name);
            let near = suggester.nearest(name, names);
            let missing = Missing::named("Secret", name).within(namespace).alike(near.is_some());
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add a Secret `{name}` of type kubernetes.io/tls to {namespace}"),
            };
            let message = format!("there is no Secret `{name}` in namespace {namespace}");
            let (severity, code) = (Severity::Warning, codes::TLS_SECRET_MISSING);
            let found = Diagnostic::at(severity, code, place, message, help);
            diagnostics.push(found.missing(missing));
        }
    }
}
