//! Logins that are not, and sessions that are none.

use super::*;

/// Not logged in, and not led in circles: what the browser is shown.
fn declined(outcome: &Outcome, browser: &Browser, status: u16) {
    assert_eq!(outcome.status, status, "{outcome:?}");
    assert!(browser.session().is_none() && !outcome.reasons.is_empty(), "{outcome:?}");
}

#[test]
fn tokens_of_a_login_that_are_not_believed() {
    for (from, to) in [
        (r#""alg":"EdDSA""#, r#""alg":"none""#),
        (r#""alg":"EdDSA""#, r#""alg":"HS256""#),
        (r#""alg":"EdDSA""#, r#""alg":"RS256""#),
        (r#""alg":"EdDSA""#, r#""alg":"EdDSA","crit":["x"]"#),
        ("https://id.test", "https://evil.test"),
        (r#""aud":"us""#, r#""aud":"them""#),
        (r#""aud":"us""#, r#""aud":["us","them"]"#),
        (r#""aud":"us""#, r#""aud":"us","azp":"them""#),
        (r#""nonce":""#, r#""nonce":"x"#),
        (r#""nonce""#, r#""former""#),
        (r#""sub":"ann""#, r#""sub":"""#),
        (r#""exp":1000300"#, r#""exp":999000"#),
        (r#""exp""#, r#""none""#),
        (r#""iat":1000000"#, r#""iat":1000061"#),
        (r#""iat""#, r#""none""#),
    ] {
        let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
        gate.issuer.changed.borrow_mut().push((from, to));
        let outcome = gate.log_in(&mut browser, "/");
        declined(&outcome, &browser, 403);
    }
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.issuer.is_unsigned.set(true);
    declined(&gate.log_in(&mut browser, "/"), &browser, 403);
    gate.issuer.changed.borrow_mut().push((r#""alg":"EdDSA""#, r#""alg":"none""#));
    declined(&gate.log_in(&mut Browser::default(), "/"), &browser, 403);
}

#[test]
fn what_a_token_says_injects_no_line_and_is_not_too_much() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.issuer.changed.borrow_mut().push((r#""sub":"ann""#, r#""sub":"a\r\nX-Admin: 1""#));
    assert_eq!(gate.log_in(&mut browser, "/").status, 302);
    let outcome = gate.visit(&mut browser, "/");
    assert!(outcome.status == 403 && outcome.lines.is_empty(), "{outcome:?}");
    // What is not ASCII is told as it is, and ends no line.
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.issuer.changed.borrow_mut().push((r#""sub":"ann""#, r#""sub":"Zo\u00eb\u2028""#));
    gate.log_in(&mut browser, "/");
    assert_eq!(gate.visit(&mut browser, "/").line("x-user"), ["Zo\u{eb}\u{2028}"]);

    for (bytes, pieces) in [(4_000, 2), (11_000, 5)] {
        let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
        *gate.issuer.more.borrow_mut() = format!(r#","more":"{}""#, "x".repeat(bytes));
        gate.log_in(&mut browser, "/");
        let names = browser.0.keys().filter(|name| name.contains("session"));
        assert_eq!(names.count(), pieces, "{bytes}");
        let passed = gate.visit(&mut browser, "/");
        assert!(passed.passes() && passed.line("cookie").is_empty());
    }
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    *gate.issuer.more.borrow_mut() = format!(r#","more":"{}""#, "x".repeat(30_000));
    declined(&gate.log_in(&mut browser, "/"), &browser, 502);
}

#[test]
fn a_login_ends_once_and_in_the_browser_that_began_it() {
    let (gate, mut ann, mut bob) = (Gate::new(&auth()), Browser::default(), Browser::default());
    let begun = gate.visit(&mut ann, "/a");
    let back = gate.issuer.logs_in(&begun.location);
    // Bob's browser, with and without a login of its own.
    for _ in 0..2 {
        let outcome = gate.visit(&mut bob, &back);
        assert!(outcome.leads_to_login() && bob.session().is_none(), "{outcome:?}");
    }
    assert_eq!(gate.visit(&mut ann, &back).location, "/a");
    // Once more: who is logged in is led on, nothing is asked; who is not logs in anew.
    let (asked, had) = (gate.asked.get(), ann.session().cloned());
    let again = gate.visit(&mut ann, &back);
    assert_eq!((again.status, &*again.location), (302, "/a"));
    assert_eq!((gate.asked.get(), ann.session().cloned()), (asked, had));
    ann.0.remove("__Host-default-login-session");
    assert!(gate.visit(&mut ann, &back).leads_to_login() && ann.session().is_none());
    assert_eq!(gate.asked.get(), asked);
}

/// The code of another login of another browser, put into one's own: the proof is another.
#[test]
fn a_code_of_another_login_is_worth_nothing() {
    let (gate, mut ann, mut bob) = (Gate::new(&auth()), Browser::default(), Browser::default());
    let of = |browser: &mut Browser| gate.issuer.logs_in(&gate.visit(browser, "/").location);
    let (anns, bobs) = (of(&mut ann), of(&mut bob));
    let code = |back: &str| back.split(['=', '&']).nth(1).unwrap().to_owned();
    let mixed = bobs.replace(&code(&bobs), &code(&anns));
    declined(&gate.visit(&mut bob, &mixed), &bob, 502);
}

#[test]
fn states_that_are_none() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    let begun = gate.visit(&mut browser, "/");
    let back = gate.issuer.logs_in(&begun.location);
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let long = "A".repeat(1 << 16);
    for other in ["", "x", &state[1..], &state.replace(&state[..4], "AAAA"), &long] {
        declined(&gate.visit(&mut browser, &back.replace(state, other)), &browser, 400);
    }
    let twice = format!("{back}&state={state}");
    declined(&gate.visit(&mut browser, &twice), &browser, 400);
    declined(&gate.visit(&mut browser, "/back"), &browser, 400);
    for iss in ["iss=https%3A%2F%2Fevil.test", "other=1"] {
        let other = back.replace("iss=https%3A%2F%2Fid.test", iss);
        declined(&gate.visit(&mut browser, &other), &browser, 400);
    }
    declined(&gate.visit(&mut browser, &back.replace("code=", "x=")), &browser, 400);
    // It is still good.
    assert_eq!(gate.visit(&mut browser, &back).location, "/");
    assert!(browser.session().is_some());
}

#[test]
fn a_login_that_takes_long_begins_anew() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    let back = gate.issuer.logs_in(&gate.visit(&mut browser, "/x").location);
    later(601);
    let anew = gate.visit(&mut browser, &back);
    assert!(anew.leads_to_login() && browser.session().is_none());
    let ended = gate.visit(&mut browser, &gate.issuer.logs_in(&anew.location));
    assert_eq!(ended.location, "/x");
}

/// A browser that keeps no cookies, or not that of the session, is told so after a few turns.
#[test]
fn nothing_goes_in_circles() {
    let gate = Gate::new(&auth());
    let mut outcome = gate.visit(&mut Browser::default(), "/x");
    let mut turns = 0;
    while outcome.leads_to_login() && turns < 10 {
        outcome = gate.visit(&mut Browser::default(), &gate.issuer.logs_in(&outcome.location));
        turns += 1;
    }
    assert!(outcome.status == 403 && turns == 3, "{turns} {outcome:?}");

    let mut browser = Browser::default();
    for turn in 0..5 {
        assert_eq!(gate.log_in(&mut browser, "/x").location, "/x", "{turn}");
        browser.0.remove("__Host-default-login-session");
    }
    assert_eq!(gate.visit(&mut browser, "/x").status, 403);
}

#[test]
fn the_issuer_declines_and_its_reason_is_shown() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    for (error, status) in [("access_denied", 403), ("server_error", 502), ("<b>x</b>", 502)] {
        let begun = gate.visit(&mut browser, "/x");
        let back = gate.issuer.logs_in(&begun.location);
        let back = back.replace("code=", "was=");
        let target = format!("{back}&error={error}&error_description=<img+src=x>");
        let outcome = gate.visit(&mut browser, &target);
        declined(&outcome, &browser, status);
        assert!(!outcome.body.contains("<img") && !outcome.body.contains("<b>"));
        assert!(outcome.body.contains("href=\"/x\""), "{}", outcome.body);
    }
}

/// Cookies that are changed, cut, too many, too long or of another filter: a login, no more.
#[test]
fn sessions_that_are_none_lead_to_a_login() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    let name = "__Host-default-login-session";
    let sealed = browser.session().unwrap().clone();
    let other = Login::new(&auth(), "default/other@kubernetescrd", kept(&mut Memory::default()));
    let other = Gate { blueprint: other.unwrap(), ..Gate::new(&auth()) };
    let moved: Browser = Browser([("__Host-default-other-session".into(), sealed.clone())].into());
    assert!(other.visit(&mut moved.clone(), "/").leads_to_login());
    let state = browser.0["__Host-default-login-state"].clone();
    let mut values = vec![
        String::new(),
        "1~".into(),
        "x".repeat(1 << 20),
        format!("5~{}", &sealed[2..]),
        format!("1~{state}"),
        sealed.replace('~', ""),
    ];
    values.extend((2..sealed.len()).step_by(61).map(|at| sealed[..at].to_owned()));
    values.extend((2..sealed.len()).step_by(41).map(|at| {
        let mut changed = sealed.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(changed).unwrap()
    }));
    for value in values {
        let mut browser = Browser([(name.to_owned(), value.clone())].into());
        assert!(gate.visit(&mut browser, "/").leads_to_login(), "{:.40}", value);
    }
    let mut many = Browser((0..5_000).map(|at| (format!("c{at}"), "x".into())).collect());
    assert!(gate.visit(&mut many, "/").leads_to_login());
    many.0.insert(name.into(), sealed);
    assert!(gate.visit(&mut many, "/").passes());
}

/// What a browser had before a login is nothing that it goes on by: it gets another session.
#[test]
fn a_session_is_made_at_login_and_never_taken_over() {
    let (gate, mut mallory, mut ann) = (Gate::new(&auth()), Browser::default(), Browser::default());
    gate.log_in(&mut mallory, "/");
    let fixed = mallory.session().unwrap().clone();
    // Mallory's cookies in Ann's browser, and her session ends: she logs in by herself.
    ann.0 = mallory.0.clone();
    gate.ask(&mut ann, page("POST", "/logout").with("Origin", SITE), "");
    gate.log_in(&mut ann, "/");
    assert!(ann.session().is_some_and(|session| *session != fixed));
    assert!(gate.visit(&mut mallory, "/").leads_to_login());
}

/// What it says of itself, and its keys, are asked for again where it does not answer; what a login
/// is worth is not, since it may have been given already.
#[test]
fn an_issuer_is_asked_again_a_few_times() {
    for (retries, misses, status, asked) in
        [(3, 0, 302, 2), (3, 3, 302, 5), (1, 1, 302, 3), (3, 4, 503, 4), (0, 1, 503, 1)]
    {
        let mut auth = auth();
        auth.issuer.retries = retries;
        let gate = Gate::new(&auth);
        gate.issuer.misses.set(misses);
        let outcome = gate.visit(&mut Browser::default(), "/");
        assert_eq!((outcome.status, gate.asked.get()), (status, asked), "{retries} {misses}");
    }
    let mut auth = auth();
    auth.issuer.retries = 3;
    let (gate, mut browser) = (Gate::new(&auth), Browser::default());
    let begun = gate.visit(&mut browser, "/");
    let before = gate.asked.get();
    gate.issuer.misses.set(1);
    let ended = gate.visit(&mut browser, &gate.issuer.logs_in(&begun.location));
    assert_eq!((ended.status, gate.asked.get()), (503, before + 1));
}

#[test]
fn an_issuer_that_is_away_or_somebody_else_lets_nobody_in() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.issuer.is_away.set(true);
    let outcome = gate.visit(&mut browser, "/");
    declined(&outcome, &browser, 503);
    assert_eq!(outcome.reasons, ["the issuer does not answer"]);
    // It is not asked by each.
    let asked = gate.asked.get();
    declined(&gate.visit(&mut browser, "/"), &browser, 503);
    assert_eq!(gate.asked.get(), asked);

    for (from, to) in [
        (r#""issuer":"https://id.test""#, r#""issuer":"https://id.test/""#),
        (r#""issuer":"https://id.test""#, r#""issuer":"https://evil.test""#),
        ("https://id.test/keys", "http://169.254.169.254/keys"),
        ("https://id.test/keys", "https://id.test:8443/keys"),
        ("token_endpoint", "none"),
    ] {
        let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
        gate.issuer.said.borrow_mut().push((from, to));
        declined(&gate.visit(&mut browser, "/"), &browser, 503);
    }
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.issuer.said.borrow_mut().push(("https://id.test/token", "https://id.other/token"));
    declined(&gate.log_in(&mut browser, "/"), &browser, 503);
}

/// As many cookies as a head has room for, and more: somebody's own pass on as they are, and many
/// that are called like ours make no session.
#[test]
fn thousands_of_cookies_neither_hide_a_session_nor_make_one() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    let name = "__Host-default-login-session";
    let session = browser.session().unwrap().clone();
    let asked = |line: String| page("GET", "/").with("Cookie", line.leak());
    let own: Vec<String> = (0..10_000).map(|number| format!("c{number}={number}")).collect();
    for at in [0, 5_000, 10_000] {
        let mut all = own.clone();
        all.insert(at, format!("{name}={session}"));
        let outcome = gate.run(asked(all.join("; ")), "");
        assert!(outcome.passes(), "{:?}", outcome.reasons);
        assert_eq!(outcome.line("cookie"), [own.join("; ")], "what is ours is ours alone");
    }
    // One to a line, as HTTP/2 has them.
    let mut apart = page("GET", "/").with("Cookie", format!("{name}={session}").leak());
    for cookie in own.iter().take(1_000) {
        apart = apart.with("Cookie", cookie.clone().leak());
    }
    let outcome = gate.run(apart, "");
    assert!(outcome.passes() && outcome.line("x-user") == ["ann"], "{:?}", outcome.reasons);
    assert_eq!(outcome.line("cookie"), [own[..1_000].join("; ")]);

    let pieces = |count: usize, value: &str| {
        let piece = |number: usize| match number {
            0 => format!("{name}={count}~{value}"),
            _ => format!("{name}.{number}={value}"),
        };
        (0..count).map(piece).collect::<Vec<_>>().join("; ")
    };
    for line in [
        pieces(10_000, &session[2..]),
        pieces(8, &"x".repeat(8 << 10)),
        format!("{name}=x; ").repeat(10_000) + &format!("{name}={session}"),
        format!("{name}.99999999999999999999={session}; ").repeat(1_000),
        "=; ".repeat(20_000) + ";;;;" + &"=".repeat(20_000),
    ] {
        let begun = line.chars().take(60).collect::<String>();
        let outcome = gate.run(asked(line), "");
        assert!(outcome.leads_to_login(), "{begun} {:?}", outcome.reasons);
        assert!(outcome.told.len() <= 16, "{begun} {}", outcome.told.len());
    }
}
