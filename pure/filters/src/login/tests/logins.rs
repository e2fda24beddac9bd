//! Logins that end as they are meant to.

use super::*;

#[test]
fn a_login_leads_back_and_endpoints_are_told_who_it_is() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    let ended = gate.log_in(&mut browser, "/x?y=1&z=%2F");
    assert_eq!((ended.status, &*ended.location), (302, "/x?y=1&z=%2F"));
    assert!(ended.told.iter().any(|line| {
        line.starts_with("__Host-default-login-session=1~")
            && line.ends_with("; Path=/; Max-Age=86400; SameSite=Lax; HttpOnly; Secure")
    }));
    browser.0.insert("own".into(), "1".into());
    let asked = page("GET", "/x").with("x_user", "root").with("X-USER", "root");
    let passed = gate.ask(&mut browser, asked, "");
    assert!(passed.passes() && passed.told.is_empty(), "{passed:?}");
    assert_eq!((passed.line("x-user"), passed.line("x_user")), (vec!["ann"], vec![]));
    assert_eq!(passed.line("cookie"), ["own=1"]);
    // So with other lines and other methods, and by programs.
    for asked in [Asked::by("POST", SITE, "/y"), Asked::get(SITE, "/z")] {
        assert!(gate.ask(&mut browser, asked, "").passes());
    }
    // What is too long to be kept leads back to the page, or at least to the site.
    let (long, longest) = ("x".repeat(2_000), "x".repeat(3_000));
    for (asked, back) in [
        (format!("/x?{long}"), format!("/x?{long}")),
        (format!("/x?{longest}"), "/x".to_owned()),
        (format!("/{longest}"), "/".to_owned()),
        (format!("//evil?{longest}"), "/".to_owned()),
    ] {
        let ended = gate.log_in(&mut Browser::default(), &asked);
        assert_eq!((ended.status, ended.location), (302, back), "{asked:.9}");
    }
    // By plain HTTP cookies are others.
    let plain = gate.run(Asked::get("http://app.test", "/").with("Accept", "text/html"), "");
    assert!(plain.told[0].starts_with("default-login-state=") && !plain.told[0].contains("Secure"));
}

#[test]
fn several_tabs_log_in_at_once() {
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    let tabs = ["/a", "/b", "/c"].map(|target| (target, gate.visit(&mut browser, target)));
    assert_eq!(browser.0.len(), 1, "one cookie for all of them");
    for (target, begun) in tabs.iter().rev() {
        let ended = gate.visit(&mut browser, &gate.issuer.logs_in(&begun.location));
        assert_eq!((ended.status, &*ended.location), (302, *target));
    }
}

#[test]
fn who_is_led_and_who_is_refused() {
    let led = |auth: &LoginAuth, asked: Asked| {
        let outcome = Gate::new(auth).ask(&mut Browser::default(), asked, "a=1&b=%3C");
        (outcome.status, outcome.location.starts_with("https://id.test/auth?"), outcome.body)
    };
    let refused = (401, false, "Unauthorized".to_owned());
    let html = ("Accept", "text/html");
    for asked in [
        Asked::get(SITE, "/"),
        Asked::get(SITE, "/").with("Accept", "application/json"),
        page("GET", "/").with("X-Requested-With", "XMLHttpRequest"),
        page("GET", "/").with("Sec-Fetch-Mode", "cors"),
        page("GET", "/").with("Sec-Fetch-Mode", "no-cors"),
    ] {
        assert_eq!(led(&auth(), asked), refused);
    }
    for asked in
        [page("GET", "/"), page("HEAD", "/"), page("GET", "/").with("Sec-Fetch-Mode", "navigate")]
    {
        assert_eq!(led(&auth(), asked), (302, true, String::new()));
    }
    // What is led back to is here; what is not is not led anywhere.
    for target in ["//evil.test/x", "/\\evil.test", "/%2Fevil.test"] {
        assert_eq!(led(&auth(), Asked::get(SITE, target).with(html.0, html.1)), refused);
    }
    let mut nowhere = auth();
    nowhere.places.has_no_login = true;
    assert_eq!(led(&nowhere, page("GET", "/")), refused);
    let mut at_login = auth();
    at_login.places.login = Some("/in".into());
    let (status, is_led, body) = led(&at_login, page("GET", "/"));
    assert!(status == 401 && !is_led && body.contains("href=\"/in\""), "{body}");
    assert!(led(&at_login, page("GET", "/in")).1);
}

