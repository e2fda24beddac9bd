//! What is wrong with users' objects, as data.
//!
//! A diagnostic is never an error of the program: the pipeline goes on without the faulty part.
//! Each [`Code`] is declared once, in a file named `codes.rs` of the crate that reports it, has a
//! golden case and a line in docs/diagnostics.md (`cargo xtask tidy` checks both).

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::labels::Labels;
use crate::object::{FieldPath, ObjectRef, Provenance};

/// Name of a kind of diagnostic, kebab-case, stable: people grep and mute by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(&'static str);

/// How bad it is. Ordered worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The object (or part of it) is not used.
    Error,
    /// It is used, but likely not as meant.
    Warning,
    /// Worth knowing.
    Info,
}

/// A place in an input file; line and column count from 1, columns and width in characters. What is
/// in no text, as the objects of a cluster, has 0 for all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// File name as given by the user, `-` for standard input.
    pub file: Arc<str>,
    /// Line, from 1; 0 where there is none.
    pub line: u32,
    /// Column in characters, from 1; 0 where there is none.
    pub column: u32,
    /// How many characters it is, where that is known; else 0: the value that begins there.
    pub width: u32,
}

/// A part of a value that is a text, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkedPart {
    /// How many lines of the text are before it.
    pub line: u32,
    /// How many are before it in its line.
    pub before: u32,
    /// How many it has.
    pub length: u32,
}

/// One finding about one field of one object (or of a file).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Which kind of finding.
    pub code: Code,
    /// The object at fault; none for faults of a whole file.
    pub object: Option<ObjectRef>,
    /// Another object that it is about too: what is said of that one has it as well.
    pub beside: Option<Box<ObjectRef>>,
    /// The field at fault, empty for the whole object.
    pub path: FieldPath,
    /// Where it is written; filled in from `object` and `path` by the loader, which has the text.
    pub location: Option<Location>,
    /// The part of the field's text that is at fault, where it is not all of it.
    pub part: Option<MarkedPart>,
    /// What is wrong: one sentence, no trailing period.
    pub message: String,
    /// What to do about it: one sentence, no trailing period. Never empty.
    pub help: String,
    /// What it misses. Not told; where that is there with a mistake, the advice is to mend it.
    pub missing: Option<Box<Missing>>,
}

/// What a finding says is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// An object.
    Object {
        /// Its kind.
        kind: &'static str,
        /// Its namespace, where only that one will do.
        namespace: Option<Arc<str>>,
        /// Its name; none where any of the kind would do.
        name: Option<Arc<str>>,
        /// What is known of something that is named nearly alike.
        alike: Alike,
        /// What is wrong, where it is there and has a mistake; none where that is said alike.
        invalid: Option<Box<str>>,
    },
    /// Anything in `namespace` that has the labels.
    Labelled {
        /// Where.
        namespace: Arc<str>,
        /// All of them.
        labels: Labels,
    },
}

/// Whether something is there that is named nearly as what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alike {
    /// Nobody looks.
    Unknown,
    /// To be looked for when the finding is shown: with many mistakes that takes a while.
    Sought,
    /// Yes, and the help says so.
    Told,
}

impl Missing {
    /// Something of `kind` named `name`, in whatever namespace.
    pub fn named(kind: &'static str, name: &str) -> Self {
        Self::of(kind, Some(name.into()))
    }

    /// Anything of `kind`.
    pub fn any(kind: &'static str) -> Self {
        Self::of(kind, None)
    }

    fn of(kind: &'static str, name: Option<Arc<str>>) -> Self {
        Self::Object { kind, namespace: None, name, alike: Alike::Unknown, invalid: None }
    }

    /// In this namespace only.
    #[must_use]
    pub fn within(mut self, within: &str) -> Self {
        if let Self::Object { namespace, .. } = &mut self {
            *namespace = Some(within.into());
        }
        self
    }

    /// The message where it is there and has a mistake.
    #[must_use]
    pub fn if_invalid(mut self, message: String) -> Self {
        if let Self::Object { invalid, .. } = &mut self {
            *invalid = Some(message.into());
        }
        self
    }

