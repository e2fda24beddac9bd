use std::time::Duration;

use steelyard_http::RequestView as _;
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::access::{AskedCache, NginxAsking};
use steelyard_model::routing::pattern::Expression;
use steelyard_model::routing::variables::VariableText;

use super::*;
use crate::ask::Letter;
use crate::memory::Memory;
use crate::tests::{Asked, World, kept};

fn auth() -> AskedAuth {
    AskedAuth {
        address: AskedUrl::read("http://auth.test:9091/verify?x=1").unwrap(),
        backend: "auth".into(),
        patience: Duration::from_secs(30),
        trusts_forwarded: false,
        response_headers: vec!["X-User".into()],
        response_headers_regex: None,
        request_headers: Vec::new(),
        tls: None,
        max_response: None,
        cookies: Vec::new(),
        user_header: Some("X-User".into()),
        forwards_body: false,
        max_body: None,
        keeps_location: false,
        keeps_method: false,
        sign_in: None,
        manner: AskedManner::Traefik,
        cache: None,
    }
}

fn nginx(it: NginxAsking) -> AskedAuth {
    AskedAuth { manner: AskedManner::Nginx(Box::new(it)), ..auth() }
}

/// A frame that keeps nothing.
fn frame(auth: &AskedAuth) -> ForwardAuth {
    ForwardAuth::new(auth, || kept(&mut Memory::default()))
}

/// What is asked about a request.
fn letter(auth: &AskedAuth, asked: &Asked) -> Letter {
    let mut head = RequestEdits::new(asked);
    let mut world = World::new();
    match frame(auth).enter(&mut world.context(), &mut head, Got::Nothing) {
        Enter::Ask(Ask::Fetch { to, letter }) => {
            assert_eq!(to, "auth".into());
            *letter
        }
        other => panic!("{other:?}"),
    }
}

fn shown(letter: &Letter) -> Vec<String> {
    let lines = letter.lines.added();
    lines.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect()
}

fn answer(status: u16, lines: &[(&str, &str)]) -> Got {
    let lines = lines.iter().map(|(name, value)| ((*name).into(), value.as_bytes().into()));
    let body = Bytes::from_static(b"said");
    Got::Response(Box::new(Response { status, lines: lines.collect(), body }))
}

/// What comes of an answer about a request: lines that endpoints get, or what the client gets.
fn judged(auth: &AskedAuth, asked: &Asked, got: Got) -> Result<Vec<String>, Response> {
    let (mut frame, mut world) = (frame(auth), World::new());
    let mut head = RequestEdits::new(asked);
    _ = frame.enter(&mut world.context(), &mut head, Got::Nothing);
    match frame.enter(&mut world.context(), &mut head, got) {
        Enter::Next => {
            let mut lines = Vec::new();
            head.each(&mut |name, value| {
                lines.push(format!("{name}: {}", String::from_utf8_lossy(value)));
            });
            Ok(lines)
        }
        Enter::Answer(response) => {
            assert_eq!(world.notes.len(), 1, "a reason is noted");
            Err(*response)
        }
        Enter::Ask(ask) => panic!("{ask:?}"),
    }
}

