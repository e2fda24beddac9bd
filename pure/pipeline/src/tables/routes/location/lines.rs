//! Lines of answers that ConfigMaps have: `add-headers` of all, and `custom-headers` of an Ingress.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::content::HeaderRules;
use steelyard_model::routing::filter::nginx::{NginxLines, NginxStep};
use steelyard_model::routing::variables::{TextPart, VariableText};
use steelyard_model::{
    Diagnostic, FieldPath, Item, Labels, Missing, NamespacedName, NginxSettings, ObjectRef,
    OwnFilter, PassPhase, Provenance, Severity,
};

use crate::codes;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{Class, ReadSet};

/// Lines by which a message is framed, and that belong to a connection.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
];

/// The filter that writes them; or the place of what keeps the Ingress from being served, as with
/// ingress-nginx: lines that may not be written, or cannot be had.
pub(super) fn told(
    read: &ReadSet<'_>,
    settings: &NginxSettings,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<OwnFilter>, Provenance> {
    let mut lines: BTreeMap<Arc<str>, VariableText> = BTreeMap::new();
    let of_all = settings.headers.as_ref().filter(|_| read.class == Class::Nginx);
    if let Some(data) = of_all.and_then(|id| data(id, reads)) {
        // What cannot be said is told once, where the settings are read.
        let said = |(name, value): (&String, &String)| said(name, value).ok();
        lines.extend(data.iter().filter_map(said));
    }
    if let Some((id, place)) = read.nginx().and_then(|it| it.headers.as_ref()) {
        match own(read, id, settings, reads) {
            // Those of an Ingress are taken as they are written, as there.
            Ok(data) => lines
                .extend(data.iter().map(|(name, value)| {
                    (name.as_str().into(), VariableText::plain(value.trim()))
                })),
            Err(why) => {
                diagnostics.push(unusable(id, place, why));
                return Err(place.clone());
            }
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    Ok(Some(OwnFilter::new(PassPhase::Around, "lines", written(lines))))
}

/// What writes them: the plain ones are the same for every request.
fn written(lines: BTreeMap<Arc<str>, VariableText>) -> Filter {
    if lines.values().any(|text| text.variables().next().is_some()) {
        return Filter::Nginx(NginxStep::Say(lines.into_iter().collect()).into());
    }
    let plain = |text: &VariableText| match text.parts() {
        [TextPart::Plain(plain)] => plain.clone(),
        _ => "".into(),
    };
    let response = lines.iter().map(|(name, text)| (name.clone(), plain(text))).collect();
    Filter::Headers(HeaderRules { response, ..HeaderRules::default() }.into())
}

/// A line of answers; or why it cannot be said.
fn said(name: &str, value: &str) -> Result<(Arc<str>, VariableText), String> {
    let text = VariableText::read_of_place(value.trim());
    text.map(|text| (name.into(), text)).map_err(|why| format!("has `{name}`: {why}"))
}

/// Says of lines for all answers that cannot be said.
pub(super) fn unsaid(
    settings: &NginxSettings,
    object: &Arc<ObjectRef>,
    reads: &mut Reads<'_>,
) -> Vec<Diagnostic> {
    let Some(id) = &settings.headers else { return Vec::new() };
    let data = data(id, reads);
    let lines = data.iter().flat_map(|data| data.iter());
    let faults = lines.filter_map(|(name, value)| said(name, value).err());
    let place = Provenance::new(object, FieldPath::from("data").key("add-headers"));
    let told = |why: String| {
        let message = format!("ConfigMap {id} {why}: answers do not have it");
        let help = "write names and values of headers, with variables such as `$host`";
        let code = codes::REFERENCE_MISSING;
        Diagnostic::at(Severity::Warning, code, &place, message, help)
    };
    faults.map(told).collect()
}

/// Lines of an Ingress's own, or why they are not to be had.
fn own(
    read: &ReadSet<'_>,
    id: &NamespacedName,
    settings: &NginxSettings,
    reads: &mut Reads<'_>,
) -> Result<Arc<Labels>, String> {
    if id.namespace != read.set.object.namespace && !settings.allows_cross_namespace {
        return Err("is in another namespace".to_owned());
    }
    let data = data(id, reads).ok_or("is not there")?;
    let is_let = |name: &String| settings.allowed_headers.contains(&name.to_ascii_lowercase());
    let unlet = data.iter().map(|(name, _)| name).find(|name| !is_let(name)).cloned();
    unlet.map_or(Ok(data), |name| {
        Err(format!(
            "has `{name}`, which `global-allowed-response-headers` of ingress-nginx's ConfigMap \
             does not name"
        ))
    })
}

fn data(id: &NamespacedName, reads: &mut Reads<'_>) -> Option<Arc<Labels>> {
    match reads.row(&Cell::Object(Tag::ConfigMap, id.clone()))?.items() {
        [Item::ConfigMap { data, .. }, ..] => Some(data.clone()),
        _ => None,
    }
}

/// Lines that requests are given, with variables in what they say, by a ConfigMap of an Ingress's
/// own namespace or, where that is let, of another; or why they are not to be had.
pub(super) fn of_requests(
    id: &NamespacedName,
    (read, is_let): (&ReadSet<'_>, bool),
    reads: &mut Reads<'_>,
) -> Result<NginxLines, String> {
    if id.namespace != read.set.object.namespace && !is_let {
        return Err("is in another namespace".to_owned());
    }
    let data = data(id, reads).ok_or("is not there")?;
    let object = read.set.object.id();
    // Of several locations nobody is asked by more than the first.
    let first = read.routes().first();
    let placed = |text: VariableText| match first {
        Some(draft) => text.placed(&|word| draft.says(&object, word)),
        None => text,
    };
    let lines = data.iter().map(|(name, value)| line(name, value));
    lines.map(|read| read.map(|(name, text)| (name, placed(text)))).collect()
}

/// The same for all locations; what cannot be said is left out, and told by `say`.
pub(super) fn of_all(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    say: &mut dyn FnMut(String),
) -> NginxLines {
    let Some(data) = data(id, reads) else {
        say("is not there".to_owned());
        return NginxLines::new();
    };
    let read = data.iter().filter_map(|(name, value)| line(name, value).map_err(&mut *say).ok());
    read.collect()
}

/// What a line says; or why it cannot be said.
fn line(name: &str, value: &str) -> Result<(Arc<str>, VariableText), String> {
    let is_part = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    if name.is_empty() || !name.bytes().all(is_part) {
        return Err(format!("has `{name}`, which is no name of a header"));
    }
    if FRAMING.iter().any(|it| name.eq_ignore_ascii_case(it)) {
        return Err(format!("has `{name}`, which is said of connections and bodies as they are"));
    }
    let value = value.trim();
    if value.chars().any(char::is_control) {
        return Err(format!("has a value of `{name}` that would end its line"));
    }
    let text = VariableText::read_of_place(value);
    let text = text.map_err(|why| format!("has `{name}`: {why}"))?;
    Ok((name.into(), text))
}

/// Warns of lines for all locations that are not there.
pub(super) fn untold(id: &NamespacedName, place: &Provenance, why: String) -> Diagnostic {
    let message = format!("ConfigMap {id} {why}: backends are told nothing of it");
    let help = "write names and values of headers, with variables such as `$host`";
    let found = Diagnostic::at(Severity::Warning, codes::REFERENCE_MISSING, place, message, help);
    found.missing(Missing::named("ConfigMap", &id.name).within(&id.namespace).sought())
}

pub(super) fn unusable(id: &NamespacedName, place: &Provenance, why: String) -> Diagnostic {
    let message = format!("ConfigMap {id} {why}: the routes answer 503");
    let help = "name a ConfigMap of the same namespace, all of whose lines are allowed";
    let found = Diagnostic::at(Severity::Error, codes::REFERENCE_MISSING, place, message, help);
    found.missing(Missing::named("ConfigMap", &id.name).within(&id.namespace).sought())
}
