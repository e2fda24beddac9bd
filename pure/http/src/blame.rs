//! Which line of a response made it unusable: for the log, after the fact.

use std::mem::MaybeUninit;

use httparse::Response;

use crate::excerpt::Excerpt;
use crate::name::Name;
use crate::reject::BadResponse;
use crate::response::lenient;

/// The line of the head at the start of `buffer` that is to blame for `bad`; `None` when it is
/// not one line. Linear in the head's size.
pub fn blame(buffer: &[u8], bad: BadResponse) -> Option<Excerpt> {
    let line = match bad {
        BadResponse::Syntax => {
            lines(buffer).enumerate().find(|(at, line)| !is_well_formed(*at, line))
        }
        BadResponse::ContentLength => last_called(buffer, Name::ContentLength),
        BadResponse::TransferEncoding => last_called(buffer, Name::TransferEncoding),
        BadResponse::Connection => last_called(buffer, Name::Connection),
        BadResponse::Upgrade => {
            last_called(buffer, Name::Upgrade).or_else(|| lines(buffer).enumerate().next())
        }
        BadResponse::HeadTooLarge
        | BadResponse::TooManyLines
        | BadResponse::Chunk
        | BadResponse::TooManyInterims
        | BadResponse::NoTunnel
        | BadResponse::Field => None,
    };
    line.map(|(_, line)| Excerpt::line(line))
}

/// The lines of a head, with their ends; the empty one, too, if it comes first.
fn lines(buffer: &[u8]) -> impl Iterator<Item = &[u8]> {
    let all = buffer.split_inclusive(|byte| *byte == b'\n').enumerate();
    let head = all.take_while(|(at, line)| *at == 0 || !matches!(line, [b'\n'] | [b'\r', b'\n']));
    head.map(|(_, line)| line)
}

fn last_called(buffer: &[u8], name: Name) -> Option<(usize, &[u8])> {
    let called = |line: &[u8]| {
        let before_colon = line.split(|byte| *byte == b':').next().unwrap_or_default();
        Name::of(before_colon.trim_ascii_end()) == name
    };
    lines(buffer).enumerate().skip(1).filter(|(_, line)| called(line)).last()
}

/// Whether a line alone would do: the parser says that something is wrong, but not where.
fn is_well_formed(at: usize, line: &[u8]) -> bool {
    let mut head = if at == 0 { Vec::new() } else { b"HTTP/1.1 200 OK\r\n".to_vec() };
    head.extend_from_slice(line);
    head.extend_from_slice(b"\r\n");
    let mut response = Response::new(&mut []);
    let mut slots = [MaybeUninit::uninit(); 1];
    let parsed = lenient().parse_response_with_uninit_headers(&mut response, &head, &mut slots);
    parsed.is_ok_and(|status| status.is_complete())
        && response.code.is_some_and(|code| code >= 100)
        && head.starts_with(b"HTTP/1.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_named() {
        use BadResponse::*;
        let ok = "HTTP/1.1 200 OK\r\nServer: x\r\n";
        for (head, bad, line) in [
            (format!("{ok}no colon\r\nA: b\r\n\r\n"), Syntax, Some(r#""no colon\r\n""#)),
            (format!("{ok}A: b\x00c\n\r\n"), Syntax, Some(r#""A: b\x00c\n""#)),
            (format!("{ok}A: b\r\n c\r\n\r\n"), Syntax, Some(r#"" c\r\n""#)),
            ("ICY 200 OK\r\nA: b\r\n\r\n".into(), Syntax, Some(r#""ICY 200 OK\r\n""#)),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n".into(), Syntax, Some(r#""\r\n""#)),
            ("HTTP/1.1 099 Low\r\n\r\n".into(), Syntax, Some(r#""HTTP/1.1 099 Low\r\n""#)),
            (
                format!("{ok}Content-Length : 1\r\nContent-Length: 2\r\n\r\n"),
                ContentLength,
                Some(r#""Content-Length: 2\r\n""#),
            ),
            (
                format!("{ok}Transfer-Encoding: gzip\r\n\r\nTransfer-Encoding: body\r\n"),
                TransferEncoding,
                Some(r#""Transfer-Encoding: gzip\r\n""#),
            ),
            ("HTTP/1.1 101 S\r\n\r\n".into(), Upgrade, Some(r#""HTTP/1.1 101 S\r\n""#)),
            (ok.into(), HeadTooLarge, None),
        ] {
            let found = blame(head.as_bytes(), bad).map(|line| line.to_string());
            assert_eq!(found.as_deref(), line, "{head:?}");
        }
    }
}
