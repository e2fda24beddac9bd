//! Ports that clients do not reach, or may not, although all is set for them: one finding for each
//! obstacle, however many ports it concerns.

use std::collections::BTreeMap;
use std::fmt;

use steelyard_forward::{Observed, Obstacle, PortStatus, VipPort};
use steelyard_model::{Diagnostic, FieldPath, ObjectRef, Severity};

use crate::codes::{PERHAPS_UNREACHABLE, UNREACHABLE};

/// One obstacle. [`fmt::Display`] says what is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreached {
    pub(crate) obstacle: Obstacle,
    first: VipPort,
    /// Whose the first port is; none for the gateway's own.
    object: Option<ObjectRef>,
    /// How many ports more.
    more: usize,
}

impl Unreached {
    /// All of them, in the order of their first ports.
    pub(crate) fn all(observed: &Observed) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for port in &observed.ports {
            let Some(obstacle) = &port.obstacle else { continue };
            let at = *known.entry(obstacle.to_string()).or_insert(found.len());
            match found.get_mut(at) {
                Some(it) => it.more += 1,
                None => found.push(Self::new(port, obstacle)),
            }
        }
        found
    }

    fn new(port: &PortStatus, obstacle: &Obstacle) -> Self {
        let of = |id: &steelyard_model::NamespacedName| {
            ObjectRef::new("Service", id.namespace.clone(), id.name.clone())
        };
        let object = port.service.as_ref().map(of);
        Self { obstacle: obstacle.clone(), first: port.key, object, more: 0 }
    }

    /// As a finding.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let (severity, code) = match self.obstacle.is_certain() {
            true => (Severity::Error, UNREACHABLE),
            false => (Severity::Warning, PERHAPS_UNREACHABLE),
        };
        Diagnostic {
            severity,
            code,
            object: self.object.clone(),
            beside: None,
            path: FieldPath::root(),
            location: None,
            part: None,
            message: self.to_string(),
            help: self.obstacle.help().into_owned(),
            missing: None,
        }
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, more, obstacle, .. } = self;
        write!(f, "{first}")?;
        match more {
            0 => {}
            1 => f.write_str(" and another port")?,
            more => write!(f, " and {more} other ports")?,
        }
        let may = if obstacle.is_certain() { "cannot" } else { "perhaps cannot" };
        write!(f, " {may} be reached: {obstacle}")
    }
}

#[cfg(test)]
mod tests {
    use steelyard_firewall::{OtherRule, RuleAction};
    use steelyard_forward::Carried;
    use steelyard_model::{NamespacedName, Protocol};

    use super::*;

    fn text(found: &Diagnostic) -> String {
        let object = found.object.as_ref().map(|it| format!("  {it}\n")).unwrap_or_default();
        let severity = found.severity;
        let Diagnostic { code, message, help, .. } = found;
        format!("{severity}[{code}]: {message}\n{object}  help: {help}\n")
    }

    #[test]
    fn ports_behind_one_obstacle_are_told_together() {
        let port = |port, service: Option<&str>, obstacle: Option<Obstacle>| PortStatus {
            key: VipPort { address: "10.0.0.1".parse().unwrap(), protocol: Protocol::Tcp, port },
            service: service.map(|name| NamespacedName::new("default", name)),
            carried: Carried::Delivered,
            obstacle,
        };
        let rule = || {
            Some(Obstacle::PolicyRule {
                rules: vec![OtherRule { priority: 10, action: RuleAction::Lookup(254) }],
            })
        };
        let unread = || Some(Obstacle::UnreadTables);
        let ports = vec![
            port(80, None, rule()),
            port(81, Some("a"), unread()),
            port(82, Some("b"), rule()),
            port(83, Some("c"), rule()),
            port(84, Some("d"), None),
        ];
        let found = Unreached::all(&Observed { ports, ..Observed::default() });
        let said: Vec<String> =
            found.iter().map(Unreached::diagnostic).map(|it| text(&it)).collect();
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/golden/host/unreached.out.txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, said.concat()).unwrap();
        }
        assert_eq!(said.concat(), std::fs::read_to_string(&golden).unwrap());
        let found: Vec<Diagnostic> = found.iter().map(Unreached::diagnostic).collect();
        assert_eq!((found[0].severity, found[0].code), (Severity::Error, UNREACHABLE));
        assert_eq!((found[1].severity, found[1].code), (Severity::Warning, PERHAPS_UNREACHABLE));
        assert!(found[0].object.is_none() && found[1].object.is_some());
        assert!(found.iter().all(|it| !it.help.is_empty() && !it.help.ends_with('.')));
    }
}
