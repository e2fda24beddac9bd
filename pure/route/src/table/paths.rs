//! The paths of one host.

use std::sync::Arc;

use crate::candidate::Candidate;
use crate::necessary::{Left, PathKey};
use crate::shards::{Map, Vacant};
use crate::table::slot::Slot;
use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::subject::Subject;

/// Most places of one kind that a sample shows.
const SAMPLE: usize = 32;

/// Forms of paths that few routes read.
const RARE: [PathForm; 2] = [PathForm::Decoded, PathForm::Readable];

/// Candidates of one host by the path that they need. Small, since most hosts have one route: what
/// is named stands elsewhere, where clones share it.
#[derive(Debug)]
pub(crate) struct Paths<T> {
    /// Those that name nothing that can be looked up.
    any: Slot<T>,
    named: Option<Arc<Named<T>>>,
}

/// Candidates by what they name.
#[derive(Debug)]
struct Named<T> {
    normal: Prefixes<T>,
    /// Those by paths of [`RARE`] forms, in that order.
    rare: [Option<Box<Prefixes<T>>>; RARE.len()],
    /// Those that name no path, but a header line: by its name, then by its value.
    headers: Vec<(Arc<str>, Map<Slot<T>>)>,
}

/// Candidates by paths of one form.
#[derive(Debug)]
struct Prefixes<T> {
    exact: Map<Slot<T>>,
    elements: Map<Slot<T>>,
    bytes: Map<Slot<T>>,
    /// No prefix by elements is longer; a bound, which removals leave as it is.
    longest: usize,
    /// Lengths that prefixes by bytes have, ascending, each with how many of them.
    lengths: Vec<(usize, usize)>,
}

impl<T: Candidate> Paths<T> {
    pub(crate) fn insert(&mut self, path: &PathKey, candidate: &Arc<T>, left: Left) {
        if *path == PathKey::Any {
            return self.any.insert(candidate, left);
        }
        Arc::make_mut(self.named.get_or_insert_default()).insert(path, candidate, left);
    }

    pub(crate) fn remove(&mut self, path: &PathKey, candidate: &T) {
        if *path == PathKey::Any {
            self.any.remove(candidate);
        } else if let Some(named) = &mut self.named {
            Arc::make_mut(named).remove(path, candidate);
            self.named.take_if(|named| named.is_empty());
        }
    }

    /// Shows each place at which a route for `subject` may stand.
    pub(crate) fn visit<'t>(&'t self, subject: &impl Subject, see: &mut impl FnMut(&'t Slot<T>)) {
        if let Some(named) = &self.named {
            named.visit(subject, see);
        }
        if !self.any.is_empty() {
            see(&self.any);
        }
    }

    /// Shows some places, all if they are few.
    pub(crate) fn sample<'t>(&'t self, see: &mut impl FnMut(&'t Slot<T>)) {
        if let Some(named) = &self.named {
            named.sample(see);
        }
        if !self.any.is_empty() {
            see(&self.any);
        }
    }
}

impl<T: Candidate> Named<T> {
    fn insert(&mut self, path: &PathKey, candidate: &Arc<T>, left: Left) {
        let slot = match path {
            PathKey::Any => return,
            PathKey::Exact(form, path) => {
                self.form_mut(*form).exact.entry(path.clone()).or_default()
            }
            PathKey::Elements(form, prefix) => {
                let form = self.form_mut(*form);
                form.longest = form.longest.max(prefix.len());
                form.elements.entry(prefix.clone()).or_default()
            }
            PathKey::Bytes(form, prefix) => self.form_mut(*form).bytes_mut(prefix),
            PathKey::Header(name, value) => self.header_mut(name).entry(value.clone()).or_default(),
        };
        slot.insert(candidate, left);
    }

