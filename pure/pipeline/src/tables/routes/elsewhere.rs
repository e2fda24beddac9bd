//! Names of other providers: `web@file`, `shop-web@kubernetescrd`.
//!
//! Who has the right to write files has it over all of them, and who names a file's object has been
//! told its name: namespaces say nothing of either.

use steelyard_manifest::FILE_PROVIDER;
use steelyard_model::NamespacedName;
use steelyard_model::routing::route::RouteKind;

use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};

/// What ends the names by which other providers know objects of Traefik's kinds.
const CRD_PROVIDER: &str = "@kubernetescrd";

/// Whether it is an object of a file.
pub(super) fn is_of_file(id: &NamespacedName) -> bool {
    id.name.ends_with(FILE_PROVIDER)
}

/// The section of a file that objects for such routes are in.
pub(super) fn section(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Http | RouteKind::Grpc => "http",
        RouteKind::Tcp => "tcp",
        RouteKind::Udp => "udp",
    }
}

/// The object that another provider calls `name`; none where no other provider has it. One of a
/// file need not be there.
pub(super) fn object(
    tag: Tag,
    name: &str,
    kind: RouteKind,
    reads: &mut Reads<'_>,
) -> Option<NamespacedName> {
    if name.ends_with(FILE_PROVIDER) {
        return Some(NamespacedName::new(section(kind), name));
    }
    let known = name.strip_suffix(CRD_PROVIDER)?;
    match reads.keys(&Cell::KnownAs(tag, known.into())).into_iter().next()? {
        Cell::Object(_, id) => Some(id),
        other => panic!("{other:?} is no object"),
    }
}

/// Its name as a backend: `web@file`, `db@tcp@file`.
pub(super) fn backend_name(id: &NamespacedName) -> String {
    match (id.name.strip_suffix(FILE_PROVIDER), &*id.namespace) {
        (Some(_), "http") => id.name.to_string(),
        (Some(own), section) => format!("{own}@{section}{FILE_PROVIDER}"),
        (None, _) => format!("{id}{CRD_PROVIDER}"),
    }
}
