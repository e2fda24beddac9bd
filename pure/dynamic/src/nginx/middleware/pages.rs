//! Pages of another service for some statuses.

use serde_json::json;

use super::super::backend::service;
use super::super::location::Location;
use super::super::{OF_ALL, View};
use super::Link;
use crate::shape::Shape;

impl View<'_> {
    /// Pages of the Service that an annotation names, else of the default backend of options; none
    /// where there is neither.
    pub(super) fn pages(self, of: &Location<'_>) -> Option<Link> {
        let (object, asks) = (of.ingress.object, of.ingress.asks);
        let own: Option<Vec<String>> =
            asks.list("custom-http-errors").map(|all| all.into_iter().map(str::to_owned).collect());
        let has_own = own.is_some();
        let status = own.unwrap_or_else(|| self.options.custom_http_errors.clone());
        if status.is_empty() {
            return None;
        }
        let (name, port) = &of.backend;
        let told = json!({
            "X-Namespaces": [object.namespace],
            "X-Ingress-Name": [object.name],
            "X-Service-Name": [name],
            "X-Service-Port": [port],
        });
        let errors = Shape::default().with("status", status).with("nginxHeaders", told);
        let named = asks.text("default-backend");
        if has_own && !named.is_empty() {
            let servers = self.first_port(&object.namespace, named).unwrap_or_default();
            let service = Some(service(&servers, "", asks));
            return Some(Link::Pages { errors: errors.done(), service });
        }
        self.options.default_backend.as_ref()?;
        Some(Link::Pages { errors: errors.with("service", OF_ALL).done(), service: None })
    }
}
