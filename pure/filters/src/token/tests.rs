//! Who is let in, and what endpoints are told.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::claims::{ClaimPath, ClaimRule, ClaimTest};
use steelyard_model::routing::filter::token::KeyAddress;

use steelyard_http::Head as _;

use super::*;
use crate::ask::Flight;
use crate::memory::Memory;
use crate::tests::{Asked, World, kept};

const SECRET: &[u8] = b"known to two of them";

fn minted(body: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(body));
    let code = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(code))
}

fn auth() -> TokenAuth {
    TokenAuth {
        keys: TokenKeys::Secret(SECRET.into()),
        parameter: None,
        claims: None,
        user: Some(ClaimPath::read("sub")),
        told: vec![("X-Groups".into(), ClaimPath::read("groups"))],
        is_passed_on: false,
    }
}

/// The status, or `passes` with what endpoints are told.
fn entered(frame: &mut Token, world: &mut World, asked: Asked) -> String {
    let mut head = RequestEdits::new(&asked);
    match frame.enter(&mut world.context(), &mut head, Got::Nothing) {
        Enter::Next => {
            let mut lines = Vec::new();
            head.each(&mut |name, value| {
                lines.push(format!(" {name}={}", String::from_utf8_lossy(value)));
            });
            format!("passes{}", lines.concat())
        }
        Enter::Answer(answer) => {
            let challenge = answer.first("www-authenticate").unwrap_or_default();
            format!("{} {}", answer.status, String::from_utf8_lossy(challenge))
        }
        Enter::Ask(ask) => format!("{ask:?}"),
    }
}

fn bearing(authorization: String) -> Asked {
    Asked::get("a.b", "/")
        .with("Authorization", authorization.leak())
        .with("x_groups", "admins")
        .with("X-GROUPS", "admins")
}