#[test]
fn a_login_that_is_asked_for_leads_on_to_places_of_the_site() {
    let mut auth = auth();
    (auth.places.login, auth.places.after_login) = (Some("/in".into()), Some("/home".into()));
    for (target, back, onward) in [
        ("/in", "/in", "/home"),
        ("/in?rd=/x%3Fy", "/x?y", "/x?y"),
        ("/in?rd=//evil.test", "/in", "/home"),
        ("/in?rd=%2F%2Fevil.test", "/in", "/home"),
        ("/in?rd=%5C%5Cevil.test", "/in", "/home"),
        ("/in?rd=https://evil.test/", "/in", "/home"),
        ("/in?rd=/%250d%250aX:y", "/in", "/home"),
    ] {
        let (gate, mut browser) = (Gate::new(&auth), Browser::default());
        assert_eq!(gate.log_in(&mut browser, target).location, back, "{target}");
        assert_eq!(gate.visit(&mut browser, target).location, onward, "{target}");
    }
}

/// What is sent by a page of the site is kept by the browser, and sent afterwards.
#[test]
fn a_form_is_not_lost_and_another_sites_is_not_sent() {
    let form = |from: &'static str| {
        let kind = "application/x-www-form-urlencoded";
        page("POST", "/save?x=1").with("Content-Type", kind).with("Origin", from)
    };
    let (gate, mut browser) = (Gate::new(&auth()), Browser::default());
    let kept = gate.ask(&mut browser, form(SITE), "a=1&b=%3C/script%3E");
    assert_eq!(kept.status, 401);
    assert!(
        kept.body.contains(r#"[[\"a\",\"1\"],[\"b\",\"\u003c/script>\"]]"#)
            || kept.body.contains(r#"[["a","1"],["b","\u003c/script>"]]"#),
        "{}",
        kept.body
    );
    let to = kept.body.split("location.replace(\"").nth(1).unwrap().split('"').next().unwrap();
    let ended = gate.visit(&mut browser, &gate.issuer.logs_in(to));
    assert_eq!(ended.status, 200);
    assert!(ended.body.contains("t=\"/save?x=1\"") && browser.session().is_some());
    for asked in [
        form("https://evil.test"),
        form("null"),
        form(SITE).with("Sec-Fetch-Site", "cross-site"),
        page("POST", "/save").with("Origin", SITE).with("Content-Type", "multipart/form-data"),
        page("PUT", "/save").with("Origin", SITE),
    ] {
        let refused = gate.ask(&mut Browser::default(), asked, "a=1");
        assert!(refused.status == 401 && !refused.body.contains("<script"), "{refused:?}");
    }
    // Nor is it sent again to a part of where it was to go.
    let far: &'static str = format!("/save?x={}", "1".repeat(3_000)).leak();
    let type_of = ("Content-Type", "application/x-www-form-urlencoded");
    let far = page("POST", far).with("Origin", SITE).with(type_of.0, type_of.1);
    let refused = gate.ask(&mut Browser::default(), far, "a=1");
    assert!(refused.status == 401 && !refused.body.contains("<script"), "{refused:?}");
    let long: &'static str = "x".repeat((64 << 10) + 1).leak();
    let refused = gate.ask(&mut Browser::default(), form(SITE), long);
    assert!(refused.status == 401 && !refused.body.contains("<script"));
}

#[test]
fn who_is_not_what_is_asked_for_is_not_led_in_circles() {
    let auth = LoginAuth { claims: is_of("admins"), ..auth() };
    let (gate, mut browser) = (Gate::new(&auth), Browser::default());
    assert_eq!(gate.log_in(&mut browser, "/x").location, "/x");
    let outcome = gate.visit(&mut browser, "/x");
    assert!(outcome.status == 403 && outcome.body.contains("href=\"/logout\""));
    assert_eq!(gate.run(Asked::get(SITE, "/x"), "").status, 401);
    let gate = Gate::new(&LoginAuth { claims: is_of("ops"), ..auth });
    let mut browser = Browser::default();
    gate.log_in(&mut browser, "/x");
    assert!(gate.visit(&mut browser, "/x").passes());
}

/// A browser that is led from elsewhere brings no cookie that is `Strict`.
#[test]
fn strict_sessions_are_led_on_by_a_page_of_the_site() {
    let mut auth = auth();
    auth.session.same_site = SameSite::Strict;
    let (gate, mut browser) = (Gate::new(&auth), Browser::default());
    let ended = gate.log_in(&mut browser, "/x");
    assert!(ended.status == 200 && ended.body.contains("content=\"0;url=/x\""));
}
