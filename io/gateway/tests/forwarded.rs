//! Who is believed about clients, and what endpoints are told of them.

mod support;

use std::sync::Arc;

use steelyard_gateway::{AccessLog, EntryTerms, Gateway, GatewayOptions, LogFormat};
use steelyard_http::ForwardedPolicy;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::trust::Trust;
use support::filtering::change;
use support::*;

/// A gateway whose clients, all on loopback, are trusted or not.
fn gateway_where(
    trust: Trust,
    client_header: Option<&str>,
    standard: bool,
    routes: &[Served],
) -> (Gateway, std::net::SocketAddr) {
    let client_header = client_header.map(Into::into);
    let policy = ForwardedPolicy { trust, client_header, standard, ..ForwardedPolicy::default() };
    let options = one_worker(EntryTerms { forwarded: Arc::new(policy), ..EntryTerms::default() });
    let options = GatewayOptions { server_name: "gw".into(), ..options };
    gateway_with(routes, options)
}

fn ranges(range: &str) -> Trust {
    Trust::Ranges(vec![range.parse().expect("a range")])
}

/// The lines of a request as the endpoint sees them, in lower case and in order.
fn seen(answer: &Received) -> Vec<String> {
    let text = answer.text();
    let lines = text.lines().skip(2).take_while(|line| !line.is_empty());
    let mut lines: Vec<String> = lines.map(str::to_ascii_lowercase).collect();
    let of_clients = |line: &str| {
        line.starts_with("x-") || line.starts_with("forwarded") || line.starts_with("cf")
    };
    lines.retain(|line| of_clients(line));
    lines.sort();
    lines
}

const CLAIMS: &str = "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 198.51.100.7\r\n\
    X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 8443\r\n\
    X-Forwarded-Server: liar\r\nX-Real-Ip: 9.9.9.9\r\nX-Forwarded-Prefix: /shop\r\n\
    Forwarded: for=9.9.9.9\r\nCF-Connecting-IP: 203.0.113.9\r\n\
    x_forwarded_for: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nCF_Connecting_IP: 6.6.6.6\r\nProxy: x\r\n";

/// What Connection names chooses no route, unless the entry point lets it name that; endpoints are
/// told of it in no case.
#[test]
fn what_connection_names_chooses_where_it_may() {
    let server = Server::echo("s");
    let routes = [route("main", "a", "/", &[server.address])];
    let asked = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-role\r\nX-Role: admin\r\n\r\n";
    for (shown, status) in [(vec![], 404), (vec!["X-Role".into()], 200)] {
        let policy = Arc::new(ForwardedPolicy { shown, ..ForwardedPolicy::default() });
        let terms = EntryTerms { forwarded: policy, ..EntryTerms::default() };
        let (gateway, address) = gateway_with(&routes, one_worker(terms));
        let mut map = routing(&routes);
        let role = Matcher::Header("x-role".into(), Values::Exact("admin".into()));
        change(&mut map, "main", |route| route.rule = Rule::One(role).into());
        gateway.apply(&map, 2);
        let answer = Client::connect(address).send(asked).receive();
        assert_eq!(answer.status(), status);
        let is_told = answer.text().to_lowercase().contains("x-role");
        assert!(status == 404 || !is_told, "{}", answer.text());
    }
}

#[test]
fn what_endpoints_are_told_hangs_on_who_says_it() {
    let server = Server::echo("s");
    let routes = [route("main", "*", "/", &[server.address])];
    let common = ["x-forwarded-server: gw"];
    let of_nobody = [
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: a",
        "x-forwarded-port: 80",
        "x-forwarded-proto: http",
        "x-real-ip: 127.0.0.1",
    ];
    let believed = [
        "x-forwarded-for: 9.9.9.9, 198.51.100.7, 127.0.0.1",
        "x-forwarded-host: shop.example",
        "x-forwarded-port: 8443",
        "x-forwarded-prefix: /shop",
        "x-forwarded-proto: https",
    ];
    let chain = "forwarded: for=9.9.9.9, for=127.0.0.1;host=\"a\";proto=https;by=_gw";
    let own = "forwarded: for=127.0.0.1;host=\"a\";proto=http;by=_gw";
    let cf = "cf-connecting-ip: 203.0.113.9";
    for (trust, header, standard, base, more) in [
        (Trust::Nobody, None, false, &of_nobody, &[cf, "cf_connecting_ip: 6.6.6.6"][..]),
        (ranges("10.0.0.0/8"), Some("CF-Connecting-IP"), false, &of_nobody, &[]),
        (Trust::Nobody, Some("CF-Connecting-IP"), true, &of_nobody, &[own]),
        (
            ranges("127.0.0.0/8"),
            None,
            false,
            &believed,
            &[cf, "cf_connecting_ip: 6.6.6.6", "x-real-ip: 198.51.100.7"],
        ),
        (
            ranges("127.0.0.0/8"),
            Some("cf-connecting-ip"),
            true,
            &believed,
            &[cf, chain, "x-real-ip: 203.0.113.9"],
        ),
        (
            Trust::Everybody,
            Some("cf-connecting-ip"),
            false,
            &believed,
            &[cf, "x-real-ip: 127.0.0.1"],
        ),
    ] {
        let told = format!("{trust:?} {header:?} {standard}");
        let (_gateway, address) = gateway_where(trust, header, standard, &routes);
        let mut client = Client::connect(address);
        for _ in 0..2 {
            client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{CLAIMS}\r\n"));
            let answer = client.receive();
            let mut expected: Vec<&str> = base.iter().chain(more).chain(&common).copied().collect();
            expected.sort_unstable();
            assert_eq!(seen(&answer), expected, "{told}");
        }
    }
}

