//! Values by host pattern, the most specific first.

use steelyard_model::routing::pattern::HostPattern;

use crate::shards::{Shards, Vacant};

/// Values by host pattern. A name finds its own value, then those of wildcards, the longest
/// first (of one length that of a single label), then that of every host. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct HostMap<V> {
    exact: Shards<V>,
    label: Shards<V>,
    labels: Shards<V>,
    any: V,
    /// No suffix has more labels; a bound, which removals leave as it is.
    deepest: usize,
}

impl<V: Vacant> HostMap<V> {
    /// Changes the value of a pattern, which comes and goes with what it holds.
    pub(crate) fn change(&mut self, pattern: &HostPattern, change: impl FnOnce(&mut V)) {
        let (map, name) = match pattern {
            HostPattern::Any => return change(&mut self.any),
            HostPattern::Exact(name) => (&mut self.exact, name),
            HostPattern::Label(suffix) => (&mut self.label, suffix),
            HostPattern::Labels(suffix) => (&mut self.labels, suffix),
        };
        if !matches!(pattern, HostPattern::Exact(_)) {
            self.deepest = self.deepest.max(memchr::memchr_iter(b'.', name.as_bytes()).count() + 1);
        }
        map.change(name, change);
    }

    /// The values of all patterns that are for `host`, the most specific first.
    pub(crate) fn matching<'m, 'h>(
        &'m self,
        host: &'h str,
    ) -> impl Iterator<Item = &'m V> + Clone + use<'m, 'h, V> {
        self.named(host).chain(self.any())
    }

    /// Shows the same. Most often nothing is named, and nothing is looked for.
    pub(crate) fn visit<'m>(&'m self, host: &str, see: &mut impl FnMut(&'m V)) {
        if !self.is_nameless() {
            self.named(host).for_each(&mut *see);
        }
        if !self.any.is_vacant() {
            see(&self.any);
        }
    }

    fn is_nameless(&self) -> bool {
        self.exact.is_empty() && self.label.is_empty() && self.labels.is_empty()
    }

    /// The same, but for what is for every host.
    pub(crate) fn named<'m, 'h>(
        &'m self,
        host: &'h str,
    ) -> impl Iterator<Item = &'m V> + Clone + use<'m, 'h, V> {
        // Where there is no wildcard, nothing is looked for.
        let suffixes = if self.deepest == 0 { "" } else { host };
        let dots = memchr::memchr_iter(b'.', suffixes.as_bytes());
        let labels = dots.clone().count();
        let wildcards = dots
            .enumerate()
            .filter(move |(before, dot)| *dot > 0 && labels - before <= self.deepest)
            .flat_map(move |(before, dot)| {
                let suffix = &host[dot + 1..];
                let label = (before == 0).then(|| self.label.get(suffix)).flatten();
                label.into_iter().chain(self.labels.get(suffix))
            });
        self.exact.get(host).into_iter().chain(wildcards)
    }

    /// The value of every host.
    pub(crate) fn any(&self) -> Option<&V> {
        Some(&self.any).filter(|any| !any.is_vacant())
    }
}

impl<V: Vacant> Default for HostMap<V> {
    fn default() -> Self {
        let (exact, label, labels) = (Shards::default(), Shards::default(), Shards::default());
        Self { exact, label, labels, any: V::default(), deepest: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_comes_first() {
        let mut map = HostMap::default();
        for pattern in [
            HostPattern::Any,
            HostPattern::Labels("c".into()),
            HostPattern::Labels("b.c".into()),
            HostPattern::Label("b.c".into()),
            HostPattern::Exact("a.b.c".into()),
        ] {
            map.change(&pattern, |all: &mut Vec<HostPattern>| all.push(pattern.clone()));
        }
        let found = |host: &str| -> Vec<String> {
            let patterns = map.matching(host).flatten().map(|pattern| format!("{pattern:?}"));
            patterns.collect()
        };
        let all = [r#"Exact("a.b.c")"#, r#"Label("b.c")"#, r#"Labels("b.c")"#];
        let rest = [r#"Labels("c")"#, "Any"];
        assert_eq!(found("a.b.c"), [&all[..], &rest[..]].concat());
        assert_eq!(found("x.a.b.c"), [r#"Labels("b.c")"#, r#"Labels("c")"#, "Any"]);
        assert_eq!(found("b.c"), rest);
        assert_eq!(found(""), ["Any"]);
    }

    #[test]
    fn a_pattern_is_found_where_there_is_no_other() {
        let (name, suffix) = ("a.b", "b");
        for pattern in [
            HostPattern::Exact(name.into()),
            HostPattern::Label(suffix.into()),
            HostPattern::Labels(suffix.into()),
            HostPattern::Any,
        ] {
            let mut map = HostMap::default();
            map.change(&pattern, |all: &mut Vec<HostPattern>| all.push(pattern.clone()));
            let mut seen = Vec::new();
            map.visit(name, &mut |all| seen.extend(all));
            assert_eq!(seen, [&pattern]);
        }
    }

    #[test]
    fn it_finds_what_the_patterns_match() {
        let suffixes = ["c", "b.c", "a.b.c"];
        let mut map = HostMap::default();
        let patterns = suffixes.iter().flat_map(|suffix| {
            let suffix: std::sync::Arc<str> = (*suffix).into();
            [
                HostPattern::Exact(suffix.clone()),
                HostPattern::Label(suffix.clone()),
                HostPattern::Labels(suffix),
            ]
        });
        let patterns: Vec<HostPattern> = patterns.collect();
        for pattern in &patterns {
            map.change(pattern, |all: &mut Vec<HostPattern>| all.push(pattern.clone()));
        }
        for host in ["", ".", "c", ".c", "b.c", "x.c", "a.b.c", "x.b.c", "y.x.b.c", "z.a.b.c"] {
            let mut found: Vec<&HostPattern> = map.matching(host).flatten().collect();
            let mut seen = Vec::new();
            map.visit(host, &mut |all| seen.extend(all));
            assert_eq!(seen, found, "{host}");
            let mut expected: Vec<_> = patterns.iter().filter(|one| one.matches(host)).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{host}");
        }
        for pattern in &patterns {
            map.change(pattern, Vec::clear);
        }
        assert_eq!(map.matching("a.b.c").count(), 0);
    }
}
