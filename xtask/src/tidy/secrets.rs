//! What may be a secret does not show in debug output: a type with such a field says itself what of
//! it is shown, and does not derive that.

use super::modules::module_of;
use super::sizes::is_test;
use super::{Complaint, SourceFile};

/// What fields are called that have a secret in them, where they are text or bytes.
const NAMES: [&str; 11] = [
    "client_secret",
    "credentials",
    "key_file",
    "password",
    "private_key",
    "secret_values",
    "signing_secret",
    "token",
    "hashes",
    "users",
    "identity",
];

/// Types whose field of that name has none, and why.
const APART: [(&str, &str); 3] = [
    ("Election", "a replica's name"),
    ("LeaseOptions", "a replica's name"),
    ("Sockets", "numbers of a descriptor"),
];

/// Looks at all that is built into the program.
pub(crate) fn check(sources: &[SourceFile]) -> Vec<Complaint> {
    let counts = |source: &&SourceFile| module_of(source).is_some() && !is_test(source);
    let shown = sources.iter().filter(counts).flat_map(|source| {
        let place = source.path.display().to_string();
        shown(&source.text).into_iter().map(move |it| format!("{place}: {it}"))
    });
    shown.collect()
}

fn shown(text: &str) -> Vec<Complaint> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let (mut found, mut derives, mut owner) = (Vec::new(), false, None);
    for line in text.lines() {
        let bare = line.trim_start();
        if line.starts_with("#[derive(") {
            (derives, owner) = (line.contains("Debug"), None);
        } else if line == "}" {
            (derives, owner) = (false, None);
        } else if let Some(name) = type_of(line) {
            owner = Some(name).filter(|name| derives && APART.iter().all(|(it, _)| it != name));
        } else if let (Some(owner), Some((name, is))) = (owner, field(bare)) {
            let holds = ["str", "String", "u8"].iter().any(|it| words(is).any(|word| word == *it));
            if holds && NAMES.contains(&name) {
                found.push(format!("{owner}.{name} would show in debug output"));
            }
        }
    }
    found
}

fn type_of(line: &str) -> Option<&str> {
    let at = ["struct ", "enum "].iter().find_map(|it| Some(line.find(it)? + it.len()))?;
    let is_whole =
        line.starts_with("pub") || line.starts_with("struct") || line.starts_with("enum");
    line[at..].split(|c: char| !c.is_alphanumeric()).next().filter(|_| is_whole)
}

/// Name and type of a field.
fn field(line: &str) -> Option<(&str, &str)> {
    let line = if line.starts_with("pub(") { line.split_once(") ")?.1 } else { line };
    let (name, is) = line.strip_prefix("pub ").unwrap_or(line).split_once(": ")?;
    name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_').then_some((name, is))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_type_that_shows_itself_is_named() {
        let of = |derived: &str, fields: &str| {
            shown(&format!("/// It.\n#[derive({derived})]\npub struct It {{\n{fields}\n}}\n"))
        };
        let said = ["It.password would show in debug output"];
        assert_eq!(of("Clone, Debug", "    pub password: Option<String>,"), said);
        assert_eq!(of("Debug", "    pub(crate) password: Vec<u8>,"), said);
        for (derived, fields) in [
            ("Clone", "    pub password: Option<String>,"),
            ("Debug", "    pub password: SecretValue,"),
            ("Debug", "    pub passwords_of: String,"),
            ("Debug", "    /// password: String,\n    pub name: String,"),
        ] {
            assert!(of(derived, fields).is_empty(), "{derived} {fields}");
        }
    }
}
