use super::*;
use crate::ask::{Ask, Flight};
use crate::memory::Memory;
use crate::tests::{Asked, World, kept};

/// At the least cost that there is.
const ANN: &str = "ann:$2y$04$ZESAkIYfpjLKBay1CSAZnex8juwQ8tl6.zQ9nU.y54.1bzZzUc2qi";

fn frame(memory: &mut Memory, users: &[&str]) -> Password {
    let auth = PasswordAuth {
        users: users.iter().map(|it| Arc::from(*it)).collect(),
        realm: "the \"house\"".into(),
        removes_header: true,
        user_header: Some("X-User".into()),
        manner: PasswordManner::Traefik,
    };
    Password::new(&auth, kept(memory), 7).unwrap()
}

/// A request with this line.
fn saying(value: &str) -> Asked {
    let value: &'static str = value.to_owned().leak();
    Asked::get("a.test", "/").with("Authorization", value)
}

fn basic(name: &str, password: &str) -> Asked {
    use base64::Engine as _;
    let said = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    saying(&format!("Basic {said}"))
}

/// What came of a request: its status, 200 where it passes; how often work was done for it; what
/// was noted.
#[derive(Debug)]
struct Came {
    status: u16,
    jobs: usize,
    notes: Vec<Note>,
    answer: Option<Box<Response>>,
    lines: Vec<(String, Vec<u8>)>,
}

fn pass(frame: &Password, asked: &Asked) -> Came {
    let (mut frame, mut world) = (frame.clone(), World::new());
    let mut head = RequestEdits::new(asked);
    let (mut got, mut jobs, mut answer) = (Got::Nothing, 0, None);
    loop {
        got = match frame.enter(&mut world.context(), &mut head, got) {
            Enter::Next => break,
            Enter::Answer(it) => {
                answer = Some(it);
                break;
            }
            Enter::Ask(Ask::Shared(_)) => Got::Flight(Flight::Lead),
            Enter::Ask(Ask::Work(job)) => {
                jobs += 1;
                Got::Done((job.work)())
            }
            Enter::Ask(ask) => panic!("{ask:?}"),
        };
    }
    frame.done(&mut world.context(), Ending::Finished);
    let mut lines = Vec::new();
    head.each(&mut |name, value| lines.push((name.to_owned(), value.to_vec())));
    let status = answer.as_ref().map_or(200, |it| it.status);
    Came { status, jobs, notes: world.notes, answer, lines }
}

#[test]
fn who_has_the_password_is_let_in_and_told_of() {
    let frame = frame(&mut Memory::default(), &[ANN, "eve:{PLAIN}", "ren\u{e9}:{PLAIN}x"]);
    for (asked, status) in [
        (basic("ann", "secret"), 200),
        (basic("ann", "Secret"), 401),
        (basic("ann", ""), 401),
        (basic("bob", "secret"), 401),
        (basic("eve", ""), 200),
        (basic("ren\u{e9}", "x"), 200),
        (basic("", "secret"), 401),
        (basic("ann:x", "secret"), 401),
        (basic("ann\r\nX-Admin: 1", "secret"), 401),
        (basic("ann", "secret").with("authorization", "Basic x"), 401),
        (basic("ann", "secret").with("Authorization", "Basic YW5uOnNlY3JldA=="), 401),
        (saying("Bearer x"), 401),
        (saying(&format!("Basic {}", "YW5u".repeat(1 << 10))), 401),
        (Asked::get("a.test", "/"), 401),
    ] {
        let came = pass(&frame, &asked);
        assert_eq!(came.status, status, "{asked:?} {came:?}");
        let said = came.lines.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        assert_eq!(said && !came.lines.is_empty(), status != 200 && said, "{came:?}");
        match came.answer {
            Some(answer) => {
                let value = answer.first("www-authenticate").unwrap();
                assert_eq!(value, br#"Basic realm="the \"house\"""#);
                assert_eq!(&*answer.body, b"401 Unauthorized\n");
                assert!(came.notes.iter().any(|it| matches!(it, Note::Reason(_))), "{asked:?}");
            }
            None => assert!(came.lines.iter().any(|(name, _)| name == "X-User"), "{asked:?}"),
        }
    }
}

#[test]
fn what_clients_say_of_users_goes_in_every_spelling() {
    let frame = frame(&mut Memory::default(), &[ANN]);
    let asked = basic("ann", "secret").with_all(&[("x_user", "root"), ("X-USER", "root")]);
    let mut lines = pass(&frame, &asked).lines;
    lines.retain(|(name, _)| name.len() == 6);
    assert_eq!(lines, [("X-User".to_owned(), b"ann".to_vec())]);
}

/// Counted in work, which is what time comes of.
#[test]
fn who_is_not_known_costs_what_others_do() {
    let other = ANN.replace("ann:", "ben:");
    let frame = frame(&mut Memory::default(), &[ANN, &other]);
    for name in ["ann", "ben", "bob", "root", "admin", ""] {
        assert_eq!(pass(&frame, &basic(name, "wrong")).jobs, 1, "{name}");
        assert_eq!(pass(&frame, &basic(name, "wrong")).jobs, 0, "{name}: it is known by now");
    }
}

#[test]
fn what_is_known_is_found_out_once_and_by_its_hash() {
    let mut memory = Memory::default();
    let kept: Kept<PasswordMemory> = kept(&mut memory);
    let of = |users: &[&str]| {
        let users = users.iter().map(|it| Arc::from(*it)).collect();
        let realm = "x".into();
        let manner = PasswordManner::Traefik;
        let auth = PasswordAuth { users, realm, removes_header: false, user_header: None, manner };
        Password::new(&auth, kept.clone(), 7).unwrap()
    };
    let frame = of(&[ANN]);
    let ways = [200, 200].map(|_| pass(&frame, &basic("ann", "secret")));
    assert_eq!(ways.map(|it| (it.status, it.jobs)), [(200, 1), (200, 0)]);
    // Many others make nobody forgotten who was let in.
    for number in 0..3_000 {
        kept.learn(*digest_of(number), false);
    }
    assert_eq!(pass(&frame, &basic("ann", "secret")).jobs, 0);
    // Another password after a reload.
    let changed = "ann:$2y$04$3ZP.KSIsQe0625FUBb.x1O0jhfJalVLxCVDAoY6OiCKgSPI.xXEk2";
    assert_eq!(pass(&of(&[changed]), &basic("ann", "secret")).status, 401);
    assert_eq!(pass(&of(&[changed]), &basic("ann", "")).status, 200);
    // Nobody else's hash lets anybody in, neither before nor after he is known.
    assert_eq!(pass(&frame, &basic("bob", "secret")).status, 401);
    let bob = ANN.replace("ann:", "bob:");
    assert_eq!(pass(&of(&[ANN, &bob]), &basic("bob", "secret")).status, 200);
}

fn digest_of(number: u32) -> Box<Digest> {
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &number.to_be_bytes());
    let mut digest = Digest::default();
    digest.copy_from_slice(sum.as_ref());
    Box::new(digest)
}

