//! Whose an Ingress is: by its class, its IngressClass, or the default one.

use steelyard_model::suggest::closeness;
use steelyard_model::{ClassName, Diagnostic, Provenance, RouteSet, Severity};

use crate::resolve::codes;
use crate::resolve::world::World;

/// Whose words an Ingress is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::resolve) enum Class {
    /// Traefik's, or nobody's in particular: Traefik takes those too.
    Traefik,
    /// ingress-nginx's.
    Nginx,
    /// Our own.
    Steelyard,
}

const CONTROLLERS: [(&str, &str, Class); 3] = [
    ("traefik", "traefik.io/ingress-controller", Class::Traefik),
    ("nginx", "k8s.io/ingress-nginx", Class::Nginx),
    ("steelyard", "steelyard.dev/ingress-controller", Class::Steelyard),
];

/// The sets that are ours, the oldest first, and whose words they are in.
pub(in crate::resolve) fn served_sets<'a>(
    world: &World<'a>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(&'a RouteSet, Class)> {
    let default = world.classes.iter().find(|(_, class)| class.is_default);
    let mut sets = Vec::new();
    for set in &world.routes {
        // The API server writes the default class into an Ingress without one.
        let by_default = || {
            let place = Provenance::new(&set.object, "spec");
            default.map(|(name, _)| ClassName { name: (*name).to_owned(), place })
        };
        let Some(class) = set.class.clone().or_else(by_default) else {
            sets.push((*set, Class::Traefik));
            continue;
        };
        match class_of(world, &class) {
            Some(found) => sets.push((*set, found)),
            None => diagnostics.push(not_ours(world, &class)),
        }
    }
    sets
}

/// By the controller of the IngressClass of this name, else by the name.
fn class_of(world: &World<'_>, class: &ClassName) -> Option<Class> {
    let object = world.classes.get(class.name.as_str());
    let found = CONTROLLERS.iter().find(|(name, controller, _)| match object {
        Some(object) => object.controller == *controller,
        None => class.name == *name,
    });
    found.map(|(_, _, class)| *class)
}

fn not_ours(world: &World<'_>, class: &ClassName) -> Diagnostic {
    let message = match world.classes.get(class.name.as_str()) {
        Some(object) => format!(
            "class `{}` belongs to {}, so this Ingress is not served here",
            class.name, object.controller
        ),
        None => format!("class `{}` is not ours, so this Ingress is not served here", class.name),
    };
    let is_known = world.classes.contains_key(class.name.as_str());
    let meant = ["traefik", "nginx"].into_iter().find(|ours| is_typo(&class.name, ours));
    let (severity, help) = match meant.filter(|_| !is_known) {
        Some(meant) => (Severity::Warning, format!("did you mean `{meant}`?")),
        None => (
            Severity::Info,
            "to have it served use class traefik or nginx, or add an IngressClass of this name \
             whose controller is traefik.io/ingress-controller or k8s.io/ingress-nginx"
                .to_owned(),
        ),
    };
    Diagnostic::at(severity, codes::CLASS_NOT_OURS, &class.place, message, help)
}

/// Whether `written` is but a letter or two away from `name`; a class may well be named after
/// another.
fn is_typo(written: &str, name: &str) -> bool {
    closeness(written, name).is_some_and(|edits| edits <= 2)
}
