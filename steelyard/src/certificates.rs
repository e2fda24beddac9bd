//! What is told of certificates.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use steelyard_model::{Diagnostic, Snapshot};

/// A row of each.
pub(crate) fn rows(snapshot: &Snapshot) -> Vec<Value> {
    let all = snapshot.routing.certificates.values();
    all.map(|it| {
        let names: Vec<String> = it.names.iter().map(ToString::to_string).collect();
        let (since, until) = it.validity;
        json!({
            "name": it.id.to_string(), "hosts": names, "addresses": it.addresses,
            "subject": it.subject, "serial": it.serial, "key": format!("{:?}", it.algorithm),
            "notBefore": since, "notAfter": until, "isDefault": it.is_default,
        })
    })
    .collect()
}

/// What there is to say of those that are not valid now, or not for long.
pub(crate) fn lapsing(snapshot: &Snapshot) -> impl Iterator<Item = Diagnostic> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    snapshot.routing.certificates.values().filter_map(move |it| steelyard_tls::lapse(it, now))
}
