//! Certificates, keys, and those who are believed, looked up where an object says they are: in a
//! Secret, a ConfigMap, or files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_manifest::NAMED_FILES;
use steelyard_model::handshake_draft::{MaterialHolder, MaterialLink, MaterialPart, PartText};
use steelyard_model::{
    Code, Diagnostic, Item, Missing, NamespacedName, ObjectRef, Provenance, Secret, SecretValue,
    Severity,
};
use steelyard_tls::{AUTHORITIES_KEY, Unfit, authorities};

use super::Reads;
use super::cell::{Cell, Tag};
use super::row::Row;

/// What comes of it where something cannot be had: who says it knows.
#[derive(Clone, Copy)]
pub(super) struct Loss {
    pub(super) severity: Severity,
    pub(super) code: Code,
    /// What follows where it is not there: `no handshake is held`.
    pub(super) so: &'static str,
    /// What it does not say where it is of no use: `says of nobody that they may sign`.
    pub(super) lacks: &'static str,
}

/// What `of` makes of what a link leads to, as a Secret would have it; none, and said, where
/// nothing can be made of it.
pub(super) fn looked_up<T>(
    link: &MaterialLink,
    of: impl FnOnce(&Secret) -> Result<T, Unfit>,
    loss: Loss,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<T> {
    let found = match &link.holder {
        MaterialHolder::Secret(id) => {
            let row = reads.row(&Cell::Object(Tag::Secret, id.clone()));
            named(link, ("Secret", id), row.as_ref().and_then(Row::secret), of, loss)
        }
        MaterialHolder::ConfigMap(id) => {
            let row = reads.row(&Cell::Object(Tag::ConfigMap, id.clone()));
            let found = row.as_ref().and_then(config_map);
            named(link, ("ConfigMap", id), found.as_ref(), of, loss)
        }
        MaterialHolder::Parts(parts) => of_parts(link, parts, of, loss, reads),
    };
    found.map_err(|why| diagnostics.push(*why)).ok()
}

/// Those who sign certificates, of all links; none, and said, where one of them cannot be had.
pub(super) fn signers(
    links: &[MaterialLink],
    loss: Loss,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<String> {
    let mut pem = String::new();
    for link in links {
        let of = |secret: &Secret| authorities(secret)?.ok_or(Unfit::Absent(AUTHORITIES_KEY));
        pem.push_str(&looked_up(link, of, loss, reads, diagnostics)?);
        pem.push('\n');
    }
    Some(pem)
}

/// A ConfigMap, as a Secret would have what it says.
fn config_map(row: &Row) -> Option<Secret> {
    let [Item::ConfigMap { object, data }, ..] = row.items() else { return None };
    let data = data.iter().map(|(key, value)| (key.clone(), SecretValue::from(value.as_str())));
    let (kind, unreadable) = (String::new(), BTreeSet::new());
    Some(Secret {
        object: object.clone(),
        kind,
        data: data.collect(),
        unreadable,
        texts: BTreeSet::new(),
    })
}

fn named<T>(
    link: &MaterialLink,
    (kind, id): (&'static str, &NamespacedName),
    found: Option<&Secret>,
    of: impl FnOnce(&Secret) -> Result<T, Unfit>,
    loss: Loss,
) -> Result<T, Box<Diagnostic>> {
    let NamespacedName { namespace, name } = id;
    let Some(found) = found else {
        let say = |no: &str| {
            format!("there is {no} {kind} `{name}` in namespace {namespace}: {}", loss.so)
        };
        let help = format!("add the {kind} to {namespace}, or name another");
        let missing = Missing::named(kind, name).within(namespace).sought();
        let missing = missing.if_invalid(say("no valid"));
        return Err(Box::new(loss.say(&link.place, say("no"), help).missing(missing)));
    };
    of(found).map_err(|why| {
        Box::new(loss.say(&link.place, format!("{kind} {id} {}: {why}", loss.lacks), why.help()))
    })
}

fn of_parts<T>(
    link: &MaterialLink,
    parts: &[MaterialPart],
    of: impl FnOnce(&Secret) -> Result<T, Unfit>,
    loss: Loss,
    reads: &mut Reads<'_>,
) -> Result<T, Box<Diagnostic>> {
    let object: Arc<ObjectRef> = link.place.object.clone();
    let mut data = BTreeMap::new();
    for part in parts {
        let text = text(part, reads).map_err(|why| {
            let message = format!("this file cannot be read: {why}; {}", loss.so);
            let help = "mend that, or write another path: relative ones begin where the program \
                        was started";
            Box::new(loss.say(&part.place, message, help))
        })?;
        data.insert(part.key.to_owned(), text);
    }
    let (kind, unreadable) = (String::new(), BTreeSet::new());
    of(&Secret { object, kind, data, unreadable, texts: BTreeSet::new() }).map_err(|why| {
        let part = parts.iter().find(|part| part.key == why.key());
        let place = part.map_or(&link.place, |part| &part.place);
        Box::new(loss.say(place, format!("{}: {}", why.of_file(), loss.so), why.help()))
    })
}

/// What a part is, or why its file cannot be read.
pub(super) fn text(part: &MaterialPart, reads: &mut Reads<'_>) -> Result<SecretValue, Arc<str>> {
    let path = match &part.text {
        PartText::Written(text) => return Ok(text.clone()),
        PartText::File(path) => path,
    };
    let id = NamespacedName::new(NAMED_FILES, path.clone());
    let row = reads.row(&Cell::Object(Tag::File, id));
    match row.as_ref().map(Row::items) {
        Some([Item::File(file), ..]) => file.text.clone(),
        _ => Err("it was not looked at".into()),
    }
}

impl Loss {
    fn say(self, place: &Provenance, message: String, help: impl Into<String>) -> Diagnostic {
        Diagnostic::at(self.severity, self.code, place, message, help)
    }
}
