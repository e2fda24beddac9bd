//! A file of settings, YAML or TOML, as a list of names and values: `entryPoints.web.address`.
//!
//! Lists of words are one value, with commas between; of other lists each item has its place in
//! the name (`domains[0].main`). What is empty and stands there all the same is `true`: Traefik
//! takes `api: {}` for a wish.

use steelyard_model::{Diagnostic, Location, Severity};

use crate::codes;
use crate::compose::Documents;
use crate::dynamic::is_toml;
use crate::fault::Fault;
use crate::source::{ReadLimits, Source};
use crate::toml_text;
use crate::tree::{Mark, Node, Value};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, keys with dots between, as they are written.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where that is written as a list: each of it, and where it is.
    pub items: Option<Vec<(String, Location)>>,
    /// Where it is written.
    pub location: Location,
}

/// The settings of a file, in its order (of TOML, by name).
///
/// # Errors
/// Why the file cannot be read, located.
pub fn settings(source: &Source, limits: &ReadLimits) -> Result<Vec<Setting>, Box<Diagnostic>> {
    let text = source.decode(limits)?;
    let located = |fault: Fault| {
        let location = source.location(fault.mark);
        let (code, severity) = (fault.code, Severity::Error);
        Box::new(Diagnostic::in_file(severity, code, location, fault.message, fault.help))
    };
    let document = if is_toml(&source.name) {
        Some(toml_text::document(text, limits).map_err(located)?)
    } else {
        Documents::new(text, &source.name, limits).next().transpose().map_err(located)?
    };
    let mut all = Vec::new();
    let Some(document) = document else { return Ok(all) };
    if !matches!(document.resolved().value, Value::Map(_) | Value::Null) {
        return Err(located(Fault {
            mark: document.mark,
            code: codes::WRONG_TYPE,
            message: "a file of settings is a mapping".to_owned(),
            help: "write `name: value`, one below the other".to_owned(),
        }));
    }
    let mut reading = Reading { source, all: &mut all };
    reading.below(&document, String::new());
    Ok(all)
}

struct Reading<'a> {
    source: &'a Source,
    all: &'a mut Vec<Setting>,
}

impl Reading<'_> {
    fn below(&mut self, node: &Node, name: String) {
        match &node.resolved().value {
            Value::Map(entries) if entries.is_empty() && name.is_empty() => {}
            Value::Map(entries) if entries.is_empty() => self.put(name, "true", node.mark),
            Value::Map(entries) => {
                for entry in entries {
                    let dot = if name.is_empty() { "" } else { "." };
                    let name = format!("{name}{dot}{}", entry.key);
                    match words(&entry.node) {
                        Some(value) => {
                            self.put(name, &value, entry.mark);
                            self.mark_list(&entry.node);
                        }
                        None => self.below(&entry.node, name),
                    }
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(item, format!("{name}[{index}]"));
                }
            }
            _ => {
                if let Some(value) = words(node) {
                    self.put(name, &value, node.mark);
                }
            }
        }
    }

    fn put(&mut self, name: String, value: &str, mark: Mark) {
        let location = self.source.location(mark);
        self.all.push(Setting { name, value: value.to_owned(), items: None, location });
    }

    /// What was put last is written so.
    fn mark_list(&mut self, node: &Node) {
        let Value::List(items) = &node.resolved().value else { return };
        let place = |item: &Node| Some((words(item)?, self.source.location(item.mark)));
        let items = items.iter().filter_map(place).collect();
        if let Some(last) = self.all.last_mut() {
            last.items = Some(items);
        }
    }
}

/// A scalar, or a list of those.
fn words(node: &Node) -> Option<String> {
    match &node.resolved().value {
        Value::Null => Some("true".to_owned()),
        Value::Scalar { text, plain: true, .. } => Some(match node.scalar() {
            Some(crate::tree::Plain::Bool(value)) => value.to_string(),
            _ => text.to_string(),
        }),
        Value::Scalar { text, .. } => Some(text.to_string()),
        Value::List(items) => {
            let each = items.iter().map(|item| match &item.resolved().value {
                Value::Scalar { text, .. } => Some(text.to_string()),
                _ => None,
            });
            Some(each.collect::<Option<Vec<_>>>()?.join(","))
        }
        Value::Map(_) | Value::Shared(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Vec<(String, String, u32)> {
        let all = settings(&Source::new(name, text.as_bytes()), &ReadLimits::default()).unwrap();
        all.into_iter().map(|it| (it.name, it.value, it.location.line)).collect()
    }

    #[test]
    fn yaml_and_toml_say_the_same() {
        let yaml = "api: {}\nentryPoints:\n  web:\n    address: ':80'\n    http:\n      tls:\n        \
                    domains: [{main: a.b, sans: [c.d, e.f]}]\nping:\n";
        let toml = "ping = {}\n[api]\n[entryPoints.web]\naddress = ':80'\n\
                    [[entryPoints.web.http.tls.domains]]\nmain = 'a.b'\nsans = ['c.d', 'e.f']\n";
        let named = |all: Vec<(String, String, u32)>| {
            let mut all: Vec<_> = all.into_iter().map(|(name, value, _)| (name, value)).collect();
            all.sort();
            all
        };
        let expected = [
            ("api", "true"),
            ("entryPoints.web.address", ":80"),
            ("entryPoints.web.http.tls.domains[0].main", "a.b"),
            ("entryPoints.web.http.tls.domains[0].sans", "c.d,e.f"),
            ("ping", "true"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(named(read("a.yaml", yaml)), expected);
        assert_eq!(named(read("a.toml", toml)), expected);
        assert_eq!(read("a.yaml", yaml)[1].2, 4);
    }
}
