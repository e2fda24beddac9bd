//! Entry points that do not listen where they should: one finding for each socket, in the place
//! that asks for it, and what becomes of the routes that nobody gets to.

use std::net::SocketAddr;

use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, FieldPath, ObjectRef, Provenance, Severity};

use super::Listener;
use crate::codes::NOT_LISTENING;

const HELP: &str = "`ss -lntup` shows who has the port; where no files can be opened, raise the limit \
                    (`LimitNOFILE=`, `ulimit -Hn`). It is tried again every few seconds";

/// A finding for each.
pub(crate) fn findings(listeners: &[Listener], routing: &RoutingMap) -> Vec<Diagnostic> {
    let failed = listeners.iter().filter_map(|(bind, outcome)| {
        let (name, error) = (bind.entry_point.as_str(), outcome.as_ref().err()?);
        let asked = routing.entry_points.get(&EntryPointId::from(name));
        let own = || Provenance {
            object: ObjectRef::new("EntryPoint", "", name).into(),
            field: FieldPath::root(),
        };
        let place = asked.and_then(|point| point.place.clone()).unwrap_or_else(own);
        let message = said(name, bind.address, error);
        Some(Diagnostic::at(Severity::Error, NOT_LISTENING, &place, message, HELP))
    });
    failed.collect()
}

/// Why nobody gets to a route at these entry points; nothing where one of them listens somewhere,
/// or none of them was to.
pub(crate) fn nobody_at(listeners: &[Listener], points: &[&EntryPointId]) -> Option<String> {
    let mut last = None;
    for (bind, outcome) in listeners {
        if !points.iter().any(|point| point.as_str() == bind.entry_point) {
            continue;
        }
        let Err(error) = outcome else { return None };
        last = Some(format!("nobody: {}", said(&bind.entry_point, bind.address, error)));
    }
    last
}

fn said(entry_point: &str, address: SocketAddr, error: &str) -> String {
    format!("{entry_point} cannot listen on {address}: {error}")
}

#[cfg(test)]
mod tests {
    use steelyard_gateway::{Bind, Binding};
    use steelyard_model::Protocol;

    use super::*;

    fn listener(name: &str, port: u16, works: bool) -> Listener {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let (entry_point, protocol) = (name.to_owned(), Protocol::Tcp);
        let bind = Bind { entry_point, protocol, address, binding: Binding::Host };
        (bind, if works { Ok(address) } else { Err("no".to_owned()) })
    }

    #[test]
    fn nobody_gets_to_a_route_where_no_entry_point_of_it_listens() {
        let listeners = [listener("a", 1, false), listener("a", 2, false), listener("b", 3, true)];
        let (a, b, c) = ("a".into(), "b".into(), "c".into());
        let why = nobody_at(&listeners, &[&a]);
        assert_eq!(why.as_deref(), Some("nobody: a cannot listen on 127.0.0.1:2: no"));
        assert_eq!(nobody_at(&listeners, &[&a, &b]), None);
        assert_eq!(nobody_at(&listeners, &[&c]), None);
        let found = findings(&listeners, &RoutingMap::default());
        assert_eq!(found.len(), 2);
        let said = found.iter().map(|it| {
            let Diagnostic { severity, code, message, help, .. } = it;
            let object = it.object.as_ref().unwrap();
            format!("{severity}[{code}]: {message}\n  {object}\n  help: {help}\n")
        });
        let said: String = said.collect();
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/golden/host/unheard.out.txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &said).unwrap();
        }
        assert_eq!(said, std::fs::read_to_string(&golden).unwrap());
    }
}
