//! Which files a file of dynamic configuration names: those that are to be followed with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::load::load_dynamic;
use crate::named::is_path;
use crate::source::{ReadLimits, Source};
use crate::tree::{Entry, Node, Value};

/// Fields with a file each, or with what would stand in it.
const FIELDS: [&str; 3] = ["certFile", "keyFile", "usersFile"];

/// Fields with several.
const LISTS: [&str; 2] = ["caFiles", "rootCAs"];

/// Files that are followed at most, of all that one file names.
const MOST: usize = 1_000;

/// The paths that a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPaths {
    /// As they are written.
    pub paths: Vec<Arc<str>>,
    /// Whether part of the text could not be read, which may name others.
    pub is_broken: bool,
}

/// The paths that a file of dynamic configuration names; none where it cannot be read.
pub fn files_named(source: &Source, limits: &ReadLimits) -> NamedPaths {
    let loaded = load_dynamic(source, limits);
    let mut found = BTreeSet::new();
    loaded.objects.iter().for_each(|object| look(&object.tree, &mut found));
    NamedPaths { paths: found.into_iter().take(MOST).collect(), is_broken: loaded.broken }
}

fn look(node: &Node, found: &mut BTreeSet<Arc<str>>) {
    match &node.resolved().value {
        Value::Map(entries) => entries.iter().for_each(|entry| entered(entry, found)),
        Value::List(items) => items.iter().for_each(|item| look(item, found)),
        _ => {}
    }
}

fn entered(entry: &Entry, found: &mut BTreeSet<Arc<str>>) {
    let mut add = |node: &Node| {
        found.extend(node.text().filter(|text| is_path(text)).map(Arc::from));
    };
    let is_one = |known: &[&str]| known.iter().any(|it| it.eq_ignore_ascii_case(&entry.key));
    match &entry.node.resolved().value {
        Value::Scalar { .. } if is_one(&FIELDS) => add(&entry.node),
        Value::List(items) if is_one(&LISTS) => items.iter().for_each(add),
        // One text, with commas between several.
        Value::Scalar { text, .. } if is_one(&LISTS) => {
            let paths = text.split(',').map(str::trim).filter(|text| is_path(text));
            found.extend(paths.map(Arc::from));
        }
        _ => look(&entry.node, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
http:
  serversTransports:
    t: {rootCAs: [ca.pem, '-----BEGIN CERTIFICATE-----'], certificates: [{certFile: a, keyFile: b}]}
  middlewares:
    m: {headers: {customRequestHeaders: {X: certFile}}}
    b: {basicAuth: {usersfile: users}}
  routers: {r: {rule: certFile, tls: {}}}
tls:
  options: {o: {clientAuth: {caFiles: [/ca, ca.pem]}}, p: {clientAuth: {caFiles: '/one, /two'}}}
  stores: {default: {defaultCertificate: {certFile: d, keyFile: '-----BEGIN PRIVATE KEY-----'}}}
  certificates: [{certFile: /c, keyFile: /k}]
";

    #[test]
    fn files_are_named_by_fields_that_have_files() {
        let source = Source::new("a.yml", TEXT.as_bytes());
        let found = files_named(&source, &ReadLimits::default());
        let paths: Vec<&str> = found.paths.iter().map(|it| &**it).collect();
        assert_eq!(paths, ["/c", "/ca", "/k", "/one", "/two", "a", "b", "ca.pem", "d", "users"]);
        assert!(!found.is_broken);
    }
}