#[test]
fn who_is_let_in() {
    let ann = r#"{"sub":"ann","groups":["ops","dev"],"exp":1000000}"#;
    let old = minted(r#"{"sub":"ann","exp":900000}"#);
    let bad_group = minted("{\"groups\":\"a\\r\\nX-Admin: 1\"}");
    let is_ops = || {
        let test = ClaimTest::Contains("ops".into());
        Some(ClaimRule::Claim(ClaimPath::read("groups"), test))
    };
    let ops = || TokenAuth { claims: is_ops(), ..auth() };
    let invalid = "401 Bearer error=\"invalid_token\"";
    for (auth, authorization, expected) in [
        (auth(), String::new(), "401 Bearer"),
        (auth(), "Basic YTpi".into(), "401 Bearer"),
        (auth(), format!("Bearer {}", minted(ann)), "passes X-Groups=ops,dev"),
        (auth(), format!("bearer  {} ", minted(ann)), "passes X-Groups=ops,dev"),
        (auth(), format!("Bearer {}", minted("{}")), "passes"),
        (auth(), format!("Bearer {}", minted(ann).replace('.', "..")), invalid),
        (auth(), format!("Bearer {old}"), invalid),
        (auth(), format!("Bearer {bad_group}"), "403 "),
        (auth(), format!("Bearer {}", minted(r#"{"groups":["a,ops","b"]}"#)), "403 "),
        (auth(), format!("Bearer {}", minted(r#"{"groups":["a"," ops"]}"#)), "403 "),
        (auth(), format!("Bearer {}", minted(r#"{"groups":"a,b"}"#)), "passes X-Groups=a,b"),
        (auth(), format!("Bearer {}", minted(r#"{"sub":"a","sub":"ann"}"#)), invalid),
        (ops(), format!("Bearer {}", minted(ann)), "passes X-Groups=ops,dev"),
        (ops(), format!("Bearer {}", minted("{}")), "403 Bearer error=\"insufficient_scope\""),
    ] {
        let mut frame = Token::new(&auth, kept(&mut Memory::default())).unwrap();
        let mut world = World::new();
        for turn in 0..2 {
            let got = entered(&mut frame, &mut world, bearing(authorization.clone()));
            assert_eq!(got, expected, "{authorization} ({turn})");
        }
    }
}

/// Who was believed by keys that are no more is asked anew: a secret that has leaked is changed for
/// that.
#[test]
fn other_keys_believe_nobody_whom_these_did() {
    let mut memory = Memory::default();
    let mut world = World::new();
    let bearer = format!("Bearer {}", minted("{}"));
    let invalid = "401 Bearer error=\"invalid_token\"";
    let x = URL_SAFE_NO_PAD.encode(aws_lc_rs::signature::KeyPair::public_key(&signer()).as_ref());
    let set = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}]}}"#);
    for (keys, expected) in [
        (TokenKeys::Secret(SECRET.into()), "passes"),
        (TokenKeys::Secret((*b"known to three of them").into()), invalid),
        (TokenKeys::Set(set.as_str().into()), invalid),
        (TokenKeys::Secret(SECRET.into()), "passes"),
    ] {
        let mut frame = Token::new(&TokenAuth { keys, ..auth() }, kept(&mut memory)).unwrap();
        for _ in 0..2 {
            assert_eq!(entered(&mut frame, &mut world, bearing(bearer.clone())), expected);
        }
    }
}

#[test]
fn a_token_in_the_query_and_one_that_is_passed_on() {
    let target = format!("/?a=1&t={}", minted(r#"{"sub":"ann"}"#));
    let asked = Asked::get("a.b", target.leak());
    let with = TokenAuth { parameter: Some("t".into()), ..auth() };
    let mut world = World::new();
    let mut frame = Token::new(&with, kept(&mut Memory::default())).unwrap();
    assert_eq!(entered(&mut frame, &mut world, asked.clone()), "passes");
    // It goes on only where that is asked for.
    for (is_passed_on, spelled, left) in
        [(false, "t", Some("a=1&b")), (false, "%74", Some("a=1&b")), (true, "t", None)]
    {
        let query = format!("a=1&{spelled}={}&b", minted(r#"{"sub":"ann"}"#));
        let asked = Asked::get("a.b", format!("/?{query}").leak());
        let terms = TokenAuth { is_passed_on, ..with.clone() };
        let mut frame = Token::new(&terms, kept(&mut Memory::default())).unwrap();
        let mut head = RequestEdits::new(&asked);
        let entered = frame.enter(&mut World::new().context(), &mut head, Got::Nothing);
        assert!(matches!(entered, Enter::Next), "{entered:?}");
        assert_eq!(head.query(), Some(left.unwrap_or(&query)));
    }
    let alone = Asked::get("a.b", format!("/?t={}", minted("{}")).leak());
    let mut head = RequestEdits::new(&alone);
    let entered_so = frame.enter(&mut World::new().context(), &mut head, Got::Nothing);
    assert!(matches!(entered_so, Enter::Next) && head.query().is_none());
    assert_eq!(world.notes, [Note::User("ann".into())]);
    let mut without = Token::new(&auth(), kept(&mut Memory::default())).unwrap();
    assert_eq!(entered(&mut without, &mut world, asked), "401 Bearer");
    // Nobody knows which of two an endpoint goes by.
    let token = minted(r#"{"sub":"ann"}"#);
    let twice = Asked::get("a.b", format!("/?t={token}&t=x").leak());
    assert_eq!(entered(&mut frame, &mut world, twice), "401 Bearer");
    let both = Asked::get("a.b", format!("/?t={token}").leak());
    let both = both.with("Authorization", format!("Bearer {token}").leak());
    assert_eq!(entered(&mut frame, &mut world, both), "401 Bearer");
    let twice = bearing(format!("Bearer {token}")).with("authorization", "Bearer x");
    assert_eq!(entered(&mut frame, &mut world, twice), "401 Bearer");

    let bearer = format!("Bearer {}", minted("{}"));
    let passed_on = TokenAuth { is_passed_on: true, ..auth() };
    let mut frame = Token::new(&passed_on, kept(&mut Memory::default())).unwrap();
    let got = entered(&mut frame, &mut world, bearing(bearer.clone()));
    assert_eq!(got, format!("passes Authorization={bearer}"));
}

#[test]
fn keys_that_are_none_make_no_filter() {
    for keys in [
        TokenKeys::Secret((*b"short").into()),
        TokenKeys::Public("no key".into()),
        TokenKeys::Set("{}".into()),
    ] {
        let auth = TokenAuth { keys, ..auth() };
        assert!(Token::new(&auth, kept(&mut Memory::default())).is_none());
    }
}

/// Keys from an address: one asks for all, unknown names ask again, and nobody is let in without.
#[test]
fn keys_are_fetched_once_and_again_for_a_name_that_is_unknown() {
    let url = "https://issuer.test/keys?v=1";
    let address = KeyAddress {
        url: AskedUrl::read(url).unwrap(),
        backend: "issuer".into(),
        tls: None,
        patience: Duration::from_secs(5),
        retries: 0,
    };
    let auth = TokenAuth { keys: TokenKeys::Address(Box::new(address)), ..auth() };
    let mut memory = Memory::default();
    let blueprint = Token::new(&auth, kept(&mut memory)).unwrap();
    let mut world = World::new();
    let named = |kid: &str| {
        let key = signer();
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let head = format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#);
        let message = format!("{}.{}", part(&head), part(r#"{"sub":"ann"}"#));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
        bearing(format!("Bearer {message}.{signature}"))
    };
    let run = |kid: &str, answer: Option<Response>, world: &mut World| {
        let mut frame = blueprint.clone();
        let asked = named(kid);
        let mut got = Got::Nothing;
        let mut asks = Vec::new();
        loop {
            let mut head = RequestEdits::new(&asked);
            got = match frame.enter(&mut world.context(), &mut head, got) {
                Enter::Next => break (200, asks),
                Enter::Answer(answer) => break (answer.status, asks),
                Enter::Ask(Ask::Shared(_)) => Got::Flight(Flight::Lead),
                Enter::Ask(Ask::Sleep(_)) => Got::Nothing,
                Enter::Ask(Ask::Fetch { letter, .. }) => {
                    asks.push(format!("{} {}", letter.authority, letter.target));
                    answer.clone().map_or(Got::Unanswered, |it| Got::Response(Box::new(it)))
                }
                Enter::Ask(ask) => panic!("{ask:?}"),
            };
        }
    };
    let set = |kid: &str, lines: Vec<(Box<str>, Box<[u8]>)>| {
        let x =
            URL_SAFE_NO_PAD.encode(aws_lc_rs::signature::KeyPair::public_key(&signer()).as_ref());
        let body =
            format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}"}}]}}"#);
        Some(Response { body: body.into(), lines, ..Response::of(200) })
    };
    let asked = vec!["issuer.test /keys?v=1".to_owned()];
    // Away: nobody is let in, and it is not asked again at once.
    assert_eq!(run("1", None, &mut world), (503, asked.clone()));
    assert_eq!(run("1", set("1", vec![]), &mut world), (503, vec![]));
    world.now += LEAST_PAUSE;
    assert_eq!(run("1", set("1", vec![]), &mut world), (200, asked.clone()));
    assert_eq!(run("1", None, &mut world), (200, vec![]));
    // Another name: not within the pause, then once.
    assert_eq!(run("2", set("2", vec![]), &mut world), (401, vec![]));
    world.now += LEAST_PAUSE;
    assert_eq!(run("2", set("2", vec![]), &mut world), (200, asked.clone()));
    assert_eq!(run("1", set("2", vec![]), &mut world), (401, vec![]));
    // Due, and away: the former ones are believed, for a day.
    world.now += Duration::from_mins(6);
    assert_eq!(run("2", None, &mut world), (200, asked.clone()));
    world.now += Duration::from_hours(24);
    assert_eq!(run("2", None, &mut world), (503, asked.clone()));
    // As long as the answer says, and no page of errors is a set.
    let lines = vec![("Cache-Control".into(), (*b"public, max-age=3600").into())];
    world.now += LEAST_PAUSE;
    assert_eq!(run("2", set("2", lines), &mut world), (200, asked.clone()));
    world.now += Duration::from_mins(59);
    assert_eq!(run("2", None, &mut world), (200, vec![]));
    world.now += Duration::from_mins(2);
    assert_eq!(run("2", Some(Response::of(500)), &mut world), (200, asked));
    // Those of another address are not had yet.
    let TokenKeys::Address(address) = auth.keys.clone() else { unreachable!() };
    let address = KeyAddress { backend: "another".into(), ..*address };
    let elsewhere = TokenAuth { keys: TokenKeys::Address(Box::new(address)), ..auth.clone() };
    let mut frame = Token::new(&elsewhere, kept(&mut memory)).unwrap();
    assert!(entered(&mut frame, &mut world, named("2")).starts_with("Shared"));
}

const LEAST_PAUSE: Duration = Duration::from_secs(10);

fn signer() -> aws_lc_rs::signature::Ed25519KeyPair {
    aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}
