//! The ConfigMaps of ports that lead to Services as they come (`tcp-services`, `udp-services`):
//! `"9000": "default/example:8080"`, and `:PROXY` behind it, once or twice.

use std::sync::Arc;

use steelyard_model::{
    BackendRef, Code, Diagnostic, FieldPath, Labels, NamespacedName, ObjectRef, PortRef, Protocol,
    Provenance, Severity, StreamDraft,
};

use crate::codes;

/// What a value looks like.
const FORM: &str = "write NAMESPACE/NAME:PORT, with the number or the name of a port of the \
    Service; `:PROXY` behind it reads a PROXY header, `:PROXY:PROXY` sends one on too, and \
    `::PROXY` sends one";

/// Ports that ingress-nginx has for itself, and passes over here: those of what it serves in any
/// case, of its profiler, its status, its own streams and its health.
const RESERVED: [u16; 6] = [442, 8181, 10245, 10246, 10247, 10254];

/// Ports of a ConfigMap at most: each takes a descriptor on each core, of which there are so many.
const MOST: usize = 256;

/// The ports that a ConfigMap asks for, in their order. What cannot be read opens none, and is
/// said.
pub fn streams(
    object: &Arc<ObjectRef>,
    data: &Labels,
    protocol: Protocol,
    said: &mut Vec<Diagnostic>,
) -> Vec<StreamDraft> {
    let read = |(key, value): (&String, &String)| {
        let place = Provenance::new(object, FieldPath::from("data").key(key));
        let mut say = |severity, code: Code, message: String, help: &str| {
            said.push(Diagnostic::at(severity, code, &place, message, help));
        };
        // As an API server takes keys: neither a sign nor a blank.
        let is_number = key.bytes().all(|byte| byte.is_ascii_digit());
        let number = key.parse::<u16>().ok().filter(|port| is_number && *port != 0);
        let Some(port) = number else {
            let message = format!("`{key}` is no port: nothing is opened for it");
            let help = "write a number from 1 to 65535 before the colon";
            say(Severity::Error, codes::INVALID_VALUE, message, help);
            return None;
        };
        if RESERVED.contains(&port) && protocol == Protocol::Tcp {
            let message = format!("ingress-nginx has the port {port} itself: it is not opened");
            say(Severity::Warning, codes::FIELD_NOT_HONOURED, message, "choose another port");
            return None;
        }
        let Some(Written { service, port: asked, reads, sends }) = written(value.trim()) else {
            let message = format!("`{value}` leads to no Service: the port {port} is not opened");
            say(Severity::Error, codes::INVALID_VALUE, message, FORM);
            return None;
        };
        let is_udp = protocol == Protocol::Udp;
        if is_udp && (reads || sends) {
            let message = "`PROXY` says nothing of datagrams: it is as if it were not there";
            let help = "remove it";
            say(Severity::Warning, codes::FIELD_NOT_HONOURED, message.to_owned(), help);
        }
        let backend = BackendRef { service, port: asked, place: place.clone() };
        let (is_proxied, tells_clients) = (reads && !is_udp, sends && !is_udp);
        Some(StreamDraft { protocol, port, backend, is_proxied, tells_clients, place })
    };
    let mut read: Vec<StreamDraft> = data.iter().filter_map(read).collect();
    read.sort_by_key(|it| it.port);
    if let Some(first) = read.get(MOST) {
        let port = first.port;
        let message = format!("these are more than {MOST} ports: {port} and above are not opened");
        let help = "remove some, or say them in IngressRouteTCPs and entry points";
        let place = &first.place;
        said.push(Diagnostic::at(Severity::Error, codes::INVALID_VALUE, place, message, help));
        read.truncate(MOST);
    }
    read
}

struct Written {
    service: NamespacedName,
    port: PortRef,
    /// A PROXY header is read.
    reads: bool,
    /// And one is sent.
    sends: bool,
}

fn written(text: &str) -> Option<Written> {
    let mut parts = text.split(':');
    let service = super::namespaced(parts.next()?)?;
    let port = parts.next().filter(|port| !port.is_empty())?;
    let is_proxy = |word: Option<&str>| match word {
        None | Some("") => Some(false),
        Some(word) => word.eq_ignore_ascii_case("proxy").then_some(true),
    };
    let (reads, sends) = (is_proxy(parts.next())?, is_proxy(parts.next())?);
    let port = match port.parse::<u16>() {
        Ok(0) => return None,
        Ok(number) => PortRef::Number(number),
        Err(_) => PortRef::Name(port.into()),
    };
    parts.next().is_none().then_some(Written { service, port, reads, sends })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_so_many_at_most() {
        let object = Arc::new(ObjectRef::new("ConfigMap", "a", "tcp"));
        let lines = (1..=MOST + 2).map(|port| (port.to_string(), "a/b:1".to_owned()));
        let mut said = Vec::new();
        let read = streams(&object, &lines.collect(), Protocol::Tcp, &mut said);
        assert_eq!((read.len(), said.len()), (MOST, 1));
        assert!(said[0].message.contains("257 and above"), "{}", said[0].message);
    }

    #[test]
    fn what_is_written_opens_ports() {
        let object = Arc::new(ObjectRef::new("ConfigMap", "a", "tcp"));
        for (key, value, expected) in [
            ("9000", "default/example:8080", Some("9000 default/example:8080 false false")),
            ("9000", "default/example:http", Some("9000 default/example:http false false")),
            ("9000", "a/b:1:PROXY", Some("9000 a/b:1 true false")),
            ("9000", "a/b:1:proxy:PROXY", Some("9000 a/b:1 true true")),
            ("9000", "a/b:1::PROXY", Some("9000 a/b:1 false true")),
            ("09000", "a/b:1", Some("9000 a/b:1 false false")),
            ("+9000", "a/b:1", None),
            ("9000 ", "a/b:1", None),
            ("0", "a/b:1", None),
            ("10254", "a/b:1", None),
            ("8181", "a/b:1", None),
            ("http", "a/b:1", None),
            ("65536", "a/b:1", None),
            ("1", "b:1", None),
            ("1", "a/b", None),
            ("1", "a/b:0", None),
            ("1", "a/b:1:POXY", None),
            ("1", "a/b:1:PROXY:PROXY:PROXY", None),
            ("1", "a/b:", None),
        ] {
            let data = Labels::from([(key.to_owned(), value.to_owned())]);
            let mut said = Vec::new();
            let read = streams(&object, &data, Protocol::Tcp, &mut said);
            let shown = read.first().map(|it| {
                let port = match &it.backend.port {
                    PortRef::Number(number) => number.to_string(),
                    PortRef::Name(name) => name.to_string(),
                    PortRef::First => String::new(),
                };
                let service = &it.backend.service;
                format!("{} {service}:{port} {} {}", it.port, it.is_proxied, it.tells_clients)
            });
            assert_eq!(shown.as_deref(), expected, "{key}: {value}");
            assert_eq!(said.len(), usize::from(expected.is_none()), "{key}: {value}");
        }
        let data = Labels::from([("53".to_owned(), "a/dns:53:PROXY".to_owned())]);
        let mut said = Vec::new();
        let read = streams(&object, &data, Protocol::Udp, &mut said);
        assert!(!read[0].is_proxied && said.len() == 1);
    }
}