    fn remove(&mut self, path: &PathKey, candidate: &T) {
        match path {
            PathKey::Any => {}
            PathKey::Exact(form, path) => {
                take(&mut self.form_mut(*form).exact, path, candidate);
            }
            PathKey::Elements(form, prefix) => {
                take(&mut self.form_mut(*form).elements, prefix, candidate);
            }
            PathKey::Bytes(form, prefix) => self.form_mut(*form).remove_bytes(prefix, candidate),
            PathKey::Header(name, value) => {
                take(self.header_mut(name), value, candidate);
                self.headers.retain(|(_, values)| !values.is_empty());
            }
        }
    }

    fn visit<'t>(&'t self, subject: &impl Subject, see: &mut impl FnMut(&'t Slot<T>)) {
        self.normal.visit(subject.path(PathForm::Normal), see);
        for (form, rare) in RARE.into_iter().zip(&self.rare) {
            if let Some(rare) = rare {
                rare.visit(subject.path(form), see);
            }
        }
        for (name, values) in &self.headers {
            subject.any_header(name, &mut |value| {
                let slot = str::from_utf8(value).ok().and_then(|value| values.get(value));
                slot.into_iter().for_each(&mut *see);
                false
            });
        }
    }

    fn sample<'t>(&'t self, see: &mut impl FnMut(&'t Slot<T>)) {
        let rare = self.rare.iter().filter_map(Option::as_deref);
        for form in std::iter::once(&self.normal).chain(rare) {
            for map in [&form.exact, &form.elements, &form.bytes] {
                map.values().take(SAMPLE).for_each(&mut *see);
            }
        }
        let lines = self.headers.iter().flat_map(|(_, values)| values.values());
        lines.take(SAMPLE).for_each(&mut *see);
    }

    fn is_empty(&self) -> bool {
        let mut rare = self.rare.iter().flatten();
        self.normal.is_empty() && rare.all(|it| it.is_empty()) && self.headers.is_empty()
    }

    fn form_mut(&mut self, form: PathForm) -> &mut Prefixes<T> {
        match form {
            PathForm::Normal => &mut self.normal,
            PathForm::Decoded => self.rare[0].get_or_insert_default(),
            PathForm::Readable => self.rare[1].get_or_insert_default(),
        }
    }

    fn header_mut(&mut self, name: &Arc<str>) -> &mut Map<Slot<T>> {
        let known = self.headers.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or_else(|| {
            self.headers.push((name.clone(), Map::default()));
            self.headers.len() - 1
        });
        &mut self.headers[at].1
    }
}

impl<T: Candidate> Prefixes<T> {
    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.elements.is_empty() && self.bytes.is_empty()
    }

    /// The place of those of a prefix by bytes, one of which comes.
    fn bytes_mut(&mut self, prefix: &Arc<str>) -> &mut Slot<T> {
        let length = prefix.len();
        match self.lengths.binary_search_by_key(&length, |(length, _)| *length) {
            Ok(at) => self.lengths[at].1 += 1,
            Err(at) => self.lengths.insert(at, (length, 1)),
        }
        self.bytes.entry(prefix.clone()).or_default()
    }

    fn remove_bytes(&mut self, prefix: &str, candidate: &T) {
        if !take(&mut self.bytes, prefix, candidate) {
            return;
        }
        let known = self.lengths.binary_search_by_key(&prefix.len(), |(length, _)| *length);
        if let Ok(at) = known {
            self.lengths[at].1 -= 1;
            if self.lengths[at].1 == 0 {
                self.lengths.remove(at);
            }
        }
    }

    fn visit<'t>(&'t self, path: &str, see: &mut impl FnMut(&'t Slot<T>)) {
        if !self.exact.is_empty()
            && let Some(slot) = self.exact.get(path)
        {
            see(slot);
        }
        if !self.elements.is_empty() {
            self.visit_elements(path, see);
        }
        for (length, _) in self.lengths.iter().rev() {
            if let Some(prefix) = path.get(..*length)
                && let Some(slot) = self.bytes.get(prefix)
            {
                see(slot);
            }
        }
    }

    /// A prefix ends before a slash or with the path: these places from the right, but none
    /// beyond the longest prefix, so that a path of many elements costs no more than the routes
    /// warrant.
    fn visit_elements<'t>(&'t self, path: &str, see: &mut impl FnMut(&'t Slot<T>)) {
        if path.len() <= self.longest
            && let Some(slot) = self.elements.get(path)
        {
            see(slot);
        }
        let mut end = path.len().min(self.longest.saturating_add(1));
        while let Some(slash) = memchr::memrchr(b'/', &path.as_bytes()[..end]) {
            if slash > 0
                && let Some(slot) = self.elements.get(&path[..slash])
            {
                see(slot);
            }
            end = slash;
        }
    }
}

