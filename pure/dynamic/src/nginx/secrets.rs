//! Secrets that annotations name, and certificates.

use super::{Served, View};
use crate::crd::files;
use crate::shape::Configuration;

/// What is in a Secret for handshakes.
pub(super) struct Material {
    /// Whom to believe.
    pub(super) authority: Option<String>,
    /// A certificate and its key.
    pub(super) pair: Option<(String, String)>,
}

impl View<'_> {
    /// Namespace and name of `namespace/name`, where an Ingress may name that.
    pub(super) fn named<'t>(
        self,
        ingress: Served<'_>,
        text: &'t str,
    ) -> Option<(&'t str, &'t str)> {
        let (namespace, name) = text.split_once('/')?;
        let is_one = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
        let may = self.options.allows_cross_namespace || ingress.object.namespace == namespace;
        (is_one && may).then_some((namespace, name))
    }

    /// What a Secret has for handshakes; none where it has nothing, or a part of it is empty.
    pub(super) fn material(self, ingress: Served<'_>, text: &str) -> Option<Material> {
        let (namespace, name) = self.named(ingress, text)?;
        let (mut entries, _) = self.cluster.secret(namespace, name)?;
        let authority = entries.remove("ca.crt");
        let (certificate, key) = (entries.remove("tls.crt"), entries.remove("tls.key"));
        let is_empty = |it: &Option<String>| it.as_ref().is_some_and(String::is_empty);
        let pair = certificate.clone().zip(key.clone());
        let is_half = pair.as_ref().is_some_and(|(one, other)| one.is_empty() || other.is_empty());
        let has_any = authority.is_some() || certificate.is_some() || key.is_some();
        (has_any && !is_empty(&authority) && !is_half).then_some(Material { authority, pair })
    }

    /// Certificates that an Ingress names, up to the first that cannot be read.
    pub(super) fn certificates(self, ingress: Served<'_>, made: &mut Configuration) {
        let namespace = &ingress.object.namespace;
        for name in ingress.object.spec().items("tls").map(|it| it.text("secretName")) {
            if name.is_empty() {
                continue;
            }
            let Some(pair) = self.cluster.certificate(namespace, name) else { return };
            let key = format!("{namespace}/{name}");
            made.tls.certificates.entry(key).or_insert_with(|| files(pair).done());
        }
    }
}
