use super::*;
use crate::edits::ResponseEdits;
use crate::head::Slots;
use crate::response::Asked;
use crate::upgrade::Upgrades;

fn with<T>(raw: &str, look: impl FnOnce(&ResponseHead<'_, '_>) -> T) -> T {
    let mut slots = Slots::default();
    let asked = Asked { head: false, http10: false, upgrade: Upgrades::WEBSOCKET };
    look(&ResponseHead::parse(raw.as_bytes(), &mut slots, asked).unwrap().unwrap())
}

#[test]
fn a_head_is_seen_without_what_is_cut() {
    let raw = "HTTP/1.1 418 X\r\nX-A: 1\r\nKeep-Alive: 5\r\nx-a: 2\r\nContent-Length: 1\r\n\r\n";
    with(raw, |head| {
        let mut seen = Vec::new();
        head.each(&mut |name, value| seen.push(format!("{name}={}", value.escape_ascii())));
        assert_eq!(seen, ["X-A=1", "x-a=2", "Content-Length=1"]);
        assert_eq!((head.first("X-a"), head.first("keep-alive")), (Some(&b"1"[..]), None));
        assert_eq!(ResponseView::status(head), 418);
    });
}

#[test]
fn what_goes_on_is_what_came_but_for_changes() {
    type Change = fn(&mut ResponseEdits<'_>);
    let body = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\n";
    let none = "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n";
    let not_modified = "HTTP/1.1 304 X\r\nContent-Length: 3\r\n\r\n";
    let switch = "HTTP/1.1 101 Y\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\n";
    let rows: [(&str, Change, Option<Framing>, &str); 10] = [
        (body, |_| {}, None, body),
        (
            body,
            |it| it.lines().set("x-a", b"2").unwrap(),
            None,
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nx-a: 2\r\n\r\n",
        ),
        (
            body,
            |it| it.lines().add("x-a", b"2").unwrap(),
            None,
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\nx-a: 2\r\n\r\n",
        ),
        (
            body,
            |it| it.set_status(404).unwrap(),
            None,
            "HTTP/1.1 404 \r\nX-A: 1\r\nContent-Length: 3\r\n\r\n",
        ),
        (body, |it| it.set_status(200).unwrap(), None, body),
        (
            body,
            |_| {},
            Some(Framing::Chunked),
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            none,
            |it| it.set_status(200).unwrap(),
            None,
            "HTTP/1.1 200 \r\nX-A: 1\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            not_modified,
            |it| it.set_status(200).unwrap(),
            None,
            "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
        ),
        (not_modified, |it| it.set_status(204).unwrap(), None, "HTTP/1.1 204 \r\n\r\n"),
        (
            switch,
            |it| {
                it.set_status(200).unwrap();
                it.lines().remove("X-A").unwrap();
            },
            None,
            "HTTP/1.1 101 Y\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        ),
    ];
    for (raw, change, framing, expected) in rows {
        let out = with(raw, |head| {
            let mut edits = ResponseEdits::new(head);
            change(&mut edits);
            let changes = ResponseChanges { framing, ..edits.into_changes() };
            let mut out = Vec::new();
            head.forward(Persistence::Implied, Some(&changes), &mut out);
            String::from_utf8(out).unwrap()
        });
        assert_eq!(out, expected, "{raw}");
    }
}

#[test]
fn only_what_has_no_body_fits_where_none_may_be() {
    for (raw, status, fits) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 204, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 304, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 404, true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 204, true),
    ] {
        assert_eq!(with(raw, |head| head.fits(status)), fits, "{status}");
    }
}
