//! Loading one file into objects.

use std::sync::Arc;

use steelyard_model::{Diagnostic, FieldPath, Location, ObjectRef, Severity};

use crate::codes;
use crate::compose::Documents;
use crate::fault::Fault;
use crate::identity::{Identity, Inherited, identify};
use crate::nameless::Nameless;
use crate::object::Object;
use crate::source::{ReadLimits, Source};
use crate::tree::{Mark, Node, Value};
use crate::unfit::{self, Unfit};

/// What is in one file, or in several after [`crate::merge`].
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The objects, in order of the text.
    pub objects: Vec<Object>,
    /// What is wrong with the text; every one has a location.
    pub diagnostics: Vec<Diagnostic>,
    /// Some document could not be read as an object: objects that were there before may be
    /// missing for that reason alone.
    pub broken: bool,
}

/// Words without which no text is a manifest.
const MANIFEST: [&str; 2] = ["apiVersion", "kind"];
/// Bytes of a text that may be but the beginning of one.
const SHORT: usize = 64;

/// A file on its way to being [`Loaded`].
struct Loading<'a> {
    source: &'a Source,
    limits: &'a ReadLimits,
    loaded: Loaded,
}

/// Reads the objects of one file. Total: whatever the bytes, within `limits`.
pub fn load(source: &Source, limits: &ReadLimits) -> Loaded {
    let mut loading = Loading { source, limits, loaded: Loaded::default() };
    if let Some(lapse) = source.lapse(limits) {
        loading.loaded.diagnostics.push(*lapse);
        loading.loaded.broken = true;
    }
    match source.decode(limits) {
        Ok(text) => loading.documents(text),
        Err(diagnostic) => {
            loading.loaded.diagnostics.push(*diagnostic);
            loading.loaded.broken = true;
        }
    }
    loading.loaded
}

impl Loading<'_> {
    fn documents(&mut self, text: &str) {
        if let Some((line, unfit)) = unfit::ytt(text, &self.source.name) {
            let mark = Mark { line, column: 1 };
            let Unfit { code, message, help, .. } = unfit;
            return self.fault(Fault { mark, code, message, help }, text);
        }
        for document in Documents::new(text, &self.source.name, self.limits) {
            match document {
                Ok(node) => self.add(node, &Inherited::default()),
                Err(fault) => self.fault(fault, text),
            }
            if self.is_hopeless() {
                self.loaded.broken = true;
                return;
            }
        }
    }

    /// Adds the object in `node`, or each item when it is a list of objects.
    fn add(&mut self, node: Node, inherited: &Inherited) {
        if let Some(inherited) = list_of(&node) {
            for item in items_of(node) {
                self.add(item, &inherited);
            }
            return;
        }
        match identify(&node, inherited, &self.source.name) {
            Ok(Identity { reference, api_version, remarks }) => {
                let (file, tree) = (self.source.name.clone(), Arc::new(node));
                for remark in remarks {
                    self.nameless(remark, Some(&reference));
                }
                self.loaded.objects.push(Object { reference, api_version, file, tree });
            }
            Err(nameless) => self.nameless(nameless, None),
        }
    }

    /// A fault in a file that is somebody else's costs nothing here.
    fn fault(&mut self, fault: Fault, text: &str) {
        let Fault { mark, code, message, help } = fault;
        let location = self.source.location(mark);
        let is_manifest = text.len() < SHORT
            || code == codes::YAML_TOO_COMPLEX
            || MANIFEST.iter().any(|word| text.contains(word));
        let diagnostic = if is_manifest {
            Diagnostic::in_file(Severity::Error, code, location, message, help)
        } else {
            foreign_text(location)
        };
        self.loaded.diagnostics.push(diagnostic);
        self.loaded.broken |= is_manifest;
    }

    fn nameless(&mut self, nameless: Nameless, object: Option<&ObjectRef>) {
        let Nameless { severity, code, mark, path, message, help } = nameless;
        let location = self.source.location(mark);
        let mut diagnostic = Diagnostic::in_file(severity, code, location, message, help);
        diagnostic.path = FieldPath::from(path);
        diagnostic.object = object.cloned();
        self.loaded.broken |= diagnostic.is_error();
        if !self.is_hopeless() {
            self.loaded.diagnostics.push(diagnostic);
        }
    }

    /// So much is wrong that more of it helps nobody.
    fn is_hopeless(&self) -> bool {
        self.loaded.diagnostics.len() >= self.limits.problems
    }
}

/// A file that is no YAML, and in which nothing looks like an object.
fn foreign_text(location: Location) -> Diagnostic {
    let message = "nothing in this file says that it is a Kubernetes object, and here it is no YAML \
                   any more; it is skipped";
    let help = "nothing needs to change; or keep it out of the folder";
    Diagnostic::in_file(Severity::Info, codes::NOT_AN_OBJECT, location, message, help)
}

/// Whether `node` is a `List`, or a typed one such as `ServiceList`; and what its items inherit.
fn list_of(node: &Node) -> Option<Inherited> {
    let kind = node.get("kind")?.node.text()?.strip_suffix("List")?;
    if !matches!(node.get("items")?.node.resolved().value, Value::List(_) | Value::Null) {
        return None;
    }
    if kind.is_empty() {
        return Some(Inherited::default());
    }
    let api_version = node.get("apiVersion").and_then(|entry| entry.node.text());
    Some(Inherited { api_version: api_version.map(Arc::from), kind: Some(Arc::from(kind)) })
}

fn items_of(node: Node) -> Vec<Node> {
    let Value::Map(entries) = unshared(node).value else { return Vec::new() };
    let items = entries.into_iter().find(|entry| &*entry.key == "items");
    match items.map(|entry| unshared(entry.node).value) {
        Some(Value::List(items)) => items,
        _ => Vec::new(),
    }
}

fn unshared(node: Node) -> Node {
    match node.value {
        Value::Shared(shared) => unshared(Arc::unwrap_or_clone(shared)),
        _ => node,
    }
}
