//! A file of the notation as CustomResourceDefinitions.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::notation::{self, Line};
use super::schema::{Types, put};

/// All kinds of a file, in its order.
pub(super) fn read(text: &str) -> Result<Vec<Value>> {
    let (mut group, mut types, mut found) = (String::new(), Types::default(), Vec::new());
    for line in notation::read(text)? {
        let words = line.words();
        match words[0] {
            "group" => group = words.get(1).context("group NAME")?.to_string(),
            "type" => types.add(&line)?,
            "kind" => kind(&mut found, &group, &types, &line)
                .with_context(|| format!("line {}: {}", line.number, line.text))?,
            _ => bail!("line {}: what is {}?", line.number, line.text),
        }
    }
    Ok(found)
}

/// Adds a kind, or another version of the one before.
fn kind(found: &mut Vec<Value>, group: &str, types: &Types, line: &Line) -> Result<()> {
    let words = line.words();
    let ["kind", name, plural, version, ref marks @ ..] = *words else {
        bail!("kind NAME PLURAL VERSION");
    };
    let version = self::version(name, version, marks, types, line)?;
    let is_same = |it: &&mut Value| it["spec"]["names"]["kind"] == name;
    if let Some(Value::Array(versions)) =
        found.last_mut().filter(is_same).map(|it| &mut it["spec"]["versions"])
    {
        versions.iter_mut().for_each(|it| it["storage"] = json!(false));
        versions.push(version);
        return Ok(());
    }
    found.push(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "names": {
                "kind": name,
                "listKind": format!("{name}List"),
                "plural": plural,
                "singular": name.to_lowercase(),
            },
            // As the API server would write it: nothing differs after an apply.
            "conversion": {"strategy": "None"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }));
    Ok(())
}

fn version(kind: &str, name: &str, marks: &[&str], types: &Types, line: &Line) -> Result<Value> {
    let mut version = json!({"name": name, "served": true, "storage": true});
    let mut schema = json!({"type": "object", "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }});
    if let Some(about) = &line.about {
        schema["description"] = json!(about);
    }
    if marks.contains(&"deprecated") {
        version["deprecated"] = json!(true);
        version["deprecationWarning"] = json!(format!("{name} of {kind} is an old version"));
    }
    let mut columns = Vec::new();
    for below in &line.below {
        match below.words()[0] {
            "column" => columns.push(column(&below.text)?),
            "subresource" => version["subresources"] = json!({"status": {}}),
            "metadata!" => put(&mut schema, "metadata!", json!({"type": "object"})),
            _ => types.fill(&mut schema, std::slice::from_ref(below))?,
        }
    }
    if !columns.is_empty() {
        version["additionalPrinterColumns"] = json!(columns);
    }
    version["schema"] = json!({"openAPIV3Schema": schema});
    Ok(version)
}

/// `column "NAME" TYPE PATH [priority N]`.
fn column(text: &str) -> Result<Value> {
    let [_, name, rest] = text.splitn(3, '"').collect::<Vec<_>>()[..] else {
        bail!("column \"NAME\" TYPE PATH");
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [kind, path, ref more @ ..] = *words else { bail!("column \"NAME\" TYPE PATH") };
    let mut column = json!({"name": name, "type": kind, "jsonPath": path});
    if let ["priority", priority] = more {
        column["priority"] = json!(priority.parse::<i32>().context("a priority is a number")?);
    }
    Ok(column)
}