    /// Whether the help names something nearly alike.
    #[must_use]
    pub fn alike(self, is_told: bool) -> Self {
        if is_told { self.with(Alike::Told) } else { self }
    }

    /// What is nearly alike is to be looked for when the finding is shown.
    #[must_use]
    pub fn sought(self) -> Self {
        self.with(Alike::Sought)
    }

    fn with(mut self, other: Alike) -> Self {
        if let Self::Object { alike, .. } = &mut self {
            *alike = other;
        }
        self
    }
}

impl MarkedPart {
    /// These bytes of a text.
    pub fn of(text: &str, at: Range<usize>) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let characters =
            |bytes: Range<usize>| number(text.get(bytes).map_or(0, |part| part.chars().count()));
        let head = text.get(..at.start).unwrap_or_default();
        let begin = head.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: number(head.matches('\n').count()),
            before: characters(begin..at.start),
            length: characters(at),
        }
    }
}

impl Code {
    /// Declares a code. `name` is kebab-case.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The code as users see it.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

impl Diagnostic {
    /// A finding about `path` of `object`. `help` says what to do; it must not be empty.
    pub fn new(
        severity: Severity,
        code: Code,
        object: &ObjectRef,
        path: impl Into<FieldPath>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            object: Some(object.clone()),
            beside: None,
            path: path.into(),
            location: None,
            part: None,
            message: message.into(),
            help: help.into(),
            missing: None,
        }
    }

    /// The same, where it is about another object too.
    #[must_use]
    pub fn beside(self, other: &ObjectRef) -> Self {
        Self { beside: Some(Box::new(other.clone())), ..self }
    }

    /// The same with what it misses.
    #[must_use]
    pub fn missing(self, missing: Missing) -> Self {
        Self { missing: Some(Box::new(missing)), ..self }
    }

    /// The same, about the place something came from.
    pub fn at(
        severity: Severity,
        code: Code,
        place: &Provenance,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::new(severity, code, &place.object, place.field.clone(), message, help)
    }

    /// A finding about a file, before it is known which object it holds.
    pub fn in_file(
        severity: Severity,
        code: Code,
        location: Location,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            object: None,
            beside: None,
            path: FieldPath::root(),
            location: Some(location),
            part: None,
            message: message.into(),
            help: help.into(),
            missing: None,
        }
    }

    /// The file it is placed in.
    pub(crate) fn file(&self) -> Option<&str> {
        self.location.as_ref().map(|location| &*location.file)
    }

    /// What it is about, and what it says.
    fn subject(&self) -> impl Ord + '_ {
        (&self.object, &self.path, self.code, &self.message, &self.help, &self.beside)
    }

    /// Whether it keeps its object (or part of it) from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The order people read them in: by file, line and column where known, then worst first, then by
/// object, path and code.
impl Ord for Diagnostic {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = (self.location.is_none(), &self.location, self.severity);
        let others = (other.location.is_none(), &other.location, other.severity);
        place.cmp(&others).then_with(|| self.subject().cmp(&other.subject()))
    }
}

impl PartialOrd for Diagnostic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The shape of `plan -o json` (design contract): absent places are `null`.
impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out =
            serializer.serialize_struct("Diagnostic", 9 + usize::from(self.beside.is_some()))?;
        out.serialize_field("severity", &self.severity)?;
        out.serialize_field("code", &self.code)?;
        out.serialize_field("object", &self.object)?;
        if let Some(other) = &self.beside {
            out.serialize_field("beside", other)?;
        }
        out.serialize_field("path", &self.path.0)?;
        out.serialize_field("file", &self.location.as_ref().map(|at| at.file.as_ref()))?;
        let written = self.location.as_ref().filter(|at| at.line > 0);
        out.serialize_field("line", &written.map(|at| at.line))?;
        out.serialize_field("column", &written.map(|at| at.column))?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("help", &self.help)?;
        out.end()
    }
}
