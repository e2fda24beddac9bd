//! What servers see in a path that has more than one reading.
//!
//! Nginx, Apache and most languages decode `%2F` before they look, IIS takes `\` for a slash, and
//! servlet containers cut parameters off (`/admin;x`). For us all of these are characters of a
//! segment, so a server may take for `/admin/x` what the rule for `/admin` never saw.

use crate::path::resolve;

/// The other paths that some server sees in `path`, which is in normal form: three at most.
pub(crate) fn readings(path: &str) -> impl Iterator<Item = String> {
    // Nearly every path: nothing is looked for in it.
    let is_plain = memchr::memchr2(b'%', b';', path.as_bytes()).is_none();
    let wanted = (!is_plain).then(|| {
        let has_slashes = path.contains("%2F") || path.contains("%5C");
        let has_parameters = path.contains(';') || path.contains("%3B");
        [
            (has_slashes, true, false),
            (has_parameters, false, true),
            (has_slashes && has_parameters, true, true),
        ]
    });
    let wanted = wanted.into_iter().flatten().filter(|(has, ..)| *has);
    wanted.map(move |(_, slashes, parameters)| {
        let decoded =
            if slashes { path.replace("%2F", "/").replace("%5C", "/") } else { path.to_owned() };
        let seen = if parameters { without_parameters(&decoded) } else { decoded };
        resolve(&seen)
    })
}

/// Of a path, which begins with a slash.
fn without_parameters(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for segment in path.split('/').skip(1) {
        out.push('/');
        let name = segment.split_once(';').map_or(segment, |(name, _)| name);
        out.push_str(name.split_once("%3B").map_or(name, |(name, _)| name));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_see() {
        for (path, expected) in [
            ("/a/b", &[][..]),
            ("/a%20b", &[]),
            ("/a%2Fb", &["/a/b"]),
            ("/%2Fadmin", &["/admin"]),
            ("/admin%2F", &["/admin/"]),
            ("/%5Cadmin", &["/admin"]),
            ("/;/admin", &["/admin"]),
            ("/;x=y/admin", &["/admin"]),
            ("/admin;x", &["/admin"]),
            ("/admin%3Bx;y/z", &["/admin/z"]),
            ("/a;b%2Fc", &["/a;b/c", "/a", "/a/c"]),
        ] {
            assert_eq!(readings(path).collect::<Vec<_>>(), expected, "{path}");
        }
    }
}
