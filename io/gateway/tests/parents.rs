//! Routes that lead to other routes: these are asked once the filters of those have let a request
//! in, and pass filters inside of theirs.

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use steelyard_filters::trial::{diary, release};
use steelyard_gateway::{AccessLog, Gateway, GatewayOptions, LogFormat};
use steelyard_model::routing::backend::{Backend, RefusalReason};
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::route::Destination;
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::world::RoutingMap;
use support::filtering::{
    Uses, adopt, change, echoed, edge, id, leaf, put_backend, told, uses, using,
};
use support::{
    Client, Received, Server, TemporaryFile, eventually, gateway, gateway_with, get, ok, route,
    routing, scrape,
};

/// `parent`, for the host `a`, leads to `admins`, for who has the role, and to `rest`, for the
/// path `/rest`.
struct Family {
    admins: Server,
    rest: Server,
}

impl Family {
    fn new() -> Self {
        Self { admins: Server::echo("admins"), rest: Server::echo("rest") }
    }

    fn map(&self, listener: Uses<'_>, parent: Uses<'_>, child: Uses<'_>) -> RoutingMap {
        let mut map = routing(&[
            route("parent", "a", "/", &[]),
            route("admins", "*", "/", &[self.admins.address]),
            route("rest", "*", "/rest", &[self.rest.address]),
        ]);
        map = using(map, listener, &[]);
        adopt(&mut map, "parent", &["admins", "rest"]);
        change(&mut map, "parent", |route| route.uses = uses(parent));
        let role = Matcher::Header("x-role".into(), Values::Exact("admin".into()));
        change(&mut map, "admins", |route| {
            route.rule = Rule::One(role).into();
            route.uses = uses(child);
        });
        change(&mut map, "rest", |route| route.uses = uses(child));
        map
    }

    fn serve(&self, map: &RoutingMap) -> (Gateway, SocketAddr) {
        let (gateway, address) = gateway(&[]);
        gateway.apply(map, 2);
        (gateway, address)
    }
}

fn asked(address: SocketAddr, head: &str) -> Received {
    Client::connect(address).send(format!("{head}\r\n\r\n")).receive()
}

