//! Reading an object into a type: a serde deserializer that keeps places.
//!
//! serde stops at the first error; a user wants them all. So a value that does not fit is set
//! aside and the object is read again without it, until nothing new is wrong. The result is a
//! value only if nothing was.
//!
//! Null is absence, as the API server takes it; where text is wanted in a mapping, it is "".

mod cursor;
mod misplaced;
mod problem;
mod trail;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use steelyard_model::{Diagnostic, FieldPath, Severity, suggest};

use crate::codes;
use crate::dynamic::FILE_VERSION;
use crate::object::Object;
use crate::tree::{Entry, Node, Value};

use cursor::Cursor;
use misplaced::Stray;
use problem::{Address, Problem};
use trail::Trail;

/// How many wrong values of one object are looked for.
const ROUNDS: usize = 20;
/// How many unknown fields of one object are reported.
const UNKNOWN: usize = 50;
/// Of how many of them it is tried out where they belong.
const HOMES: usize = 10;

/// What reading an object gave.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// The value; none when some field has the wrong type.
    pub value: Option<T>,
    /// What is wrong: errors for wrong types, warnings for unknown fields; all located.
    pub diagnostics: Vec<Diagnostic>,
    /// Every field that the type does not have, also those of which no more is said.
    pub unknown: Vec<UnknownField>,
}

/// A field that no such object has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Where it stands.
    pub path: FieldPath,
    /// Its name.
    pub name: Arc<str>,
}

/// The state of reading one object, over all rounds.
struct Session<'a> {
    object: &'a Object,
    /// Whether unknown fields are reported.
    strict: bool,
    /// It is of a file of Traefik's, which are read otherwise than an API server reads objects:
    /// names of fields have no case, and values are texts, read by what is wanted where they stand.
    /// So `"12"` is a number, `1` a text, `a,b` a list, and `true` a mapping with nothing in it.
    is_of_traefik: bool,
    /// Mistakes are taken for what they are likely to mean.
    mends: bool,
    /// Values that did not fit, and are passed over.
    set_aside: RefCell<BTreeSet<Address>>,
    unknown: RefCell<Unknown>,
}

/// Entries that the type does not have: each is reported once.
#[derive(Default)]
struct Unknown {
    seen: BTreeSet<Address>,
    fields: Vec<UnknownField>,
    reports: Vec<(Diagnostic, Stray)>,
}

impl Object {
    /// Reads the object as a `T`. A field that `T` does not have is a warning.
    pub fn read<T: DeserializeOwned>(&self) -> Read<T> {
        Session::new(self, true).read()
    }

    /// What the object is most likely meant to be, where it has mistakes: fields whose names are
    /// nearly those of others are those, one value where a list is wanted is a list of it, one
    /// where a mapping is wanted says that there is one, a list there is the first mapping in it,
    /// and what fits nowhere is left out. Nothing
    /// is to be opened to anybody by that.
    pub fn read_as_meant<T: DeserializeOwned>(&self) -> Option<T> {
        let mut session = Session::new(self, false);
        session.mends = true;
        session.rounds::<T>().0
    }

    /// Reads the object as a `T` that knows only some of its fields: others say nothing.
    pub fn read_lenient<T: DeserializeOwned>(&self) -> Read<T> {
        Session::new(self, false).read()
    }
}

impl<'a> Session<'a> {
    fn new(object: &'a Object, strict: bool) -> Self {
        let (set_aside, unknown) = (RefCell::default(), RefCell::default());
        let is_of_traefik = *object.api_version == *FILE_VERSION;
        Self { object, strict, is_of_traefik, mends: false, set_aside, unknown }
    }

    /// The value without what was set aside, and why that was.
    fn rounds<T: DeserializeOwned>(&self) -> (Option<T>, Vec<Diagnostic>) {
        let mut errors = Vec::new();
        let mut value = None;
        for _ in 0..ROUNDS {
            let root = self.object.tree.resolved();
            match T::deserialize(Cursor::root(self, root)) {
                Ok(read) => {
                    value = Some(read);
                    break;
                }
                Err(error) => {
                    let mut error = error.settle(root, &Trail::Root);
                    self.settle_missing(&mut error, root);
                    let again = error.culprit.is_some_and(|culprit| self.pass_over(culprit));
                    if !error.after_another {
                        errors.push(self.diagnostic(error));
                    }
                    if !again {
                        break;
                    }
                }
            }
        }
        (value, errors)
    }