#[test]
fn a_request_is_told_about_as_traefik_does() {
    let asked = Asked::by("POST", "http://a.test:8080", "/x?y=1").with_all(&[
        ("Accept", "text/html"),
        ("Cookie", "a=b"),
        ("X_Forwarded_For", "6.6.6.6"),
        ("X-Forwarded-Method", "DELETE"),
        ("X-Forwarded-Uri", "/public"),
        ("Expect", "100-continue"),
    ]);
    let letter_of = letter(&auth(), &asked);
    assert_eq!((&*letter_of.method, &*letter_of.target), ("GET", "/verify?x=1"));
    assert_eq!(&*letter_of.authority, "auth.test:9091");
    let own = [
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Method: POST",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: a.test:8080",
        "X-Forwarded-Uri: /x?y=1",
        "X-Forwarded-Port: 8080",
    ];
    let mut all = vec!["Accept: text/html", "Cookie: a=b", "X-Real-Ip: 10.0.0.1"];
    all.extend(own);
    assert_eq!(shown(&letter_of), all);
    let few = AskedAuth { request_headers: vec!["cookie".into()], ..auth() };
    assert_eq!(shown(&letter(&few, &asked)), [&["Cookie: a=b"][..], &own].concat());
    let trusting = AskedAuth { trusts_forwarded: true, keeps_method: true, ..few };
    let asked = asked.with("X-Forwarded-For", "7.7.7.7");
    let letter_of = letter(&trusting, &asked);
    assert_eq!(&*letter_of.method, "POST");
    assert_eq!(
        shown(&letter_of),
        [
            "Cookie: a=b",
            "X-Forwarded-For: 7.7.7.7, 10.0.0.1",
            "X-Forwarded-Method: DELETE",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: a.test:8080",
            "X-Forwarded-Uri: /public",
            "X-Forwarded-Port: 8080",
        ]
    );
}

/// Where nobody says which, the port is that of the scheme, which may be one that is believed.
#[test]
fn the_port_is_that_of_the_scheme() {
    for (said, trusts_forwarded, expected) in [
        (None, true, "80"),
        (Some("https"), true, "443"),
        (Some("wss"), true, "443"),
        (Some("http"), true, "80"),
        (Some("https"), false, "80"),
    ] {
        let asked = Asked::get("http://a.test", "/");
        let asked = match said {
            Some(said) => asked.with("X-Forwarded-Proto", said),
            None => asked,
        };
        let told = shown(&letter(&AskedAuth { trusts_forwarded, ..auth() }, &asked));
        let port = format!("X-Forwarded-Port: {expected}");
        assert!(told.contains(&port), "{said:?} {trusts_forwarded}: {told:?}");
    }
}

/// What clients say of themselves is not sent to whoever says who they are, unless he wants it.
#[test]
fn who_is_asked_is_told_nothing_that_is_made_up() {
    let lines = [
        ("X-User", "root"),
        ("x_user", "root"),
        ("X-Forwarded-User", "root"),
        ("x_forwarded_EMAIL", "root@a.test"),
        ("Range", "bytes=0-0"),
        ("If-None-Match", "*"),
        ("Authorization", "Bearer x"),
        ("Cookie", "a=b"),
        ("X-Forwarded-Prefix", "/p"),
    ];
    let asked = Asked::get("a.test", "/").with_all(&lines);
    let told = |auth: &AskedAuth| {
        let mut head = RequestEdits::new(&asked);
        head.lines().set("X-Forwarded-Groups", b"of a filter").unwrap();
        let mut world = World::new();
        let asks = frame(auth).enter(&mut world.context(), &mut head, Got::Nothing);
        let Enter::Ask(Ask::Fetch { letter, .. }) = asks else { panic!("{asks:?}") };
        let all = letter.lines.added().map(|(name, _)| name.to_owned());
        let of_client =
            |name: &String| *name == "X-Forwarded-Groups" || lines.iter().any(|it| it.0 == *name);
        all.filter(of_client).collect::<Vec<_>>()
    };
    let sets = vec!["X-User".into(), "Authorization".into()];
    let auth = AskedAuth { response_headers: sets, ..auth() };
    let sound = ["Authorization", "Cookie", "X-Forwarded-Prefix", "X-Forwarded-Groups"];
    assert_eq!(told(&auth), sound);
    assert_eq!(
        told(&AskedAuth { manner: nginx(NginxAsking::default()).manner, ..auth.clone() }),
        sound
    );
    let by_name = Some(Expression::new("^(X-User|Cookie)$").unwrap());
    let matching =
        AskedAuth { response_headers: Vec::new(), response_headers_regex: by_name, ..auth.clone() };
    assert_eq!(told(&matching), sound);
    let wanted = AskedAuth {
        request_headers: vec!["X-User".into(), "range".into(), "X-Forwarded-User".into()],
        ..auth
    };
    assert_eq!(told(&wanted), ["X-User", "X-Forwarded-User", "Range"]);
}

