//! Traefik's dynamic configuration as it stands in files: each router, service, middleware, … is
//! an object of its own, so that a mistake costs only it, and what did not change is not looked at
//! again.
//!
//! An object's name is its name and provider (`web@file`), its namespace the protocol (`http`,
//! `tcp`, `udp`) or `tls`: no object of Kubernetes has such a name. Its tree is what stands below
//! its key. Names of sections, and of fields, have no case, as with Traefik.

use std::sync::Arc;

use steelyard_model::routing::tls::DEFAULT_POLICY;
use steelyard_model::suggest::{closeness, nearest};
use steelyard_model::{ObjectRef, Severity};

use crate::codes;
use crate::fault::Fault;
use crate::named::is_path;
use crate::nameless::Nameless;
use crate::object::Soundness;
use crate::sight::is_under;
use crate::tree::{Entry, Mark, Node, Value};

/// `apiVersion` of what is in such files.
pub const FILE_VERSION: &str = "traefik.io/file";

/// What ends the name of each of its objects.
pub const FILE_PROVIDER: &str = "@file";

/// Files and folders with dynamic configuration, by how they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicPlaces(pub Vec<Arc<str>>);

/// The sections that are read: where they are, and what is in them is called.
const SECTIONS: [(&str, &str, &str); 14] = [
    ("http", "routers", "router"),
    ("http", "services", "service"),
    ("http", "middlewares", "middleware"),
    ("http", "serversTransports", "transport"),
    ("tcp", "routers", "router"),
    ("tcp", "services", "service"),
    ("tcp", "middlewares", "middleware"),
    ("tcp", "serversTransports", "transport"),
    ("udp", "routers", "router"),
    ("udp", "services", "service"),
    ("tls", "options", "tls-options"),
    ("tls", "stores", "tls-store"),
    ("tls", CERTIFICATES, "certificate"),
    ("http", MODELS, ""),
];

/// A list, unlike the others.
const CERTIFICATES: &str = "certificates";

/// Where terms of handshakes are.
const TERMS: &str = "tls.options";

/// Traefik's own, which no file may have.
const MODELS: &str = "models";

/// What stands at the root of Traefik's static configuration: one file may be both.
pub const STATIC_SECTIONS: [&str; 19] = [
    "accessLog",
    "api",
    "certificatesResolvers",
    "configFile",
    "core",
    "entryPoints",
    "experimental",
    "global",
    "hostResolver",
    "hub",
    "log",
    "metrics",
    "ocsp",
    "ping",
    "providers",
    "serversTransport",
    "spiffe",
    "tcpServersTransport",
    "tracing",
];

/// What stands at the root of the dynamic one.
const PROTOCOLS: [&str; 4] = ["http", "tcp", "udp", "tls"];

/// One object of a file.
pub(crate) struct Part {
    pub(crate) reference: Arc<ObjectRef>,
    pub(crate) node: Node,
    pub(crate) soundness: Soundness,
}

impl DynamicPlaces {
    /// Whether the file of this name is such a file.
    pub fn holds(&self, name: &str) -> bool {
        self.0.iter().any(|place| is_under(name, place))
    }
}

/// Whether a file is TOML, by its name.
pub(crate) fn is_toml(name: &str) -> bool {
    name.ends_with(".toml")
}

/// Traefik renders its files as Go templates before it reads them: what would be another file then
/// is none.
pub(crate) fn template(text: &str) -> Option<Fault> {
    let lines = text.split('\n').enumerate();
    let (line, column) = lines.into_iter().find_map(|(at, line)| Some((at, line.find("{{")?)))?;
    let number = |value: usize| u32::try_from(value + 1).unwrap_or(u32::MAX);
    Some(Fault {
        mark: Mark { line: number(line), column: number(column) },
        code: codes::NOT_RENDERED,
        message: "the file is a Go template, which nobody renders here: none of it is read"
            .to_owned(),
        help: "write what the template comes to; a literal `{{` has no place in such a file"
            .to_owned(),
    })
}

/// The objects of a document, and what of it is none.
pub(crate) fn parts(document: Node) -> (Vec<Part>, Vec<Nameless>) {
    let mut reading = Reading::default();
    reading.document(document);
    (reading.parts, reading.wrong)
}