    fn read<T: DeserializeOwned>(self) -> Read<T> {
        let (value, mut errors) = self.rounds::<T>();
        let Unknown { fields, reports, .. } = self.unknown.into_inner();
        let value = value.filter(|_| errors.is_empty());
        for (index, (mut diagnostic, stray)) in reports.into_iter().enumerate() {
            let home = || if index < HOMES { stray.home::<T>(self.object) } else { None };
            diagnostic.help = help_for_unknown(&stray, home);
            errors.push(diagnostic);
        }
        Read { value, diagnostics: errors, unknown: fields }
    }

    /// Whether `culprit` was not passed over before.
    fn pass_over(&self, culprit: Address) -> bool {
        self.set_aside.borrow_mut().insert(culprit)
    }

    fn is_set_aside(&self, node: &Node) -> bool {
        self.set_aside.borrow().contains(&Address::of(node))
    }

    fn diagnostic(&self, problem: Problem) -> Diagnostic {
        let Problem { path, mark, message, help, .. } = problem;
        let object = &self.object.reference;
        let mut diagnostic =
            Diagnostic::new(Severity::Error, codes::WRONG_TYPE, object, path, message, help);
        let mark = mark.unwrap_or_else(|| self.object.mark());
        diagnostic.location = Some(mark.in_file(&self.object.file));
        diagnostic
    }

    /// Reports the field `entry` of the object at `trail`, which has only the fields `known`.
    fn unknown_field(&self, entry: &Entry, trail: &Trail<'_>, known: &[&'static str]) {
        let mut unknown = self.unknown.borrow_mut();
        if !unknown.seen.insert(Address::of(&entry.node)) {
            return;
        }
        let key = &*entry.key;
        let whole = trail.path();
        unknown.fields.push(UnknownField { path: whole.key(key), name: key.into() });
        if unknown.reports.len() >= UNKNOWN {
            return;
        }
        let owner = if whole.is_root() {
            self.object.reference.kind.to_string()
        } else {
            format!("`{whole}`")
        };
        let mut diagnostic = Diagnostic::new(
            Severity::Warning,
            codes::UNKNOWN_FIELD,
            &self.object.reference,
            whole.key(key),
            format!("{owner} has no field `{}`; it is ignored", crate::tree::shortened(key)),
            String::new(),
        );
        diagnostic.location = Some(entry.mark.in_file(&self.object.file));
        let stray = Stray::new(whole, entry, known);
        unknown.reports.push((diagnostic, stray));
    }
}

/// A typo, a slip of indentation, or nothing of the kind.
fn help_for_unknown(stray: &Stray, home: impl FnOnce() -> Option<String>) -> String {
    let known = &stray.known;
    if let Some(nearest) = suggest::nearest(stray.key(), known.iter().copied()) {
        return format!("did you mean `{nearest}`?");
    }
    if let Some(home) = home() {
        return home;
    }
    let listed: Vec<String> = known.iter().map(|field| format!("`{field}`")).collect();
    match listed.len() {
        0 => "remove it".to_owned(),
        1..=12 => format!("remove it; the fields here are {}", listed.join(", ")),
        _ => "remove it, or check its spelling and indentation".to_owned(),
    }
}

impl Session<'_> {
    /// A field may be missing from `node` only because what is written there was set aside.
    fn settle_missing(&self, problem: &mut Problem, node: &Node) {
        if problem.missing.take().is_some() && self.any_set_aside(node) {
            problem.after_another = true;
        }
    }

    /// Whether a value right below `node` was set aside.
    fn any_set_aside(&self, node: &Node) -> bool {
        match &node.value {
            Value::Map(entries) => entries.iter().any(|entry| self.is_set_aside(&entry.node)),
            Value::List(items) => items.iter().any(|item| self.is_set_aside(item)),
            _ => false,
        }
    }
}
