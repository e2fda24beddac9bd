//! What is logged and counted of a request, and told of what went wrong with it.

mod support;

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use steelyard_filters::trial::diary;
use steelyard_gateway::{
    AccessLog, Gateway, GatewayOptions, LogFields, LogFormat, Shown, Timeouts,
};
use steelyard_metrics::BucketBounds;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use support::filtering::{Uses, change, using};
use support::{
    Client, Received, Server, TemporaryFile, dead, eventually, gateway, gateway_with, get, log, ok,
    refused, route, routing, scrape,
};

/// A gateway with an access log.
struct Logging {
    gateway: Gateway,
    address: SocketAddr,
    file: TemporaryFile,
}

impl Logging {
    fn start(name: &str, endpoints: &[SocketAddr], uses: Uses<'_>) -> Self {
        let file = TemporaryFile::new(name);
        let access_log = Some(AccessLog {
            path: Some(file.0.clone()),
            format: LogFormat::Json,
            ..AccessLog::default()
        });
        let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
        let routes = [route("main", "a", "/", endpoints)];
        let (gateway, address) = gateway_with(&routes, options);
        gateway.apply(&using(routing(&routes), &[], uses), 2);
        Self { gateway, address, file }
    }

    /// All that the log says once it has so many lines.
    #[track_caller]
    fn says(&self, lines: usize, fields: &[&str]) {
        eventually("it is logged", || self.file.text().lines().count() >= lines);
        let text = self.file.text();
        for field in fields {
            assert!(text.contains(field), "{field} in {text}");
        }
    }
}

const WITH_AND_WITHOUT: [Uses<'_>; 2] = [&[], &[("edit", "told")]];

#[test]
fn what_passes_a_tunnel_is_counted() {
    for (at, uses) in WITH_AND_WITHOUT.into_iter().enumerate() {
        let server = Server::start(|mut stream, _| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            support::head(&mut reader).unwrap();
            let switch = "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
            stream.write_all(switch.as_bytes()).unwrap();
            let mut byte = [0];
            while reader.read_exact(&mut byte).is_ok() {
                stream.write_all(b"xyz").unwrap();
            }
        });
        let it = Logging::start(&format!("tunnel-{at}"), &[server.address], uses);
        let mut client = Client::connect(it.address);
        client
            .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
        support::head(&mut client.reader).unwrap();
        for _ in 0..2 {
            let mut bytes = [0; 3];
            client.send("?").reader.read_exact(&mut bytes).unwrap();
        }
        client.reader.get_ref().shutdown(Shutdown::Write).unwrap();
        assert!(client.is_closed());
        it.says(1, &["\"DownstreamStatus\":101,", "\"DownstreamContentSize\":6,"]);
    }
}

