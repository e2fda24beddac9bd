//! Paths of rules, as the API server takes them. ImplementationSpecific means Prefix, by whole
//! elements, also where Traefik compares bytes.

mod reach;

use std::sync::Arc;

use steelyard_manifest::kinds::networking as raw;
use steelyard_model::FieldPath;
use steelyard_model::routing::pattern::{PathPattern, PathShape};

use crate::codes;
use crate::findings::Findings;

#[derive(Clone, Copy, PartialEq, Eq)]
enum PathType {
    Exact,
    Prefix,
    ImplementationSpecific,
}

const PATH_TYPES: [(&str, PathType); 3] = [
    ("Exact", PathType::Exact),
    ("Prefix", PathType::Prefix),
    ("ImplementationSpecific", PathType::ImplementationSpecific),
];

/// What an Exact or Prefix path may not hold: a request never has it after normalisation.
const NEVER: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];

/// A path as it is written, which whoever reads the object judges.
pub(crate) struct WrittenPath {
    text: String,
    place: FieldPath,
}

impl WrittenPath {
    /// The path; `/` where none is written.
    pub(crate) fn or_root(&self) -> &str {
        if self.text.is_empty() { "/" } else { &self.text }
    }

    /// Reports one that no request has. `is_decoded`: it is compared with paths as they are
    /// decoded.
    pub(crate) fn check(&self, is_decoded: bool, findings: &mut Findings<'_>) {
        if !self.text.is_empty() {
            reach::check(&self.text, &self.place, is_decoded, findings);
        }
    }
}

/// Which paths are meant; of what has a mistake, those that it is likely to mean. Those that may be
/// written are put among `paths`.
pub(crate) fn lower(
    written: &raw::HttpIngressPath,
    path: &FieldPath,
    paths: &mut Vec<WrittenPath>,
    findings: &mut Findings<'_>,
) -> PathPattern {
    let kind = match written.path_type.as_deref() {
        None => {
            let help = "add `pathType: Prefix` (or Exact, or ImplementationSpecific)";
            findings.missing(&path.key("pathType"), help);
            PathType::ImplementationSpecific
        }
        text => {
            let found = findings.choice(&path.key("pathType"), text, &PATH_TYPES);
            found.unwrap_or(PathType::ImplementationSpecific)
        }
    };
    let text = written.path.as_deref().unwrap_or_default();
    let path = path.key("path");
    if text.is_empty() && kind != PathType::ImplementationSpecific {
        findings.missing(&path, "add a path, such as `path: /`");
        return PathPattern::normal(PathShape::elements("/"));
    }
    if !text.is_empty() && !text.starts_with('/') {
        let message = format!("path `{text}` does not start with `/`");
        let help = match reach::as_regex(text) {
            Some(plain) => plain.help(),
            None => format!("write /{text}"),
        };
        findings.invalid(codes::PATH_INVALID, &path, message, help);
        return PathPattern::normal(PathShape::elements(&format!("/{text}")));
    }
    let is_refused = kind != PathType::ImplementationSpecific && never(text, &path, findings);
    if !is_refused {
        paths.push(WrittenPath { text: text.to_owned(), place: path });
    }
    PathPattern::normal(match kind {
        PathType::Exact => PathShape::Exact(Arc::from(text)),
        _ => PathShape::elements(text),
    })
}

/// Whether the API server would refuse the path; reports it.
fn never(text: &str, path: &FieldPath, findings: &mut Findings<'_>) -> bool {
    let found = NEVER.iter().copied().find(|never| text.contains(never));
    let found = found.or_else(|| ["/.", "/.."].into_iter().find(|end| text.ends_with(end)));
    if let Some(found) = found {
        findings.invalid(
            codes::PATH_INVALID,
            path,
            format!("path `{text}` contains `{found}`"),
            "write the path as requests have it, without empty, `.` and `..` elements or %2F",
        );
    }
    found.is_some()
}
