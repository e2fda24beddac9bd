//! Values by host pattern, the most specific first.

use steelyard_model::routing::pattern::HostPattern;

use crate::table::Map;

/// Values by host pattern. A name finds its own value, then those of wildcards, the longest
/// first (of one length that of a single label), then that of every host.
#[derive(Clone, Debug)]
pub struct HostMap<V> {
    exact: Map<V>,
    label: Map<V>,
    labels: Map<V>,
    any: Option<V>,
    /// No suffix has more labels.
    deepest: usize,
}

impl<V> HostMap<V> {
    /// The value of a pattern, made where there is none.
    pub fn entry(&mut self, pattern: &HostPattern, made: impl FnOnce() -> V) -> &mut V {
        let (map, name) = match pattern {
            HostPattern::Any => return self.any.get_or_insert_with(made),
            HostPattern::Exact(name) => (&mut self.exact, name),
            HostPattern::Label(suffix) => (&mut self.label, suffix),
            HostPattern::Labels(suffix) => (&mut self.labels, suffix),
        };
        if !matches!(pattern, HostPattern::Exact(_)) {
            self.deepest = self.deepest.max(memchr::memchr_iter(b'.', name.as_bytes()).count() + 1);
        }
        map.entry(name.clone()).or_insert_with(made)
    }

    /// The values of all patterns that are for `host`, the most specific first.
    pub fn matching<'m, 'h>(
        &'m self,
        host: &'h str,
    ) -> impl Iterator<Item = &'m V> + Clone + use<'m, 'h, V> {
        self.named(host).chain(&self.any)
    }

    /// The same, but for what is for every host.
    pub fn named<'m, 'h>(
        &'m self,
        host: &'h str,
    ) -> impl Iterator<Item = &'m V> + Clone + use<'m, 'h, V> {
        let dots = memchr::memchr_iter(b'.', host.as_bytes());
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
    pub fn any(&self) -> Option<&V> {
        self.any.as_ref()
    }
}

impl<V> Default for HostMap<V> {
    fn default() -> Self {
        let (exact, label, labels) = (Map::default(), Map::default(), Map::default());
        Self { exact, label, labels, any: None, deepest: 0 }
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
            map.entry(&pattern, || pattern.clone());
        }
        let found = |host: &str| -> Vec<String> {
            let patterns = map.matching(host).map(|pattern| format!("{pattern:?}"));
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
            map.entry(pattern, || pattern.clone());
        }
        for host in ["", ".", "c", ".c", "b.c", "x.c", "a.b.c", "x.b.c", "y.x.b.c", "z.a.b.c"] {
            let mut found: Vec<&HostPattern> = map.matching(host).collect();
            let mut expected: Vec<_> = patterns.iter().filter(|one| one.matches(host)).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{host}");
        }
    }
}