#[test]
fn endpoints_are_told_what_is_answered_and_nothing_that_is_made_up() {
    let spelled: &[(&str, &str)] =
        &[("x_user", "root"), ("X.User", "root"), ("X-USER", "root"), ("X-Other", "1")];
    let asked = Asked::get("a.test", "/").with_all(&[
        ("x_user", "root"),
        ("X.User", "root"),
        ("X-USER", "root"),
        ("X-Other", "1"),
    ]);
    for (auth, lines, expected) in [
        (auth(), &[("x-user", "ann"), ("X-More", "2")][..], &["X-Other: 1", "x-user: ann"][..]),
        (
            auth(),
            &[("X-User", "ann"), ("X-User", "b")],
            &["X-Other: 1", "X-User: ann", "X-User: b"],
        ),
        (auth(), &[], &["X-Other: 1"]),
        (
            AskedAuth {
                response_headers: Vec::new(),
                response_headers_regex: Some(Expression::new("^X-(User|Group)$").unwrap()),
                ..auth()
            },
            &[("x-user", "ann"), ("x-group", "g"), ("X-Groups", "h")],
            &["X-Other: 1", "x-user: ann", "x-group: g"],
        ),
        (
            AskedAuth { response_headers: vec!["Host".into(), "Content-Length".into()], ..auth() },
            &[("Host", "evil"), ("Content-Length", "5")],
            &["x_user: root", "X.User: root", "X-USER: root", "X-Other: 1"],
        ),
    ] {
        let found = judged(&auth, &asked, answer(204, lines));
        assert_eq!(found.unwrap(), expected, "{spelled:?} {lines:?}");
    }
}

#[test]
fn who_does_not_let_in_answers_itself() {
    let asked = Asked::get("a.test", "/x?y=1");
    let led = AskedAuth { sign_in: Some("https://in.test/".into()), ..auth() };
    let kept = AskedAuth { keeps_location: true, ..auth() };
    for (auth, got, status, location, body) in [
        (auth(), answer(401, &[("WWW-Authenticate", "Basic")]), 401, None, "said"),
        (auth(), answer(403, &[]), 403, None, "said"),
        (auth(), answer(503, &[]), 503, None, "said"),
        (auth(), answer(304, &[]), 304, None, "said"),
        (
            auth(),
            answer(302, &[("Location", "/in")]),
            302,
            Some("http://auth.test:9091/in"),
            "said",
        ),
        (auth(), answer(302, &[("Location", "//in.test")]), 302, Some("http://in.test"), "said"),
        (kept, answer(302, &[("Location", "/in")]), 302, Some("/in"), "said"),
        (led.clone(), answer(401, &[]), 302, Some("https://in.test/"), ""),
        (led, answer(403, &[]), 403, None, "said"),
        (auth(), Got::Unanswered, 500, None, ""),
        (auth(), Got::TooLarge, 401, None, ""),
    ] {
        let case = format!("{got:?}");
        let found = judged(&auth, &asked, got).unwrap_err();
        assert_eq!((found.status, &*found.body), (status, body.as_bytes()), "{case}");
        assert_eq!(found.first("location"), location.map(str::as_bytes), "{case}");
    }
}

