//! Lines that endpoints may take for others: many servers read `_` in names as `-`, and know no
//! case.

use steelyard_http::{Head as _, RequestEdits};

/// Takes away all lines that may be taken for `name`.
pub(crate) fn remove(head: &mut RequestEdits<'_>, name: &str) {
    let mut found = Vec::new();
    head.each(&mut |line, _| {
        if is_taken_for(line, name) {
            found.push(line.to_owned());
        }
    });
    for line in found {
        _ = head.lines().remove(&line);
    }
}

fn is_taken_for(line: &str, name: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    line.len() == name.len() && line.bytes().map(plain).eq(name.bytes().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Asked;

    #[test]
    fn every_spelling_goes_and_nothing_else() {
        let lines =
            &[("X-User", "1"), ("x_user", "2"), ("X-uSeR", "3"), ("X-Users", "4"), ("XUser", "5")];
        let asked = Asked::get("a.b", "/").with_all(lines);
        let mut head = RequestEdits::new(&asked);
        remove(&mut head, "X_User");
        let mut left = Vec::new();
        head.each(&mut |name, _| left.push(name.to_owned()));
        assert_eq!(left, ["X-Users", "XUser"]);
    }
}
