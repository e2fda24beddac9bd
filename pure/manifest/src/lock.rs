//! `steelyard.lock`: which Service has which address, as text that a person can read and merge.
//!
//! ```yaml
//! version: 1
//! services:
//!   default/web: {pool: first-pool, addresses: [192.168.1.240]}
//! ```
//! Sorted by name, one Service a line, so that a change is a one-line diff. `parse(print(x)) == x`
//! for every `x` that a plan can hold: names that the loader accepts, one address per family.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{Diagnostic, Family, FieldPath, Holding, Holdings, NamespacedName, Severity};

use crate::codes;
use crate::compose::Documents;
use crate::fault::Fault;
use crate::names::is_usable;
use crate::source::{ReadLimits, Source};
use crate::tree::{Entry, Mark, Node, Plain, Value};

/// The version of the format that this program writes and reads.
const VERSION: i128 = 1;

const HEADER: &str =
    "# steelyard.lock: which Service has which address. Written by `steelyard`; safe to commit.\n";

const REPAIR: &str =
    "restore it from your last commit or backup; deleting it lets addresses be chosen anew";

/// Reads a lock file. The diagnostic says where it is wrong; nothing is guessed.
pub fn parse(name: impl Into<Arc<str>>, text: &str) -> Result<Holdings, Box<Diagnostic>> {
    let source = Source::new(name, text.as_bytes());
    let limits = ReadLimits::default();
    let held = source.decode(&limits).and_then(|text| {
        let mut documents = Documents::new(text, "", &limits);
        let first = documents.next().transpose().map_err(|fault| flaw(fault).placed(&source))?;
        match (first, documents.next()) {
            // An empty file is what a crash of another program leaves behind: not "no Services".
            (None, _) => Err(Flaw::new(Mark::START, "", "the lock file is empty").placed(&source)),
            (Some(node), None) => held(&node).map_err(|flaw| flaw.placed(&source)),
            (_, Some(_)) => {
                let message = "the lock file has more than one document";
                Err(Flaw::new(Mark::START, "", message).placed(&source))
            }
        }
    });
    held.map_err(|mut diagnostic| {
        diagnostic.code = codes::LOCK_INVALID;
        diagnostic
    })
}

/// Writes a lock file.
pub fn print(held: &Holdings) -> String {
    let mut out = format!("{HEADER}version: {VERSION}\n");
    if held.0.is_empty() {
        out.push_str("services: {}\n");
        return out;
    }
    out.push_str("services:\n");
    for (service, holding) in held.0.iter() {
        let addresses: Vec<String> =
            holding.addresses.iter().map(|address| written(&address.to_string())).collect();
        let sharing = match &*holding.sharing {
            "" => String::new(),
            sharing => format!(", sharing: {}", written(sharing)),
        };
        let _ = writeln!(
            out,
            "  {}: {{pool: {}, addresses: [{}]{sharing}}}",
            written(&service.to_string()),
            written(&holding.pool),
            addresses.join(", ")
        );
    }
    out
}

/// `text` as a scalar that reads back as the same string.
fn written(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/');
    let plain = text.bytes().all(bare)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && Plain::of(text) == Plain::Text(text);
    if plain {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => {
                let _ = write!(out, "\\U{:08x}", u32::from(character));
            }
        }
    }
    out.push('"');
    out
}

/// What is wrong with a lock file, and where.
struct Flaw {
    mark: Mark,
    path: FieldPath,
    message: String,
    help: String,
}

impl Flaw {
    fn new(mark: Mark, path: impl Into<FieldPath>, message: impl Into<String>) -> Self {
        let help = REPAIR.to_owned();
        Self { mark, path: path.into(), message: message.into(), help }
    }

    fn placed(self, source: &Source) -> Box<Diagnostic> {
        let Self { mark, path, message, help } = self;
        let location = source.location(mark);
        let diagnostic =
            Diagnostic::in_file(Severity::Error, codes::LOCK_INVALID, location, message, help);
        Box::new(Diagnostic { path, ..diagnostic })
    }
}

fn flaw(fault: Fault) -> Flaw {
    Flaw { mark: fault.mark, path: FieldPath::root(), message: fault.message, help: fault.help }
}

