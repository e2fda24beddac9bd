//! Files that dynamic configuration names, for what stands in them: certificates, keys, and who
//! is believed.
//!
//! Each is an object of its own, called by the path that is written, so that who names it hangs on
//! it as on any other object, and what becomes of it is followed as files are. One that cannot be
//! read is one too: it says why.

use std::sync::Arc;

use steelyard_model::{Diagnostic, ObjectRef};

use crate::source::{Source, SourceText};
use crate::tree::{Entry, Mark, Node, Value};

/// The kind of such an object.
pub const NAMED_FILE: &str = "file";

/// Where they all are, as objects have namespaces.
pub const NAMED_FILES: &str = "files";

/// Whether it is a path, and not what stands in a file: PEM, or lines.
pub fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.contains('\n') && !text.starts_with("-----BEGIN")
}

/// The object that a named file is: what stands in it, or why that is not known.
pub(crate) fn object(
    source: &Source,
    read: Result<&str, Box<Diagnostic>>,
) -> (Arc<ObjectRef>, Node) {
    let (key, text) = match (read, &source.text) {
        (Ok(text), _) => ("text", text.to_owned()),
        (Err(_), SourceText::Failed(reason)) => ("failed", reason.to_string()),
        (Err(found), _) => ("failed", found.message),
    };
    let scalar = Value::Scalar { text: text.into(), plain: false, lead: None };
    let mark = Mark::START;
    let node = Node { mark, value: scalar };
    let entry = Entry { key: key.into(), mark, lead: None, node };
    let reference = ObjectRef::new(NAMED_FILE, NAMED_FILES, source.name.clone());
    (Arc::new(reference), Node { mark, value: Value::Map(vec![entry]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::load;
    use crate::source::ReadLimits;

    #[test]
    fn a_named_file_is_an_object_whatever_becomes_of_it() {
        let failed = SourceText::Failed("permission denied".into());
        for (text, key, expected) in [
            (SourceText::Bytes(b"a: b".as_slice().into()), "text", "a: b"),
            (
                SourceText::Bytes(b"\xff".as_slice().into()),
                "failed",
                "/a.pem is not UTF-8: byte 0xff here",
            ),
            (failed, "failed", "permission denied"),
        ] {
            let loaded = load(&Source::named("/a.pem", text), &ReadLimits::default());
            let [object] = &loaded.objects[..] else { panic!("{loaded:?}") };
            assert_eq!(object.reference.to_string(), "file/files//a.pem");
            assert_eq!(object.tree.get(key).and_then(|it| it.node.text()), Some(expected));
            assert!(loaded.diagnostics.is_empty() && !loaded.broken);
        }
    }
}
