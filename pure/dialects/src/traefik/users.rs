//! Users and their passwords, as Traefik reads Secrets of them.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use steelyard_model::{Secret, SecretValue};

/// The type of Secrets with one user, whose password is written as it is.
pub const BASIC: &str = "kubernetes.io/basic-auth";

/// Why a Secret has no users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoUsers {
    /// It has no key, or several, and nobody knows which is meant.
    Keys(usize),
    /// Its key has nobody.
    Nobody,
    /// What it has is no text.
    NoText,
    /// One of its type, without this key.
    Absent(&'static str),
}

/// The users of a Secret: one a line, as `htpasswd` and `htdigest` write them; or the one of a
/// Secret for basic authentication.
///
/// # Errors
/// Where it has none.
pub fn users(secret: &Secret) -> Result<Vec<Arc<str>>, NoUsers> {
    if secret.kind == BASIC {
        let (name, password) = credentials(secret)?;
        let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        return Ok(vec![format!("{name}:{{SHA}}{}", STANDARD.encode(sum)).into()]);
    }
    let keys = secret.data.len() + secret.unreadable.len();
    let Some(value) = secret.data.values().next().filter(|_| keys == 1) else {
        return Err(NoUsers::Keys(keys));
    };
    let users = users_of_file(value)?;
    if users.is_empty() { Err(NoUsers::Nobody) } else { Ok(users) }
}

/// The users of a file, one a line, as `htpasswd` and `htdigest` write them.
///
/// # Errors
/// Where it is no text.
pub fn users_of_file(text: &SecretValue) -> Result<Vec<Arc<str>>, NoUsers> {
    let text = str::from_utf8(&text.0).map_err(|_| NoUsers::NoText)?;
    let lines = text.lines().map(str::trim);
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(Into::into).collect())
}

/// The users of a Secret that has one under each key: the key is the name, the value the hash
/// (nginx's `auth-map`).
///
/// # Errors
/// Where it has none.
pub fn users_by_key(secret: &Secret) -> Result<Vec<Arc<str>>, NoUsers> {
    let user = |(name, value): (&String, &SecretValue)| {
        let hash = str::from_utf8(&value.0).map_err(|_| NoUsers::NoText)?;
        Ok(format!("{name}:{}", hash.trim()).into())
    };
    let users: Vec<Arc<str>> = secret.data.iter().map(user).collect::<Result<_, _>>()?;
    if users.is_empty() { Err(NoUsers::Nobody) } else { Ok(users) }
}

/// A name and a password of our own.
///
/// # Errors
/// Where one of them is not there.
pub fn credentials(secret: &Secret) -> Result<(Arc<str>, Arc<str>), NoUsers> {
    let value = |key: &'static str| {
        let value = secret.data.get(key).ok_or(NoUsers::Absent(key))?;
        str::from_utf8(&value.0).map(Arc::from).map_err(|_| NoUsers::NoText)
    };
    Ok((value("username")?, value("password")?))
}

impl fmt::Display for NoUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(0) => f.write_str("it is empty"),
            Self::Keys(count) => write!(f, "it has {count} keys, and users are in one"),
            Self::Nobody => f.write_str("it names nobody"),
            Self::NoText => f.write_str("what it has is no text"),
            Self::Absent(key) => write!(f, "it has no `{key}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use steelyard_model::ObjectRef;

    use super::*;

    #[test]
    fn users_are_lines_or_one() {
        for (kind, data, expected) in [
            ("Opaque", &[("users", "# who\n\na:x\r\nb:y:z \n")][..], Ok(vec!["a:x", "b:y:z"])),
            ("Opaque", &[("users", "a:x"), ("more", "b:y")], Err(NoUsers::Keys(2))),
            ("Opaque", &[], Err(NoUsers::Keys(0))),
            ("Opaque", &[("auth", "#\n")], Err(NoUsers::Nobody)),
            (
                BASIC,
                &[("username", "user"), ("password", "password")],
                Ok(vec!["user:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="]),
            ),
            (BASIC, &[("username", "user")], Err(NoUsers::Absent("password"))),
        ] {
            let data: BTreeMap<_, _> =
                data.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
            let object = Arc::new(ObjectRef::new("Secret", "default", "s"));
            let unreadable = BTreeSet::new();
            let secret =
                Secret { object, kind: kind.to_owned(), data, unreadable, texts: BTreeSet::new() };
            let found = users(&secret);
            let found: Result<Vec<&str>, NoUsers> =
                found.as_ref().map(|all| all.iter().map(|it| &**it).collect()).map_err(|it| *it);
            assert_eq!(found, expected, "{kind}");
        }
    }
}
