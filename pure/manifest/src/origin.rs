//! What an object of a cluster has in the place of a file and a line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

/// In the place of a file's name.
pub(crate) static CLUSTER: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("cluster"));

/// What an API server knows an object by. Who writes to it says so which version was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOrigin {
    names: Names,
    /// `metadata.generation`: counts changes of what is wanted; 0 where the kind has none.
    pub generation: i64,
}

/// Its uid and version, both opaque. There are as many as objects, so what is written as API
/// servers do lies in memory as the numbers that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    Numbers {
        uid: [u8; 16],
        version: u64,
    },
    /// The uid, and after it the version.
    Texts {
        both: Box<str>,
        uid: usize,
    },
}

/// Lengths of the groups of digits that a UUID is written in (RFC 9562 section 4).
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

impl ClusterOrigin {
    pub(crate) fn new(uid: &str, resource_version: &str, generation: i64) -> Self {
        let texts =
            || Names::Texts { both: [uid, resource_version].concat().into(), uid: uid.len() };
        let numbers = || {
            let (uid, version) = (bytes(uid)?, number(resource_version)?);
            Some(Names::Numbers { uid, version })
        };
        Self { names: numbers().unwrap_or_else(texts), generation }
    }

    /// `metadata.uid`: another object of this name has another one.
    pub fn uid(&self) -> Cow<'_, str> {
        match &self.names {
            Names::Numbers { uid, .. } => text(uid).into(),
            Names::Texts { both, uid } => both[..*uid].into(),
        }
    }

    /// Whether both are of the same object, of whatever version.
    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        match (&self.names, &other.names) {
            (Names::Numbers { uid, .. }, Names::Numbers { uid: other, .. }) => uid == other,
            _ => self.uid() == other.uid(),
        }
    }

    /// `metadata.resourceVersion`, of the first version that was as it is now. Opaque.
    pub fn resource_version(&self) -> Cow<'_, str> {
        match &self.names {
            Names::Numbers { version, .. } => version.to_string().into(),
            Names::Texts { both, uid } => both[*uid..].into(),
        }
    }
}

/// The bytes of a UUID; none of what would be written in another way.
fn bytes(uid: &str) -> Option<[u8; 16]> {
    let digits: String = uid.split('-').collect();
    let bytes = u128::from_str_radix(&digits, 16).ok()?.to_be_bytes();
    (text(&bytes) == uid).then_some(bytes)
}

/// As API servers write it.
fn text(bytes: &[u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(*bytes));
    let (mut text, mut rest) = (String::with_capacity(36), &*digits);
    for length in GROUPS {
        let (group, after) = rest.split_at(length);
        let dash = if text.is_empty() { "" } else { "-" };
        write!(text, "{dash}{group}").expect("strings take all");
        rest = after;
    }
    text
}

/// A number; none of what would be written in another way.
fn number(version: &str) -> Option<u64> {
    let number: u64 = version.parse().ok()?;
    (number.to_string() == version).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_api_server_knows_an_object_by_is_opaque() {
        let uid = "0b3a1c5e-12f0-4d6a-9a8b-00ff00ff00ff";
        let uids = [
            uid,
            "0B3A1C5E-12F0-4D6A-9A8B-00FF00FF00FF",
            "0b3a1c5e12f04d6a9a8b00ff00ff00ff",
            "0b3a1c5e1-2f0-4d6a-9a8b-00ff00ff00ff",
            "+b3a1c5e-12f0-4d6a-9a8b-00ff00ff00ff",
            "0b3a1c5e-12f0-4d6a-9a8b-00ff00ff00ff0",
            "ä",
            "-",
            "",
        ];
        let versions = ["7", "07", "+7", "18446744073709551615", "18446744073709551616", "x", ""];
        let mut plain = 0;
        for (uid, version) in uids.iter().flat_map(|uid| versions.map(|version| (*uid, version))) {
            let origin = ClusterOrigin::new(uid, version, 3);
            assert_eq!((&*origin.uid(), &*origin.resource_version()), (uid, version));
            plain += usize::from(matches!(origin.names, Names::Numbers { .. }));
            for other in uids {
                let other = ClusterOrigin::new(other, "9", 4);
                assert_eq!(origin.is_of_same(&other), uid == other.uid(), "{uid} {other:?}");
            }
        }
        assert_eq!(plain, 2, "what is written as API servers do, and no more");
    }
}
