//! Whose an Ingress is: by its class, its IngressClass, or the default one.

use std::sync::Arc;

use steelyard_model::suggest::closeness;
use steelyard_model::{
    ClassName, Diagnostic, IngressClass, NginxOptions, Provenance, ProviderOptions, RouteSet,
    RouterSet, Severity,
};

use crate::codes;
use crate::tables::row::Class;

const CONTROLLERS: [(&str, &str, Class); 2] = [
    ("traefik", "traefik.io/ingress-controller", Class::Traefik),
    ("steelyard", "steelyard.dev/ingress-controller", Class::Steelyard),
];

/// Whose words an Ingress is in, if it is ours; `default` is the class of one that names none, and
/// `object` looks up an IngressClass.
pub(in crate::tables) fn judge(
    set: &RouteSet,
    default: Option<Arc<str>>,
    object: impl FnOnce(&str) -> Option<IngressClass>,
    (options, nginx): (&ProviderOptions, &NginxOptions),
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Class> {
    // The API server writes the default class into an Ingress without one.
    let by_default = || {
        let place = Provenance::new(&set.object, "spec");
        default.map(|name| ClassName { name: name.to_string(), place })
    };
    let Some(class) = set.class.clone().or_else(by_default) else {
        return match nginx.takes_unnamed {
            Some(takes) => takes.then_some(Class::Nginx),
            None => is_seen(set, "", options).then_some(Class::Unnamed),
        };
    };
    let object = object(&class.name);
    let found = class_of(object.as_ref(), &class, options.looks_up_classes(), nginx);
    if found.is_none() {
        diagnostics.push(not_ours(object.as_ref(), &class));
    }
    found.filter(|it| *it != Class::Traefik || is_seen(set, &class.name, options))
}

/// Whether an Ingress may be in words of ingress-nginx by itself: by the name of its class, or
/// since it names none. Others are by an IngressClass that [`is_class_of_nginx`].
pub(in crate::tables) fn may_be_of_nginx(set: &RouteSet, nginx: &NginxOptions) -> bool {
    match &set.class {
        Some(class) => class.name == nginx.class,
        None => nginx.takes_unnamed == Some(true),
    }
}

/// Whether Ingresses of this class may be.
pub(in crate::tables) fn is_class_of_nginx(class: &IngressClass, nginx: &NginxOptions) -> bool {
    class.controller == nginx.controller || *class.object.name == *nginx.class
}

/// Whether Traefik's provider of Ingresses is told to look at one of this class, where it is.
fn is_seen(set: &RouteSet, class: &str, options: &ProviderOptions) -> bool {
    let is_own = options.ingress_class.is_empty() || options.ingress_class == class;
    is_own && set.is_labelled && options.sees(&set.object.namespace)
}

/// Whether an object of Traefik's own kinds is ours: IngressClasses are nothing to those.
pub(super) fn judge_routers(
    set: &RouterSet,
    options: &ProviderOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<()> {
    let asked = &options.ingress_class;
    let Some(class) = &set.class else { return asked.is_empty().then_some(()) };
    let found = match asked.is_empty() {
        true => class_of(None, class, true, &NginxOptions::default())
            .filter(|found| *found != Class::Nginx)
            .map(drop),
        false => (class.name == *asked).then_some(()),
    };
    if found.is_none() {
        let message = format!("class `{}` is not ours, so these routes are not served", class.name);
        let help = "to have them served use class traefik, or name none";
        let said =
            Diagnostic::at(Severity::Info, codes::CLASS_NOT_OURS, &class.place, message, help);
        diagnostics.push(said);
    }
    found
}

/// By the controller of the IngressClass of this name, else by the name; by that alone where
/// Traefik is told not to look any up.
fn class_of(
    object: Option<&IngressClass>,
    class: &ClassName,
    looks_up: bool,
    nginx: &NginxOptions,
) -> Option<Class> {
    let is_by_name = (object.is_none() || nginx.is_by_name) && class.name == nginx.class;
    if is_by_name || object.is_some_and(|it| it.controller == nginx.controller) {
        return Some(Class::Nginx);
    }
    let object = object.filter(|_| looks_up);
    let found = CONTROLLERS.iter().find(|(name, controller, _)| match object {
        Some(object) => object.controller == *controller,
        None => class.name == *name,
    });
    found.map(|(_, _, class)| *class)
}

fn not_ours(object: Option<&IngressClass>, class: &ClassName) -> Diagnostic {
    let message = match object {
        Some(object) => format!(
            "class `{}` belongs to {}, so this Ingress is not served here",
            class.name, object.controller
        ),
        None => format!("class `{}` is not ours, so this Ingress is not served here", class.name),
    };
    let meant = ["traefik", "nginx"].into_iter().find(|ours| is_typo(&class.name, ours));
    let (severity, help) = match meant.filter(|_| object.is_none()) {
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