/// Who says nothing is added to, and what means nothing is not passed on.
#[test]
fn what_is_not_said_or_means_nothing_is_ours() {
    let server = Server::echo("s");
    let routes = [route("main", "*", "/", &[server.address])];
    let (_gateway, address) = gateway_where(ranges("127.0.0.1/32"), None, false, &routes);
    let ours = |lines: &str| {
        let mut client = Client::connect(address);
        client.send(format!("GET / HTTP/1.1\r\nHost: a:81\r\n{lines}\r\n"));
        seen(&client.receive()).join(";")
    };
    let expected = "x-forwarded-for: 127.0.0.1;x-forwarded-host: a:81;x-forwarded-port: 81;\
                    x-forwarded-proto: http;x-forwarded-server: gw;x-real-ip: 127.0.0.1";
    assert_eq!(ours(""), expected);
    let nonsense = "X-Forwarded-Proto: gopher\r\nX-Forwarded-Port: 0\r\nX-Forwarded-Host: a b\r\n";
    assert_eq!(ours(nonsense), expected);
    let twice = "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n";
    assert_eq!(ours(twice), expected);
    assert_eq!(ours("X-Forwarded-Prefix: /a\r\nx-forwarded-prefix: /b\r\n"), expected);
    assert_eq!(ours("X-Forwarded-Uri: /a\r\nX-Forwarded-Uri: /a\r\n"), expected);
}

/// The same by way of filters, and for what they decide by.
#[test]
fn the_clients_address_is_what_is_decided_and_logged_by() {
    let server = Server::echo("s");
    let file = TemporaryFile::new("forwarded-log");
    let policy = ForwardedPolicy { trust: ranges("127.0.0.0/8"), ..ForwardedPolicy::default() };
    let access_log = Some(AccessLog {
        path: Some(file.0.clone()),
        format: LogFormat::Json,
        ..AccessLog::default()
    });
    let options = one_worker(EntryTerms { forwarded: Arc::new(policy), ..EntryTerms::default() });
    let options = GatewayOptions { access_log, ..options };
    let gateway = Gateway::start(options).unwrap();
    let mut map = routing(&[route("main", "a", "/", &[server.address])]);
    filtering::change(&mut map, "main", |route| {
        route.uses = vec![Use { filter: "allow".into(), state: "allow".into() }];
    });
    let filter = Filter::AllowAddresses(vec!["198.51.100.0/24".parse().unwrap()].into());
    let node = FilterNode { id: "allow".into(), place: None, filter };
    map.filters.insert("allow".into(), Arc::new(node));
    gateway.apply(&map, 1);
    let address = gateway.listen(&[web(0)]).remove(0).1.unwrap();
    let mut client = Client::connect(address);
    let mut asked = |from: &str| {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {from}\r\n\r\n"));
        client.receive()
    };
    let answer = asked("198.51.100.7");
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(answer.text().to_lowercase().contains("x-forwarded-for: 198.51.100.7, 127.0.0.1"));
    assert_eq!(asked("203.0.113.1").status(), 403);
    eventually("it is known whose request was refused", || {
        gateway.failed_requests().iter().any(|it| it.client.to_string() == "203.0.113.1")
    });
    gateway.drain(PATIENCE);
    let text = file.text();
    assert!(text.contains("\"ClientHost\":\"198.51.100.7\""), "{text}");
    assert!(text.contains("\"ClientAddr\":\"127.0.0.1:"), "{text}");
}

/// Where it is asked for, endpoints are told the scheme in two more lines, which clients cannot
/// say; and who is believed says it by the one that is always there.
#[test]
fn the_scheme_is_said_in_more_lines() {
    let server = Server::echo("s");
    let routes = [route("main", "*", "/", &[server.address])];
    let said = "X-Scheme: liar\r\nX_Forwarded-Scheme: liar\r\nX-Forwarded-Proto: https\r\n";
    for (trust, scheme) in [(Trust::Nobody, "http"), (Trust::Everybody, "https")] {
        let policy = ForwardedPolicy { trust, scheme_lines: true, ..ForwardedPolicy::default() };
        let forwarded = Arc::new(policy);
        let options = one_worker(EntryTerms { forwarded, ..EntryTerms::default() });
        let (_gateway, address) = gateway_with(&routes, options);
        let raw = format!("GET / HTTP/1.1\r\nHost: a\r\n{said}\r\n");
        let answer = Client::connect(address).send(raw).receive();
        let mut lines = seen(&answer);
        lines.retain(|line| line.contains("scheme"));
        let expected = ["x-forwarded-scheme", "x-scheme"].map(|it| format!("{it}: {scheme}"));
        assert_eq!(lines, expected);
    }
}
