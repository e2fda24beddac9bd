//! Findings that only follow from a mistake elsewhere: whoever reads that something is missing,
//! while it is there and has a mistake, is told which line to mend first.
//!
//! It changes what is shown, not what is known: findings are made one by one, and their messages
//! quote the name that leads nowhere.

use std::collections::BTreeMap;

use steelyard_dialects::codes as of_objects;
use steelyard_ipam::codes as of_addresses;
use steelyard_model::suggest::closeness;
use steelyard_model::{Code, Diagnostic, Diagnostics, Location, ObjectRef};
use steelyard_plan::resolve::codes as of_join;

const POOL: &str = "IPAddressPool";

/// Findings about a name that leads nowhere, and the kind that it is the name of.
const NAMED: [(Code, &str); 7] = [
    (of_addresses::UNKNOWN_POOL, POOL),
    (of_join::BACKEND_SERVICE_MISSING, "Service"),
    (of_join::BFD_PROFILE_MISSING, "BFDProfile"),
    (of_join::PASSWORD_SECRET_MISSING, "Secret"),
    (of_join::PEER_MISSING, "BGPPeer"),
    (of_join::POOL_MISSING, POOL),
    (of_join::TLS_SECRET_MISSING, "Secret"),
];

/// Kinds of which everybody has to have the right namespace to be meant.
const NAMESPACED: [&str; 2] = ["Service", "Secret"];

/// What keeps things from counting, and where each is: objects with a mistake, and the first file
/// that could not be read to its end.
#[derive(Default)]
struct Mistakes {
    objects: BTreeMap<ObjectRef, Location>,
    file: Option<Location>,
}

/// Says of findings that follow from another one which that is. Whoever is said to be missing
/// counts for nothing, so a mistake of his is why.
pub(crate) fn explain(diagnostics: &mut Diagnostics) {
    let consequences: Vec<Diagnostic> =
        diagnostics.iter().filter(|it| is_consequence(it)).cloned().collect();
    if consequences.is_empty() {
        return;
    }
    let mistakes = Mistakes::among(diagnostics);
    let mut explained = consequences.clone();
    for found in &mut explained {
        if let Some((object, place)) = mistakes.behind(found) {
            if !found.message.contains("there is no valid ") {
                found.message = found.message.replacen("there is no ", "there is no valid ", 1);
            }
            found.help = format!("{object} has a mistake at {place}: mend that first");
        } else if let Some(place) = mistakes.file.as_ref().filter(|_| !is_typo(found)) {
            found.help = format!("mend what is wrong at {place} first: it may be in that file");
        }
    }
    diagnostics.change(consequences, explained);
}

fn is_consequence(found: &Diagnostic) -> bool {
    no_pool(found) || NAMED.iter().any(|(code, _)| *code == found.code)
}

/// Whether something like it is there.
fn is_typo(found: &Diagnostic) -> bool {
    found.help.starts_with("did you mean")
}

/// Whether it says that there is no pool at all.
fn no_pool(found: &Diagnostic) -> bool {
    (found.code == of_addresses::NO_ADDRESS && found.message.contains("no valid IPAddressPool"))
        || (found.code == of_join::SELECTS_NO_POOL && found.path.is_root())
}

impl Mistakes {
    fn among(diagnostics: &Diagnostics) -> Self {
        let mut mistakes = Self::default();
        for found in diagnostics {
            let Some(place) = &found.location else { continue };
            match &found.object {
                Some(object) if found.is_error() || found.code == of_objects::KIND_UNKNOWN => {
                    mistakes.objects.entry(object.clone()).or_insert_with(|| place.clone());
                }
                None if found.is_error() => {
                    mistakes.file.get_or_insert_with(|| place.clone());
                }
                _ => {}
            }
        }
        mistakes
    }

    /// The object that `found` misses.
    fn behind(&self, found: &Diagnostic) -> Option<(&ObjectRef, &Location)> {
        if no_pool(found) {
            return self.objects.iter().find(|(object, _)| is_meant(&object.kind, POOL));
        }
        let (_, kind) = NAMED.iter().find(|(code, _)| *code == found.code)?;
        let namespace = found.object.as_ref().map(|object| &object.namespace);
        let fits = |object: &ObjectRef| {
            let anywhere = !NAMESPACED.contains(kind) || Some(&object.namespace) == namespace;
            anywhere && is_meant(&object.kind, kind) && quotes(&found.message, &object.name)
        };
        self.objects.iter().find(|(object, _)| fits(object))
    }
}

/// Whether `written` is `kind`, or a typo or an older name of it.
fn is_meant(written: &str, kind: &str) -> bool {
    written == kind || (kind != "Service" && closeness(written, kind).is_some())
}

fn quotes(message: &str, name: &str) -> bool {
    message.contains(&format!("`{name}`")) || message.contains(&format!("{name:?}"))
}