#[test]
fn a_body_is_sent_where_it_is_wanted_and_small_enough() {
    let auth = AskedAuth { forwards_body: true, max_body: Some(5), ..auth() };
    let asked = Asked::by("POST", "a.test", "/");
    let mut head = RequestEdits::new(&asked);
    for (got, status) in [(Got::Body("hello".into()), None), (Got::TooLarge, Some(401))] {
        let (mut frame, mut world) = (frame(&auth), World::new());
        let entered = frame.enter(&mut world.context(), &mut head, Got::Nothing);
        assert!(matches!(entered, Enter::Ask(Ask::Body { max: 5 })), "{entered:?}");
        match frame.enter(&mut world.context(), &mut head, got) {
            Enter::Ask(Ask::Fetch { letter, .. }) => {
                assert_eq!((&*letter.body, status), (&b"hello"[..], None));
            }
            Enter::Answer(answer) => assert_eq!(Some(answer.status), status),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_too_large_is_named() {
    let auth = AskedAuth { forwards_body: true, ..auth() };
    let asked = Asked::by("POST", "a.test", "/");
    let mut head = RequestEdits::new(&asked);
    let (mut frame, mut world) = (frame(&auth), World::new());
    frame.enter(&mut world.context(), &mut head, Got::Nothing);
    frame.enter(&mut world.context(), &mut head, Got::Body("hello".into()));
    frame.enter(&mut world.context(), &mut head, Got::TooLarge);
    assert_eq!(world.notes, [Note::Reason("who is asked says more than is taken")]);
}

#[test]
fn clients_get_the_cookies_that_are_named() {
    let auth = AskedAuth { cookies: vec!["session".into()], ..auth() };
    let asked = Asked::get("a.test", "/");
    let (mut frame, mut world) = (frame(&auth), World::new());
    let mut head = RequestEdits::new(&asked);
    _ = frame.enter(&mut world.context(), &mut head, Got::Nothing);
    let cookies = [("Set-Cookie", "session=1; Path=/"), ("set-cookie", "other=2")];
    _ = frame.enter(&mut world.context(), &mut head, answer(200, &cookies));
    let mut response = Response::of(200);
    for line in ["session=old", "sessions=3"] {
        response.lines.push(("Set-Cookie".into(), line.as_bytes().into()));
    }
    let mut head = ResponseEdits::new(&response);
    assert!(matches!(frame.leave(&mut world.context(), &mut head, Got::Nothing), Leave::Next));
    let mut left = Vec::new();
    head.each(&mut |_, value| left.push(String::from_utf8_lossy(value).into_owned()));
    assert_eq!(left, ["sessions=3", "session=1; Path=/"]);
}

#[test]
fn nginx_tells_and_takes_answers_in_its_own_way() {
    let it = NginxAsking::default();
    let asked = Asked::by("POST", "http://a.test", "/x?y=1&z").with_all(&[
        ("X-Original-URL", "http://evil/"),
        ("x_sent_from", "me"),
        ("X-Forwarded-Uri", "/public"),
        ("X.Forwarded.Host", "open.test"),
        // Routes of this class drop these.
        ("X_Role", "admin"),
        ("x.role", "admin"),
        ("X-Scheme", "https"),
        ("Ssl-Client-Verify", "SUCCESS"),
        ("Cookie", "a=b"),
    ]);
    let own = [
        "Cookie: a=b",
        "X-Original-URL: http://a.test/x?y=1&z",
        "X-Original-Method: POST",
        "X-Sent-From: nginx-ingress-controller",
        "X-Real-IP: 10.0.0.1",
        "X-Forwarded-For: 10.0.0.1",
        "X-Auth-Request-Redirect: /x?y=1&z",
    ];
    let letter_of = letter(&nginx(it.clone()), &asked);
    assert_eq!(
        (shown(&letter_of).as_slice(), &*letter_of.target),
        (&own.map(str::to_owned)[..], "/verify?x=1")
    );
    let text = |text: &str| VariableText::read(text, &[]).unwrap();
    let set = NginxAsking {
        target: Some(text("/verify?of=$cookie_a&raw=$http_cookie#$arg_y")),
        method: Some("HEAD".into()),
        lines: vec![
            ("X-Sent-From".into(), text("us")),
            ("X-Y".into(), text("$arg_y")),
            ("X-No".into(), text("$arg_no")),
        ],
        ..it.clone()
    };
    let letter_of = letter(&nginx(set), &asked);
    assert_eq!((&*letter_of.method, &*letter_of.target), ("HEAD", "/verify?of=b&raw=a=b%231"));
    let lines = shown(&letter_of);
    assert!(lines.contains(&"X-Sent-From: us".to_owned()) && !lines.contains(&own[3].to_owned()));
    assert!(lines.contains(&"X-Y: 1".to_owned()) && !lines.iter().any(|it| it.contains("X-No")));
    assert!(lines.contains(&"X-Original-URI: /x?y=1&z".to_owned()), "{lines:?}");
    for (sign_in, status, expected, location) in [
        (None, 401, 401, None),
        (None, 403, 403, None),
        (None, 302, 500, None),
        (None, 404, 500, None),
        (
            Some("https://in.test/?rd=$scheme://$host$escaped_request_uri"),
            401,
            302,
            Some("https://in.test/?rd=http://a.test%2Fx%3Fy%3D1%26z"),
        ),
        (
            Some("https://in.test/?rd=$http_cookie \n"),
            401,
            302,
            Some("https://in.test/?rd=a=b%20%0A"),
        ),
        (Some("https://in.test/"), 403, 403, None),
    ] {
        let asking = NginxAsking { sign_in: sign_in.map(text), ..it.clone() };
        let got = answer(status, &[("WWW-Authenticate", "Basic"), ("X-More", "1")]);
        let found = judged(&nginx(asking), &asked, got).unwrap_err();
        assert_eq!(found.status, expected, "{sign_in:?} {status}");
        assert_eq!(found.first("location"), location.map(str::as_bytes));
        assert_eq!(found.first("www-authenticate").is_some(), expected == 401);
        assert!(found.first("x-more").is_none());
        assert!(found.body.starts_with(b"<html>"));
    }
}

/// An answer counts for who has been told about in the same words, for its time, and for nobody
/// else.
#[test]
fn an_answer_is_kept_for_the_same_request_alone() {
    let cache = |lines: &[&str]| AskedCache {
        lines: lines.iter().map(|line| (*line).into()).collect(),
        durations: vec![((200, 299), Duration::from_secs(9))],
    };
    let ann = || Asked::get("a.test", "/x").with("Cookie", "ann").with("Accept", "a");
    for (lines, second, is_known) in [
        (&["Cookie"][..], ann(), true),
        (&["Cookie"], Asked::get("a.test", "/x").with("Cookie", "ann").with("Accept", "b"), true),
        (&[], Asked::get("a.test", "/x").with("Cookie", "ann").with("Accept", "b"), false),
        (&["Cookie"], Asked::get("a.test", "/x").with("Cookie", "bob").with("Accept", "a"), false),
        (&["Cookie"], Asked::get("a.test", "/x").with("Accept", "a"), false),
        (&["Cookie"], Asked::get("a.test", "/y").with("Cookie", "ann"), false),
        (&["Cookie"], Asked::get("b.test", "/x").with("Cookie", "ann"), false),
        (&["X-Tenant"], ann(), true),
        (&["X-Tenant"], Asked::get("a.test", "/x").with("Accept", "a"), false),
        (&["X-Tenant"], ann().with("Authorization", "Basic Yjpj"), false),
        (&["X-Tenant"], Asked::get("a.test", "/x").with("Cookie", "bob"), false),
        (&["Cookie"], Asked::by("POST", "a.test", "/x").with("Cookie", "ann"), false),
    ] {
        let auth = AskedAuth { cache: Some(cache(lines)), ..auth() };
        let mut memory = Memory::default();
        let blueprint = ForwardAuth::new(&auth, || kept(&mut memory));
        let mut world = World::new();
        let first = ann();
        let mut enters = |asked: &Asked, got: Option<Got>, later: u64| {
            let mut frame = blueprint.clone();
            let mut head = RequestEdits::new(asked);
            let mut cx = world.context();
            cx.now += Duration::from_secs(later);
            let entered = frame.enter(&mut cx, &mut head, Got::Nothing);
            match got {
                Some(got) => _ = frame.enter(&mut cx, &mut head, got),
                None if matches!(entered, Enter::Next) => {
                    assert_eq!(head.first("x-user"), Some(&b"ann"[..]), "{}", head.path());
                }
                None => {}
            }
            matches!(entered, Enter::Next)
        };
        let user = ("X-User", "ann");
        assert!(!enters(&first, Some(answer(403, &[user])), 0), "a refusal");
        assert!(!enters(&first, Some(answer(200, &[user, ("Set-Cookie", "a=b")])), 0), "a cookie");
        assert!(!enters(&first, Some(answer(200, &[user])), 0));
        assert_eq!(enters(&second, None, 8), is_known, "{lines:?} {second:?}");
        assert!(!enters(&second, None, 9), "its time is over");
    }
}

/// What Authelia, Authentik and oauth2-proxy say of themselves: which lines they read, what they
/// answer, and which lines applications get.
#[test]
fn contracts_that_others_have_written_down_are_kept() {
    let asked = Asked::get("http://app.test", "/page?a=b")
        .with("Cookie", "session=1")
        .with("Remote_User", "root")
        .with("X-Authentik-Username", "root")
        .with("X-Auth-Request-User", "root");
    let traefik = |url: &str, names: &[&str]| AskedAuth {
        address: AskedUrl::read(url).unwrap(),
        response_headers: names.iter().map(|name| (*name).into()).collect(),
        user_header: None,
        ..auth()
    };
    let by_nginx = |url: &str, names: &[&str]| {
        let sign_in =
            "https://in.test/start?rd=$pass_access_scheme://$http_host$escaped_request_uri";
        let sign_in = VariableText::read(sign_in, &[]).ok();
        let it = NginxAsking { sign_in, ..NginxAsking::default() };
        AskedAuth { manner: nginx(it).manner, ..traefik(url, names) }
    };
    let authelia = "http://authelia.test/api/authz/forward-auth";
    let authentik = "http://authentik.test/outpost.goauthentik.io/auth";
    let read =
        ["X-Forwarded-Method: GET", "X-Forwarded-Host: app.test", "X-Forwarded-Uri: /page?a=b"];
    let original = ["X-Original-URL: http://app.test/page?a=b", "X-Original-Method: GET"];
    for (auth, lines, told, location) in [
        (
            traefik(authelia, &["Remote-User", "Remote-Groups", "Remote-Email", "Remote-Name"]),
            &read[..],
            ("Remote-User", "ann"),
            "https://in.test/?rd=x",
        ),
        (
            traefik(&format!("{authentik}/traefik"), &["X-authentik-username", "X-authentik-jwt"]),
            &read,
            ("X-Authentik-Username", "ann"),
            "https://in.test/?rd=x",
        ),
        (
            by_nginx(&format!("{authentik}/nginx"), &["X-authentik-username"]),
            &original,
            ("X-Authentik-Username", "ann"),
            "https://in.test/start?rd=http://app.test%2Fpage%3Fa%3Db",
        ),
        (
            by_nginx("http://oauth2-proxy.test/oauth2/auth", &["X-Auth-Request-User"]),
            &original,
            ("X-Auth-Request-User", "ann"),
            "https://in.test/start?rd=http://app.test%2Fpage%3Fa%3Db",
        ),
    ] {
        let all = shown(&letter(&auth, &asked));
        let has = |line: &str| all.iter().any(|it| it == line);
        assert!(has("Cookie: session=1") && lines.iter().all(|line| has(line)), "{all:?}");
        let told_on = judged(&auth, &asked, answer(200, &[told])).unwrap();
        let values: Vec<_> = told_on
            .iter()
            .filter(|it| crate::spellings::is_taken_for(it.split(':').next().unwrap(), told.0))
            .collect();
        assert_eq!(values, [&format!("{}: {}", told.0, told.1)], "{told_on:?}");
        let status = if auth.manner == AskedManner::Traefik { 302 } else { 401 };
        let no = answer(status, &[("Location", "https://in.test/?rd=x")]);
        let refusal = judged(&auth, &asked, no).unwrap_err();
        assert_eq!((refusal.status, refusal.first("location")), (302, Some(location.as_bytes())));
    }
}
