//! Any input, for tests and fuzzing.

use crate::basic::{BasicCredentials, MOST_PASSWORD};
use crate::digest::{DigestCredentials, DigestUsers};
use crate::user::Users;

/// Reads `bytes` as lines of users and as what a client says.
///
/// # Panics
/// When what was read breaks what is promised of it.
pub fn exercise(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    let (users, faults) = Users::read(&lines);
    assert!(users.len() + faults.len() <= lines.len(), "{faults:?}");
    let (proved, faults) = DigestUsers::read(&lines);
    assert!(proved.len() + faults.len() <= lines.len(), "{faults:?}");
    if let Some(said) = BasicCredentials::read(bytes) {
        assert!(!said.name.contains(':') && said.password.len() <= MOST_PASSWORD);
        // Only what is quick: how long others take is known before.
        let known = users.of(&said.name).filter(|(_, hash)| !hash.is_slow());
        _ = known.map(|(_, hash)| hash.is_of(&said.password));
    }
    if let Some(said) = DigestCredentials::read(bytes) {
        let known = proved.of(&said.name, "x");
        assert!(!known.is_some_and(|user| said.is_by(user, "GET")), "{said:?}");
    }
}
