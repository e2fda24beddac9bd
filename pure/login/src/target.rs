//! Where a browser may be led back to: paths of the same site.

/// Bytes of a path with its query, at most: it travels to the issuer and back in `state`.
pub const LONGEST_TARGET: usize = 2048;

/// `target`, where it is a path, perhaps with a query, that every browser reads as one of the site
/// it is at. What begins with two slashes is another site's, and browsers take `\` for `/` and
/// leave out what is no printable letter (WHATWG URL §4.4); a second slash that is encoded is
/// refused too, since who decodes it once more would be led away.
pub fn return_path(target: &str) -> Option<&str> {
    let rest = target.strip_prefix('/')?;
    let is_plain =
        target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#');
    let begin: String = rest.chars().take(3).collect::<String>().to_ascii_lowercase();
    let is_away = rest.starts_with('/') || matches!(&*begin, "%2f" | "%5c" | "%09" | "%0a" | "%0d");
    (target.len() <= LONGEST_TARGET && is_plain && !is_away).then_some(target)
}
