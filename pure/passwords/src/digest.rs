//! What `Authorization: Digest` says (RFC 7616, with MD5 and `qop=auth` alone), and who has said
//! it.

use std::collections::BTreeMap;
use std::fmt;

use crate::fault::{HashFault, UserFault};
use crate::user::LONGEST_NAME;
use crate::{are_equal, md5_hex};

/// Digits of MD5.
const DIGITS: usize = 32;

/// Who may pass, by name and realm: lines `name:realm:hash` as `htdigest` writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestUsers(BTreeMap<(Box<str>, Box<str>), DigestUser>);

/// What is known of a user: MD5 of `name:realm:password`, as it is written.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestUser(Box<str>);

/// What a client says to prove who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestCredentials {
    /// Who it says it is.
    pub name: Box<str>,
    /// Where.
    pub realm: Box<str>,
    /// What it was given to prove it with.
    pub nonce: Box<str>,
    /// How often it has used that, this time included.
    pub count: u32,
    /// What was given with the nonce, if it says it.
    pub opaque: Option<Box<str>>,
    /// What it asks for, by which the proof is bound to this request.
    pub uri: Box<str>,
    written_count: Box<str>,
    own_nonce: Box<str>,
    response: Box<str>,
}

impl DigestUsers {
    /// Reads lines; what names nobody is left out and said, by its index.
    pub fn read<S: AsRef<str>>(lines: &[S]) -> (Self, Vec<(usize, UserFault)>) {
        let (mut users, mut faults) = (Self::default(), Vec::new());
        for (index, line) in lines.iter().enumerate() {
            match user(line.as_ref()) {
                Ok((key, user)) => _ = users.0.insert(key, user),
                Err(why) => faults.push((index, why)),
            }
        }
        (users, faults)
    }

    /// The user of this name in this realm.
    pub fn of(&self, name: &str, realm: &str) -> Option<&DigestUser> {
        self.0.get(&(name.into(), realm.into()))
    }

    /// Someone: so that who is not known costs what others do.
    pub fn anybody(&self) -> Option<&DigestUser> {
        self.0.values().next()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A name, and a realm.
type InRealm = (Box<str>, Box<str>);

fn user(line: &str) -> Result<(InRealm, DigestUser), UserFault> {
    let mut parts = line.split(':');
    let (Some(name), Some(realm), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(UserFault::Parts);
    };
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(UserFault::Name);
    }
    if hash.len() != DIGITS || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(UserFault::Hash(HashFault::Malformed));
    }
    Ok(((name.into(), realm.into()), DigestUser(hash.to_ascii_lowercase().into())))
}

impl fmt::Debug for DigestUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestUser")
    }
}

impl DigestCredentials {
    /// None where the value is of another scheme, of another algorithm or protection, says a thing
    /// twice, or leaves out what the proof needs.
    pub fn read(value: &[u8]) -> Option<Self> {
        let value = str::from_utf8(value).ok()?;
        let (scheme, rest) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut said = parameters(rest)?;
        let is_md5 = |it: &str| it.eq_ignore_ascii_case("MD5");
        if !said.remove("algorithm").is_none_or(|it| is_md5(&it))
            || said.remove("qop").as_deref() != Some("auth")
        {
            return None;
        }
        let written_count = said.remove("nc")?;
        if written_count.len() != 8 || !written_count.bytes().all(|it| it.is_ascii_hexdigit()) {
            return None;
        }
        Some(Self {
            name: said.remove("username")?,
            realm: said.remove("realm")?,
            nonce: said.remove("nonce")?,
            count: u32::from_str_radix(&written_count, 16).ok()?,
            opaque: said.remove("opaque"),
            uri: said.remove("uri")?,
            written_count,
            own_nonce: said.remove("cnonce")?,
            response: said.remove("response")?,
        })
    }

    /// Whether the proof is this user's, of a request by `method`.
    pub fn is_by(&self, user: &DigestUser, method: &str) -> bool {
        let asked = md5_hex(&[method.as_bytes(), self.uri.as_bytes()]);
        let proof = md5_hex(&[
            user.0.as_bytes(),
            self.nonce.as_bytes(),
            self.written_count.as_bytes(),
            self.own_nonce.as_bytes(),
            b"auth",
            asked.as_bytes(),
        ]);
        are_equal(proof.as_bytes(), self.response.as_bytes())
    }
}

/// `name=value` with commas between, where a value may be in quotes (RFC 9110 §11.2). None where it
/// cannot be read to its end, or a name stands there twice.
fn parameters(text: &str) -> Option<BTreeMap<String, Box<str>>> {
    let mut all = BTreeMap::new();
    let mut rest = text.trim_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find([',', ' ', '\t']).unwrap_or(after.len());
                (after[..end].into(), &after[end..])
            }
        };
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        if all.insert(name.trim().to_ascii_lowercase(), value).is_some() {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Some(all)
}

/// A value up to the quote that ends it, and what follows that.
fn unquoted(text: &str) -> Option<(Box<str>, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value.into(), &text[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            other => value.push(other),
        }
    }
    None
}