#[test]
fn who_a_parent_lets_in_is_asked_for_by_what_it_made_of_the_request() {
    let family = Family::new();
    let role = [("edit", "in-parent"), ("set=X-Role:admin", "in-role")];
    let mut map = family.map(&[("edit", "in-listener")], &role, &[("edit", "in-child")]);
    let on_edge = edge(&leaf("admins"), 1, &[("edit", "in-edge")]);
    put_backend(&mut map, "over", Backend::Weighted { edges: vec![on_edge], sticky: None });
    change(&mut map, "admins", |route| route.to = Destination::Backend("over".into()));
    let file = TemporaryFile::new("parents");
    let access_log = Some(AccessLog {
        path: Some(file.0.clone()),
        format: LogFormat::Json,
        ..AccessLog::default()
    });
    let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[], options);
    gateway.apply(&map, 2);
    let mut client = Client::connect(address);
    for _ in 0..2 {
        // What the client says of itself is not what the parent says.
        let answer = client.send("GET /x HTTP/1.1\r\nHost: a\r\nX-Role: guest\r\n\r\n").receive();
        let text = answer.text();
        assert!(text.starts_with("admins\n"), "{text}");
        assert_eq!(echoed(&text, "x-role"), Some("admin"));
        let order = ["in-listener", "in-parent", "in-child", "in-edge"];
        for (outer, inner) in order.iter().zip(&order[1..]) {
            let at = |text: &str, name: &str| text.find(&format!("X-Trial: {name}")).unwrap();
            assert!(at(&text, outer) < at(&text, inner), "{outer} {text}");
            assert!(at(&answer.head, outer) > at(&answer.head, inner), "{outer} {}", answer.head);
        }
    }
    let twice = ["enter", "leave 200 by backend", "done Finished"].repeat(2);
    told("in-parent", &twice);
    told("in-child", &twice);
    let of_child = "router=\"default-admins-0@ingress\",service=\"default-admins-80@ingress\"} 2\n";
    eventually("the child's requests are counted", || scrape(&gateway).contains(of_child));
    assert!(!scrape(&gateway).contains("default-parent-0"), "counted once");
    gateway.drain(Duration::from_secs(1));
    assert!(file.text().contains(r#""RouterName":"default-admins-0@ingress""#), "{}", file.text());
}

#[test]
fn where_no_child_matches_the_answer_is_404_through_the_parents_frames() {
    let family = Family::new();
    for (parent, marks) in [(&[][..], None), (&[("edit", "lost")][..], Some("lost"))] {
        let (gateway, address) = family.serve(&family.map(&[], parent, &[("edit", "never")]));
        let mut client = Client::connect(address);
        for _ in 0..2 {
            let answer = client.get("a", "/else");
            assert_eq!((answer.status(), answer.header("x-trial")), (404, marks));
            let text = answer.text();
            assert!(text.starts_with("404 Not Found: no route matches GET /else on a\n"), "{text}");
            let near = ["admins", "rest"].map(|id| format!("(default-{id}-0@ingress)"));
            assert!(near.iter().all(|id| text.contains(id)), "{text}");
            assert!(!text.contains("default-parent-0"), "that one did match: {text}");
        }
        assert!(client.get("a", "/rest").text().starts_with("rest\n"));
        let of_parent = "router=\"default-parent-0@ingress\",service=\"\"} 2\n";
        eventually("the parent's are counted", || scrape(&gateway).contains(of_parent));
        // Who has no listener is reached through its parent alone.
        assert_eq!(client.get("b", "/rest").status(), 404);
    }
    assert!(!diary("never").iter().any(|it| it.starts_with("leave 404")));
    assert_eq!(family.admins.accepted.load(Ordering::SeqCst), 0);
}

#[test]
fn a_refused_parent_closes_all_of_its_children_and_a_refused_child_itself() {
    let family = Family::new();
    let is_admin = "GET / HTTP/1.1\r\nHost: a\r\nX-Role: admin";
    let is_rest = "GET /rest HTTP/1.1\r\nHost: a";
    let asked = |address, expected: [u16; 2]| {
        assert_eq!([is_admin, is_rest].map(|head| asked(address, head).status()), expected);
    };
    let unknown = |filter: &str| {
        vec![steelyard_model::routing::filter::Use { filter: filter.into(), state: "x".into() }]
    };
    let refused = |place| Backend::Refused {
        status: 503,
        why: RefusalReason::Restriction(place),
        instead_of: None,
    };
    let mut map = family.map(&[], &[], &[]);
    let (gateway, address) = family.serve(&map);
    asked(address, [200, 200]);
    change(&mut map, "parent", |route| route.uses = unknown("unknown"));
    gateway.apply(&map, 3);
    asked(address, [503, 503]);
    // That is how a dialect closes it.
    let mut map = family.map(&[], &[("edit", "open")], &[]);
    let place = map.routes.get(&id("rest")).unwrap().place.clone();
    put_backend(&mut map, "closed", refused(place));
    change(&mut map, "parent", |route| route.to = Destination::Backend("closed".into()));
    gateway.apply(&map, 4);
    asked(address, [503, 503]);
    for parent in [&[][..], &[("edit", "open")]] {
        let mut map = family.map(&[], parent, &[]);
        change(&mut map, "rest", |route| route.uses = unknown("unknown"));
        gateway.apply(&map, 5);
        asked(address, [200, 503]);
    }
    assert_eq!(family.rest.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn layers_without_filters_cost_no_copy_of_the_request() {
    let server = Server::echo("deep");
    let names = ["l1", "l2", "l3", "l4"];
    let mut routes = names.map(|name| route(name, "*", "/", &[])).to_vec();
    routes.push(route("leaf", "*", "/", &[server.address]));
    let mut map = routing(&routes);
    for pair in ["l1", "l2", "l3", "l4", "leaf"].windows(2) {
        adopt(&mut map, pair[0], &pair[1..]);
    }
    change(&mut map, "l1", |route| route.listeners = vec!["web".into()]);
    let (gateway, address) = gateway(&[]);
    gateway.apply(&map, 2);
    let mut client = Client::connect(address);
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    client.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
    let text = client.receive().text();
    assert!(text.contains("POST /x ") && text.ends_with("\nabc"), "{text}");
    assert!(client.receive().text().contains("GET /y "));
}

#[test]
fn routes_that_lead_in_a_circle_end() {
    let server = Server::echo("s");
    for on_each in [&[][..], &[("edit", "circle")]] {
        let routes = ["one", "two"].map(|name| route(name, "*", "/", &[server.address]));
        let mut map = routing(&routes);
        adopt(&mut map, "one", &["two"]);
        adopt(&mut map, "two", &["one"]);
        for name in ["one", "two"] {
            change(&mut map, name, |route| {
                route.uses = uses(on_each);
                route.listeners = vec!["web".into()];
            });
        }
        let (gateway, address) = gateway(&[]);
        gateway.apply(&map, 2);
        let mut client = Client::connect(address);
        assert_eq!(client.get("a", "/").status(), 503);
        assert_eq!(client.get("a", "/").status(), 503);
    }
    let entered = diary("circle").iter().filter(|it| *it == "enter").count();
    assert_eq!(entered, 32, "as often as the way is long");
    assert_eq!(server.accepted.load(Ordering::SeqCst), 0);
}

/// A way may be so long and no longer, whether there are filters on it or not.
#[test]
fn long_ways_are_gone_to_their_end_and_longer_ones_are_not() {
    let server = Server::echo("s");
    for (on_each, length, status) in [
        (&[][..], 16, 200),
        (&[], 17, 503),
        (&[("edit", "long")], 16, 200),
        (&[("edit", "long")], 17, 503),
    ] {
        let names: Vec<String> = (0..length).map(|n| format!("r{n}")).collect();
        let served = names.iter().map(|name| route(name, "*", "/", &[server.address]));
        let mut map = routing(&served.collect::<Vec<_>>());
        names.windows(2).for_each(|pair| adopt(&mut map, &pair[0], &[&pair[1]]));
        names.iter().for_each(|name| change(&mut map, name, |it| it.uses = uses(on_each)));
        let (gateway, address) = gateway(&[]);
        gateway.apply(&map, 2);
        assert_eq!(get(address, "a", "/").status(), status, "{length} {on_each:?}");
    }
}

/// Answers 503 so often, then echoes.
fn busy(times: usize) -> Server {
    let count = AtomicUsize::new(0);
    Server::answering(move |request| {
        if count.fetch_add(1, Ordering::SeqCst) < times {
            return b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy".to_vec();
        }
        ok(&format!("{}\n{}", request.head, request.text()))
    })
}

#[test]
fn another_attempt_of_a_parent_asks_its_children_anew() {
    for (parent, child, entered) in [
        (&[("again=10", "anew-p1")][..], &[("edit", "anew-c1")][..], 3),
        (&[("edit", "anew-p2")], &[("again=10", "anew-a2"), ("edit", "anew-c2")], 3),
        (&[("again=10", "anew-p3")], &[("again=10", "anew-a3"), ("edit", "anew-c3")], 3),
    ] {
        let family = Family { admins: Server::echo("admins"), rest: busy(2) };
        let (_gateway, address) = family.serve(&family.map(&[], parent, child));
        let mut client = Client::connect(address);
        client.send("POST /rest HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        let answer = client.receive();
        assert_eq!((answer.status(), answer.text().ends_with("\nabc")), (200, true));
        let name = child.last().unwrap().1;
        let is_over = || diary(name).last().is_some_and(|it| it == "done Finished");
        eventually("it is over", is_over);
        let count = |what: &str| diary(name).iter().filter(|it| *it == what).count();
        assert_eq!((count("enter"), count("done Replaced")), (entered, entered - 1), "{name}");
        assert_eq!(
            answer.text().matches("X-Trial").count(),
            usize::from(parent[0].0 == "edit") + 1
        );
        assert!(client.get("a", "/rest").text().starts_with("GET /rest "));
    }
}

#[test]
fn what_is_another_childs_to_some_servers_is_refused() {
    let family = Family::new();
    for parent in [&[][..], &[("edit", "reading")]] {
        let mut map = family.map(&[], parent, &[]);
        let any = map.routes.get(&id("rest")).unwrap().clone();
        change(&mut map, "admins", |route| {
            route.rule = any.rule.clone();
            route.rank = any.rank.clone();
            route.uses = uses(&[("answer=401", "closed")]);
        });
        change(&mut map, "rest", |route| route.rule = Rule::All(Vec::new()).into());
        let (_gateway, address) = family.serve(&map);
        for (path, status) in [
            ("/rest", 401),
            ("/rest/x", 401),
            ("/x/../rest", 401),
            ("/else", 200),
            ("/rest%2Fx", 400),
            ("/%2Frest", 400),
            ("/rest;x", 400),
        ] {
            assert_eq!(get(address, "a", path).status(), status, "{path}");
        }
    }
    // The same where a filter chooses the path.
    let mut map = family.map(&[], &[("redirect", "to")], &[]);
    change(&mut map, "rest", |route| {
        let rule = Rule::All(vec![
            Rule::One(Matcher::Host(steelyard_model::routing::pattern::HostPattern::Exact(
                "other.test".into(),
            ))),
            Rule::One(Matcher::Method("PATCH".into())),
        ]);
        route.rule = rule.into();
    });
    let (_gateway, address) = family.serve(&map);
    let text = get(address, "a", "/x").text();
    assert!(text.contains("PATCH /elsewhere "), "{text}");
}

#[test]
fn bodies_pass_the_frames_of_parents_and_children_in_order() {
    let family = Family::new();
    let parent = [("mark", "<p>"), ("body=30", "body-p")];
    let child = [("mark", "<c>"), ("body=30", "body-c")];
    let (_gateway, address) = family.serve(&family.map(&[], &parent, &child));
    let mut client = Client::connect(address);
    for _ in 0..2 {
        client.send("POST /rest HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send("2\r\nab\r\n0\r\n\r\n");
        let text = client.receive().text();
        // The parent's mark is in it when the child's frames get it, and theirs comes before.
        assert!(text.ends_with("\n<c><p>ab"), "{text}");
    }
}

/// Who waits in a filter while the configuration changes ends by the one that it began with.
#[test]
fn a_request_ends_by_the_configuration_that_took_it() {
    for (name, has_parent) in [("pinned-1", true), ("pinned-2", false)] {
        let family = Family::new();
        let mut map = family.map(&[], &[("shared", name)], &[]);
        if !has_parent {
            change(&mut map, "parent", |route| {
                route.to = Destination::Backend(leaf("rest").as_str().into());
            });
        }
        let (gateway, address) = family.serve(&map);
        let mut client = Client::connect(address);
        client.send("GET /rest HTTP/1.1\r\nHost: a\r\n\r\n");
        eventually("it waits", || diary(name).iter().any(|it| it == "leads"));
        gateway.apply(&routing(&[route("new", "a", "/", &[family.admins.address])]), 3);
        assert!(get(address, "a", "/rest").text().starts_with("admins\n"), "the new one is there");
        release(name);
        let answer = client.receive();
        assert!(answer.text().starts_with("rest\n"), "{} {}", answer.head, answer.text());
        eventually("both are counted", || {
            scrape(&gateway).lines().any(|line| {
                line.starts_with("traefik_entrypoint_requests_total") && line.ends_with(" 2")
            })
        });
        let metrics = scrape(&gateway);
        for gone in ["default-parent", "default-rest"] {
            assert!(!metrics.contains(gone), "{metrics}");
        }
        // The connection is by the new one.
        assert!(client.get("a", "/rest").text().starts_with("admins\n"));
    }
}

/// What a request passes and where it comes to are of one configuration, however many there are
/// while it is on its way.
#[test]
fn parents_and_children_of_two_configurations_do_not_mix() {
    let servers = [Server::echo("odd"), Server::echo("even")];
    let maps = ["odd", "even"].map(|name| {
        let server = &servers[usize::from(name == "even")];
        let mut map =
            routing(&[route("parent", "a", "/", &[]), route(name, "*", "/", &[server.address])]);
        adopt(&mut map, "parent", &[name]);
        let set = format!("set=X-Of:{name}");
        change(&mut map, "parent", |route| {
            route.uses = uses(&[("sleep=2", "mix"), (set.as_str(), "mix")]);
        });
        let of = Matcher::Header("x-of".into(), Values::Exact(name.into()));
        change(&mut map, name, |route| route.rule = Rule::One(of).into());
        map
    });
    let (gateway, address) =
        gateway_with(&[], GatewayOptions { workers: 2, ..GatewayOptions::default() });
    gateway.apply(&maps[0], 2);
    let left = AtomicUsize::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                for _ in 0..60 {
                    let answer = client.get("a", "/");
                    let text = answer.text();
                    assert_eq!(answer.status(), 200, "{text}");
                    let who = text.lines().next();
                    assert_eq!(echoed(&text, "x-of"), who, "{text}");
                }
                left.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut generation = 2;
        while left.load(Ordering::SeqCst) > 0 && generation < 100_000 {
            generation += 1;
            gateway.apply(&maps[generation % 2], generation as u64);
            std::thread::yield_now();
        }
    });
    eventually("nothing of either is left", || {
        gateway.apply(&routing(&[]), 200_000);
        !scrape(&gateway).contains("default-odd")
    });
}