/// Of one client and of all: who comes then is told so, and who ends makes room.
#[test]
fn only_so_many_are_verified_at_once() {
    let frame = frame(&mut Memory::default(), &[ANN]);
    let begin = |peer: u8| {
        let (mut frame, mut world) = (frame.clone(), World::of([10, 0, 0, peer].into()));
        let asked = basic("ann", &format!("{peer}"));
        let mut head = RequestEdits::new(&asked);
        let got = Got::Flight(Flight::Lead);
        let status = match frame.enter(&mut world.context(), &mut head, got) {
            Enter::Ask(Ask::Work(_)) => 0,
            Enter::Answer(answer) => {
                assert_eq!(answer.first("retry-after"), Some(&b"1"[..]));
                answer.status
            }
            other => panic!("{other:?}"),
        };
        (frame, status)
    };
    let mut all: Vec<(Password, u16)> = (0..12).map(|_| begin(1)).collect();
    assert_eq!(all.iter().filter(|(_, status)| *status == 429).count(), 4);
    all.extend((2..60).map(begin));
    assert_eq!(all.iter().filter(|(_, status)| *status == 0).count(), 32);
    assert_eq!(all.last().unwrap().1, 503);
    for (frame, _) in &mut all {
        frame.done(&mut World::new().context(), Ending::Aborted);
    }
    assert_eq!(begin(1).1, 0);
}

/// What nobody may verify is answered so, and not let in.
#[test]
fn work_that_is_not_done_lets_nobody_in() {
    let frame = frame(&mut Memory::default(), &[ANN]);
    let (mut frame, mut world) = (frame.clone(), World::new());
    let asked = basic("ann", "secret");
    let mut head = RequestEdits::new(&asked);
    match frame.enter(&mut world.context(), &mut head, Got::Unanswered) {
        Enter::Answer(answer) => assert_eq!(answer.status, 503),
        other => panic!("{other:?}"),
    }
}

/// With nginx nobody may be there to be let in: all are asked, and told so on its page.
#[test]
fn where_nobody_is_known_all_are_asked_in_nginx_manner() {
    let auth = |manner| PasswordAuth {
        users: vec![Arc::from("ann:")].into(),
        realm: "house".into(),
        removes_header: true,
        user_header: None,
        manner,
    };
    let make = |manner| Password::new(&auth(manner), kept(&mut Memory::default()), 7);
    assert!(make(PasswordManner::Traefik).is_none());
    let mut frame = make(PasswordManner::Nginx).unwrap();
    for asked in [Asked::get("a.b", "/"), saying("Basic YW5uOg=="), saying("Basic YW5uOng=")] {
        let (mut world, mut head) = (World::new(), RequestEdits::new(&asked));
        let Enter::Answer(answer) = frame.enter(&mut world.context(), &mut head, Got::Nothing)
        else {
            panic!("{asked:?}")
        };
        assert_eq!(answer.status, 401);
        let asks = answer.first("www-authenticate");
        assert_eq!(asks, Some(&b"Basic realm=\"house\""[..]));
        assert!(answer.body.starts_with(b"<html>"));
    }
}
