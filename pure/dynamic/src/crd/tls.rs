//! Handshakes: TLSOption, TLSStore, and certificates that routes name.

use std::collections::btree_map::Entry;

use serde_json::Value;

use super::View;
use crate::cluster::{Written, authorities};
use crate::names::id;
use crate::shape::{Named, Secrets, Shape};
use crate::tree::Tree;

/// The name that is the same from everywhere.
const DEFAULT: &str = "default";

/// Suites of handshakes that name none, in Traefik's order (those of Go's `crypto/tls`).
pub(crate) const SUITES: [&str; 13] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Protocols of handshakes that name none.
pub(crate) const PROTOCOLS: [&str; 3] = ["h2", "http/1.1", "acme-tls/1"];

/// Stores with their certificates, and terms.
pub(super) fn of_handshakes(view: View<'_>) -> Secrets {
    let mut made = Secrets::default();
    let options = view.cluster.all("TLSOption");
    made.options = once(options, |object| Some(view.terms(object)));
    let stores = view.cluster.all("TLSStore");
    made.stores = once(stores, |object| view.store(object, &mut made.certificates));
    made
}

/// The certificate that an object names; who has said so before is where it belongs.
pub(super) fn of_route(view: View<'_>, object: &Written, made: &mut Secrets) {
    let name = object.spec().at("tls").text("secretName");
    if !name.is_empty() {
        view.certificate(&object.namespace, name, &[], &mut made.certificates);
    }
}

/// Things by `namespace-name`; the one called `default` is so called in whatever namespace, and
/// is none where there are several.
fn once(objects: &[Written], mut made: impl FnMut(&Written) -> Option<Value>) -> Named {
    let mut named = Named::new();
    for object in objects {
        let Some(value) = made(object) else { continue };
        let name = match &*object.name {
            DEFAULT => DEFAULT.to_owned(),
            name => id(&object.namespace, name),
        };
        named.insert(name, value);
    }
    if objects.iter().filter(|it| it.name == DEFAULT).count() > 1 {
        named.remove(DEFAULT);
    }
    named
}

impl View<'_> {
    fn terms(self, object: &Written) -> Value {
        let spec = object.spec();
        let or = |key: &str, usual: &[&str]| match spec.there(key) {
            Some(written) => written.0.clone(),
            None => usual.into(),
        };
        let client = spec.at("clientAuth");
        let files = client.texts("secretNames").into_iter().filter_map(|name| {
            let (entries, _) = self.cluster.secret(&object.namespace, name)?;
            authorities(&entries)
        });
        let client = Shape::default()
            .with("caFiles", files.collect::<Vec<_>>())
            .with("clientAuthType", client.text("clientAuthType"));
        Shape::default()
            .with("minVersion", spec.text("minVersion"))
            .with("maxVersion", spec.text("maxVersion"))
            .with("cipherSuites", or("cipherSuites", &SUITES))
            .with("curvePreferences", spec.raw("curvePreferences"))
            .with("clientAuth", client.done())
            .with("sniStrict", spec.is("sniStrict"))
            .with("alpnProtocols", or("alpnProtocols", &PROTOCOLS))
            .with("disableSessionTickets", spec.is("disableSessionTickets"))
            .done()
    }

    fn store(self, object: &Written, certificates: &mut Named) -> Option<Value> {
        let (own, spec) = (&*object.namespace, object.spec());
        let mut shape = Shape::default();
        if let Some(default) = spec.there("defaultCertificate") {
            let pair = self.cluster.certificate(own, default.text("secretName"))?;
            shape = shape.with("defaultCertificate", files(pair).done());
        }
        if let Some(generated) = spec.there("defaultGeneratedCert") {
            let domain = generated.at("domain");
            let domain = generated.there("domain").map(|_| domain_of(domain));
            let asked = Shape::default()
                .with("resolver", generated.text("resolver"))
                .kept("domain", domain.unwrap_or_default());
            shape = shape.kept("defaultGeneratedCert", asked.done());
        }
        let store = if object.name == DEFAULT { DEFAULT.to_owned() } else { id(own, &object.name) };
        for certificate in spec.items("certificates") {
            let name = certificate.text("secretName");
            self.certificate(own, name, &[&store], certificates)?;
        }
        Some(shape.done())
    }

    /// Puts down the certificate of a Secret, unless it is there; none where it cannot be read.
    fn certificate(
        self,
        namespace: &str,
        name: &str,
        stores: &[&str],
        certificates: &mut Named,
    ) -> Option<()> {
        let key = format!("{namespace}/{name}");
        if let Entry::Vacant(place) = certificates.entry(key) {
            let pair = self.cluster.certificate(namespace, name)?;
            place.insert(files(pair).with("stores", stores).done());
        }
        Some(())
    }
}

fn domain_of(domain: Tree<'_>) -> Value {
    Shape::default().with("main", domain.text("main")).with("sans", domain.raw("sans")).done()
}

/// A certificate and its key, as they stand in a configuration.
pub(crate) fn files((certificate, key): (String, String)) -> Shape {
    Shape::default().with("certFile", certificate).with("keyFile", key)
}
