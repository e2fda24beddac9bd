//! Loading one file into objects.

use std::sync::Arc;

use steelyard_model::{Diagnostic, FieldPath, Location, ObjectRef, Severity};

use crate::codes;
use crate::compose::{Cut, Documents};
use crate::dynamic::{self, FILE_VERSION, Part, is_toml, unshared};
use crate::fault::Fault;
use crate::identity::{self, Identity, Inherited, identify, likely};
use crate::named;
use crate::nameless::Nameless;
use crate::object::{Object, Soundness};
use crate::source::{ReadLimits, Source};
use crate::spot::{Site, Spot, Text};
use crate::toml_text;
use crate::tree::{Mark, Node, Value};
use crate::unfit::{self, Unfit};
use crate::words::Words;

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
    text: &'a Arc<Text>,
    words: &'a mut Words,
    loaded: Loaded,
    /// Where what is read now can be found again.
    cut: Cut,
    /// Lines of the text before what is read.
    before: u32,
    /// How many objects there are after it, so far.
    index: u32,
    /// Whether what is read now counts.
    soundness: Soundness,
    /// Whether objects without a name are taken as they are.
    takes_unnamed: bool,
}

/// Reads the objects of one file. Total: whatever the bytes, within `limits`.
pub fn load(source: &Source, limits: &ReadLimits) -> Loaded {
    load_with(&mut Words::default(), &Text::of(source, limits, false))
}

/// The same of a file of Traefik's dynamic configuration.
pub fn load_dynamic(source: &Source, limits: &ReadLimits) -> Loaded {
    load_with(&mut Words::default(), &Text::of(source, limits, true))
}

/// The same; words that are written again and again are kept once.
pub(crate) fn load_with(words: &mut Words, text: &Arc<Text>) -> Loaded {
    let Text { source, limits, .. } = &**text;
    let mut loading = Loading::new(text, words);
    if let Some(lapse) = source.lapse(limits) {
        loading.loaded.diagnostics.push(*lapse);
        loading.loaded.broken = true;
    }
    match source.decode(limits) {
        read if source.is_named => {
            let (reference, node) = named::object(source, read);
            loading.push(node, reference, FILE_VERSION.into());
        }
        Ok(text) => loading.whole(text),
        Err(diagnostic) => {
            loading.loaded.diagnostics.push(*diagnostic);
            loading.loaded.broken = true;
        }
    }
    loading.loaded
}

/// Reads the objects of one file as another program would: also those without a name, whose
/// namespace is then as it is written. They are for looking at, not for being kept by name.
pub fn load_unnamed(source: &Source, limits: &ReadLimits) -> Vec<Object> {
    let text = Text::of(source, limits, false);
    let mut words = Words::default();
    let mut loading = Loading { takes_unnamed: true, ..Loading::new(&text, &mut words) };
    if let Ok(text) = source.decode(limits) {
        loading.whole(text);
    }
    loading.loaded.objects
}

/// The objects of the part that `spot` is in, as if the text began where it was cut. Of a text that
/// can be cut no more is looked at, or each of many places would cost the file.
pub(crate) fn again(spot: &Spot) -> Option<Vec<Object>> {
    let source = &spot.text.source;
    let cut = Cut { start: usize::try_from(spot.start).ok()?, line: spot.line };
    let part = match cut == Cut::default() {
        true => Documents::part(source.decode(&spot.text.limits).ok()?, cut),
        false => source.part(cut.start)?,
    };
    let mut words = Words::default();
    let mut loading = Loading { before: spot.line - 1, ..Loading::new(&spot.text, &mut words) };
    loading.documents(part);
    Some(loading.loaded.objects)
}

impl<'a> Loading<'a> {
    fn new(text: &'a Arc<Text>, words: &'a mut Words) -> Self {
        let (loaded, cut) = (Loaded::default(), Cut::default());
        let soundness = Soundness::Sound;
        let (before, index, takes_unnamed) = (0, 0, false);
        Self { text, words, loaded, cut, before, index, soundness, takes_unnamed }
    }

