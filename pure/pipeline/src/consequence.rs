//! Findings that only follow from a mistake elsewhere: whoever reads that something is missing,
//! while it is there and has a mistake, is told which line to mend first.
//!
//! It changes what is shown, not what is known. Each finding says as data what it misses; the cost
//! is that of looking that up.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_dialects::codes as of_objects;
use steelyard_model::suggest::closeness;
use steelyard_model::{Alike, Diagnostic, Diagnostics, Location, Missing, ObjectRef};

/// What keeps things from counting, and where each is: objects with a mistake by name and by kind,
/// and the first file that could not be read to its end.
#[derive(Default)]
struct Mistakes<'a> {
    by_name: BTreeMap<&'a str, BTreeMap<&'a ObjectRef, &'a Location>>,
    by_kind: BTreeMap<&'a str, (&'a ObjectRef, &'a Location)>,
    file: Option<&'a Location>,
}

/// Says of findings that follow from another one which that is. Whoever is said to be missing
/// counts for nothing, so a mistake of his is why.
pub(crate) fn explain(diagnostics: &mut Diagnostics) {
    let misses =
        |found: &&Diagnostic| matches!(found.missing.as_deref(), Some(Missing::Object { .. }));
    let consequences: Vec<Diagnostic> = diagnostics.iter().filter(misses).cloned().collect();
    if consequences.is_empty() {
        return;
    }
    let mistakes = Mistakes::among(diagnostics);
    let mut explained = consequences.clone();
    for (found, told) in explained.iter_mut().zip(&consequences) {
        let Some(missing) = told.missing.as_deref() else { continue };
        let is_alike = matches!(missing, Missing::Object { alike: Alike::Told, .. });
        if let Some((object, place)) = mistakes.behind(missing) {
            if let Missing::Object { invalid: Some(message), .. } = missing {
                found.message = message.to_string();
            }
            found.help = format!("{object} has a mistake at {place}: mend that first");
        } else if let Some(place) = mistakes.file.filter(|_| !is_alike) {
            found.help = format!("mend what is wrong at {place} first: it may be in that file");
        }
    }
    diagnostics.change(consequences, explained);
}

impl<'a> Mistakes<'a> {
    fn among(diagnostics: &'a Diagnostics) -> Self {
        let mut mistakes = Self::default();
        for found in diagnostics {
            let Some(place) = &found.location else { continue };
            match &found.object {
                Some(object) if found.is_error() || found.code == of_objects::KIND_UNKNOWN => {
                    let named = mistakes.by_name.entry(&object.name).or_default();
                    named.entry(object).or_insert(place);
                    mistakes.by_kind.entry(&object.kind).or_insert((object, place));
                }
                None if found.is_error() => {
                    mistakes.file.get_or_insert(place);
                }
                _ => {}
            }
        }
        mistakes
    }

    /// The object that is missed.
    fn behind(&self, missing: &Missing) -> Option<(&'a ObjectRef, &'a Location)> {
        let Missing::Object { kind: wanted, namespace, name, .. } = missing else { return None };
        let Some(name) = name else {
            let mut kinds = self.by_kind.iter();
            return kinds.find(|(kind, _)| is_meant(kind, wanted)).map(|(_, found)| *found);
        };
        let is_there = |place: &Arc<str>| namespace.as_ref().is_none_or(|wanted| wanted == place);
        let mut named = self.by_name.get(&**name)?.iter();
        let fits = |(object, _): &(&&ObjectRef, &&Location)| {
            is_there(&object.namespace) && is_meant(&object.kind, wanted)
        };
        named.find(fits).map(|(object, place)| (*object, *place))
    }
}

/// Whether `written` is `kind`, or a typo or an older name of it.
fn is_meant(written: &str, kind: &str) -> bool {
    written == kind || (kind != "Service" && closeness(written, kind).is_some())
}
