//! `custom-http-errors`, `disable-proxy-intercept-errors`, `default-backend` and `custom-headers`:
//! what is said in the place of a backend, or beside it. The objects that they name are looked up
//! by the join.

use steelyard_model::{FieldPath, NamespacedName};

use super::{Asked, value};

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    if let Some(written) = asked.written("custom-http-errors") {
        match value::statuses(written) {
            Some(statuses) => asked.own().errors = Some(statuses),
            None => asked.close("custom-http-errors", "write statuses with commas between them"),
        }
    }
    if let Some(keeps) = asked.boolean("disable-proxy-intercept-errors") {
        asked.own().keeps_errors = Some(keeps);
    }
    if let Some(written) = asked.written("default-backend") {
        let place = asked.findings.place(&FieldPath::annotation(&asked.key("default-backend")));
        let own = asked.findings.object().namespace.clone();
        match value::service(written) {
            Some(name) => {
                asked.own().default_backend = Some((NamespacedName::new(own, name), place));
            }
            None => asked.close("default-backend", "name a Service of the same namespace"),
        }
    }
    let help = "name a ConfigMap: NAMESPACE/NAME";
    if let Some(name) = asked.value("custom-headers", |it| value::basic(it, ""), help) {
        let place = asked.findings.place(&FieldPath::annotation(&asked.key("custom-headers")));
        let own = asked.findings.object().namespace.clone();
        let named = match name.split_once('/') {
            Some((namespace, name)) => NamespacedName::new(namespace, name),
            None => NamespacedName::new(own, name),
        };
        asked.own().headers = Some((named, place));
    }
}
