//! Diagnostics of one object while it is lowered.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use steelyard_manifest::codes::UNKNOWN_FIELD;
use steelyard_manifest::kinds::meta::Ignored;
use steelyard_manifest::{Object, UnknownField};
use steelyard_model::suggest::closeness;
use steelyard_model::{
    Code, Diagnostic, FieldPath, Item, MarkedPart, NamespacedName, ObjectRef, Protocol, Provenance,
    Severity,
};

use crate::{Lowered, codes};

/// An object, as far as it names others that its routes are behind.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MayHaveParents {
    parent_refs: Option<Ignored>,
    spec: Option<Box<Self>>,
}

/// An Ingress, as far as its rules have hosts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MayHaveHosts {
    spec: RulesOfHosts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RulesOfHosts {
    rules: Vec<MayHaveHost>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MayHaveHost {
    host: Option<Ignored>,
}

/// Where objects say whose they are.
const CLASS_FIELD: &str = "spec.ingressClassName";
pub(crate) const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// Said of names that nothing comes of.
const DOES_NOTHING: [Code; 4] = [
    UNKNOWN_FIELD,
    codes::ANNOTATION_UNKNOWN,
    codes::ANNOTATION_FOREIGN,
    codes::ANNOTATION_NOT_HONOURED,
];

/// Places that nearly every object of its kind has: of thousands of objects each of them lies in
/// memory once.
static USUAL: LazyLock<[FieldPath; 5]> = LazyLock::new(|| {
    [
        "spec.routes[0]",
        "spec.routes[0].services[0]",
        "spec.rules[0]",
        "spec.rules[0].http.paths[0]",
        "spec.rules[0].http.paths[0].backend.service",
    ]
    .map(FieldPath::from)
});

/// Collects what is wrong. After [`Findings::invalid`] the object lowers to nothing, whatever
/// items are made of the rest of it: lowering goes on only to find its other faults.
pub(crate) struct Findings<'a> {
    source: &'a Object,
    diagnostics: Vec<Diagnostic>,
    unknown: Vec<UnknownField>,
    invalid: bool,
    /// Nothing of it counts but what it is likely to be meant for, and all is said of it.
    is_set_aside: bool,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(source: &'a Object) -> Self {
        let is_set_aside = false;
        Self { source, diagnostics: Vec::new(), unknown: Vec::new(), invalid: false, is_set_aside }
    }

    /// Nothing of the object counts from here on, but whom its rules name.
    pub(crate) fn set_aside(&mut self) {
        (self.invalid, self.is_set_aside) = (true, true);
    }

    pub(crate) fn finish(self, items: Vec<Item>) -> Lowered {
        let (mut made, mut stand_in) = (items, Vec::new());
        let is_refused = self.invalid || self.is_set_aside;
        if is_refused {
            stand_in = made.drain(..).filter_map(Item::stand_in).collect();
        }
        let diagnostics = without_ignored(self.diagnostics);
        Lowered { items: made, stand_in, is_refused, diagnostics }
    }

    /// What comes of one of several readings of the object, and what it has to say.
    pub(crate) fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> (T, Vec<Diagnostic>) {
        let before = std::mem::take(&mut self.diagnostics);
        let value = read(self);
        (value, without_ignored(std::mem::replace(&mut self.diagnostics, before)))
    }

    /// The object as written, unknown fields reported. None (and invalid) if a type is wrong, or
    /// nothing of it counts as it is written.
    pub(crate) fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        if self.is_set_aside {
            return None;
        }
        let read = self.source.read::<T>();
        self.take(read)
    }

    /// What comes of an object with mistakes, if it is read as it is likely to be meant: whom its
    /// rules name, and nothing else of it, counts. Nothing is said of it. Nothing comes of one
    /// whose class cannot be read: it may be another controller's.
    pub(crate) fn as_meant<T: DeserializeOwned, U>(
        &mut self,
        read: impl FnOnce(&mut Self, T) -> Option<U>,
    ) -> Option<U> {
        let class = [FieldPath::from(CLASS_FIELD), FieldPath::annotation(CLASS_ANNOTATION)];
        if self.diagnostics.iter().any(|found| found.is_error() && class.contains(&found.path)) {
            return None;
        }
        let meant = self.source.read_as_meant::<T>()?;
        self.apart(|findings| read(findings, meant)).0
    }

    /// Whether the object names others that its routes are behind, whatever stands there.
    pub(crate) fn names_parents(&self) -> bool {
        let written = self.source.read_lenient::<MayHaveParents>().value.unwrap_or_default();
        written.parent_refs.is_some() || written.spec.is_some_and(|it| it.parent_refs.is_some())
    }

    /// Whether the object is to lower to nothing is settled, whatever was found on the way.
    pub(crate) fn is_refused(&mut self, is_refused: bool) {
        self.invalid = is_refused;
    }

    /// Of each rule of an Ingress whether a host is written, whatever stands there.
    pub(crate) fn writes_hosts(&self) -> Vec<bool> {
        let written = self.source.read_lenient::<MayHaveHosts>().value.unwrap_or_default();
        written.spec.rules.iter().map(|rule| rule.host.is_some()).collect()
    }

    /// Whether the object is to lower to nothing.
    pub(crate) fn is_invalid(&self) -> bool {
        self.invalid
    }

    /// The same for kinds of which we name only the fields we read.
    pub(crate) fn read_lenient<T: DeserializeOwned>(&mut self) -> Option<T> {
        if self.is_set_aside {
            return None;
        }
        let read = self.source.read_lenient::<T>();
        self.take(read)
    }

    fn take<T>(&mut self, read: steelyard_manifest::Read<T>) -> Option<T> {
        self.diagnostics.extend(read.diagnostics);
        self.unknown.extend(read.unknown);
        self.invalid |= read.value.is_none();
        read.value
    }

    /// Of a language that refuses what it does not know: fields that no such object has cost it
    /// as a whole.
    pub(crate) fn refuse_unknown(&mut self) {
        self.invalid |= !self.unknown.is_empty();
        let (unknown, object) = (&self.unknown, &self.source.reference);
        for found in self.diagnostics.iter_mut().filter(|found| found.code == UNKNOWN_FIELD) {
            let name = unknown.iter().find(|it| it.path == found.path).map(|it| &*it.name);
            found.severity = Severity::Error;
            found.message = format!(
                "there is no field `{}`, and Traefik takes nothing that has one: {object} is not \
                 used",
                name.unwrap_or_default()
            );
        }
    }

    /// Fields that no such object has.
    pub(crate) fn unknown_fields(&self) -> Vec<UnknownField> {
        self.unknown.clone()
    }

    pub(crate) fn object(&self) -> &'a Arc<ObjectRef> {
        &self.source.reference
    }

    pub(crate) fn id(&self) -> NamespacedName {
        self.source.reference.id()
    }

    pub(crate) fn place(&self, path: &FieldPath) -> Provenance {
        let usual = USUAL.iter().find(|usual| *usual == path);
        Provenance::new(self.object(), usual.unwrap_or(path).clone())
    }

    /// An error that costs the whole object.
    pub(crate) fn invalid(
        &mut self,
        code: Code,
        path: &FieldPath,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.invalid = true;
        self.say(Severity::Error, code, path, message, help);
    }

    /// An error, found already, that costs the whole object.
    pub(crate) fn refuse(&mut self, found: Diagnostic) {
        self.invalid = true;
        self.diagnostics.push(found);
    }

    /// A finding that leaves the object in use.
    pub(crate) fn say(
        &mut self,
        severity: Severity,
        code: Code,
        path: &FieldPath,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let object = self.object();
        self.diagnostics.push(Diagnostic::new(severity, code, object, path.clone(), message, help));
    }

    /// What was said last is about a part of the field's text alone: these bytes of it.
    pub(crate) fn part(&mut self, text: &str, at: Range<usize>) {
        if let Some(last) = self.diagnostics.last_mut() {
            last.part = Some(MarkedPart::of(text, at));
        }
    }

    /// A required field is absent.
    pub(crate) fn missing(&mut self, path: &FieldPath, help: impl Into<String>) {
        let message = format!("{path} is missing");
        self.invalid(codes::MISSING_FIELD, path, message, help);
    }

    /// A value is not one of a few; `None` for an absent one.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        path: &FieldPath,
        written: Option<&str>,
        known: &[(&str, T)],
    ) -> Option<T> {
        let written = written?;
        let found = known.iter().find(|(name, _)| *name == written);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            // Of equally near ones nobody knows which is meant.
            let rank = |name: &&str| closeness(written, name);
            let best = names.iter().filter_map(rank).min();
            let near: Vec<&&str> =
                names.iter().filter(|it| best.is_some() && rank(it) == best).collect();
            let help = match &near[..] {
                [name] => format!("did you mean `{name}`?"),
                _ => format!("use one of {}", names.join(", ")),
            };
            let message = format!("`{written}` is not a value of {path}");
            self.invalid(codes::INVALID_VALUE, path, message, help);
        }
        found.map(|(_, value)| *value)
    }

    /// A port number, if it is one.
    pub(crate) fn port(&mut self, path: &FieldPath, number: i64) -> Option<u16> {
        let port = u16::try_from(number).ok().filter(|port| *port != 0);
        if port.is_none() {
            self.invalid(
                codes::INVALID_VALUE,
                path,
                format!("{number} is not a port number"),
                "use a number from 1 to 65535",
            );
        }
        port
    }

    /// A number within `range`; none (and invalid) if it is outside, or absent.
    pub(crate) fn within<T: TryFrom<i64>>(
        &mut self,
        path: &FieldPath,
        written: Option<i64>,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let number = written?;
        if !range.contains(&number) {
            let message = format!("{number} is out of range for {path}");
            let help = format!("use a number from {} to {}", range.start(), range.end());
            self.invalid(codes::INVALID_VALUE, path, message, help);
            return None;
        }
        T::try_from(number).ok()
    }

    /// Two fields that exclude each other are both there.
    pub(crate) fn exclusive(&mut self, path: &FieldPath, other: &FieldPath) {
        self.invalid(
            codes::FIELDS_EXCLUSIVE,
            path,
            format!("{path} and {other} exclude each other"),
            "remove one of the two",
        );
    }

    /// An IP address, if it is one.
    pub(crate) fn address(&mut self, path: &FieldPath, text: &str) -> Option<IpAddr> {
        let address = text.trim().parse::<IpAddr>().ok();
        if address.is_none() {
            self.invalid(
                codes::INVALID_VALUE,
                path,
                format!("`{text}` is not an IP address"),
                "write an address such as 192.168.1.240 or fd00::240",
            );
        }
        address.map(|address| address.to_canonical())
    }

    /// A transport protocol; TCP if absent.
    pub(crate) fn protocol(&mut self, path: &FieldPath, text: Option<&str>) -> Protocol {
        let known = [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)];
        self.choice(path, text, &known).unwrap_or_default()
    }
}

/// What closes something is not said to be ignored as well, whoever judged the name before.
fn without_ignored(mut all: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let closing = all.iter().filter(|it| it.code == codes::ACCESS_NOT_HONOURED);
    let closing: BTreeSet<FieldPath> = closing.map(|it| it.path.clone()).collect();
    all.retain(|it| !(DOES_NOTHING.contains(&it.code) && closing.contains(&it.path)));
    all
}
