//! What files of dynamic configuration have: as it is written there.

use serde_json::Value;
use steelyard_manifest::{FILE_PROVIDER, FILE_VERSION, Object};

use crate::shape::{Configuration, Protocol, trimmed};

/// Of objects of all kinds, those that stand in such files.
pub(crate) fn configuration(objects: &[Object]) -> Configuration {
    let mut made = Configuration::default();
    for object in objects.iter().filter(|it| *it.api_version == *FILE_VERSION) {
        let Some(written) = object.read_lenient::<Value>().value else { continue };
        let name = object.reference.name.trim_end_matches(FILE_PROVIDER);
        put(&mut made, object, name, trimmed(&written));
    }
    made
}

fn put(made: &mut Configuration, object: &Object, name: &str, written: Value) {
    let protocol: &mut Protocol = match &*object.reference.namespace {
        "http" => &mut made.http,
        "tcp" => &mut made.tcp,
        "udp" => &mut made.udp,
        _ => {
            let section = match &*object.reference.kind {
                "tls-options" => &mut made.tls.options,
                "tls-store" => &mut made.tls.stores,
                "certificate" => &mut made.tls.certificates,
                _ => return,
            };
            section.insert(name.to_owned(), written);
            return;
        }
    };
    let section = match &*object.reference.kind {
        "router" => &mut protocol.routers,
        "service" => &mut protocol.services,
        "middleware" => &mut protocol.middlewares,
        "transport" => &mut protocol.transports,
        _ => return,
    };
    section.insert(name.to_owned(), written);
}
