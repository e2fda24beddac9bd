//! Labels and annotations.

use std::fmt;
use std::ops::Index;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

/// Labels (or annotations) of an object, by key. Nearly always they are few and never change: so
/// they are a sorted list, of which a tree would be ten times as large.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Box<[(String, String)]>);

impl Labels {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<&String> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// Whether there is a value at `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Keys and values, in order of the keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&String, &String)> + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &String> + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, in order of the keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &String> + Clone {
        self.0.iter().map(|(_, value)| value)
    }
}

impl Index<&str> for Labels {
    type Output = String;

    fn index(&self, key: &str) -> &String {
        self.get(key).expect("the key is there")
    }
}

/// Of a key that comes more than once, the last value counts.
impl FromIterator<(String, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let mut sorted: Vec<(String, String)> = pairs.into_iter().collect();
        sorted.reverse();
        sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
        sorted.dedup_by(|(one, _), (other, _)| one == other);
        for (key, value) in &mut sorted {
            key.shrink_to_fit();
            value.shrink_to_fit();
        }
        Self(sorted.into())
    }
}

impl<const N: usize> From<[(String, String); N]> for Labels {
    fn from(pairs: [(String, String); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl Extend<(String, String)> for Labels {
    fn extend<I: IntoIterator<Item = (String, String)>>(&mut self, pairs: I) {
        *self = std::mem::take(self).into_iter().chain(pairs).collect();
    }
}

impl IntoIterator for Labels {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a String, &'a String);
    type IntoIter =
        std::iter::Map<std::slice::Iter<'a, (String, String)>, fn(&(String, String)) -> Pair<'_>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

/// A key and its value.
type Pair<'a> = (&'a String, &'a String);

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Labels, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = entries.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_by_key_and_the_last_of_one_key_counts() {
        let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let mut labels: Labels =
            [("b", "1"), ("a", "2"), ("b", "3")].into_iter().map(pair).collect();
        assert_eq!(format!("{labels:?}"), r#"{"a": "2", "b": "3"}"#);
        labels.extend([pair(("a", "4")), pair(("c", "5"))]);
        let read: Labels = serde_json::from_str(r#"{"c": "5", "a": "4", "b": "3"}"#).unwrap();
        assert_eq!(labels, read);
        assert_eq!((labels.get("c").map(String::as_str), labels.get("d")), (Some("5"), None));
        assert_eq!((&*labels["a"], labels.len()), ("4", 3));
    }
}
