//! How long a session goes on, and how it ends.

use super::*;

#[test]
fn a_session_is_renewed_once_for_all_and_for_those_that_come_late() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    let mut other_tab = browser.clone();
    let before = gate.asked.get();
    later(200);
    assert!(gate.visit(&mut browser, "/").passes());
    assert_eq!(gate.asked.get(), before);
    later(41);
    let renewed = gate.visit(&mut browser, "/");
    assert!(renewed.passes() && renewed.told.len() == 1, "{renewed:?}");
    assert_eq!(gate.asked.get(), before + 1);
    // What it had before leads to the same, and the issuer is not asked with what it took.
    for _ in 0..3 {
        let late = gate.visit(&mut other_tab.clone(), "/");
        assert!(late.passes() && late.told.len() == 1);
    }
    assert_eq!(gate.asked.get(), before + 1);
    later(300);
    assert!(gate.visit(&mut other_tab, "/").passes() && gate.visit(&mut browser, "/").passes());
    assert_eq!(gate.asked.get(), before + 2);
}

/// Many issuers renew for the same again and again; and a browser may miss some.
#[test]
fn a_session_is_renewed_as_often_as_it_is_due() {
    for is_lasting in [false, true] {
        let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
        gate.issuer.is_lasting.set(is_lasting);
        gate.log_in(&mut browser, "/");
        let late = browser.clone();
        for _ in 0..9 {
            let asked = gate.asked.get();
            later(301);
            assert!(gate.visit(&mut browser, "/").passes(), "{is_lasting}");
            assert_eq!(gate.asked.get(), asked + 1);
        }
        assert!(gate.visit(&mut late.clone(), "/").passes(), "{is_lasting}");
    }
}

#[test]
fn a_session_goes_on_without_the_issuer_until_it_must_be_renewed() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    gate.issuer.is_away.set(true);
    later(250);
    assert!(gate.visit(&mut browser, "/").passes());
    let asked = gate.asked.get();
    assert!(gate.visit(&mut browser, "/").passes());
    assert_eq!(gate.asked.get(), asked, "it is not asked by each");
    AHEAD.set(Duration::from_secs(11));
    assert!(gate.visit(&mut browser, "/").passes());
    assert_eq!(gate.asked.get(), asked + 1);
    AHEAD.set(Duration::ZERO);
    later(51);
    let outcome = gate.visit(&mut browser, "/");
    assert_eq!((outcome.status, &*outcome.reasons), (503, &["the session cannot be renewed"][..]));
    assert!(browser.session().is_some());
}

