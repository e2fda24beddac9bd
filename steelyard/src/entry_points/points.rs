//! The entry points that there are.

use std::collections::BTreeMap;

use steelyard_model::Protocol;
use steelyard_model::routing::belief::OwnBelief;
use steelyard_model::routing::entry_point::{
    BUILT_IN, EntryPoint, EntryPointRedirection, OWN, OWN_PORT, PLAIN, SECURE,
};
use steelyard_model::routing::filter::content::EncodedCharacters;

use super::StaticOptions;
use super::address::{ListenAddress, parse_address};
use super::names::{
    ADDRESS, AS_DEFAULT, CHARACTERS, INSECURE, LETS_CHALLENGES, MIDDLEWARES, PROXY_INSECURE,
    PROXY_TRUSTED_IPS, REDIRECTION, TLS, TLS_OPTIONS, TRUSTED_IPS, entry_point_name,
};

/// What options of entry points begin with.
const OF_POINTS: &str = "entrypoints.";

impl StaticOptions {
    /// The address of the entry point `name`, where it is set.
    pub fn address(&self, name: &str) -> Option<ListenAddress> {
        let value = self.values.get(&format!("entrypoints.{name}.address"))?;
        Some(parse_address(value).expect("checked when it was taken"))
    }

    /// Every entry point: the built-in ones unless moved, and those of the user's own. Where a file
    /// declares some, they are those of it alone, as with Traefik: nothing listens that nobody
    /// asked for. `fallback` gives the ports of the built-in ones.
    pub fn entry_points(&self, fallback: (u16, u16)) -> Vec<EntryPoint> {
        let mut points = BTreeMap::new();
        let built_in = [(PLAIN.name, fallback.0), (SECURE.name, fallback.1)];
        for (name, port) in built_in.into_iter().filter(|(name, _)| self.has_built_in(name)) {
            points.insert(name, EntryPoint::new(name, port));
        }
        for (name, value) in &self.values {
            if let Some(name) = entry_point_name(name, ADDRESS) {
                let ListenAddress { port, protocol, .. } =
                    parse_address(value).expect("checked when it was taken");
                points.insert(name, EntryPoint { protocol, ..EntryPoint::new(name, port) });
            }
        }
        if self.needs_own() && !points.contains_key(OWN) {
            points.insert(OWN, EntryPoint::new(OWN, free_port(&points)));
        }
        let ports = points.iter().map(|(name, it)| ((*name).to_owned(), it.port)).collect();
        for (name, point) in &mut points {
            let said = self.values.get(&format!("entrypoints.{name}{TLS}"));
            let is_said = said.map_or(point.is_secure, |said| said == "true");
            point.is_secure = is_said || self.says_below(&format!("entrypoints.{name}{TLS}."));
            let is_default = self.is_on(&format!("entrypoints.{name}{AS_DEFAULT}"));
            point.is_default = is_default && point.protocol == Protocol::Tcp;
            point.redirection = self.redirection(name, &ports);
            point.lets_challenges = self.is_on(&format!("entrypoints.{name}{LETS_CHALLENGES}"));
            point.characters = self.characters(name);
            point.filters = self.names(&format!("entrypoints.{name}{MIDDLEWARES}"));
            let options = self.values.get(&format!("entrypoints.{name}{TLS_OPTIONS}"));
            point.tls_options = options.filter(|it| !it.is_empty()).map(|it| it.as_str().into());
            point.own_belief = self.own_belief(name);
        }
        points.into_values().collect()
    }

    /// Whether something below a section is said, be it honoured or not: with Traefik that asks for
    /// the section.
    fn says_below(&self, section: &str) -> bool {
        self.origins.keys().any(|option| option.starts_with(section))
    }

    /// Of what an entry point's own options say whose word is taken there.
    fn own_belief(&self, name: &str) -> OwnBelief {
        let says = |of: [&str; 2]| of.iter().any(|of| self.has(&format!("entrypoints.{name}{of}")));
        OwnBelief {
            forwarded: says([TRUSTED_IPS, INSECURE]),
            proxied: says([PROXY_TRUSTED_IPS, PROXY_INSECURE]),
        }
    }

    /// Where an entry point leads those who ask there, if it leads them anywhere.
    fn redirection(
        &self,
        name: &str,
        ports: &BTreeMap<String, u16>,
    ) -> Option<EntryPointRedirection> {
        let get = |of: &str| self.values.get(&format!("entrypoints.{name}{REDIRECTION}.{of}"));
        let to = get("to")?;
        let port = match to.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None => *ports.get(&to.to_ascii_lowercase())?,
        };
        Some(EntryPointRedirection {
            to: to.trim_start_matches(':').into(),
            is_named: !to.starts_with(':'),
            port,
            scheme: get("scheme").map_or("https", String::as_str).to_ascii_lowercase().into(),
            is_permanent: get("permanent").is_none_or(|value| value == "true"),
            number: get("priority").and_then(|it| it.parse().ok()).unwrap_or(i64::MAX - 1),
        })
    }

    /// Whether something is said of entry points.
    pub(super) fn declares_entry_points(&self) -> bool {
        self.values.keys().chain(self.sections.keys()).any(|it| it.starts_with(OF_POINTS))
    }

    /// Whether a built-in entry point is there.
    fn has_built_in(&self, name: &str) -> bool {
        let of = format!("{OF_POINTS}{name}.");
        let is_said = || self.values.keys().any(|option| option.starts_with(&of));
        let is_there = || self.sections.keys().any(|it| it.strip_prefix(OF_POINTS) == Some(name));
        !self.has_only_declared || is_said() || is_there()
    }

    /// What there is to say where a built-in one is not there.
    pub(super) fn undeclared(&self) -> Option<String> {
        let gone = BUILT_IN.iter().filter(|it| !self.has_built_in(it.name));
        let gone: Vec<String> = gone.map(|it| format!("`{}`", it.name)).collect();
        (!gone.is_empty()).then(|| {
            format!(
                "there is no entry point {}: the file of options declares others, and those are \
                 all there are, as with Traefik",
                gone.join(" and none ")
            )
        })
    }

    /// Whether there is an entry point of this name.
    pub(super) fn is_entry_point(&self, name: &str) -> bool {
        BUILT_IN.iter().any(|it| it.name == name && self.has_built_in(name))
            || self.address(name).is_some()
            || self.misread.contains(&format!("{OF_POINTS}{name}{ADDRESS}"))
            || name == OWN && self.needs_own()
    }

    /// Which encoded characters paths may have at an entry point, where not all of them.
    fn characters(&self, point: &str) -> Option<EncodedCharacters> {
        let may = |which: &str| {
            let said = self.values.get(&format!("entrypoints.{point}{CHARACTERS}{which}"));
            said.is_none_or(|value| value == "true")
        };
        let allowed = EncodedCharacters {
            slash: may("slash"),
            back_slash: may("backslash"),
            // It is refused anywhere.
            null: true,
            semicolon: may("semicolon"),
            percent: may("percent"),
            question_mark: may("questionmark"),
            hash: may("hash"),
        };
        let all = EncodedCharacters {
            slash: true,
            back_slash: true,
            null: true,
            semicolon: true,
            percent: true,
            question_mark: true,
            hash: true,
        };
        (allowed != all).then_some(allowed)
    }
}

/// The port of the program's own services, or the next one that no other entry point has.
fn free_port(points: &BTreeMap<&str, EntryPoint>) -> u16 {
    let is_free = |port: &u16| points.values().all(|it| it.port != *port);
    (OWN_PORT..).find(is_free).unwrap_or(OWN_PORT)
}
