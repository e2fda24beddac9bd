//! One reason why a value does not fit its type.

use std::fmt;

use serde::de;
use steelyard_model::{FieldPath, suggest};

use super::trail::Trail;
use crate::path::is_hidden;
use crate::tree::{Mark, Node, Plain, Value, shortened};

/// Identity of a node in the tree that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address(usize);

/// The error type of the deserializer; small, so that passing it up is cheap.
#[derive(Debug)]
pub(super) struct Error(Box<Draft>);

#[derive(Debug)]
enum Draft {
    /// Not yet known where.
    Unplaced(Complaint),
    Placed(Problem),
}

#[derive(Debug)]
enum Complaint {
    Wants(String),
    Variant { written: String, known: &'static [&'static str] },
    Missing(&'static str),
    Other(String),
}

/// A reason with its place.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) path: FieldPath,
    /// None for the object as a whole.
    pub(super) mark: Option<Mark>,
    pub(super) message: String,
    pub(super) help: String,
    /// The value to pass over so that the rest can be read.
    pub(super) culprit: Option<Address>,
    /// For a missing field: its name, until it is clear whether it was set aside.
    pub(super) missing: Option<&'static str>,
    /// It follows from a problem that is already reported.
    pub(super) after_another: bool,
}

impl Address {
    pub(super) fn of(node: &Node) -> Self {
        Self(std::ptr::from_ref(node).addr())
    }
}

impl Error {
    /// The value is not a `wanted`.
    pub(super) fn wants(wanted: impl Into<String>) -> Self {
        Self::unplaced(Complaint::Wants(wanted.into()))
    }

    fn unplaced(complaint: Complaint) -> Self {
        Self(Box::new(Draft::Unplaced(complaint)))
    }

    /// The problem, placed at `node` unless it has a place already.
    pub(super) fn settle(self, node: &Node, trail: &Trail<'_>) -> Problem {
        match *self.0 {
            Draft::Placed(problem) => problem,
            Draft::Unplaced(complaint) => complaint.at(node, trail),
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self(Box::new(Draft::Placed(problem)))
    }
}

impl Complaint {
    fn at(self, node: &Node, trail: &Trail<'_>) -> Problem {
        let path = trail.path();
        let subject = if path.is_root() { "the object".to_owned() } else { format!("`{path}`") };
        let mut missing = None;
        let (message, help) = match self {
            // What is written there may be what nobody should read in a report.
            Self::Wants(wanted) if is_hidden(&path.0) => {
                (format!("{subject} wants {wanted}, which this is not"), format!("write {wanted}"))
            }
            Self::Variant { .. } | Self::Other(_) if is_hidden(&path.0) => {
                let message = format!("{subject} is not what it should be");
                (message, "correct the value".to_owned())
            }
            Self::Wants(wanted) => {
                let message = format!("{subject} wants {wanted}, but this is {}", node.described());
                let help = slip(&path, node).unwrap_or_else(|| help_for(&wanted, node));
                (message, help)
            }
            Self::Variant { written, known } => {
                let message = format!("{subject} cannot be {:?}", shortened(&written));
                (message, help_for_variant(&written, known))
            }
            Self::Missing(field) => {
                missing = Some(field);
                let message = format!("{subject} lacks the field `{field}`");
                (message, format!("add `{field}:`"))
            }
            Self::Other(text) => {
                let help = "correct the value; see what the message names".to_owned();
                (format!("{subject}: {text}"), help)
            }
        };
        let mark = (!path.is_root()).then_some(node.mark);
        let culprit = None;
        Problem { path, mark, message, help, culprit, missing, after_another: false }
    }
}

fn help_for_variant(written: &str, known: &[&'static str]) -> String {
    if let Some(nearest) = suggest::nearest(written, known.iter().copied()) {
        return format!("did you mean `{nearest}`?");
    }
    let listed: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    format!("write one of {}", listed.join(", "))
}

/// What to write where many write the same wrong thing.
fn slip(path: &FieldPath, node: &Node) -> Option<String> {
    let key = path.0.rsplit('.').next().unwrap_or_default();
    match (key, &node.resolved().value) {
        ("matchLabels", Value::Map(_)) => {
            Some("leave `matchLabels:` out: the labels go where it is".to_owned())
        }
        ("holdTime" | "keepaliveTime" | "connectTime", Value::Scalar { text, .. }) => {
            Some(format!("write it with a unit: {}s", shortened(text)))
        }
        ("port", Value::Scalar { text, plain: true, .. }) if path.0.ends_with(".service.port") => {
            Some(match Plain::of(text) {
                Plain::Int(_) => format!("write `port: {{number: {}}}`", shortened(text)),
                _ => format!("write `port: {{name: {}}}`", shortened(text)),
            })
        }
        _ => None,
    }
}

fn help_for(wanted: &str, node: &Node) -> String {
    let text = match &node.resolved().value {
        Value::Scalar { text, .. } => Some(shortened(text)),
        _ => None,
    };
    match (wanted, text) {
        (wanted, Some(text)) if wanted.contains("a string") => {
            format!("put it in quotes: {text:?}")
        }
        ("a boolean", Some(text)) if matches!(Plain::of(&text), Plain::Bool(_)) => {
            format!("remove the quotes: `{text}`")
        }
        ("a boolean", _) => "write `true` or `false`".to_owned(),
        ("a list", Some(text)) => format!("write it as a list: `[{text}]`"),
        ("a list", None) => "write it as a list, with `- ` before each item".to_owned(),
        ("a mapping", _) => "write its fields below it, indented, as `key: value`".to_owned(),
        (wanted, Some(text)) if wanted.contains("number") => match Plain::of(&text) {
            Plain::Int(_) if node.text().is_some() => format!("remove the quotes: `{text}`"),
            _ => format!("write {wanted}"),
        },
        (wanted, _) => format!("write {wanted}"),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Draft::Placed(problem) => f.write_str(&problem.message),
            Draft::Unplaced(complaint) => write!(f, "{complaint:?}"),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::unplaced(Complaint::Other(text.to_string()))
    }

    fn invalid_type(_: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::wants(wanted.to_string())
    }

    fn invalid_value(_: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::wants(wanted.to_string())
    }

    fn unknown_variant(written: &str, known: &'static [&'static str]) -> Self {
        Self::unplaced(Complaint::Variant { written: written.to_owned(), known })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::unplaced(Complaint::Missing(field))
    }
}
