//! What ingress-nginx takes no path for, where it is asked before an Ingress comes in: such as
//! name its own files, which it leaves out at any time (`internal/ingress/inspector/rules.go`), and
//! such as have letters that only a path of its own kind may have
//! (`strict-validate-path-type`). Neither could do anything here.

/// Folders and files that are its own.
const FILES: [&str; 6] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/nginx",
    "/etc/ingress-controller",
    "/var/run/secrets",
];
/// Directives that read others, up to a semicolon.
const DIRECTIVES: [&str; 2] = ["alias", "root"];
const PROGRAMS: &str = "_by_lua";

/// What a host, a path or the name of a Service has in it that ingress-nginx leaves the Ingress
/// out for.
pub fn suspicious(text: &str) -> Option<&'static str> {
    let file = FILES.into_iter().find(|file| text.contains(file));
    let program = Some(PROGRAMS).filter(|it| text.contains(it));
    file.or(program).or_else(|| {
        DIRECTIVES.into_iter().find(|name| {
            let mut behind = text.match_indices(name).map(|(at, _)| &text[at + name.len()..]);
            behind.any(|rest| rest.starts_with([' ', '\t']) && rest.contains(';'))
        })
    })
}

/// Whether an `Exact` or `Prefix` path has no letters but those that such have there.
pub fn is_plain_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    path.starts_with('/') && path.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_files_or_directives_is_suspicious() {
        for (text, what) in [
            ("/etc/nginx", Some("/etc/nginx")),
            ("/a/etc/passwd", Some("/etc/passwd")),
            ("/etc/passwd-", Some("/etc/passwd")),
            ("/var/run/secrets/x", Some("/var/run/secrets")),
            ("/x alias /etc;", Some("alias")),
            ("/x root /;", Some("root")),
            ("/x{content_by_lua", Some("_by_lua")),
            ("/alias/x;", None),
            ("/root;", None),
            ("/root x", None),
            ("/etc/hosts", None),
            ("/", None),
        ] {
            assert_eq!(suspicious(text), what, "{text}");
        }
    }

    #[test]
    fn plain_paths() {
        for path in ["/", "/a-b_c.d/E9/"] {
            assert!(is_plain_path(path), "{path}");
        }
        for path in ["", "a", "/a b", "/a(/|$)", "/a%20", "/ä", "/a+b"] {
            assert!(!is_plain_path(path), "{path}");
        }
    }
}