#[test]
fn a_session_that_the_issuer_has_ended_is_over() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    gate.issuer.is_over.set(true);
    later(301);
    let mut copy = browser.clone();
    assert!(gate.visit(&mut browser, "/x").leads_to_login());
    let asked = gate.asked.get();
    assert!(gate.visit(&mut copy, "/x").leads_to_login());
    assert_eq!(gate.asked.get(), asked);
    // So is one that comes to be somebody else's.
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    gate.issuer.changed.borrow_mut().push((r#""sub":"ann""#, r#""sub":"bob""#));
    later(301);
    assert!(gate.visit(&mut browser, "/x").leads_to_login());
}

#[test]
fn sessions_end_in_their_time() {
    let plain = || LoginAuth { is_renewed: false, ..auth() };
    for (is_sliding, step, steps, expected) in
        [(true, 80_000, 5, true), (false, 80_000, 2, false), (true, 86_401, 1, false)]
    {
        let auth = LoginAuth { is_sliding, ..plain() };
        let (gate, mut browser) = (Gate::new(&auth), Browser::default());
        gate.log_in(&mut browser, "/");
        let mut goes_on = true;
        for _ in 0..steps {
            later(step);
            goes_on = gate.visit(&mut browser, "/").passes();
        }
        assert_eq!(goes_on, expected, "{is_sliding} {step}");
    }
    // However it is used.
    let (gate, mut browser) = (Gate::new(&plain()), Browser::default());
    gate.log_in(&mut browser, "/");
    for _ in 0..35 {
        later(80_000);
        gate.visit(&mut browser, "/");
    }
    assert!(gate.visit(&mut browser, "/").leads_to_login());
}

#[test]
fn keys_rotate_and_another_key_of_the_issuer_is_asked_for() {
    let secrets = |text: &str| LoginAuth {
        sealing: Some(SecretText::Known(text.as_bytes().into())),
        ..auth()
    };
    let gate = Gate::new(&secrets("the first of the secrets"));
    let mut browser = Browser::default();
    gate.log_in(&mut browser, "/");
    for (text, passes) in [
        ("another one that is new\nthe first of the secrets", true),
        ("another one that is new", false),
    ] {
        let memory = kept(&mut Memory::default());
        let blueprint = Login::new(&secrets(text), "default/login@kubernetescrd", memory);
        let other = Gate { blueprint: blueprint.unwrap(), ..Gate::new(&auth()) };
        assert_eq!(other.visit(&mut browser.clone(), "/").passes(), passes, "{text}");
    }
    assert!(Login::new(&secrets("short"), "a", kept(&mut Memory::default())).is_none());

    // Who is logged in is so at one issuer, and as a client of it.
    let first = || secrets("the first of the secrets");
    let mut of_another = first();
    of_another.issuer.name = "https://another.test".into();
    let mut as_another = first();
    as_another.client.id = SecretText::Known((*b"them").into());
    for (auth, passes) in [(first(), true), (of_another, false), (as_another, false)] {
        let memory = kept(&mut Memory::default());
        let blueprint = Login::new(&auth, "default/login@kubernetescrd", memory);
        let other = Gate { blueprint: blueprint.unwrap(), ..Gate::new(&first()) };
        assert_eq!(other.visit(&mut browser.clone(), "/").passes(), passes);
    }

    // The issuer signs with a key that is new: it is asked for it, and not by each.
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    gate.issuer.kid.set("k2");
    assert_eq!(gate.log_in(&mut Browser::default(), "/").status, 403, "it was asked just now");
    AHEAD.set(Duration::from_secs(11));
    let mut browser = Browser::default();
    assert_eq!(gate.log_in(&mut browser, "/").location, "/");
    assert!(gate.visit(&mut browser, "/").passes());
    AHEAD.set(Duration::ZERO);
}

#[test]
fn logging_out_is_meant_and_leaves_nothing() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    let copy = browser.clone();
    for asked in [
        page("GET", "/logout"),
        page("GET", "/logout").with("Sec-Fetch-Site", "cross-site"),
        page("POST", "/logout").with("Origin", "https://evil.test"),
        page("POST", "/logout").with("Origin", "null"),
        page("POST", "/logout").with("Sec-Fetch-Site", "same-site"),
        Asked::get(SITE, "/logout").with("Sec-Fetch-Site", "same-origin"),
    ] {
        let outcome = gate.ask(&mut browser, asked, "");
        assert!(outcome.status == 200 && outcome.told.is_empty(), "{outcome:?}");
        assert!(outcome.body.contains("<form method=\"post\" action=\"/logout\">"));
        assert!(gate.visit(&mut browser, "/").passes());
    }
    let out = gate.ask(&mut browser, page("POST", "/logout").with("Origin", SITE), "");
    assert_eq!(out.status, 303);
    let rest =
        out.location.strip_prefix("https://id.test/end?client_id=us&id_token_hint=").unwrap();
    assert!(rest.ends_with("&post_logout_redirect_uri=https%3A%2F%2Fapp.test%2Fbye"), "{rest}");
    assert!(browser.session().is_none());
    assert!(gate.visit(&mut browser, "/").leads_to_login());
    assert!(gate.visit(&mut copy.clone(), "/").leads_to_login(), "a copy is over too");
    // Nobody: here alone. So where the issuer is away.
    let nobody = page("POST", "/logout").with("Origin", SITE);
    let out = gate.ask(&mut Browser::default(), nobody, "");
    assert_eq!((out.status, &*out.location), (303, "/bye"));
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    gate.log_in(&mut browser, "/");
    gate.blueprint.kept.provider.store(None);
    gate.issuer.is_away.set(true);
    let asked = page("GET", "/logout").with("Sec-Fetch-Site", "same-origin");
    let out = gate.ask(&mut browser, asked, "");
    assert_eq!((out.status, &*out.location), (302, "/bye"));
    assert!(browser.session().is_none());
}
