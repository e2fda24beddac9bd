//! What Traefik's provider of Ingresses makes of them (`providers.kubernetesIngress`).

mod annotation;
mod rule;
mod service;

use std::collections::BTreeMap;

use serde_json::Value;
use steelyard_model::ProviderOptions;

use crate::cluster::{Cluster, Written};
use crate::crd::files;
use crate::names::{hash, words};
use crate::options::DynamicOptions;
use crate::shape::{Configuration, Shape};
use crate::tree::Tree;

use annotation::RouterWish;

/// Who serves IngressClasses that are Traefik's.
const CONTROLLER: &str = "traefik.io/ingress-controller";

/// The service of an Ingress without rules.
const DEFAULT_BACKEND: &str = "default-backend";

/// What the provider looks at.
#[derive(Clone, Copy)]
struct View<'v> {
    cluster: &'v Cluster<'v>,
    options: &'v ProviderOptions,
    is_v2: bool,
}

/// All that is made of Ingresses.
pub(crate) fn configuration(cluster: &Cluster<'_>, options: &DynamicOptions) -> Configuration {
    let view = View { cluster, options: &options.ingress, is_v2: options.is_v2 };
    let mut made = Configuration::default();
    for ingress in cluster.all("Ingress").iter().filter(|it| view.serves(it)) {
        let annotations = ingress.tree().at("metadata").at("annotations");
        // What cannot be read as it is meant, or names what it must not, is left alone.
        let Some(wish) = RouterWish::of(annotations) else { continue };
        if !wish.references().all(|name| view.may_name(ingress, name)) {
            continue;
        }
        view.certificates(ingress, &mut made);
        view.default_backend(ingress, &wish, &mut made);
        view.rules(ingress, &wish, &mut made);
    }
    made
}

impl View<'_> {
    /// Whether an Ingress is of the class that is served: by its field, where an IngressClass says
    /// who serves that, else by its annotation.
    fn serves(self, ingress: &Written) -> bool {
        let Some(class) = ingress.spec().there("ingressClassName") else {
            return self.options.is_own(ingress.class());
        };
        let options = self.options;
        let looks =
            !options.disable_cluster_scope_resources && !options.disable_ingress_class_lookup;
        let name = class.0.as_str().unwrap_or_default();
        let is_asked = options.ingress_class.is_empty() || options.ingress_class == name;
        let is_known = self
            .cluster
            .all("IngressClass")
            .iter()
            .any(|it| it.name == name && it.spec().text("controller") == CONTROLLER);
        looks && is_asked && is_known
    }

    /// Whether an object may name this: `name@provider` is for some namespaces alone.
    fn may_name(self, object: &Written, name: &str) -> bool {
        !name.contains('@') || self.options.lets_provided(&object.namespace)
    }

    /// Certificates that are named, up to the first that cannot be read.
    fn certificates(self, ingress: &Written, made: &mut Configuration) {
        for name in ingress.spec().items("tls").map(|it| it.text("secretName")) {
            if name.is_empty() {
                continue;
            }
            let Some(pair) = self.cluster.certificate(&ingress.namespace, name) else { return };
            let key = format!("{}-{name}", ingress.namespace);
            made.tls.certificates.entry(key).or_insert_with(|| files(pair).done());
        }
    }

    /// The backend of an Ingress without rules; there is one in all.
    fn default_backend(self, ingress: &Written, wish: &RouterWish, made: &mut Configuration) {
        let has_rules = ingress.spec().items("rules").next().is_some();
        let Some(backend) = ingress.spec().there("defaultBackend").filter(|_| !has_rules) else {
            return;
        };
        if made.http.services.contains_key(DEFAULT_BACKEND) {
            return;
        }
        let Some(service) = self.service(ingress, backend) else { return };
        let router = wish
            .shape()
            .with("rule", "PathPrefix(\"/\")")
            .with("ruleSyntax", "default")
            .with("priority", i32::MIN)
            .with("service", DEFAULT_BACKEND);
        made.http.services.insert(DEFAULT_BACKEND.to_owned(), service);
        made.http.routers.insert("default-router".to_owned(), router.done());
    }

    /// A router for each path. Where an Ingress gives two of them one name, they are told apart by
    /// their rules.
    fn rules(self, ingress: &Written, wish: &RouterWish, made: &mut Configuration) {
        let mut named = BTreeMap::<String, Vec<(String, Value)>>::new();
        for rule in ingress.spec().items("rules") {
            for path in rule.at("http").items("paths") {
                let backend = path.at("backend");
                let Some(service) = self.service(ingress, backend) else { continue };
                let name = service_name(ingress, backend);
                made.http.services.insert(name.clone(), service);
                let Some(text) = self.rule(rule, path, wish) else { continue };
                let router = wish
                    .shape()
                    .with("rule", &*text)
                    .with("ruleSyntax", &*wish.syntax)
                    .with("priority", wish.priority)
                    .with("service", name);
                let place = format!("{}{}", rule.text("host"), path.text("path"));
                let key = words(&format!("{}-{}-{place}", ingress.namespace, ingress.name));
                named.entry(key).or_default().push((text, router.done()));
            }
        }
        for (key, routers) in named {
            let is_alone = routers.len() == 1;
            for (rule, router) in routers {
                let key = if is_alone { key.clone() } else { format!("{key}-{}", hash(&rule)) };
                made.http.routers.insert(key, router);
            }
        }
    }
}

/// `namespace-service-port`, by the port's name where that is written.
fn service_name(ingress: &Written, backend: Tree<'_>) -> String {
    let service = backend.at("service");
    let port = match service.at("port").text("name") {
        "" => service.at("port").number("number").to_string(),
        name => name.to_owned(),
    };
    words(&format!("{}-{}-{port}", ingress.namespace, service.text("name")))
}

impl RouterWish {
    /// What it says of a router, whichever.
    fn shape(&self) -> Shape {
        Shape::default()
            .with("entryPoints", self.entry_points.clone())
            .with("middlewares", self.middlewares.clone())
            .kept("tls", self.tls.clone())
            .with("observability", self.observability.clone())
    }
}
