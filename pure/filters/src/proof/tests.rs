use super::*;
use crate::memory::Memory;
use crate::tests::{Asked, World, kept};
use aws_lc_rs::digest::{SHA256, digest};
use steelyard_http::Head as _;

const REALM: &str = "the house";

fn md5(text: &str) -> String {
    use md5::Digest as _;
    md5::Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn frame() -> Proof {
    let users = [
        format!("ann:{REALM}:{}", md5(&format!("ann:{REALM}:secret"))),
        format!("eve:elsewhere:{}", md5("eve:elsewhere:secret")),
    ];
    let auth = PasswordAuth {
        users: users.iter().map(|it| Arc::from(it.as_str())).collect(),
        realm: REALM.into(),
        removes_header: true,
        user_header: Some("X-User".into()),
        manner: PasswordManner::Traefik,
    };
    let usage = Use { filter: "auth".into(), state: "auth".into() };
    Proof::new(&auth, &usage, kept(&mut Memory::default()), 7).unwrap()
}

/// What a client says.
#[derive(Clone)]
struct Said {
    name: &'static str,
    realm: &'static str,
    password: &'static str,
    nonce: String,
    count: u32,
    uri: &'static str,
    opaque: String,
}

fn asking(said: &Said, target: &'static str) -> Asked {
    let Said { name, realm, password, nonce, count, uri, opaque } = said;
    let known = md5(&format!("{name}:{realm}:{password}"));
    let asked = md5(&format!("GET:{uri}"));
    let response = md5(&format!("{known}:{nonce}:{count:08x}:own:auth:{asked}"));
    let value = format!(
        r#"Digest username="{name}", realm="{realm}", nonce="{nonce}", uri="{uri}", qop=auth, nc={count:08x}, cnonce="own", response="{response}", opaque="{opaque}", algorithm=MD5"#
    );
    Asked::get("a.test", target).with("Authorization", value.leak()).with("x_user", "root")
}

/// A status, 200 where it passes, and the challenge.
fn pass(frame: &Proof, asked: &Asked) -> (u16, String) {
    let (mut frame, mut world) = (frame.clone(), World::new());
    let mut head = RequestEdits::new(asked);
    match frame.enter(&mut world.context(), &mut head, Got::Nothing) {
        Enter::Next => {
            let mut users = Vec::new();
            head.each(&mut |name, value| {
                assert!(!name.eq_ignore_ascii_case("authorization"));
                users.extend((name.len() == 6).then(|| value.to_vec()));
            });
            assert_eq!(users, [b"ann".to_vec()]);
            (200, String::new())
        }
        Enter::Answer(answer) => {
            let value = answer.first("www-authenticate").unwrap();
            (answer.status, String::from_utf8(value.to_vec()).unwrap())
        }
        Enter::Ask(ask) => panic!("{ask:?}"),
    }
}

fn part(challenge: &str, name: &str) -> String {
    let rest = challenge.split(&format!("{name}=\"")).nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_proof_is_good_once_and_for_its_request() {
    let frame = frame();
    let (status, challenge) = pass(&frame, &Asked::get("a.test", "/x?y=1"));
    assert_eq!(status, 401);
    assert!(!challenge.contains("stale"), "{challenge}");
    let said = Said {
        name: "ann",
        realm: REALM,
        password: "secret",
        nonce: part(&challenge, "nonce"),
        count: 1,
        uri: "/x?y=1",
        opaque: part(&challenge, "opaque"),
    };
    let asking_here = |said: &Said| asking(said, "/x?y=1");
    for (said, status, is_stale) in [
        (Said { password: "wrong", ..said.clone() }, 401, false),
        (Said { name: "bob", ..said.clone() }, 401, false),
        (Said { name: "eve", realm: "elsewhere", ..said.clone() }, 401, false),
        (Said { uri: "/", ..said.clone() }, 401, false),
        (Said { uri: "/x", ..said.clone() }, 401, false),
        (Said { nonce: "0".repeat(64), ..said.clone() }, 401, true),
        (Said { opaque: "other".into(), ..said.clone() }, 401, true),
        (Said { count: 0, ..said.clone() }, 401, true),
        (said.clone(), 200, false),
        (said.clone(), 401, true),
        (Said { count: 2, ..said.clone() }, 200, false),
        (Said { count: 2, ..said.clone() }, 401, true),
        (Said { count: 3, uri: "http://a.test/x?y=1", ..said.clone() }, 200, false),
        (Said { count: 4, uri: "/./x?y=1", ..said.clone() }, 200, false),
    ] {
        let (found, challenge) = pass(&frame, &asking_here(&said));
        assert_eq!(
            (found, challenge.ends_with("stale=true")),
            (status, is_stale),
            "{}",
            said.count
        );
    }
    let twice = asking_here(&Said { count: 9, ..said }).with("authorization", "Digest x");
    assert_eq!(pass(&frame, &twice).0, 401);
}

/// Ten thousand that are only asked take nothing from who was let in.
#[test]
fn who_is_only_asked_is_not_kept() {
    let frame = frame();
    let (_, challenge) = pass(&frame, &Asked::get("a.test", "/"));
    let said = Said {
        name: "ann",
        realm: REALM,
        password: "secret",
        nonce: part(&challenge, "nonce"),
        count: 1,
        uri: "/",
        opaque: part(&challenge, "opaque"),
    };
    for number in 0..10_000_u32 {
        let noise = digest(&SHA256, &number.to_be_bytes());
        let nonce = noise.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let asked = Said { nonce, password: "x", ..said.clone() };
        if number % 100 == 0 {
            assert_eq!(pass(&frame, &asking(&asked, "/")).0, 401);
        }
        assert_eq!(pass(&frame, &Asked::get("a.test", "/")).0, 401);
    }
    assert_eq!(pass(&frame, &asking(&said, "/")).0, 200);
}