/// What the client has heard is logged, and else why it heard nothing.
#[test]
fn what_was_cut_off_has_the_status_that_was_said() {
    for (at, uses) in WITH_AND_WITHOUT.into_iter().enumerate() {
        let server = Server::answering(|request| match request.head.contains("/cut") {
            true => b"HTTP/1.1 203 X\r\nContent-Length: 9\r\nConnection: close\r\n\r\nabc".to_vec(),
            false => Vec::new(),
        });
        let cutting = Server::start(|mut stream, _| {
            support::head(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 203 X\r\nContent-Length: 9\r\n\r\nabc");
        });
        let it = Logging::start(&format!("cut-{at}"), &[cutting.address], uses);
        let mut client = Client::connect(it.address);
        let mut rest = Vec::new();
        let _ = client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").reader.read_to_end(&mut rest);
        it.says(
            1,
            &["\"DownstreamStatus\":203,", "\"msg\":\"the endpoint closed the connection\""],
        );
        let it = Logging::start(&format!("left-{at}"), &[server.address], uses);
        let mut client = Client::connect(it.address);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        eventually("it is asked", || server.accepted.load(std::sync::atomic::Ordering::SeqCst) > 0);
        socket2::SockRef::from(client.reader.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        it.says(1, &["\"DownstreamStatus\":499,", "\"msg\":\"the client went away\""]);
    }
}

#[test]
fn who_leaves_while_a_filter_waits_is_logged_with_why() {
    let name = "left-filter";
    let it = Logging::start(name, &[dead()], &[("sleep=60000", name)]);
    let mut client = Client::connect(it.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || !diary(name).is_empty());
    socket2::SockRef::from(client.reader.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    it.says(1, &["\"DownstreamStatus\":499,", "\"msg\":\"the client went away\""]);
}

/// Lines of the response too: as they came, and as they went on; of an answer that is ours alone,
/// the latter.
#[test]
fn lines_of_heads_are_shown_as_asked() {
    let show = |name: &str, shown| (Box::from(name), shown);
    let server = Server::answering(|_| {
        b"HTTP/1.1 200 OK\r\nx-cache: \"hit\"\r\nSET-COOKIE: secret\r\nX-Empty:\r\nX-Other: 1\r\n\
          Content-Length: 2\r\n\r\nok"
            .to_vec()
    });
    for (at, uses) in [&[][..], &[("edit", "heads")]].into_iter().enumerate() {
        let file = TemporaryFile::new(&format!("heads-{at}"));
        let named = [show("x-cache", Shown::Keep), show("set-cookie", Shown::Redact)];
        let more = [show("content-length", Shown::Keep), show("x-asked", Shown::Keep)];
        let headers = named.into_iter().chain(more).chain([show("x-trial", Shown::Keep)]).collect();
        let access_log = Some(AccessLog {
            path: Some(file.0.clone()),
            format: LogFormat::Json,
            fields: LogFields { headers, ..LogFields::default() },
            ..AccessLog::default()
        });
        let options = GatewayOptions { workers: 1, access_log, ..GatewayOptions::default() };
        let routes = [route("main", "a", "/", &[server.address])];
        let (gateway, address) = gateway_with(&routes, options);
        gateway.apply(&using(routing(&routes), &[], uses), 2);
        let mut client = Client::connect(address);
        for host in ["a", "b"] {
            let asked = format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Asked: {host}\r\n\r\n");
            client.send(asked).receive();
        }
        eventually("both are logged", || file.text().lines().count() == 2);
        let text = file.text();
        let lines: Vec<&str> = text.lines().collect();
        let shown = |line: &str| {
            let each = line.split(",\"").filter(|field| {
                ["request_", "origin_", "downstream_"].iter().any(|of| field.starts_with(of))
            });
            each.collect::<Vec<_>>().join(" ")
        };
        let of_both = |of| {
            format!(
                "{of}X-Cache\":\"\\\"hit\\\"\" {of}Set-Cookie\":\"REDACTED\" \
                 {of}Content-Length\":\"2\""
            )
        };
        let added = if uses.is_empty() { "" } else { " downstream_X-Trial\":\"heads\"" };
        let expected = format!(
            "request_X-Asked\":\"a\" {} {}{added}",
            of_both("origin_"),
            of_both("downstream_")
        );
        assert_eq!(shown(lines[0]), expected);
        let own = shown(lines[1]);
        assert!(own.starts_with("request_X-Asked\":\"b\" downstream_Content-Length"), "{own}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn other_attempts_are_counted() {
    let server = Server::echo("s");
    let it = Logging::start("retries", &[dead(), server.address], &[]);
    assert_eq!(get(it.address, "a", "/").status(), 200);
    it.says(1, &["\"RetryAttempts\":1,"]);
    let retries = "traefik_service_retries_total{service=\"default-main-80@ingress\"} 1\n";
    eventually("it is counted", || scrape(&it.gateway).contains(retries));
    assert_eq!(get(it.address, "a", "/").status(), 200);
    it.says(2, &["\"RetryAttempts\":0,"]);
    assert!(scrape(&it.gateway).contains(retries));
}

/// All histograms have the bounds that were chosen, and no others.
#[test]
fn durations_are_counted_in_the_buckets_that_were_chosen() {
    let server = Server::echo("s");
    let buckets = BucketBounds::new(&[1_000.0, 2_000.0]).unwrap();
    let options = GatewayOptions { workers: 1, buckets, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[route("main", "a", "/", &[server.address])], options);
    assert_eq!(get(address, "a", "/").status(), 200);
    let count = |text: &str, part: &str| text.lines().filter(|line| line.contains(part)).count();
    eventually("it is counted", || count(&scrape(&gateway), "le=\"1000\"} 1") == 4);
    let text = scrape(&gateway);
    assert_eq!(count(&text, "le=\"2000\"} 1"), 4, "{text}");
    assert_eq!(count(&text, "_bucket{"), 12, "{text}");
}

#[test]
fn answers_of_our_own_are_logged_with_why() {
    let it = Logging::start("why-not", &[], &[]);
    assert_eq!(get(it.address, "a", "/").status(), 503);
    it.says(1, &["\"DownstreamStatus\":503,", "\"msg\":\"no endpoint is ready\""]);
}

/// Who was asked last is who it hangs on when the time for all is over.
#[test]
fn attempts_have_a_time_together() {
    let server = Server::echo("s");
    let timeouts = Timeouts { connect_all: Duration::ZERO, ..Timeouts::default() };
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let routes = [route("main", "a", "/", &[dead(), server.address])];
    let (_gateway, address) = gateway_with(&routes, options);
    assert_eq!(get(address, "a", "/").status(), 502);
    assert_eq!(get(address, "a", "/").status(), 200, "the first attempt has none before it");
}

/// Whether it came with the head, during the exchange, or into a filter's hands.
#[test]
fn bytes_of_requests_are_counted() {
    let server = Server::echo("s");
    let all: [Uses<'_>; 3] = [&[], &[("edit", "came")], &[("body=100", "came-whole")]];
    for (at, uses) in all.into_iter().enumerate() {
        let it = Logging::start(&format!("came-{at}"), &[server.address], uses);
        let mut client = Client::connect(it.address);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabcde");
        // Once another request is answered, this much was read.
        assert_eq!(get(it.address, "a", "/").status(), 200);
        assert!(client.send("fghij").receive().text().ends_with("abcdefghij"));
        it.says(2, &["\"RequestContentSize\":10,"]);
    }
}

/// Framing is no part of a body, in whatever spelling and whoever has it in hand: neither sizes of
/// chunks, nor extensions, nor trailers.
#[test]
fn bytes_of_bodies_are_counted_without_their_framing() {
    let server = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = Received::read(&mut reader) {
            let ends = request.head.contains("/close");
            let answer = match ends {
                true => "HTTP/1.0 200 OK\r\n\r\nabc0123456789",
                false => {
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                     3;note=x\r\nabc\r\n00a\r\n0123456789\r\n0\r\nA: b\r\n\r\n"
                }
            };
            if stream.write_all(answer.as_bytes()).is_err() || ends {
                return;
            }
        }
    });
    let all: [Uses<'_>; 3] = [&[], &[("edit", "framed")], &[("body=100", "framed-whole")]];
    for (at, uses) in all.into_iter().enumerate() {
        let it = Logging::start(&format!("framed-{at}"), &[server.address], uses);
        for (number, path) in (1..).zip(["/", "/close"]) {
            let mut client = Client::connect(it.address);
            let head = "HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            client.send(format!("POST {path} {head}2;a=b\r\nxy\r\n"));
            // Once another request is answered, this much was read.
            assert_eq!(get(it.address, "a", "/").status(), 200);
            client.send("5\r\nabcde\r\n0\r\nTrailing: lines\r\n\r\n");
            assert_eq!(client.receive().text(), "abc0123456789");
            it.says(2 * number, &[]);
            let text = it.file.text();
            let line = text.lines().rfind(|line| line.contains("\"POST\"")).unwrap();
            for field in ["\"RequestContentSize\":7,", "\"DownstreamContentSize\":13,"] {
                assert!(line.contains(field), "{uses:?} {path}: {field} in {line}");
            }
        }
        // A client of HTTP/1.0 has no chunks.
        let mut client = Client::connect(it.address);
        let mut rest = Vec::new();
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").reader.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(b"\r\n\r\nabc0123456789"), "{}", rest.escape_ascii());
        it.says(5, &[]);
        let text = it.file.text();
        let line = text.lines().rfind(|line| line.contains("HTTP/1.0")).unwrap();
        assert!(line.contains("\"DownstreamContentSize\":13,"), "{line}");
        let metrics = scrape(&it.gateway);
        let total = |name: &str| {
            let series = format!("traefik_entrypoint_{name}_bytes_total{{");
            let lines = metrics.lines().filter(|line| line.starts_with(&series));
            lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum::<u64>()
        };
        assert_eq!((total("requests"), total("responses")), (14, 5 * 13));
    }
}

/// The client's address is not let in: the log says why, and a change of the filter counts at once,
/// for routes and edges that stay as they are.
#[test]
fn filters_say_why_and_change_under_those_who_use_them() {
    let server = Server::echo("s");
    let it = Logging::start("why", &[server.address], &[]);
    let lets_in = |range: &str| {
        let filter = Filter::AllowAddresses(vec![range.parse().unwrap()].into());
        std::sync::Arc::new(FilterNode { id: "allow".into(), place: None, filter })
    };
    let mut map = routing(&[route("main", "a", "/", &[server.address])]);
    change(&mut map, "main", |route| {
        route.uses = vec![Use { filter: "allow".into(), state: "allow".into() }];
    });
    map.filters.insert("allow".into(), lets_in("10.0.0.0/8"));
    it.gateway.apply(&map, 3);
    assert_eq!(get(it.address, "a", "/").status(), 403);
    it.says(1, &["\"msg\":\"the client's address is not among those that are let in\""]);
    map.filters.insert("allow".into(), lets_in("127.0.0.0/8"));
    it.gateway.apply(&map, 4);
    assert_eq!(get(it.address, "a", "/").status(), 200);
    map.filters.insert("allow".into(), lets_in("10.0.0.0/8"));
    it.gateway.apply(&map, 5);
    assert_eq!(get(it.address, "a", "/").status(), 403);
}

/// Requests to routes that are gone when they end are counted for the entry point alone, those to
/// routes that stayed for these.
#[test]
fn what_ends_after_a_change_counts_for_what_is_left() {
    for (stays, series) in [(true, 1), (false, 0)] {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Mutex::new(released);
        let server = Server::answering(move |_| {
            released.lock().unwrap().recv().unwrap();
            ok("late")
        });
        let routes = [route("main", "a", "/", &[server.address])];
        let (gateway, address) = gateway(&routes);
        let mut client = Client::connect(address);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let is_asked = || server.accepted.load(std::sync::atomic::Ordering::SeqCst) == 1;
        eventually("it is under way", is_asked);
        gateway.apply(&routing(if stays { &routes } else { &[] }), 2);
        assert_eq!(get(address, "nobody", "/").status(), 404, "the change is taken in");
        release.send(()).unwrap();
        assert_eq!(client.receive().who(), "late");
        let count = |name: &str| {
            let metrics = scrape(&gateway);
            metrics.lines().filter(|line| line.starts_with(name)).count()
        };
        let entry = "traefik_entrypoint_requests_total{code=\"200\"";
        eventually("it is counted", || count(entry) == 1);
        assert_eq!(count("traefik_router_requests_total{"), series, "stays: {stays}");
        assert_eq!(count("traefik_service_requests_total{"), series, "stays: {stays}");
    }
}

#[test]
fn endpoints_that_took_no_connection_are_known() {
    let (silent, server) = (dead(), Server::echo("s"));
    let routes = [route("main", "a", "/", &[silent, server.address])];
    let (gateway, address) = gateway(&routes);
    assert!(gateway.silent().is_empty());
    assert_eq!(get(address, "a", "/").status(), 200);
    assert_eq!(gateway.silent(), [silent].into());
    gateway.apply(&routing(&routes), 2);
    assert_eq!(gateway.silent(), [silent].into(), "it is as it was before the change");
}

/// The operator hears of routes that answer for themselves, once in a while.
#[test]
fn the_log_says_who_is_refused_and_who_leads_back() {
    log::keep();
    let (gateway, address) = gateway(&[]);
    let routes = [refused("shut", "shut", "/", &[]), route("back", "back", "/", &[address])];
    gateway.apply(&routing(&routes), 2);
    for (host, status, said) in [
        ("shut", 503, "the route is closed until its configuration is mended"),
        ("back", 508, "the route leads back to this gateway"),
    ] {
        for _ in 0..3 {
            assert_eq!(get(address, host, "/").status(), status);
        }
        let text = log::text();
        let about = format!("route=default-{host}-0@ingress");
        let lines = text.lines().filter(|line| line.contains(said) && line.contains(&about));
        assert_eq!(lines.count(), 1, "{text}");
    }
}

/// What a backend says in pieces is one head; what it never ends is none.
#[test]
fn heads_of_endpoints_come_in_pieces_and_end() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    let slow = Server::start(move |mut stream, _| {
        support::head(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-").unwrap();
        released.lock().unwrap().recv().unwrap();
        stream.write_all(b"Length: 2\r\n\r\nok").unwrap();
    });
    let endless = Server::start(|mut stream, _| {
        support::head(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let other = Server::echo("other");
    let routes = [
        route("slow", "slow", "/", &[slow.address]),
        route("endless", "endless", "/", &[endless.address]),
        route("other", "other", "/", &[other.address]),
    ];
    let (_gateway, address) = gateway(&routes);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: slow\r\n\r\n");
    eventually("it is asked", || slow.accepted.load(std::sync::atomic::Ordering::SeqCst) == 1);
    for _ in 0..3 {
        assert_eq!(get(address, "other", "/").status(), 200);
    }
    release.send(()).unwrap();
    assert_eq!(client.receive().text(), "ok");
    let answer = get(address, "endless", "/");
    assert_eq!(answer.status(), 502);
    assert!(answer.text().contains("response head too large"), "{}", answer.text());
}

/// A kept connection that ends when it is used again is no answer; a fresh one is.
#[test]
fn a_filter_asks_again_only_over_a_connection_that_was_kept() {
    let once = Server::start(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if Received::read(&mut reader).is_some() {
            stream.write_all(&ok("aside")).unwrap();
        }
        let _ = Received::read(&mut reader);
    });
    let never = Server::start(|stream, _| {
        let _ = Received::read(&mut BufReader::new(stream));
    });
    let main = Server::echo("main");
    for (aside, status) in [(&once, 200), (&never, 502)] {
        let routes =
            [route("main", "a", "/", &[main.address]), route("aside", "b", "/", &[aside.address])];
        let (gateway, address) = gateway(&routes);
        let mut map = routing(&routes);
        change(&mut map, "main", |route| {
            let filter = "trial:fetch=default/aside:80@ingress".into();
            route.uses = vec![Use { filter, state: "asks-again".into() }];
        });
        gateway.apply(&map, 2);
        for asked in 1..=3 {
            assert_eq!(get(address, "a", "/").status(), status);
            let accepted = aside.accepted.load(std::sync::atomic::Ordering::SeqCst);
            assert_eq!(accepted, asked, "one connection each");
        }
    }
}

/// Whoever was not answered with success is told of, by the name that the answer has.
#[test]
fn what_was_not_answered_with_success_is_explained() {
    let server = Server::answering(|request| match request.head.starts_with("GET /fine") {
        true => ok("fine"),
        false => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
    });
    let routes = [
        route("main", "a", "/", &[dead(), server.address]),
        route("none", "b", "/", &[]),
        route("gone", "c", "/", &[dead()]),
        refused("kept", "denied.local", "/", &[server.address]),
    ];
    let (gateway, address) = gateway(&routes);
    let mut client = Client::connect(address);
    let mut asked = |host: &str, path: &str| {
        let answer = client.get(host, path);
        (answer.status(), answer.header("x-request-id").map(str::to_owned))
    };
    for _ in 0..2 {
        assert_eq!(asked("a", "/fine"), (200, None), "of what succeeds nothing is said");
    }
    let rows =
        [("a", "/x?secret", 404), ("b", "/", 503), ("c", "/", 502), ("denied.local", "/", 503)]
            .map(|(host, path, status)| (host, status, asked(host, path)));
    let nowhere = asked("denied.locl", "/y");
    let refused = Client::connect(address).send("G\r\n\r\n").receive();
    let mut told = Vec::new();
    eventually("all are told of", || {
        told = gateway.failed_requests();
        told.len() == 6
    });
    assert_eq!(told[0].reason, Some("malformed request head"));
    assert_eq!(refused.header("x-request-id"), Some(&*told[0].id.to_string()));
    assert_eq!((Some(told[1].id.to_string()), &*told[1].host), (nowhere.1, "denied.locl"));
    assert!(told[1].details[0].contains("it is for another host"), "{:?}", told[1]);
    for (at, (host, status, (said, id))) in rows.iter().rev().enumerate() {
        let row = &told[at + 2];
        assert_eq!((&*row.host, row.status, *said), (*host, *status, *status), "{row:?}");
        assert_eq!(*id, row.reason.map(|_| row.id.to_string()), "{row:?}");
    }
    let [setting, broken, empty, theirs] = [2, 3, 4, 5].map(|at| &told[at]);
    assert!(setting.details[0].contains("is not honoured"), "{setting:?}");
    assert_eq!(broken.reason, Some("the endpoint does not take connections"));
    assert!(broken.details[0].contains("onnection refused"), "{broken:?}");
    assert_eq!(empty.reason, Some("no endpoint is ready"));
    assert_eq!((theirs.reason, &*theirs.path, &*theirs.method), (None, "/x", "GET"));
    assert_eq!(theirs.endpoint.as_deref(), Some(&*server.address.to_string()));
    assert_eq!(theirs.router.as_deref(), Some("default-main-0@ingress"));
}
