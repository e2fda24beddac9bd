//! Labels and Kubernetes label selectors.

use crate::labels::Labels;

/// A Kubernetes LabelSelector: all of its requirements hold. An empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// `matchLabels`.
    pub match_labels: Labels,
    /// `matchExpressions`.
    pub expressions: Vec<Requirement>,
}

/// One entry of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// Label key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// Values for [`Operator::In`] and [`Operator::NotIn`], else empty.
    pub values: Vec<String>,
}

/// Operators of a [`Requirement`]. `NotIn` holds for objects without the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// The label is one of the values.
    In,
    /// The label is absent or none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl Selector {
    /// A selector as command lines have it: `app=a,tier!=b,env in (x, y),!old,new`; none where it
    /// is none.
    pub fn read(text: &str) -> Option<Self> {
        let mut depth = 0_usize;
        let parts = text.split(|letter| {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter == ',' && depth == 0
        });
        let parts = parts.map(str::trim);
        let expressions = match text.trim().is_empty() {
            true => Vec::new(),
            false => parts.map(Requirement::read).collect::<Option<_>>()?,
        };
        Some(Self { match_labels: Labels::new(), expressions })
    }

    /// Whether an object with `labels` is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        is_subset(&self.match_labels, labels)
            && self.expressions.iter().all(|requirement| requirement.holds(labels))
    }

    /// Whether any of `selectors` selects (entries of a list are ORed).
    pub fn any(selectors: &[Self], labels: &Labels) -> bool {
        selectors.iter().any(|selector| selector.matches(labels))
    }
}

impl Requirement {
    /// Of a part of [`Selector::read`].
    fn read(text: &str) -> Option<Self> {
        let made = |key: &str, operator, values: Vec<String>| {
            let key = Some(key.trim()).filter(|key| is_key(key))?.to_owned();
            let is_value = |value: &String| value.is_empty() || is_name(value);
            values.iter().all(is_value).then_some(Self { key, operator, values })
        };
        if let Some((key, value)) = text.split_once("!=") {
            return made(key, Operator::NotIn, vec![value.trim().to_owned()]);
        }
        if let Some((key, value)) = text.split_once('=') {
            let value = value.strip_prefix('=').unwrap_or(value).trim();
            return made(key, Operator::In, vec![value.to_owned()]);
        }
        if let Some(key) = text.strip_prefix('!') {
            return made(key, Operator::DoesNotExist, Vec::new());
        }
        let Some((head, list)) = text.split_once('(') else {
            return made(text, Operator::Exists, Vec::new());
        };
        let list = list.trim_end().strip_suffix(')')?;
        let values = list.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, word) = head.trim_end().rsplit_once(char::is_whitespace)?;
        match word {
            "in" => made(key, Operator::In, values),
            "notin" => made(key, Operator::NotIn, values),
            _ => None,
        }
    }

    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

/// Whether labels may be called so: `app`, `app.kubernetes.io/name`.
fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_name(key),
        Some((prefix, name)) => {
            prefix.len() <= 253 && prefix.split('.').all(is_name) && is_name(name)
        }
    }
}

/// A value of a label, or its name.
fn is_name(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let bytes = name.as_bytes();
    bytes.len() <= 63 && is_end(bytes.first()) && is_end(bytes.last()) && name.bytes().all(is_part)
}

/// Whether every pair of `wanted` is among `labels`.
pub fn is_subset(wanted: &Labels, labels: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_as_command_lines_have_them() {
        let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let labels: Labels =
            [("app", "a"), ("env", "x"), ("e/f", "")].into_iter().map(pair).collect();
        for (text, expected) in [
            ("", Some(true)),
            ("app=a", Some(true)),
            ("app==a, env = x", Some(true)),
            ("app=b", Some(false)),
            ("app!=b,tier!=c", Some(true)),
            ("app!=a", Some(false)),
            ("env in (x, y),app", Some(true)),
            ("env in (y)", Some(false)),
            ("env notin (y,z),!old", Some(true)),
            ("!env", Some(false)),
            ("old", Some(false)),
            ("e/f", Some(true)),
            ("env on (x)", None),
            ("env in (x", None),
            ("a b", None),
            ("=a", None),
            (" ", Some(true)),
            ("app=", Some(false)),
            ("e/f in (), app.kubernetes.io/name!=b", Some(true)),
            (",", None),
            ("app=a,", None),
            ("app==(", None),
            ("app=a b", None),
            ("app in (a, -b)", None),
            ("-app=a", None),
            ("a/b/c", None),
            ("/app", None),
            ("!", None),
        ] {
            let read = Selector::read(text).map(|selector| selector.matches(&labels));
            assert_eq!(read, expected, "{text}");
        }
    }
}
