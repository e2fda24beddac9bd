//! Logins from their begin to their end, with an issuer and browsers that are played here.

mod attacks;
mod issuer;
mod logins;
mod sessions;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use steelyard_http::{Head as _, RequestEdits, ResponseEdits};
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::claims::{ClaimPath, ClaimRule, ClaimTest};
use steelyard_model::routing::cookie::SameSite;
use steelyard_model::routing::filter::login::{
    LoginClient, LoginCookie, LoginIssuer, LoginPlaces, SecretText,
};

use super::*;
use crate::ask::Flight;
use crate::context::Context;
use crate::memory::Memory;
use crate::tests::{Asked, World, kept};
use issuer::Issuer;

const ISSUER: &str = "https://id.test";
const SITE: &str = "https://app.test";

thread_local! {
    static CLOCK: Cell<u64> = const { Cell::new(1_000_000) };
    /// How far ahead the clock is that nobody sets.
    static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// Other bytes each time.
fn random() -> Option<[u8; 32]> {
    let count = DRAWN.get() + 1;
    DRAWN.set(count);
    let mut bytes = [0; 32];
    for part in bytes.chunks_mut(8) {
        part.copy_from_slice(&count.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    }
    bytes[31] ^= 1;
    Some(bytes)
}

fn later(seconds: u64) {
    CLOCK.set(CLOCK.get() + seconds);
}

fn cookie(seconds: u64) -> LoginCookie {
    LoginCookie {
        name: None,
        path: "/".into(),
        domain: None,
        seconds,
        same_site: SameSite::Lax,
        is_hidden: true,
        is_secure: None,
    }
}

fn auth() -> LoginAuth {
    let url = AskedUrl::read(ISSUER).unwrap();
    let text = |text: &str| SecretText::Known(text.as_bytes().into());
    LoginAuth {
        issuer: LoginIssuer {
            url: url.clone(),
            name: ISSUER.into(),
            parameters: Vec::new(),
            origins: vec![(url, "issuer".into())],
            tls: None,
            patience: Duration::from_secs(5),
            retries: 0,
        },
        client: LoginClient { id: text("us"), secret: Some(text("what we and the issuer know")) },
        sealing: None,
        scopes: vec!["openid".into(), "groups".into()],
        parameters: vec![("prompt".into(), "login".into())],
        has_proof: true,
        places: LoginPlaces {
            back: "/back".into(),
            login: None,
            has_no_login: false,
            logout: Some("/logout".into()),
            after_login: None,
            after_logout: Some("/bye".into()),
        },
        state: cookie(600),
        session: cookie(86_400),
        is_sliding: true,
        is_renewed: true,
        claims: None,
        user: Some(ClaimPath::read("sub")),
        told: vec![("X-User".into(), ClaimPath::read("sub"))],
    }
}

/// One filter, and the issuer that it asks.
struct Gate {
    blueprint: Login,
    issuer: Issuer,
    /// What was asked of others.
    asked: Cell<usize>,
    /// When it was made.
    began: std::time::Instant,
}

/// A browser with its cookies.
#[derive(Clone, Default)]
struct Browser(BTreeMap<String, String>);

/// What came of a request.
#[derive(Debug, Default)]
struct Outcome {
    /// 0 where it went on.
    status: u16,
    location: String,
    body: String,
    /// Lines that endpoints get.
    lines: Vec<(String, String)>,
    reasons: Vec<&'static str>,
    told: Vec<String>,
}

impl Gate {
    fn new(auth: &LoginAuth) -> Self {
        let mut memory = Memory::default();
        let blueprint = Login::new(auth, "default/login@kubernetescrd", kept(&mut memory)).unwrap();
        Self { blueprint, issuer: Issuer::new(), asked: Cell::new(0), began: World::new().now }
    }

    /// What comes of a request of `browser`.
    fn ask(&self, browser: &mut Browser, asked: Asked, body: &'static str) -> Outcome {
        let cookies: Vec<String> =
            browser.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let asked = match cookies.is_empty() {
            true => asked,
            false => asked.with("Cookie", cookies.join("; ").leak()),
        };
        let outcome = self.run(asked, body);
        outcome.told.iter().for_each(|line| browser.keep(line));
        outcome
    }

    fn run(&self, asked: Asked, body: &'static str) -> Outcome {
        let mut frame = self.blueprint.clone();
        let mut world = World::new();
        world.now = self.began + AHEAD.get();
        let mut got = Got::Nothing;
        let mut head = RequestEdits::new(&asked);
        for _ in 0..20 {
            let mut cx = Context { clock: || CLOCK.get(), random, ..world.context() };
            got = match frame.enter(&mut cx, &mut head, got) {
                Enter::Ask(Ask::Shared(_)) => Got::Flight(Flight::Lead),
                Enter::Ask(Ask::Fetch { to, letter }) => {
                    self.asked.set(self.asked.get() + 1);
                    assert_eq!(to.to_string(), "issuer");
                    let answer = self.issuer.answer(&letter);
                    answer.map_or(Got::Unanswered, |it| Got::Response(Box::new(it)))
                }
                Enter::Ask(Ask::Body { max }) if body.len() > max => Got::TooLarge,
                Enter::Ask(Ask::Body { .. }) => Got::Body(body.into()),
                Enter::Ask(ask) => panic!("{ask:?}"),
                Enter::Answer(answer) => return self.answered(&answer, &world),
                Enter::Next => {
                    let response = Response::of(200);
                    let mut out = ResponseEdits::new(&response);
                    let mut cx = Context { clock: || CLOCK.get(), random, ..world.context() };
                    _ = frame.leave(&mut cx, &mut out, Got::Nothing);
                    let mut outcome = Outcome { told: told(&out), ..Outcome::default() };
                    head.each(&mut |name, value| {
                        let value = String::from_utf8_lossy(value).into_owned();
                        outcome.lines.push((name.to_owned(), value));
                    });
                    return outcome;
                }
            };
        }
        panic!("it goes in circles: {asked:?}");
    }

    fn answered(&self, answer: &Response, world: &World) -> Outcome {
        let location = answer.first("location").unwrap_or_default();
        let reasons = world.notes.iter().filter_map(|note| match note {
            Note::Reason(why) => Some(*why),
            _ => None,
        });
        Outcome {
            status: answer.status,
            location: String::from_utf8_lossy(location).into_owned(),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            lines: Vec::new(),
            reasons: reasons.collect(),
            told: told(answer),
        }
    }

    /// A page that is visited.
    fn visit(&self, browser: &mut Browser, target: &str) -> Outcome {
        self.ask(browser, page("GET", target), "")
    }

    /// Leads a browser through a login that begins at `target`: what it came back with.
    fn log_in(&self, browser: &mut Browser, target: &str) -> Outcome {
        let begun = self.visit(browser, target);
        assert_eq!(begun.status, 302, "{begun:?}");
        let back = self.issuer.logs_in(&begun.location);
        self.visit(browser, &back)
    }
}

fn page(method: &'static str, target: &str) -> Asked {
    let target: &'static str = target.to_owned().leak();
    Asked::by(method, SITE, target).with("Accept", "text/html,*/*;q=0.8")
}

fn told(head: &impl steelyard_http::Head) -> Vec<String> {
    let mut told = Vec::new();
    head.each(&mut |name, value| {
        if name == "Set-Cookie" {
            told.push(String::from_utf8_lossy(value).into_owned());
        }
    });
    told
}

impl Browser {
    fn keep(&mut self, line: &str) {
        let (name, rest) = line.split_once('=').unwrap();
        let value = rest.split(';').next().unwrap();
        match line.contains("Max-Age=0") {
            true => drop(self.0.remove(name)),
            false => drop(self.0.insert(name.to_owned(), value.to_owned())),
        }
    }

    fn session(&self) -> Option<&String> {
        self.0.get("__Host-default-login-session")
    }
}

impl Outcome {
    fn passes(&self) -> bool {
        self.status == 0
    }

    /// What endpoints are told in a line, all of that name.
    fn line(&self, name: &str) -> Vec<&str> {
        let found = self.lines.iter().filter(|(line, _)| line.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value).collect()
    }

    fn leads_to_login(&self) -> bool {
        self.status == 302 && self.location.starts_with("https://id.test/auth?")
    }
}

fn is_of(group: &str) -> Option<ClaimRule> {
    let test = ClaimTest::Contains(group.into());
    Some(ClaimRule::Claim(ClaimPath::read("groups"), test))
}
