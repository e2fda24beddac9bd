//! What filters cost: alone, on one core and on two, without sockets; then on them.

use std::rc::Rc;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use steelyard_filters::{
    Answerer, Ask, Context, Ending, Flight, Got, Inward, Journey, Memory, Note, Recipe, Response,
    Stack,
};
use steelyard_http::{Head, RequestEdits, RequestView, ResponseEdits, Scheme};
use steelyard_model::routing::claims::{ClaimPath, ClaimRule, ClaimTest};
use steelyard_model::routing::filter::access::{PasswordAuth, PasswordManner};
use steelyard_model::routing::filter::limit::{Counted, InFlightLimit, RateLimit};
use steelyard_model::routing::filter::token::{TokenAuth, TokenKeys};
use steelyard_model::routing::filter::{Filter, Use};

use crate::gateway::{Options, filtered};
use crate::results::{Row, median, write};

/// Requests of one run.
const REQUESTS: usize = 300_000;
/// Tokens that come for the first time.
const TOKENS: usize = 3_000;
/// Takes a second that a bucket allows, how many at once, so that a thread that had to pause loses
/// none, and how long two threads take.
const AVERAGE: u64 = 100_000;
const BURST: u64 = 2_000;
const TAKING: Duration = Duration::from_secs(2);

struct Asked {
    authorization: String,
}

impl Head for Asked {
    fn first(&self, name: &str) -> Option<&[u8]> {
        let is_it = name.eq_ignore_ascii_case("authorization");
        is_it.then_some(self.authorization.as_bytes())
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        see("Authorization", self.authorization.as_bytes());
    }
}

impl RequestView for Asked {
    fn method(&self) -> &str {
        "GET"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn authority(&self) -> &str {
        "a.b"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }
}

/// Measures all of it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let rounds = options.rounds;
    let (key, auth) = issuer()?;
    let tokens: Vec<Asked> = (0..TOKENS).map(|number| bearing(&key, number)).collect();
    let one = &tokens[..1];
    let rate = rate(u64::from(u32::MAX), 1_000_000);
    let flight = Filter::InFlight(InFlightLimit {
        amount: 1_000,
        of: Counted::Host,
        status: 429,
        page: Default::default(),
    });
    let token = Filter::Token(Box::new(auth));
    let basic = basic();
    let ann = [Asked { authorization: "Basic YW5uOnNlY3JldA==".to_owned() }];
    let mut rows = Vec::new();
    for (name, filter, asked, requests, goal) in [
        ("rate limit", &rate, one, REQUESTS, 150.0),
        ("in-flight limit", &flight, one, REQUESTS, 200.0),
        ("basic authentication (bcrypt), known", &basic, &ann[..], REQUESTS, 1_000.0),
        ("token (ES256), known", &token, one, REQUESTS, 1_000.0),
        ("token (ES256), the first time", &token, &tokens[..], TOKENS, 60_000.0),
    ] {
        let added =
            |_| nanoseconds(Some(filter), asked, requests) - nanoseconds(None, asked, requests);
        let ours = median((0..rounds).map(added).collect());
        rows.push(Row::alone(&format!("{name}: added to a request"), "ns", ours, goal, rounds));
    }
    let off = median((0..rounds).map(|_| off_by()).collect());
    let name = "one bucket of 100,000 a second, two threads: more or fewer taken";
    rows.push(Row::alone(name, "%", off, 5.0, rounds));
    rows.extend(filtered::rows(options)?);
    write(&options.output, rows)
}

fn rate(average: u64, burst: u64) -> Filter {
    let (period, of) = (Duration::from_secs(1), Counted::Client(Default::default()));
    Filter::RateLimit(Box::new(RateLimit {
        average,
        period,
        burst,
        of,
        redis: None,
        status: 429,
        page: Default::default(),
    }))
}

/// Who says `ann:secret` is let in.
fn basic() -> Filter {
    let ann = "ann:$2y$04$ZESAkIYfpjLKBay1CSAZnex8juwQ8tl6.zQ9nU.y54.1bzZzUc2qi";
    Filter::BasicAuth(PasswordAuth {
        users: vec![ann.into()].into(),
        realm: "measured".into(),
        removes_header: false,
        user_header: None,
        manner: PasswordManner::Traefik,
    })
}

fn usage() -> Use {
    Use { filter: "measured".into(), state: "measured".into() }
}

