//! Lines of the notation as schemas that Kubernetes reads (OpenAPI v3).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::notation::Line;

/// The types of a file, by name.
#[derive(Debug, Default)]
pub(super) struct Types(BTreeMap<String, Value>);

impl Types {
    /// Takes in `type NAME …`.
    pub(super) fn add(&mut self, line: &Line) -> Result<()> {
        let words = line.words();
        let (name, schema) = match *words {
            ["type", name, "=", kind, ref constraints @ ..] => {
                let mut schema = self.of_type(kind)?;
                constrain(&mut schema, constraints)?;
                (name, schema)
            }
            ["type", name, ref constraints @ ..] => {
                let mut schema = json!({"type": "object"});
                constrain(&mut schema, constraints)?;
                self.fill(&mut schema, &line.below)?;
                (name, schema)
            }
            _ => bail!("line {}: not a type: {}", line.number, line.text),
        };
        self.0.insert(name.to_owned(), schema);
        Ok(())
    }

    /// Puts fields and rules into the schema of an object.
    pub(super) fn fill(&self, schema: &mut Value, lines: &[Line]) -> Result<()> {
        for line in lines {
            let words = line.words();
            let outcome = match *words {
                ["?", ..] => rule(schema, line),
                [name] if name.starts_with("...") => self.spread(schema, &name[3..]),
                [name, kind, ref constraints @ ..] => {
                    self.field(line, kind, constraints).map(|field| put(schema, name, field))
                }
                _ => bail!("line {}: not a field: {}", line.number, line.text),
            };
            outcome.with_context(|| format!("line {}: {}", line.number, line.text))?;
        }
        Ok(())
    }

    fn field(&self, line: &Line, kind: &str, constraints: &[&str]) -> Result<Value> {
        let mut schema = self.of_type(kind)?;
        constrain(&mut schema, constraints)?;
        let inner =
            ["items", "additionalProperties"].into_iter().find(|key| !schema[key].is_null());
        let below = match inner {
            Some(key) => &mut schema[key],
            None => &mut schema,
        };
        self.fill(below, &line.below)?;
        if let Some(about) = &line.about {
            schema["description"] = json!(about);
        }
        Ok(schema)
    }

    fn named(&self, name: &str) -> Result<&Value> {
        self.0.get(name).with_context(|| format!("there is no type {name} above"))
    }

    fn of_type(&self, kind: &str) -> Result<Value> {
        let inside = |open, close| kind.strip_prefix(open)?.strip_suffix(close);
        if let Some(inner) = inside('[', ']') {
            return Ok(json!({"type": "array", "items": self.of_type(inner)?}));
        }
        if let Some(inner) = inside('{', '}') {
            return Ok(json!({"type": "object", "additionalProperties": self.of_type(inner)?}));
        }
        if let Some(name) = kind.strip_prefix('@') {
            return self.named(name).cloned();
        }
        Ok(match kind {
            "string" | "boolean" | "integer" | "object" => json!({"type": kind}),
            "int32" | "int64" => json!({"type": "integer", "format": kind}),
            "date-time" => json!({"type": "string", "format": kind}),
            "anything" => json!({"x-kubernetes-preserve-unknown-fields": true}),
            "int-or-string" => json!({
                "anyOf": [{"type": "integer"}, {"type": "string"}],
                "x-kubernetes-int-or-string": true,
            }),
            _ => bail!("{kind} is no type"),
        })
    }

    /// The fields of another type, as one's own.
    fn spread(&self, schema: &mut Value, name: &str) -> Result<()> {
        let other = self.named(name)?;
        for (field, value) in other["properties"].as_object().into_iter().flatten() {
            let is_required =
                other["required"].as_array().is_some_and(|it| it.contains(&json!(field)));
            let mark = if is_required { "!" } else { "" };
            put(schema, &format!("{field}{mark}"), value.clone());
        }
        Ok(())
    }
}

/// Adds a field, whose name ends in `!` when it is required.
pub(super) fn put(schema: &mut Value, name: &str, field: Value) {
    let bare = name.trim_end_matches('!');
    child(schema, "properties", || json!({}))[bare] = field;
    if bare == name {
        return;
    }
    if let Value::Array(required) = child(schema, "required", || json!([])) {
        required.push(json!(bare));
        required.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
}

fn child<'a>(schema: &'a mut Value, key: &str, empty: fn() -> Value) -> &'a mut Value {
    let Value::Object(map) = schema else { unreachable!("a schema is an object") };
    map.entry(key.to_owned()).or_insert_with(empty)
}

/// `? RULE -- message`.
fn rule(schema: &mut Value, line: &Line) -> Result<()> {
    let rule = line.text.trim_start_matches('?').trim();
    let message = line.about.as_deref().context("a rule says why")?;
    if let Value::Array(rules) = child(schema, "x-kubernetes-validations", || json!([])) {
        rules.push(json!({"rule": rule, "message": message}));
    }
    Ok(())
}

fn constrain(schema: &mut Value, constraints: &[&str]) -> Result<()> {
    let Value::Object(map) = schema else { unreachable!("a schema is an object") };
    for word in constraints {
        if let Some(value) = word.strip_prefix('=') {
            map.insert("default".into(), serde_json::from_str(value).context("what is after =")?);
        } else if let Some(pattern) = word.strip_prefix('/') {
            let pattern = pattern.strip_suffix('/').context("a pattern ends with /")?;
            map.insert("pattern".into(), json!(pattern));
        } else if let Some(key) = word.strip_prefix("by:") {
            map.insert("x-kubernetes-list-type".into(), json!("map"));
            map.insert("x-kubernetes-list-map-keys".into(), json!([key]));
        } else if *word == "atomic" {
            let of = if map["type"] == "array" { "list" } else { "map" };
            map.insert(format!("x-kubernetes-{of}-type"), json!("atomic"));
        } else if word.contains("..") {
            limits(map, word)?;
        } else {
            map.insert("enum".into(), word.split('|').collect());
        }
    }
    Ok(())
}

/// `1..9`, `length:1..9`, `items:1..`: each end may be left out.
fn limits(map: &mut Map<String, Value>, word: &str) -> Result<()> {
    let (of, range) = word.split_once(':').unwrap_or(("", word));
    let (least, most) = range.split_once("..").context("LEAST..MOST")?;
    let ends = match of {
        "" => ["minimum", "maximum"],
        "length" => ["minLength", "maxLength"],
        "items" => ["minItems", "maxItems"],
        _ => bail!("{of} is nothing that has limits"),
    };
    for (key, end) in ends.into_iter().zip([least, most]).filter(|(_, end)| !end.is_empty()) {
        map.insert(key.into(), json!(end.parse::<i64>().context("a limit is a number")?));
    }
    Ok(())
}