#[derive(Default)]
struct Reading {
    parts: Vec<Part>,
    wrong: Vec<Nameless>,
    /// Whether what is read now counts: where its place has a mistake, it is read as it is likely
    /// to be meant.
    soundness: Soundness,
}

impl Reading {
    fn document(&mut self, document: Node) {
        let mark = document.mark;
        for protocol in self.entries(document, "the file", mark) {
            let before = self.soundness;
            self.protocol(protocol);
            self.soundness = before;
        }
    }

    fn protocol(&mut self, protocol: Entry) {
        let known = PROTOCOLS.into_iter().find(|it| it.eq_ignore_ascii_case(&protocol.key));
        let Some(name) = known.or_else(|| self.at_the_root(&protocol)) else { return };
        let title = if self.soundness == Soundness::Sound { &*protocol.key } else { name };
        for section in self.entries(protocol.node, title, protocol.mark) {
            let before = self.soundness;
            self.section(name, section);
            self.soundness = before;
        }
    }

    fn section(&mut self, protocol: &'static str, section: Entry) {
        let of_protocol = SECTIONS.iter().filter(|it| it.0 == protocol && it.1 != MODELS);
        let names: Vec<&'static str> = of_protocol.clone().map(|it| it.1).collect();
        let Some(name) = self.known(&section, names.iter().copied(), &names.join(", ")) else {
            return;
        };
        let kind = of_protocol.clone().find(|it| it.1 == name).map_or("", |it| it.2);
        let title = format!("{protocol}.{name}");
        if name == CERTIFICATES {
            return self.certificates(section, &title);
        }
        for entry in self.entries(section.node, &title, section.mark) {
            let is_name = !entry.key.is_empty() && !entry.key.contains('@');
            if !is_name {
                let message = format!("`{}` is no name: `@` comes before a provider's", entry.key);
                self.fault(entry.mark, message, "take the `@` out of the name".to_owned());
            }
            let soundness = if is_name { self.soundness } else { Soundness::Marred };
            let name = format!("{}{FILE_PROVIDER}", entry.key);
            let reference = Arc::new(ObjectRef::new(kind, protocol, name));
            let node = Node { mark: entry.mark, value: unshared(entry.node).value };
            self.parts.push(Part { reference, node, soundness });
        }
    }

