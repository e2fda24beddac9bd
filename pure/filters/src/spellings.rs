//! Lines that endpoints may take for others: many servers read `_` in names as `-`, some every sign
//! that is no letter or digit, and they know no case.

use steelyard_http::{Head as _, RequestEdits};
use steelyard_model::routing::filter::told::ToldLines;
use steelyard_model::routing::pattern::Expression;

/// Takes away all lines that may be taken for `name`.
pub(crate) fn remove(head: &mut RequestEdits<'_>, name: &str) {
    remove_where(head, |line| is_taken_for(line, name));
}

/// Whether a line may be taken for `name`.
pub(crate) fn is_taken_for(line: &str, name: &str) -> bool {
    steelyard_http::is_taken_for(line.as_bytes(), name.as_bytes())
}

/// Takes away all lines by which endpoints could be told what these say.
pub(crate) fn remove_told(head: &mut RequestEdits<'_>, told: &ToldLines) {
    told.names.iter().for_each(|name| remove(head, name));
    told.matching.iter().for_each(|names| remove_matching(head, names));
}

/// Takes away all lines that may be taken for one whose name an expression matches, as Go's servers
/// spell it (`X-Auth-User`), in small letters, or as it came.
pub(crate) fn remove_matching(head: &mut RequestEdits<'_>, names: &Expression) {
    remove_where(head, |line| is_matched(line, names));
}

/// Whether a line may be taken for one whose name an expression matches.
pub(crate) fn is_matched(line: &str, names: &Expression) -> bool {
    let spelled = canonical(line);
    [line, &spelled, &spelled.to_ascii_lowercase()].iter().any(|it| names.is_found_in(it))
}

fn remove_where(head: &mut RequestEdits<'_>, is_it: impl Fn(&str) -> bool) {
    let mut found = Vec::new();
    head.each(&mut |line, _| {
        if is_it(line) {
            found.push(line.to_owned());
        }
    });
    for line in found {
        _ = head.lines().remove(&line);
    }
}

/// A name as Go's servers spell it, signs as hyphens: `x_auth-USER` is `X-Auth-User`.
pub(crate) fn canonical(name: &str) -> String {
    let mut is_first = true;
    let spelled = name.chars().map(|letter| {
        let is_letter = letter.is_ascii_alphanumeric();
        let begins = std::mem::replace(&mut is_first, !is_letter);
        match (is_letter, begins) {
            (false, _) => '-',
            (true, true) => letter.to_ascii_uppercase(),
            (true, false) => letter.to_ascii_lowercase(),
        }
    });
    spelled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Asked;

    #[test]
    fn every_spelling_goes_and_nothing_else() {
        let lines =
            &[("X-User", "1"), ("x_user", "2"), ("X.uSeR", "3"), ("X-Users", "4"), ("XUser", "5")];
        let asked = Asked::get("a.b", "/").with_all(lines);
        let mut head = RequestEdits::new(&asked);
        remove(&mut head, "X_User");
        let mut left = Vec::new();
        head.each(&mut |name, _| left.push(name.to_owned()));
        assert_eq!(left, ["X-Users", "XUser"]);
    }

    #[test]
    fn expressions_are_held_against_names_as_go_spells_them() {
        let lines =
            &[("x_auth-USER", "1"), ("X-Auth", "2"), ("X-Authority", "3"), ("x.auth.a", "4")];
        let asked = Asked::get("a.b", "/").with_all(lines);
        let mut head = RequestEdits::new(&asked);
        remove_matching(&mut head, &Expression::new("^X-Auth-").unwrap());
        let mut left = Vec::new();
        head.each(&mut |name, _| left.push(name.to_owned()));
        assert_eq!(left, ["X-Auth", "X-Authority"]);
    }
}
