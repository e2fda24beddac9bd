//! What ingress-nginx leaves out, or does not let in: by its ConfigMap, and for what paths say.

use std::sync::Arc;

use steelyard_dialects::nginx::{self, Forbidden, Inspection, is_plain_path};
use steelyard_model::routing::left_out::{LeftOut, LeftOutReason};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::{Diagnostic, FieldPath, NginxOptions, Provenance, RouteDraft, Severity};

use super::settings::lines_of_all;
use crate::codes;
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::{Class, LeftOutRules, ReadSet, Row};

/// What the ConfigMap forbids of an Ingress in words of ingress-nginx, which is left out then.
pub(in crate::tables) fn forbidden(
    read: &ReadSet<'_>,
    reads: &mut Reads<'_>,
) -> Option<(Diagnostic, LeftOutReason)> {
    let written = read.reading.written.as_deref().filter(|_| read.class == Class::Nginx)?;
    let Forbidden { key, why, help } = inspected(reads).forbids(written)?;
    let place = Provenance::new(&read.set.object, FieldPath::annotation(&key));
    let message = format!("annotation `{key}` {why}: the Ingress is left out");
    let code = codes::ANNOTATION_FORBIDDEN;
    let found = Diagnostic::at(Severity::Error, code, &place, message, help);
    Some((found, LeftOutReason::Annotation(key.into())))
}

/// What names files of ingress-nginx, or its directives, in an Ingress in its words, which is left
/// out then.
pub(in crate::tables) fn suspicious(read: &ReadSet<'_>) -> Option<(Diagnostic, LeftOutReason)> {
    let mut drafts = read.set.routes.iter().filter(|_| read.class == Class::Nginx);
    drafts.find_map(|draft| {
        let what = texts(draft).iter().find_map(|text| nginx::suspicious(text))?;
        let message = format!(
            "`{what}` is in it, which ingress-nginx lets nobody name: the Ingress is left out"
        );
        let help = "take it out of hosts, paths and names of Services";
        let code = codes::PATH_FORBIDDEN;
        let found = Diagnostic::at(Severity::Error, code, &draft.place, message, help);
        Some((found, LeftOutReason::Words))
    })
}

/// The rules of an Ingress that is left out.
pub(in crate::tables) fn left_out(read: &ReadSet<'_>, why: &LeftOutReason) -> LeftOutRules {
    let of = |draft: &RouteDraft| (draft.id.clone(), left_out_rule(draft, why.clone()));
    read.set.routes.iter().map(of).collect()
}

/// The rule of a draft that has no route.
pub(super) fn left_out_rule(draft: &RouteDraft, why: LeftOutReason) -> Arc<LeftOut> {
    Arc::new(LeftOut { place: draft.place.clone(), rule: draft.rule.clone(), why })
}

/// Paths for which ingress-nginx's webhook refuses an Ingress in its words; they are served all the
/// same.
pub(in crate::tables) fn not_plain(read: &ReadSet<'_>, reads: &mut Reads<'_>) -> Vec<Diagnostic> {
    let drafts = read.set.routes.iter().filter(|it| read.class == Class::Nginx && !it.is_open);
    let drafts: Vec<&RouteDraft> = drafts.filter(|it| !is_plain_path(&it.written())).collect();
    if drafts.is_empty() || !inspected(reads).is_strict {
        return Vec::new();
    }
    let said = drafts.into_iter().map(|draft| {
        let message = format!(
            "path `{}` is of a pathType with which ingress-nginx's webhook takes letters, digits, \
             `.`, `_`, `-` and `/` alone; it is served",
            draft.written()
        );
        let help = "write `pathType: ImplementationSpecific`";
        let place = Provenance::new(&draft.place.object, draft.place.field.key("pathType"));
        Diagnostic::at(Severity::Info, codes::PATH_TYPE_STRICT, &place, message, help)
    });
    said.collect()
}

/// What the ConfigMap, and options that count where it says nothing, let Ingresses have: read once
/// for all of them.
pub(in crate::tables) fn inspection(reads: &mut Reads<'_>, options: &NginxOptions) -> Row {
    let (_, lines) = lines_of_all(reads, options);
    Row::Inspection(Arc::new(Inspection::of(&lines)))
}

fn inspected(reads: &mut Reads<'_>) -> Arc<Inspection> {
    match reads.row(&Cell::Inspection) {
        Some(Row::Inspection(inspection)) => inspection,
        other => panic!("{other:?} is no inspection"),
    }
}

/// Host, path and Service of a route.
fn texts(draft: &RouteDraft) -> [Arc<str>; 3] {
    let host = match draft.rule.host() {
        HostPattern::Any => Arc::default(),
        host => host.to_string().into(),
    };
    let service = draft.backend.as_ref().map(|it| it.service.name.clone());
    [host, draft.written(), service.unwrap_or_default()]
}