    fn file(&self) -> &'a str {
        &self.text.source.name
    }

    fn whole(&mut self, text: &str) {
        if self.text.is_dynamic {
            return self.dynamic(text);
        }
        if let Some((line, unfit)) = unfit::ytt(text, self.file()) {
            let mark = Mark { line, column: 1 };
            let Unfit { code, message, help, .. } = unfit;
            return self.fault(Fault { mark, code, message, help }, text);
        }
        self.documents(text);
    }

    /// Reads the one document of a file of dynamic configuration, as a whole or not at all.
    fn dynamic(&mut self, text: &str) {
        match dynamic::template(text) {
            Some(fault) => self.not_dynamic(fault),
            None if is_toml(self.file()) => match toml_text::document(text, &self.text.limits) {
                Ok(document) => self.parts(document),
                Err(fault) => self.not_dynamic(fault),
            },
            None => self.dynamic_yaml(text),
        }
    }

    fn dynamic_yaml(&mut self, text: &str) {
        let documents = Documents::new(text, self.file(), &self.text.limits);
        let mut documents = documents.in_yaml_1_2();
        let Some(first) = documents.next() else { return };
        let marred = documents.marred();
        match (first, documents.next()) {
            (_, Some(Ok(second))) => self.not_dynamic(second_document(second.mark)),
            (Ok(document), _) => self.parts(document),
            (Err(fault), _) => {
                self.not_dynamic(fault);
                self.soundness = Soundness::Marred;
                marred.into_iter().for_each(|document| self.parts(document));
            }
        }
    }

    fn not_dynamic(&mut self, fault: Fault) {
        let Fault { mark, code, message, help } = fault;
        let location = self.text.source.location(mark);
        let found = Diagnostic::in_file(Severity::Error, code, location, message, help);
        self.loaded.diagnostics.push(found);
        self.loaded.broken = true;
    }

    fn parts(&mut self, document: Node) {
        let (parts, wrong) = dynamic::parts(document);
        let whole = self.soundness;
        for Part { reference, node, soundness } in parts {
            self.soundness = if whole == Soundness::Sound { soundness } else { whole };
            self.push(node, reference, FILE_VERSION.into());
        }
        self.soundness = whole;
        wrong.into_iter().for_each(|wrong| self.nameless(wrong, None));
    }

    fn documents(&mut self, text: &str) {
        let mut documents = Documents::new(text, self.file(), &self.text.limits);
        while let Some(document) = documents.next() {
            if documents.cut() != self.cut {
                (self.cut, self.index) = (documents.cut(), 0);
            }
            match document {
                Ok(node) => self.add(node, &Inherited::default()),
                Err(fault) => {
                    self.fault(fault, text);
                    self.soundness = Soundness::Marred;
                    for node in documents.marred() {
                        self.add(node, &Inherited::default());
                    }
                    self.soundness = Soundness::Sound;
                }
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
        match identify(&node, inherited, self.file()) {
            Ok(Identity { reference, api_version, remarks }) => {
                for remark in remarks {
                    self.nameless(remark, Some(&reference));
                }
                self.push(node, reference, api_version);
            }
            Err(_) if self.takes_unnamed && node.get("kind").is_some() => {
                let text = |key| node.get(key).and_then(|it| it.node.text()).unwrap_or_default();
                let (kind, api_version) = (text("kind").into(), text("apiVersion").into());
                let reference = ObjectRef { kind, namespace: "".into(), name: "".into() };
                self.push(node, Arc::new(reference), api_version);
            }
            Err(nameless) => self.unnamed(node, inherited, nameless),
        }
    }

    /// A document that is no object. What is known of one that was meant as an object closes what
    /// it would hold back.
    fn unnamed(&mut self, node: Node, inherited: &Inherited, why: Nameless) {
        let is_error = why.severity == Severity::Error;
        // What is wrong with the text is told.
        if self.soundness == Soundness::Sound {
            self.nameless(why, None);
        }
        let line = node.mark.line.saturating_add(self.before);
        let place = format!("{}:{line}", self.file());
        if let Some(Identity { reference, api_version, .. }) = likely(&node, inherited, &place)
            && is_error
        {
            let before = std::mem::replace(&mut self.soundness, Soundness::Nameless);
            self.push(node, reference, api_version);
            self.soundness = before;
        }
    }

    fn push(&mut self, node: Node, reference: Arc<ObjectRef>, api_version: Arc<str>) {
        let (file, tree) = (self.text.source.name.clone(), Arc::new(node));
        let (reference, api_version) = (self.words.named(reference), self.words.word(api_version));
        let group = identity::group_of(&api_version, &reference.kind);
        let is_whole = self.text.is_dynamic || self.text.source.is_named;
        let kept = is_whole.then(|| Arc::clone(&tree));
        let (group, site) = (self.words.word(group.into()), Site::Text(self.spot(kept)));
        let soundness = self.soundness;
        let object = Object { reference, api_version, file, tree, group, soundness, site };
        self.loaded.objects.push(object);
    }

    /// Of the next object.
    fn spot(&mut self, kept: Option<Arc<Node>>) -> Spot {
        // A file is far smaller than what these count to.
        let start = u32::try_from(self.cut.start).unwrap_or(u32::MAX);
        let (text, line, index) = (self.text.clone(), self.cut.line, self.index);
        let spot = Spot { text, start, line, index, kept };
        self.index += 1;
        spot
    }

    /// A fault in a file that is somebody else's costs nothing here.
    fn fault(&mut self, fault: Fault, text: &str) {
        let Fault { mark, code, message, help } = fault;
        let location = self.text.source.location(mark);
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
        let location = self.text.source.location(mark);
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
        self.loaded.diagnostics.len() >= self.text.limits.problems
    }
}

/// A file that is no YAML, and in which nothing looks like an object.
fn foreign_text(location: Location) -> Diagnostic {
    let message = "nothing in this file says that it is a Kubernetes object, and here it is no YAML \
                   any more; it is skipped";
    let help = "nothing needs to change; or keep it out of the folder";
    Diagnostic::in_file(Severity::Info, codes::NOT_AN_OBJECT, location, message, help)
}

/// Traefik reads the first alone; so what stands in others would be lost.
fn second_document(mark: Mark) -> Fault {
    Fault {
        mark,
        code: codes::DYNAMIC_FILE,
        message: "a second document begins here, and such a file has one: none of it is read"
            .to_owned(),
        help: "write it into a file of its own".to_owned(),
    }
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
