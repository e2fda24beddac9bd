//! A request that is asked by another name: for who knows it by that one alone.

use super::push_line;

/// `opening`, a request's head as it goes on and what came behind it, with `host` in its Host line.
pub(crate) fn renamed(opening: &[u8], host: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(opening.len() + host.len() + "Host: \r\n".len());
    let mut rest = opening;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
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
            let out = renamed(opening.as_bytes(), "b:1");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