/// What each core has of a use.
fn recipe(filter: &Filter, memory: &mut Memory) -> Recipe {
    Recipe::of(&usage(), Some(filter), memory).expect("it is built")
}

/// Nanoseconds that a request takes through the filter, or through none.
fn nanoseconds(filter: Option<&Filter>, asked: &[Asked], requests: usize) -> f64 {
    let mut memory = Memory::seeded(1);
    let recipe = filter.map(|filter| recipe(filter, &mut memory));
    // As each route has them.
    let recipes: Rc<[Recipe]> = recipe.into_iter().collect();
    let journey = journey();
    let response = Response::of(200);
    let began = Instant::now();
    for request in asked.iter().cycle().take(requests) {
        let mut stack = Stack::new(recipes.clone());
        let mut notes = Vec::new();
        let mut head = RequestEdits::new(request);
        let mut got = Got::Nothing;
        loop {
            got = match stack.enter(&mut context(&journey, &mut notes), &mut head, got) {
                Inward::Inside => break,
                Inward::Ask(Ask::Shared(_)) => Got::Flight(Flight::Lead),
                Inward::Ask(Ask::Work(job)) => Got::Done((job.work)()),
                other => panic!("{other:?}"),
            };
        }
        let mut edits = ResponseEdits::new(&response);
        stack.leave(&mut context(&journey, &mut notes), &mut edits, Got::Nothing, false);
        stack.done(&mut context(&journey, &mut notes), Ending::Finished);
    }
    began.elapsed().as_nanos() as f64 / requests as f64
}

/// By how many percent two threads that ask for more all the time take more or fewer together than
/// they may.
fn off_by() -> f64 {
    // What both are made of keeps one bucket, as all cores have it of one use.
    let recipe = recipe(&rate(AVERAGE, BURST), &mut Memory::seeded(1));
    let barrier = Barrier::new(2);
    let both = std::thread::scope(|scope| {
        let take = |recipe: Recipe| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                let (began, journey) = (Instant::now(), journey());
                let asked = Asked { authorization: String::new() };
                let mut taken = 0_u64;
                while began.elapsed() < TAKING {
                    let (mut stack, mut notes) = (Stack::new(vec![recipe.clone()]), Vec::new());
                    let mut cx = context(&journey, &mut notes);
                    let entered =
                        stack.enter(&mut cx, &mut RequestEdits::new(&asked), Got::Nothing);
                    // Who comes a little early has taken one, too, and waits.
                    taken += u64::from(!matches!(entered, Inward::Answer(_)));
                }
                taken
            })
        };
        let threads = [recipe.clone(), recipe].map(take);
        threads.map(|thread| thread.join().expect("it does not panic"))
    });
    let allowed = BURST as f64 + AVERAGE as f64 * TAKING.as_secs_f64();
    (both.iter().sum::<u64>() as f64 / allowed - 1.0).abs() * 100.0
}

fn journey() -> Journey {
    let peer = [10, 0, 0, 1].into();
    Journey { is_tls: true, ..Journey::of(peer) }
}

fn context<'c>(journey: &'c Journey, notes: &'c mut Vec<Note>) -> Context<'c> {
    let cause = Answerer::Backend;
    let (now, random) = (Instant::now(), || None);
    let wall = || std::time::Duration::from_secs(1_000_000);
    Context { now, clock: || 1_000_000, wall, random, journey, cause, notes }
}

/// Who signs, and what is asked of what it signs.
fn issuer() -> Result<(EcdsaKeyPair, TokenAuth)> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("no key")?;
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
    let set = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}]}}"#);
    let groups = ClaimTest::Contains("ops".into());
    let auth = TokenAuth {
        keys: TokenKeys::Set(set.into()),
        parameter: None,
        claims: Some(ClaimRule::Claim(ClaimPath::read("groups"), groups)),
        user: Some(ClaimPath::read("sub")),
        told: vec![("X-Groups".into(), ClaimPath::read("groups"))],
        is_passed_on: false,
    };
    Ok((key, auth))
}

fn bearing(key: &EcdsaKeyPair, number: usize) -> Asked {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
    let body = format!(
        r#"{{"sub":"user-{number}","groups":["dev","ops"],"iss":"https://issuer.test","exp":1900000000}}"#
    );
    let message = format!("{head}.{}", URL_SAFE_NO_PAD.encode(body));
    let random = aws_lc_rs::rand::SystemRandom::new();
    let signature = key.sign(&random, message.as_bytes()).expect("it signs");
    Asked { authorization: format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(signature)) }
}