    /// What an entry is called that is to be one of `names`; what is nearly called so is told, and
    /// what stands there does not count.
    fn known(
        &mut self,
        entry: &Entry,
        mut names: impl Iterator<Item = &'static str> + Clone,
        listed: &str,
    ) -> Option<&'static str> {
        let known = names.clone().find(|name| name.eq_ignore_ascii_case(&entry.key));
        if known.is_some() {
            return known;
        }
        self.unknown(entry, listed);
        self.soundness = Soundness::Marred;
        let near = nearest(&entry.key, names.clone())?;
        names.find(|name| *name == near)
    }

    /// They have no names: each is called after what it is said to be in, or by its place in the
    /// list where that is nothing to be called by.
    fn certificates(&mut self, section: Entry, title: &str) {
        let items = match unshared(section.node).value {
            Value::List(items) => items,
            Value::Null => Vec::new(),
            _ => {
                let help = "write a list of `certFile` and `keyFile`".to_owned();
                return self.fault(section.mark, format!("{title} is no list"), help);
            }
        };
        for (index, item) in items.into_iter().enumerate() {
            let path = item.folded("certFile").and_then(|entry| entry.node.text());
            let name = match path.filter(|text| is_path(text)) {
                Some(path) => format!("{path}{FILE_PROVIDER}"),
                None => format!("{index}{FILE_PROVIDER}"),
            };
            let reference = ObjectRef::new("certificate", "tls", name);
            let (reference, soundness) = (Arc::new(reference), self.soundness);
            self.parts.push(Part { reference, node: unshared(item), soundness });
        }
    }

    /// What stands in a mapping; nothing in what is empty. What is no mapping is told, and what
    /// stands in a list of them does not count.
    fn entries(&mut self, node: Node, title: &str, mark: Mark) -> Vec<Entry> {
        let items = match unshared(node).value {
            Value::Map(entries) => return entries,
            Value::Null => return Vec::new(),
            Value::List(items) => items,
            Value::Scalar { .. } | Value::Shared(_) => Vec::new(),
        };
        let help = "write names below it, and what each is below that".to_owned();
        self.fault(mark, format!("{title} is no mapping"), help);
        self.soundness = Soundness::Marred;
        let inner = items.into_iter().map(|item| unshared(item).value);
        let maps = inner.filter_map(|it| if let Value::Map(all) = it { Some(all) } else { None });
        let found: Vec<Entry> = maps.flatten().collect();
        if found.is_empty() && matches!(title, TERMS | "tls") {
            self.lost_terms(mark);
        }
        found
    }

    /// What is for all who name no terms of handshakes is not left out where it may have stood:
    /// they would be let in by less.
    fn lost_terms(&mut self, mark: Mark) {
        let name = format!("{DEFAULT_POLICY}{FILE_PROVIDER}");
        let reference = Arc::new(ObjectRef::new("tls-options", "tls", name));
        let node = Node { mark, value: Value::Null };
        self.parts.push(Part { reference, node, soundness: Soundness::Marred });
    }

    /// At the root Traefik passes over what is no section, so people keep what they refer to by
    /// aliases there, or their static options: all else of the file counts. But what is a section
    /// with a typo in its name would close, lead and serve what it says: which section that is.
    fn at_the_root(&mut self, entry: &Entry) -> Option<&'static str> {
        let name = crate::tree::shortened(&entry.key);
        if STATIC_SECTIONS.iter().any(|it| it.eq_ignore_ascii_case(&entry.key)) {
            let message = format!(
                "`{name}` is a section of Traefik's static configuration, which is read at start \
                 alone"
            );
            let help = "nothing needs to change where --configfile names this file".to_owned();
            self.say(Severity::Info, entry.mark, message, help);
            return None;
        }
        let message = format!("`{name}` is no section of Traefik's dynamic configuration");
        if let Some(meant) = meant(entry) {
            self.fault(entry.mark, message, format!("did you mean `{meant}`?"));
            self.soundness = Soundness::Marred;
            return Some(meant);
        }
        let message = format!("{message}: it is passed over, as with Traefik");
        let help = format!(
            "sections are {}; or leave it, where aliases refer to it",
            PROTOCOLS.join(", ")
        );
        self.say(Severity::Warning, entry.mark, message, help);
        None
    }

    fn unknown(&mut self, entry: &Entry, known: &str) {
        let message = format!(
            "`{}` is no section of Traefik's dynamic configuration",
            crate::tree::shortened(&entry.key)
        );
        self.fault(entry.mark, message, format!("sections here are {known}"));
    }

    fn fault(&mut self, mark: Mark, message: String, help: String) {
        self.say(Severity::Error, mark, message, help);
    }

    fn say(&mut self, severity: Severity, mark: Mark, message: String, help: String) {
        let (code, path) = (codes::DYNAMIC_FILE, "");
        self.wrong.push(Nameless { severity, code, mark, path, message, help });
    }
}

/// The section that is meant by what is called like one, but for a typo, and has in it what that
/// one has. What begins with `x-` is nobody's typo.
fn meant(entry: &Entry) -> Option<&'static str> {
    let is_near = |it: &&str| closeness(&entry.key, it).is_some_and(|edits| edits <= TYPO);
    let meant = PROTOCOLS.into_iter().find(is_near).filter(|_| !is_extension(&entry.key))?;
    let Value::Map(below) = &entry.node.resolved().value else { return None };
    let is_in_it = |key: &str| {
        let mut all = SECTIONS.iter().filter(|(of, ..)| *of == meant);
        all.any(|(_, section, _)| section.eq_ignore_ascii_case(key))
    };
    below.iter().any(|it| is_in_it(&it.key)).then_some(meant)
}

/// Edits that are a typo in names as short as those of sections.
const TYPO: usize = 1;

/// Whether a key is called as people call what is theirs alone.
pub fn is_extension(key: &str) -> bool {
    key.starts_with(['.', '_']) || key.get(..2).is_some_and(|it| it.eq_ignore_ascii_case("x-"))
}

/// Behind aliases; a copy where others share it.
pub(crate) fn unshared(node: Node) -> Node {
    match node.value {
        Value::Shared(shared) => unshared(Arc::unwrap_or_clone(shared)),
        _ => node,
    }
}