/// Takes a candidate out of its slot, and an empty slot out of the map; whether it was there.
fn take<T: Candidate>(map: &mut Map<Slot<T>>, key: &str, candidate: &T) -> bool {
    let Some(slot) = map.get_mut(key) else { return false };
    let was_there = slot.remove(candidate);
    if slot.is_empty() {
        map.remove(key);
    }
    was_there
}

impl<T: Candidate> Vacant for Paths<T> {
    fn is_vacant(&self) -> bool {
        self.any.is_empty() && self.named.is_none()
    }
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { any: Slot::default(), named: None }
    }
}

impl<T> Clone for Paths<T> {
    fn clone(&self) -> Self {
        Self { any: self.any.clone(), named: self.named.clone() }
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { normal: Prefixes::default(), rare: [None, None], headers: Vec::new() }
    }
}

impl<T> Clone for Named<T> {
    fn clone(&self) -> Self {
        let (rare, headers) = (self.rare.clone(), self.headers.clone());
        Self { normal: self.normal.clone(), rare, headers }
    }
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        let (exact, elements, bytes) = (Map::default(), Map::default(), Map::default());
        Self { exact, elements, bytes, longest: 0, lengths: Vec::new() }
    }
}

impl<T> Clone for Prefixes<T> {
    fn clone(&self) -> Self {
        Self {
            exact: self.exact.clone(),
            elements: self.elements.clone(),
            bytes: self.bytes.clone(),
            longest: self.longest,
            lengths: self.lengths.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::ranked::Ranked;

    fn keys() -> Vec<PathKey> {
        let forms = std::iter::once(PathForm::Normal).chain(RARE).flat_map(|form| {
            [
                PathKey::Exact(form, "/a".into()),
                PathKey::Elements(form, "/a".into()),
                PathKey::Bytes(form, "/a".into()),
            ]
        });
        let line = PathKey::Header("a".into(), "b".into());
        [PathKey::Any, line].into_iter().chain(forms).collect()
    }

    #[test]
    fn nothing_stays_of_what_went() {
        let route = Ranked::named("route");
        for key in keys() {
            let mut paths = Paths::default();
            assert!(paths.is_vacant(), "{key:?}");
            paths.insert(&key, &route, Left::Rule);
            assert!(!paths.is_vacant(), "{key:?}");
            paths.remove(&key, &route);
            assert!(paths.is_vacant(), "{key:?}");
        }
    }

    #[test]
    fn a_length_is_known_as_long_as_a_prefix_has_it() {
        let route = Ranked::named("route");
        let mut form = Prefixes::default();
        for prefix in ["/ab", "/cd", "/ef"] {
            form.bytes_mut(&prefix.into()).insert(&route, Left::Rule);
        }
        form.remove_bytes("/gone", &route);
        for (prefix, left) in [("/ab", vec![(3, 2)]), ("/cd", vec![(3, 1)]), ("/ef", vec![])] {
            form.remove_bytes(prefix, &route);
            assert_eq!(form.lengths, left, "{prefix}");
            form.remove_bytes(prefix, &route);
            assert_eq!(form.lengths, left, "{prefix}, which went before");
        }
    }
}
