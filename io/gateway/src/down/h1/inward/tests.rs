//! A request that goes in over the head as it was parsed comes to what it comes to when all of it
//! is read again, whatever it passes.

use std::collections::BTreeMap;
use std::time::Instant;

use steelyard_filters::{Memory, Recipe};
use steelyard_http::{ForwardedPolicy, Semicolons, Slots, USUAL_LIST, Vouching};
use steelyard_model::routing::filter::content::{EncodedCharacters, HeaderRules};
use steelyard_model::routing::filter::{Filter, RegexRedirection, Rewrite, SchemeRedirection, Use};
use steelyard_model::routing::pattern::Expression;
use steelyard_model::routing::trust::Trust;

use super::*;
use crate::core::Core;
use crate::core::listener::Listener;
use crate::core::worker::Servants;
use crate::options::{EntryTerms, GatewayOptions};
use crate::shared::Shared;

const REQUESTS: [&str; 9] = [
    "GET /app/a HTTP/1.1\r\nHost: a.b\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
    "GET /app HTTP/1.1\r\nHost: old.b:81\r\nCookie: c\r\n\r\n",
    "POST /app/a%2Fb?x=1;y HTTP/1.1\r\nHost: a.b\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    "PUT /app../a HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n",
    "HEAD http://c.d/app/x? HTTP/1.1\r\nHost: a.b\r\nCDN-Loop: gw\r\nCDN-Loop: o\r\n\r\n",
    "GET /app/ HTTP/1.0\r\n\r\n",
    "GET /app/ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade, X-A\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\n",
    "GET /x?; HTTP/1.1\r\nHost: a.b\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n\r\n",
    "\r\nOPTIONS /app/a HTTP/1.1\r\nHost: a.b\r\nOrigin: http://a\r\nX_A: 1\r\n\r\n",
];

/// What has a hand in heads, each in its way.
fn filters() -> Vec<Filter> {
    let lines = |lines: &[(&str, &str)]| {
        let lines = lines.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        lines.collect::<BTreeMap<_, _>>()
    };
    let request = lines(&[("X-A", "ours"), ("X-B", ""), ("X-Forwarded-For", "1.1.1.1")]);
    let expression = |text| Expression::new(text).expect("an expression");
    vec![
        Filter::Headers(Box::new(HeaderRules { request, ..HeaderRules::default() })),
        Filter::Headers(Box::new(HeaderRules {
            request: lines(&[("Host", "other.b"), ("X-C", "1")]),
            ..HeaderRules::default()
        })),
        Filter::Rewrite(Rewrite::StripPrefix(vec!["/app".into()])),
        Filter::Rewrite(Rewrite::Expression(expression("^/app/(.*)"), "/to/$1?z=1".into())),
        Filter::RedirectRegex(RegexRedirection {
            expression: expression("^http://old[.]b"),
            replacement: "http://new.b".into(),
            is_permanent: true,
        }),
        Filter::RedirectScheme(SchemeRedirection {
            scheme: "https".into(),
            port: None,
            is_permanent: false,
        }),
        Filter::EncodedCharacters(EncodedCharacters::default()),
    ]
}

/// What it came to, what is changed, and what an endpoint would get.
fn told(
    context: &Context<'_>,
    filtered: &Filtered,
    head: &RequestHead<'_, '_>,
    request: &Request,
) -> String {
    let came = match &filtered.came {
        Came::To(Entered::Answer(response)) => format!("{response:?}"),
        Came::To(Entered::Opened { .. }) => "opened".to_owned(),
        Came::To(Entered::Inside) => "inside".to_owned(),
        Came::Ask(ask) => format!("{ask:?}"),
        Came::Failed(fault) => format!("{fault:?}"),
    };
    let changes = filtered.course.changes();
    let mut out = Vec::new();
    let manner = (Manner::default(), None);
    let written = context.write(head, changes, request, manner, &mut out);
    format!("{came}\n{changes:?}\n{written:?}\n{}", String::from_utf8_lossy(&out))
}

#[test]
fn in_place_is_as_from_scratch() {
    let options = GatewayOptions::default();
    let core = Core::new(0, Shared::new(options), None, Servants::of_test(|_| ()));
    let listeners = [Semicolons::Kept, Semicolons::Split, Semicolons::Encoded].map(|semicolons| {
        let terms = EntryTerms { semicolons, ..EntryTerms::default() };
        let options = GatewayOptions {
            terms: [("web".into(), terms.into())].into(),
            ..GatewayOptions::default()
        };
        Listener::new("web".into(), String::new(), &options, Rc::default())
    });
    let live = core.live();
    let (filters, mut memory) = (filters(), Memory::seeded(1));
    let usage = Use { filter: "it".into(), state: "it".into() };
    let recipes: Vec<Recipe> = filters
        .iter()
        .map(|it| Recipe::of(&usage, Some(it), &mut memory).expect("it is built"))
        .collect();
    let (mut opened, mut answered) = (0, 0);
    for (listener, trust) in
        listeners.iter().zip([Trust::default(), Trust::Everybody, Trust::default()])
    {
        let policy = ForwardedPolicy { trust, ..ForwardedPolicy::default() };
        let vouching = Vouching::new(policy.into(), [10, 0, 0, 1].into());
        let context = Context {
            core: &core,
            listener,
            client_lines: b"X-Forwarded-For: 10.0.0.1\r\nCDN-Loop: us\r\n",
            list: (USUAL_LIST, false),
            started: Instant::now(),
            vouching: &vouching,
            port: 80,
            strays: None,
            log: None,
            tls: None,
        };
        for text in REQUESTS {
            // Each filter is there or not.
            for chosen in 1..1_usize << filters.len() {
                let is_in = |(at, _): &(usize, &Recipe)| chosen & (1 << at) != 0;
                let passed = recipes.iter().enumerate().filter(is_in);
                let passed: Recipes = passed.map(|(_, recipe)| recipe.clone()).collect();
                let mut slots = Slots::default();
                let head = RequestHead::parse(text.as_bytes(), &mut slots);
                let mut head = head.expect("a head").expect("all of it");
                let client = head.settle(&vouching);
                let mut request = Request::new(&head, context.started, client, &vouching);
                let to = || Inside::Answer(Answer::empty(), None);
                let mut out = Vec::new();
                let asked = (&head, text.as_bytes());
                let way = (to(), Some(passed.clone()));
                let in_place = context.begin(asked, &mut request, way, &live, &mut out);
                let journey = context.journey(None, client);
                let course = Course::new(passed, journey, head.passed(), &core.stock);
                let way = Way { steps: vec![to()], taken: Some(live.clone()) };
                let (head_text, came) = (in_place.head.clone(), Came::To(Entered::Inside));
                let mut again = Filtered { course, way, head: head_text, came };
                again.came = context.resume(&mut again, &request, Got::Nothing, &mut out);
                let mut slots = RequestSlots::default();
                let read = RequestHead::again(&again.head, &mut slots, &vouching).expect("a head");
                let found = told(&context, &in_place, &head, &request);
                assert_eq!(found, told(&context, &again, &read, &request), "{text} {chosen:b}");
                let is_inside = matches!(in_place.came, Came::To(Entered::Inside));
                *(if is_inside { &mut opened } else { &mut answered }) += 1;
            }
        }
    }
    assert!(opened > 100 && answered > 100, "{opened} {answered}");
}
