//! What would be said of an object, were it there: nothing changes by asking.

use std::sync::Arc;

use steelyard_manifest::{Extract, Key, Object, ObjectChanges};
use steelyard_model::{Code, Diagnostic, NamespacedName, Severity};

use crate::codes;
use crate::objects::LoweredObject;
use crate::pipeline::Pipeline;
use crate::tables::cell::Cell;

/// What came of trying an object out beside all others.
#[derive(Debug)]
pub struct ObjectTrial {
    /// Whether it is an Ingress in words of ingress-nginx.
    pub is_in_words_of_nginx: bool,
    /// What is said of it that is not said yet, in order. What it lacks is not among it: that may
    /// come after it.
    pub said: Vec<Diagnostic>,
}

impl Pipeline {
    /// Tries an object out, in the place of the one of its name if there is one.
    ///
    /// A copy takes it in, which costs tens of milliseconds where there are 10,000 Ingresses: what
    /// it comes to is then what `check` would say, whatever the object hangs on.
    pub fn tried(&self, object: &Object) -> ObjectTrial {
        let mut copy = self.clone();
        let lowered = Arc::new(LoweredObject::of(object, self.joined.reading()));
        let objects = vec![(Key::of(object), Some(lowered))];
        let world = copy.take(ObjectChanges { objects, ..ObjectChanges::default() });
        let is_its = |found: &Diagnostic| found.object.as_ref() == Some(&*object.reference);
        // Of two that are created within a second the other one may lose.
        let is_new = |found: &Diagnostic| is_its(found) || found.code == codes::ROUTE_DUPLICATE;
        let standing = self.standing();
        let before: Vec<&Diagnostic> = standing.iter().filter(|it| is_new(it)).collect();
        let all = world.snapshot.diagnostics.since(&standing).into_iter();
        let said = all.filter(|found| is_new(found) && found.missing.is_none());
        let said = said.filter(|found| !before.iter().any(|known| is_same(known, found)));
        let said: Vec<Diagnostic> = said.cloned().map(refused_at_first).collect();
        let is_left_out = said.iter().any(|found| LEFT_OUT.contains(&found.code));
        let is_in_words_of_nginx = is_left_out || copy.speaks_nginx(object.reference.id());
        ObjectTrial { is_in_words_of_nginx, said }
    }

    fn speaks_nginx(&self, id: NamespacedName) -> bool {
        self.joined.row(&Cell::Set(id)).is_some_and(|row| row.set().speaks_nginx())
    }
}

/// What only an Ingress in words of ingress-nginx is left out for.
const LEFT_OUT: [Code; 2] = [codes::ANNOTATION_FORBIDDEN, codes::PATH_FORBIDDEN];

/// What is served once it is there, and not let in anew.
fn refused_at_first(found: Diagnostic) -> Diagnostic {
    match found.code {
        codes::PATH_TYPE_STRICT => Diagnostic { severity: Severity::Error, ..found },
        _ => found,
    }
}

/// Whether both are the same, wherever they are written.
fn is_same(known: &Diagnostic, found: &Diagnostic) -> bool {
    let Diagnostic { severity, code, object, path, message, .. } = known;
    (severity, code, object, path, message)
        == (&found.severity, &found.code, &found.object, &found.path, &found.message)
}