fn held(root: &Node) -> Result<Holdings, Flaw> {
    let path = FieldPath::root();
    let [version, services] = fields(root, &path, ["version", "services"], None)?;
    if version.node.scalar() != Some(Plain::Int(VERSION)) {
        let message = format!(
            "version {VERSION} of the lock file is read, but this is {}",
            version.node.described()
        );
        let mut flaw = Flaw::new(version.node.mark, "version", message);
        flaw.help = "use the steelyard that wrote it, or a newer one".to_owned();
        return Err(flaw);
    }
    let path = path.key("services");
    let mut held = BTreeMap::new();
    for entry in entries(&services.node, &path)? {
        let path = path.key(&entry.key);
        held.insert(service_name(entry, &path)?, holding(&entry.node, &path)?);
    }
    Ok(Holdings(held.into_iter().collect()))
}

fn service_name(entry: &Entry, path: &FieldPath) -> Result<NamespacedName, Flaw> {
    entry
        .key
        .split_once('/')
        .filter(|(namespace, name)| is_usable(namespace) && is_usable(name))
        .map(|(namespace, name)| NamespacedName::new(namespace, name))
        .ok_or_else(|| {
            let key = crate::tree::shortened(&entry.key);
            Flaw::new(entry.mark, path.clone(), format!("{key:?} is no Service: `namespace/name`"))
        })
}

fn holding(node: &Node, path: &FieldPath) -> Result<Holding, Flaw> {
    let [pool, list] = fields(node, path, ["pool", "addresses"], Some("sharing"))?;
    let pool = text(pool, path)?;
    let sharing = match node.get("sharing") {
        Some(sharing) => text(sharing, path)?,
        None => String::new(),
    };
    let addresses = addresses(&list.node, path.key("addresses"))?;
    Ok(Holding { addresses, pool, sharing })
}

fn text(entry: &Entry, path: &FieldPath) -> Result<String, Flaw> {
    entry.node.text().map(str::to_owned).ok_or_else(|| {
        let message = format!("`{}` is text, but this is {}", entry.key, entry.node.described());
        Flaw::new(entry.node.mark, path.key(&entry.key), message)
    })
}

fn addresses(list: &Node, path: FieldPath) -> Result<Vec<IpAddr>, Flaw> {
    let Value::List(items) = &list.resolved().value else {
        let message = format!("the addresses are a list, but this is {}", list.described());
        return Err(Flaw::new(list.mark, path, message));
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let address = address(item, &path.index(index))?;
        // Two of one family cannot be: a Service has one address per family.
        if addresses.iter().any(|other| Family::of(*other) == Family::of(address)) {
            let message =
                format!("{address} is the second {} address of one Service", Family::of(address));
            return Err(Flaw::new(item.mark, path.index(index), message));
        }
        addresses.push(address);
    }
    if addresses.is_empty() {
        return Err(Flaw::new(list.mark, path, "a Service without an address is not listed"));
    }
    Ok(addresses)
}

fn address(node: &Node, path: &FieldPath) -> Result<IpAddr, Flaw> {
    node.text().and_then(|text| text.parse().ok()).ok_or_else(|| {
        let message = format!("an address is expected, but this is {}", node.described());
        Flaw::new(node.mark, path.clone(), message)
    })
}

/// The fields `names` of a mapping: all of them, and no others but `optional`.
fn fields<'a, const N: usize>(
    node: &'a Node,
    path: &FieldPath,
    names: [&str; N],
    optional: Option<&str>,
) -> Result<[&'a Entry; N], Flaw> {
    let entries = entries(node, path)?;
    let known = |key: &str| names.contains(&key) || optional == Some(key);
    if let Some(other) = entries.iter().find(|entry| !known(&entry.key)) {
        let key = crate::tree::shortened(&other.key);
        let message = format!("the lock file has no field `{key}` here");
        return Err(Flaw::new(other.mark, path.key(&other.key), message));
    }
    if let Some(absent) = names.iter().find(|name| node.get(name).is_none()) {
        let message = format!("the field `{absent}` is missing here");
        return Err(Flaw::new(node.mark, path.clone(), message));
    }
    Ok(names.map(|name| node.get(name).expect("each is there, as just checked")))
}

fn entries<'a>(node: &'a Node, path: &FieldPath) -> Result<&'a [Entry], Flaw> {
    match &node.resolved().value {
        Value::Map(entries) => Ok(entries),
        _ => {
            let message = format!("a mapping is expected here, but this is {}", node.described());
            Err(Flaw::new(node.mark, path.clone(), message))
        }
    }
}
