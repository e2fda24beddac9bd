//! A request that is asked by another name, or below another path: for who knows it by that alone.

use super::push_line;

/// `opening`, a request's head as it goes on and what came behind it, with `host` in its Host line,
/// and its path `below` another one, where there are such.
pub(crate) fn renamed(opening: &[u8], host: Option<&str>, below: Option<&str>) -> Vec<u8> {
    let more = [host, below].into_iter().flatten().map(str::len).sum::<usize>();
    let mut out = Vec::with_capacity(opening.len() + more + "Host: \r\n".len());
    let mut rest = opening;
    if let Some(below) = below {
        rest = lowered(opening, below, &mut out);
    }
    while let Some(host) = host
        && let Some(end) = rest.iter().position(|byte| *byte == b'\n')
    {
        let (line, behind) = rest.split_at(end + 1);
        if line == b"\r\n" {
            break;
        }
        rest = behind;
        let is_host = line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:"));
        if is_host {
            push_line(&mut out, "Host: ", host.as_bytes());
            break;
        }
        out.extend_from_slice(line);
    }
    out.extend_from_slice(rest);
    out
}

/// Writes what stands before the path, and what the path is below; what follows. `*` is no path.
fn lowered<'o>(opening: &'o [u8], below: &str, out: &mut Vec<u8>) -> &'o [u8] {
    let blank = opening.iter().position(|byte| *byte == b' ').map_or(0, |at| at + 1);
    let (method, target) = opening.split_at(blank);
    out.extend_from_slice(method);
    if target.starts_with(b"/") {
        out.extend_from_slice(below.as_bytes());
    }
    target
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn the_host_line_alone_is_another_one() {
        for (opening, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: b:1\r\n\r\n"),
            (
                "PUT /host: HTTP/1.1\r\nX-Host: a\r\nhOST:a.b:8\r\nX: 1\r\n\r\nHost: a\r\n",
                "PUT /host: HTTP/1.1\r\nX-Host: a\r\nHost: b:1\r\nX: 1\r\n\r\nHost: a\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nX: 1\r\n\r\nHost: a\r\n",
                "GET / HTTP/1.1\r\nX: 1\r\n\r\nHost: a\r\n",
            ),
        ] {
            let out = renamed(opening.as_bytes(), Some("b:1"), None);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_path_is_below_another_one() {
        for (opening, host, expected) in [
            (
                "GET /a?b=/c HTTP/1.1\r\nHost: a\r\n\r\n /",
                None,
                "GET /x/a?b=/c HTTP/1.1\r\nHost: a\r\n\r\n /",
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some("b"), "GET /x/ HTTP/1.1\r\nHost: b\r\n\r\n"),
            (
                "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
                None,
                "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            ),
        ] {
            let out = renamed(opening.as_bytes(), host, Some("/x"));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
