//! Cookies that lead back: their names, what they say, and how they are written.
//!
//! Names and values are those of Traefik, so that who comes over from there stays where it is: a
//! name that nobody chose is a hash of the service's, and a value is one of the server's URL or of
//! the service's name (`pkg/server/cookie`, `pkg/server/service/loadbalancer/sticky.go`, v3).
//! Values that older ones have written are known too.

use std::fmt::Write;

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use steelyard_model::routing::backend::{SameSite, Sticky, StickySecurity};

use crate::fnv;

/// Characters of a hash that are a value.
const VALUE: usize = 16;

/// Characters of a hash that are a name, behind its underscore.
const NAME: usize = 5;

/// The cookie's name where nobody chose one for this service.
pub fn name_for(service: &str) -> String {
    let hash = hex(&SHA1_FOR_LEGACY_USE_ONLY, &format!("_TRAEFIK_BACKEND_{service}"));
    format!("_{}", &hash[..NAME])
}

/// A name that somebody chose, with nothing in it that a name may not have.
pub fn name_as_asked(name: &str) -> String {
    let may_be = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^`|~".contains(c);
    name.chars().map(|c| if may_be(c) { c } else { '_' }).collect()
}

/// What a cookie says of a server or a service.
pub fn value_for(name: &str) -> Box<str> {
    hex(&SHA256, name)[..VALUE].into()
}

/// What older cookies say of it.
pub fn older_values(name: &str) -> [Box<str>; 3] {
    let hash = |text: &str| format!("{:x}", fnv::one(text.bytes()));
    let once = hash(name);
    let twice = hash(&once);
    [name.into(), once.into(), twice.into()]
}

/// The value of a `Set-Cookie` line (RFC 6265 §4.1.1). `is_tls`: the client asks over TLS;
/// `date_in` writes the moment in so many seconds.
pub fn set_cookie(
    sticky: &Sticky,
    value: &str,
    is_tls: bool,
    date_in: impl FnOnce(i64) -> String,
) -> String {
    let mut line = format!("{}={value}", sticky.cookie);
    for (attribute, value) in [("Path", &sticky.path), ("Domain", &sticky.domain)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            let _ = write!(line, "; {attribute}={}", value.strip_prefix('.').unwrap_or(value));
        }
    }
    if let Some(seconds) = sticky.max_age {
        let _ = write!(line, "; Max-Age={}", seconds.max(0));
    }
    if let Some(seconds) = sticky.expires {
        let _ = write!(line, "; Expires={}", date_in(seconds));
    }
    if sticky.http_only {
        line.push_str("; HttpOnly");
    }
    if sticky.secure == StickySecurity::Secure
        || (sticky.secure == StickySecurity::AsAsked && is_tls)
    {
        line.push_str("; Secure");
    }
    match sticky.same_site {
        None => {}
        Some(SameSite::None) => line.push_str("; SameSite=None"),
        Some(SameSite::Lax) => line.push_str("; SameSite=Lax"),
        Some(SameSite::Strict) => line.push_str("; SameSite=Strict"),
    }
    line
}

/// Whether a program of clients, by its `User-Agent`, takes `SameSite=None` for something else: it
/// drops such a cookie, or sends it to its own site alone.
pub fn misreads_none(agent: &str) -> bool {
    let number = |text: &str| {
        let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
        text[..digits].parse::<u32>().ok()
    };
    let after = |mark: &str| agent.split_once(mark).map(|(_, rest)| rest);
    let is_ios_12 = agent.contains("(iP")
        && after("OS ").and_then(number) == Some(12)
        && agent.contains("AppleWebKit/");
    let is_mac = agent.contains("(Macintosh;") && agent.contains("Mac OS X 10_14");
    let is_chrome = agent.contains("Chrome/") || agent.contains("Chromium/");
    let is_safari = agent.contains("Version/") && agent.contains(" Safari/") && !is_chrome;
    let is_embedded = agent.ends_with("(KHTML, like Gecko)");
    let of_uc = after("UCBrowser/").map(|it| {
        let mut parts = it.split('.').map(|part| number(part).unwrap_or_default());
        [(); 3].map(|()| parts.next().unwrap_or_default())
    });
    if let Some(version) = of_uc {
        return version < [12, 13, 2];
    }
    let chrome = after("Chrome/").or_else(|| after("Chromium/")).and_then(number);
    is_ios_12
        || is_mac && (is_safari || is_embedded)
        || chrome.is_some_and(|it| (51..=66).contains(&it))
}

/// The first value of a cookie among all that a client sent, as one line.
pub fn cookie<'c>(line: &'c str, name: &str) -> Option<&'c str> {
    line.split(';').find_map(|pair| {
        let (key, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        (key == name).then_some(bare.unwrap_or(value))
    })
}

fn hex(algorithm: &'static Algorithm, text: &str) -> String {
    let hash = digest(algorithm, text.as_bytes());
    hash.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-1, SHA-256 and FNV-1 of these texts, as other programs make them.
    #[test]
    fn names_and_values_are_traefiks() {
        assert_eq!(name_for("backend1"), "_73be0");
        assert_eq!(&*value_for("http://10.10.0.1:80"), "30a57488489b105c");
        assert_eq!(&*value_for("default-whoami-80"), "3c7eb0accfc70196");
        assert_eq!(
            older_values("http://10.10.0.1:80").map(String::from),
            ["http://10.10.0.1:80", "6c17972434df207e", "74134a686e46a027"]
        );
        assert_eq!(name_as_asked("a b/c;d=e"), "a_b_c_d_e");
        assert_eq!(name_as_asked("good-name_1"), "good-name_1");
    }

    fn set(sticky: &Sticky, value: &str, is_tls: bool) -> String {
        set_cookie(sticky, value, is_tls, |seconds| format!("in {seconds}"))
    }

    #[test]
    fn who_misreads_none_is_known() {
        const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 \
                           (KHTML, like Gecko)";
        for (agent, expected) in [
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 12_4 like Mac OS X) AppleWebKit/605.1.15 x", true),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 13_1 like Mac OS X) AppleWebKit/605.1.15 x",
                false,
            ),
            (MAC, true),
            (&format!("{MAC} Version/12.1.2 Safari/605.1.15"), true),
            (&format!("{MAC} Chrome/80.0.1 Safari/537.36"), false),
            ("Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 Chrome/66.0.3 Safari/537.36", true),
            ("Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 Chrome/67.0.3 Safari/537.36", false),
            ("Mozilla/5.0 (Linux; U) UCBrowser/12.13.1.1 Mobile", true),
            ("Mozilla/5.0 (Linux; U) UCBrowser/12.13.2.1 Mobile Chrome/57.0", false),
            ("curl/8.0", false),
            ("", false),
        ] {
            assert_eq!(misreads_none(agent), expected, "{agent}");
        }
    }

    #[test]
    fn every_attribute_is_written() {
        let bare = Sticky { path: None, ..Sticky::named("c") };
        assert_eq!(set(&bare, "v", true), "c=v");
        assert_eq!(set(&Sticky::named("c"), "v", true), "c=v; Path=/");
        let full = Sticky {
            path: Some("/foo".into()),
            domain: Some(".a.b".into()),
            max_age: Some(42),
            expires: Some(7),
            http_only: true,
            secure: StickySecurity::Secure,
            same_site: Some(SameSite::None),
            ..Sticky::named("c")
        };
        assert_eq!(
            set(&full, "v", false),
            "c=v; Path=/foo; Domain=a.b; Max-Age=42; Expires=in 7; HttpOnly; Secure; SameSite=None"
        );
        let gone = Sticky { max_age: Some(-1), same_site: Some(SameSite::Lax), ..bare.clone() };
        assert_eq!(set(&gone, "v", false), "c=v; Max-Age=0; SameSite=Lax");
        let strict = Sticky { same_site: Some(SameSite::Strict), ..bare.clone() };
        assert_eq!(set(&strict, "v", false), "c=v; SameSite=Strict");
        let asked = Sticky { secure: StickySecurity::AsAsked, ..bare };
        assert_eq!([true, false].map(|is_tls| set(&asked, "v", is_tls)), ["c=v; Secure", "c=v"]);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        for (line, found) in [
            ("c=v", Some("v")),
            ("a=b; c=v; c=w", Some("v")),
            ("a=b;c=\"v\"", Some("v")),
            ("cc=v; C=v; d", None),
            ("c=", Some("")),
            ("c=x|y=z", Some("x|y=z")),
            ("", None),
        ] {
            assert_eq!(cookie(line, "c"), found, "{line}");
        }
    }
}
