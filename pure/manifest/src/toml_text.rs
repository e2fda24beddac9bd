//! From TOML to trees, like those of YAML, with the place of every key and value.
//!
//! Bounded: the parser nests 80 deep at most (its own limit), and every value is counted against
//! the file's budget. TOML has no aliases, and refuses a key that is written twice by itself.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::codes;
use crate::fault::Fault;
use crate::source::ReadLimits;
use crate::tree::{Entry, Lead, Mark, Node, Value};

/// The one document of a text.
pub(crate) fn document(text: &str, limits: &ReadLimits) -> Result<Node, Fault> {
    let places = Places::of(text);
    match DeTable::parse(text) {
        Ok(table) => {
            let mut building = Building { places: &places, left: limits.nodes };
            let value = building.table(table.get_ref())?;
            Ok(Node { mark: Mark::START, value })
        }
        Err(error) => Err(Fault {
            mark: places.mark(error.span().unwrap_or_default().start),
            code: codes::TOML_SYNTAX,
            message: format!("this is not TOML: {}", error.message().replace('\n', "; ")),
            help: "write `key = value`, tables as `[http.routers.name]`; strings have quotes"
                .to_owned(),
        }),
    }
}

struct Building<'p> {
    places: &'p Places<'p>,
    left: usize,
}

impl Building<'_> {
    fn table(&mut self, table: &DeTable<'_>) -> Result<Value, Fault> {
        let entries = table.iter().map(|(key, value)| {
            let mark = self.places.mark(key.span().start);
            let mut node = self.node(value)?;
            // A table is where its key is.
            if matches!(node.value, Value::Map(_)) {
                node.mark = mark;
            }
            let key: Arc<str> = Arc::from(key.get_ref().as_ref());
            Ok(Entry { key, mark, lead: None, node })
        });
        Ok(Value::Map(entries.collect::<Result<_, Fault>>()?))
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>) -> Result<Node, Fault> {
        let mark = self.places.mark(value.span().start);
        self.left = self.left.checked_sub(1).ok_or_else(|| Fault {
            mark,
            code: codes::YAML_TOO_COMPLEX,
            message: "the file has more values than are read from one file".to_owned(),
            help: "split it into several files".to_owned(),
        })?;
        let lead = match value.get_ref() {
            DeValue::String(text) => {
                self.places.text.get(value.span()).and_then(|it| lead(it, text))
            }
            _ => None,
        };
        let scalar = |text: String, plain| Value::Scalar { text: text.into(), plain, lead };
        let value = match value.get_ref() {
            DeValue::String(text) => scalar(text.to_string(), false),
            DeValue::Integer(number) => {
                let prefix = match number.radix() {
                    16 => "0x",
                    8 => "0o",
                    2 => "0b",
                    _ => "",
                };
                scalar(format!("{prefix}{}", number.as_str()), true)
            }
            DeValue::Float(number) => scalar(float(number.as_str()), true),
            DeValue::Boolean(value) => scalar(value.to_string(), true),
            DeValue::Datetime(time) => scalar(time.to_string(), false),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item)).collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => self.table(table)?,
        };
        Ok(Node { mark, value })
    }
}

/// How many quotes a text stands behind that stands there as it is.
fn lead(written: &str, text: &str) -> Lead {
    let is_it = |quotes: usize| {
        let end = written.len().checked_sub(quotes)?;
        (written.get(quotes..end)? == text && !text.contains('\n')).then_some(quotes)
    };
    let quotes = [1, 3].into_iter().find_map(is_it)?;
    u8::try_from(quotes).ok()
}

/// In the spelling of YAML.
fn float(text: &str) -> String {
    match text.trim_start_matches(['+', '-']) {
        "inf" if text.starts_with('-') => "-.inf".to_owned(),
        "inf" => ".inf".to_owned(),
        "nan" => ".nan".to_owned(),
        _ => text.to_owned(),
    }
}

/// Bytes between two places of which it is known how many characters come before.
const STRIDE: usize = 256;

/// Where lines begin, and how many characters come before every so many bytes: a long line costs
/// no more than a short one.
struct Places<'t> {
    text: &'t str,
    lines: Vec<usize>,
    characters: Vec<usize>,
}

impl<'t> Places<'t> {
    fn of(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        let mut characters = Vec::with_capacity(text.len() / STRIDE + 1);
        let mut count = 0;
        for part in text.as_bytes().chunks(STRIDE) {
            characters.push(count);
            count += begun(part);
        }
        characters.push(count);
        Self { text, lines, characters }
    }

    fn mark(&self, at: usize) -> Mark {
        let at = at.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines[line - 1];
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let column = self.before(at) - self.before(start) + 1;
        Mark { line: number(line), column: number(column) }
    }

    /// Characters that begin before a byte.
    fn before(&self, at: usize) -> usize {
        let part: Range<usize> = at / STRIDE * STRIDE..at;
        self.characters[at / STRIDE] + begun(&self.text.as_bytes()[part])
    }
}

/// Characters that begin among these bytes.
fn begun(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Plain;

    fn read(text: &str) -> Result<Node, Fault> {
        document(text, &ReadLimits::default())
    }

    #[test]
    fn values_have_their_places() {
        let text = "# é\n[http.routers.\"ä b\"]\n  rule = 'Host(`a`)'\n  priority = 0x1F\n\
                    [[x]]\n y = { z = [1, true, 2.5] }\n";
        let tree = read(text).unwrap();
        let router = tree.get("http").unwrap().node.get("routers").unwrap().node.get("ä b");
        let router = router.unwrap();
        assert_eq!(router.mark, Mark { line: 2, column: 15 });
        let rule = router.node.get("rule").unwrap();
        assert_eq!((rule.node.mark, rule.mark.column), (Mark { line: 3, column: 10 }, 3));
        assert_eq!(rule.node.text(), Some("Host(`a`)"));
        let priority = router.node.get("priority").unwrap();
        assert_eq!(priority.node.scalar(), Some(Plain::Int(31)));
        let z = tree.get("x").unwrap().node.item(0).unwrap().get("y").unwrap().node.get("z");
        let z = &z.unwrap().node;
        assert_eq!(z.item(1).unwrap().scalar(), Some(Plain::Bool(true)));
        assert_eq!(z.item(2).unwrap().mark, Mark { line: 6, column: 22 });
    }

    #[test]
    fn what_is_hostile_ends_in_a_fault() {
        let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
        let wide = format!("a = [{}]", "1,".repeat(20_000));
        for (text, line) in [("a = 1\na = 2", 2), ("a", 1), ("[x", 1), (&deep, 1)] {
            let fault = read(text).unwrap_err();
            let shown = text.chars().take(20).collect::<String>();
            assert_eq!((fault.code, fault.mark.line), (codes::TOML_SYNTAX, line), "{shown}");
        }
        let limits = ReadLimits { nodes: 100, ..ReadLimits::default() };
        assert_eq!(document(&wide, &limits).unwrap_err().code, codes::YAML_TOO_COMPLEX);
    }

    /// Quadratic it would be a matter of minutes.
    #[test]
    fn one_long_line_is_read() {
        let text = format!(
            "a = {{ {} }}",
            (0..100_000).map(|n| format!("k{n} = 'é',")).collect::<String>()
        );
        let tree = read(&text.replace(", }", " }")).unwrap();
        assert!(
            matches!(&tree.get("a").unwrap().node.value, Value::Map(all) if all.len() == 100_000)
        );
    }
}
