//! Handshakes that are passed on to backends: which of an Ingress's routes that concerns.
//!
//! As with ingress-nginx, all that comes over TLS for a host goes to the backend of its path `/`.

use std::collections::BTreeSet;

use steelyard_model::{FieldPath, Provenance, RouteDraft};

use crate::annotation::{Text, not_honoured};
use crate::findings::Findings;

/// Where that is asked for, if it can be done for some host. Says which routes it leaves out.
pub(super) fn judge(
    asked: Option<&Text>,
    routes: &[RouteDraft],
    findings: &mut Findings<'_>,
) -> Option<Provenance> {
    let Text { key, .. } = asked?;
    let hosts: BTreeSet<_> = routes.iter().filter_map(RouteDraft::passed_on).collect();
    if hosts.is_empty() {
        let message = format!("annotation `{key}` needs a host with path `/`: TLS ends here");
        let help = "add the host, with a rule for `/` that names the backend that ends TLS";
        not_honoured(key, message, help, findings);
        return None;
    }
    let mut others =
        routes.iter().filter(|it| it.passed_on().is_none() && hosts.contains(it.rule.host()));
    if let Some(other) = others.next() {
        let message = format!(
            "annotation `{key}` passes all TLS for {} on to the backend of `/`: over TLS, {} is \
             nobody's",
            other.rule.host(),
            other.place.field
        );
        let help = "let the backend of `/` answer for its other paths too, or end TLS here";
        not_honoured(key, message, help, findings);
    }
    Some(findings.place(&FieldPath::annotation(key)))
}
