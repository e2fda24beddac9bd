//! Who has which password: lines of `name:hash`.

use std::collections::BTreeMap;

use crate::fault::UserFault;
use crate::hash::PasswordHash;

/// Bytes of a name, at most.
pub(crate) const LONGEST_NAME: usize = 256;

/// Users, and the hashes of their passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    by_name: BTreeMap<Box<str>, usize>,
    hashes: Vec<PasswordHash>,
}

impl Users {
    /// Reads lines; what names nobody is left out and said, by its index. Of a name that stands
    /// there more than once the last line counts.
    pub fn read<S: AsRef<str>>(lines: &[S]) -> (Self, Vec<(usize, UserFault)>) {
        let (mut users, mut faults) = (Self::default(), Vec::new());
        for (index, line) in lines.iter().enumerate() {
            match user(line.as_ref()) {
                Ok((name, hash)) => {
                    let at = *users.by_name.entry(name.into()).or_insert(users.hashes.len());
                    match users.hashes.get_mut(at) {
                        Some(former) => *former = hash,
                        None => users.hashes.push(hash),
                    }
                }
                Err(why) => faults.push((index, why)),
            }
        }
        (users, faults)
    }

    /// The hash of a user's password, and its place among all.
    pub fn of(&self, name: &str) -> Option<(usize, &PasswordHash)> {
        let at = *self.by_name.get(name)?;
        Some((at, &self.hashes[at]))
    }

    /// The hash at a place, of whomever: so that who is not known costs what others do.
    pub fn at(&self, place: usize) -> Option<&PasswordHash> {
        self.hashes.get(place)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

fn user(line: &str) -> Result<(&str, PasswordHash), UserFault> {
    let (name, hash) = line.split_once(':').ok_or(UserFault::Parts)?;
    if hash.contains(':') {
        return Err(UserFault::Parts);
    }
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(UserFault::Name);
    }
    Ok((name, PasswordHash::read(hash).map_err(UserFault::Hash)?))
}
