//! Which values are taken, as ingress-nginx says it (`internal/ingress/annotations/parser`, 1.15).

/// What Go's `ParseBool` takes.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Letters, digits, and `-._~/:`, and what else is let.
pub(super) fn basic<'t>(text: &'t str, also: &str) -> Option<&'t str> {
    let is_it = |it: char| it.is_ascii_alphanumeric() || "-._~/:".contains(it) || also.contains(it);
    text.chars().all(is_it).then_some(text)
}

/// What redirections may lead to: no variables.
pub(super) fn location(text: &str) -> Option<&str> {
    basic(text, ",?&=")
}

/// A path in which variables may stand.
pub(super) fn target(text: &str) -> Option<&str> {
    basic(text, "$?&=,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_configuration_is_a_value() {
        for text in [
            "/a;}",
            "/a\nb",
            "/a\r",
            "/a{",
            "$(x)",
            "/a b",
            "/a'",
            "/a\"",
            "/a\\",
            "/a#",
            "/a`",
            "x;alias /etc/;",
            "include /etc/passwd",
            "%0a",
            "/a|b",
            "/a<b>",
        ] {
            assert_eq!((location(text), target(text)), (None, None), "{text:?}");
        }
        assert!(location("https://a.b:8443/c?d=e&f=g,h").is_some());
        assert!(location("https://a.b$request_uri").is_none());
        assert!(target("/$1/b").is_some());
    }
}
