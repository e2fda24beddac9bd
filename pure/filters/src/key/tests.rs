use super::*;
use crate::ask::{Ask, Flight};
use crate::memory::Memory;
use crate::tests::{Asked, World, kept};

/// `the key`, by SHA-1 and at the least cost of bcrypt.
const QUICK: &str = "{SHA}7wwxpQZv2DhQ8Yxf5uIhBpMsVzM=";
const SLOW: &str = "$2y$04$ZESAkIYfpjLKBay1CSAZnex8juwQ8tl6.zQ9nU.y54.1bzZzUc2qi";

fn frame(auth: &KeyAuth) -> ApiKey {
    ApiKey::new(auth, kept(&mut Memory::default()), 7).unwrap()
}

fn auth(hashes: &[&str]) -> KeyAuth {
    KeyAuth {
        header: Some("X-Key".into()),
        scheme: None,
        parameter: Some("key".into()),
        cookie: Some("key".into()),
        is_encoded: false,
        hashes: hashes.iter().map(|it| Arc::from(*it)).collect(),
    }
}

/// A status, 200 where it passes, and how often work was done elsewhere.
fn pass(frame: &ApiKey, asked: &Asked) -> (u16, usize) {
    let (mut frame, mut world) = (frame.clone(), World::new());
    let mut head = RequestEdits::new(asked);
    let (mut got, mut jobs) = (Got::Nothing, 0);
    loop {
        got = match frame.enter(&mut world.context(), &mut head, got) {
            Enter::Next => return (200, jobs),
            Enter::Answer(answer) => return (answer.status, jobs),
            Enter::Ask(Ask::Shared(_)) => Got::Flight(Flight::Lead),
            Enter::Ask(Ask::Work(job)) => {
                jobs += 1;
                Got::Done((job.work)())
            }
            Enter::Ask(ask) => panic!("{ask:?}"),
        };
    }
}

#[test]
fn who_has_a_key_is_let_in_wherever_he_says_it() {
    let of = |target: &'static str| Asked::get("a.test", target);
    for (asked, status) in [
        (of("/").with("x-key", "secret"), 200),
        (of("/").with("X-Key", "wrong"), 401),
        (of("/").with("X-Key", ""), 401),
        (of("/").with("X-Key", "secret").with("x-key", "secret"), 401),
        (of("/?a=1&key=secret"), 200),
        (of("/?key=secre%74"), 200),
        (of("/?key=secret&key=secret"), 401),
        (of("/?KEY=secret"), 401),
        (of("/").with("Cookie", "a=1; key=secret"), 200),
        (of("/").with("Cookie", "a=1").with("cookie", "key=secret"), 200),
        (of("/").with("Cookie", "key=secret; key=secret"), 401),
        (of("/").with("Cookie", "a=key=secret"), 401),
        // The first place that has one counts.
        (of("/?key=secret").with("X-Key", "wrong"), 401),
        (of("/"), 401),
    ] {
        for hashes in [&["{PLAIN}secret"][..], &[SLOW], &[QUICK, SLOW]] {
            assert_eq!(pass(&frame(&auth(hashes)), &asked).0, status, "{asked:?} {hashes:?}");
        }
    }
    let nothing = auth(&["{PLAIN}"]);
    assert_eq!(pass(&frame(&nothing), &of("/?key=")).0, 401);
}

#[test]
fn keys_come_after_a_scheme_and_in_base64() {
    let mut auth = auth(&["{PLAIN}secret"]);
    auth.header = Some("Authorization".into());
    auth.scheme = Some("Bearer".into());
    let line = |value: &'static str| Asked::get("a.test", "/").with("Authorization", value);
    let plain = frame(&auth);
    for (value, status) in
        [("Bearer secret", 200), ("bearer secret", 200), ("Bearersecret", 401), ("secret", 401)]
    {
        assert_eq!(pass(&plain, &line(value)).0, status, "{value}");
    }
    auth.is_encoded = true;
    let encoded = frame(&auth);
    for (value, status) in [("Bearer c2VjcmV0", 200), ("Bearer secret", 401), ("Bearer !", 401)] {
        assert_eq!(pass(&encoded, &line(value)).0, status, "{value}");
    }
}

#[test]
fn what_was_found_out_is_known() {
    let frame = frame(&auth(&[SLOW, SLOW]));
    let asked = |key: &'static str| Asked::get("a.test", "/").with("X-Key", key);
    assert_eq!(pass(&frame, &asked("secret")), (200, 1));
    assert_eq!(pass(&frame, &asked("secret")), (200, 0));
    assert_eq!(pass(&frame, &asked("wrong")), (401, 1));
    assert_eq!(pass(&frame, &asked("wrong")), (401, 0));
}
