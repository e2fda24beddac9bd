//! Nothing is lost where it need not be, and nothing is made worse: retries and their budget,
//! limits, and endpoints that come and go under load.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use steelyard_gateway::{EndpointFitness, Gateway, GatewayOptions, Timeouts};
use steelyard_model::EndpointState;
use steelyard_model::routing::backend::{Algorithm, Backend};
use steelyard_model::routing::care::{Care, Most};
use steelyard_model::routing::id::BackendId;
use support::care::*;
use support::*;

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd";

/// Everything fails: each request is tried elsewhere only as often as the budget bears, and what
/// may not be repeated is sent once.
#[test]
fn an_outage_is_not_made_worse_and_nothing_is_sent_twice() {
    let broken = [(); 6].map(|()| breaking(false));
    let resetting = [(); 4].map(|()| breaking(true));
    let all = || broken.iter().chain(&resetting);
    let endpoints: Vec<SocketAddr> = all().map(|(server, _)| server.address).collect();
    let (gateway, address) = gateway(&[route("app", "*", "/", &endpoints)]);
    let sent = || all().map(|(_, count)| count.load(Ordering::SeqCst)).sum::<usize>();
    let mut client = Client::connect(address);
    for _ in 0..40 {
        assert_eq!(client.send(POST).receive().status(), 502);
    }
    assert_eq!(sent(), 40, "what may not be repeated is not");
    let (began, requests) = (Instant::now(), 600);
    for _ in 0..requests {
        assert_eq!(client.get("a", "/").status(), 502);
    }
    let floor = usize::try_from(20 * (began.elapsed().as_secs() + 6)).unwrap();
    let attempts = sent() - 40;
    assert!(attempts > requests, "some are tried again: {attempts}");
    assert!(attempts <= requests * 12 / 10 + floor, "{attempts}");
    let metrics = scrape(&gateway);
    let withheld = "steelyard_service_retries_withheld_total{service=\"default-app-80@ingress\"} ";
    assert!(metrics.lines().any(|it| it.starts_with(withheld)), "{metrics}");
}

/// It hears of connections and takes none: finding out takes a while, and is done twice. After that
/// it is asked last.
#[test]
fn an_endpoint_that_hangs_on_accept_is_waited_for_twice() {
    let kind = socket2::Type::STREAM;
    let hanging = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
    hanging.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    hanging.listen(0).unwrap();
    let at = hanging.local_addr().unwrap().as_socket().unwrap();
    // Its queue is full.
    let _queue = [(); 3].map(|()| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&at.into());
        socket
    });
    let steady = Server::echo("steady");
    let timeouts = Timeouts { connect: Duration::from_millis(100), ..Timeouts::default() };
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let (gateway, address) =
        gateway_with(&[route("app", "*", "/", &[at, steady.address])], options);
    let mut client = Client::connect(address);
    eventually("it is known", || {
        assert_eq!(client.get("a", "/").who(), "steady");
        state(&gateway, "app", at) == EndpointFitness::Shunned
    });
    let failure = told(&gateway, "app", at).last_failure.unwrap().1;
    assert!(failure.contains("timed out"), "{failure}");
    let name = format!("steelyard_endpoint_connect_failures_total{{endpoint=\"{at}\"}} ");
    let metrics = scrape(&gateway);
    let failures = metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap();
    assert_eq!(failures, "2");
}

/// It takes no connections, then takes them, every 50 ms; the other one has all that it does not.
#[test]
fn an_endpoint_that_flaps_costs_nobody_anything() {
    let stop = Arc::new(AtomicBool::new(false));
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flapping = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            let mut is_open = false;
            let mut socket = None;
            let mut turn = Instant::now();
            while !stop.load(Ordering::SeqCst) {
                if turn.elapsed() > Duration::from_millis(50) {
                    (is_open, turn) = (!is_open, Instant::now());
                    socket = is_open.then(|| reopened(address));
                }
                match socket.as_ref().map(TcpListener::accept) {
                    Some(Ok((stream, _))) => answer_once(stream),
                    _ => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        })
    };
    let steady = Server::echo("steady");
    let (_gateway, at) = gateway(&[route("app", "*", "/", &[address, steady.address])]);
    let mut client = Client::connect(at);
    let began = Instant::now();
    let mut who = std::collections::BTreeSet::new();
    while began.elapsed() < Duration::from_millis(1_500) {
        let answer = client.get("a", "/");
        assert_eq!(answer.status(), 200, "{answer:?}");
        who.insert(answer.who());
    }
    stop.store(true, Ordering::SeqCst);
    flapping.join().unwrap();
    assert!(who.contains("steady"), "{who:?}");
}

fn reopened(address: SocketAddr) -> TcpListener {
    let kind = socket2::Type::STREAM;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(64).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

fn answer_once(mut stream: std::net::TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
    if Received::read(&mut reader).is_some() {
        let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nflaps";
        let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
    }
}

/// An endpoint has as many requests as it may; the next goes to another, further ones wait, and
/// those who would be too many, or wait for too long, are told.
#[test]
fn endpoints_have_no_more_than_they_may() {
    let busy = Arc::<AtomicUsize>::default();
    let most_at_once = Arc::<AtomicUsize>::default();
    let open = Arc::new(AtomicBool::new(false));
    let serve = || {
        let (busy, most, open) = (busy.clone(), most_at_once.clone(), open.clone());
        Server::answering(move |_| {
            let now = busy.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            eventually("it may answer", || open.load(Ordering::SeqCst));
            busy.fetch_sub(1, Ordering::SeqCst);
            ok("done")
        })
    };
    let servers = [serve(), serve()];
    let mut map = routing(&[route("app", "*", "/", &servers.each_ref().map(|it| it.address))]);
    let limit = |pending: u32, patience: Duration| {
        let most = Some(Most { in_flight: 2, pending, patience });
        Care { most, ..Care::default() }
    };
    look_after(&mut map, "app", limit(3, PATIENCE));
    let (gateway, address) = gateway(&[]);
    gateway.apply(&map, 2);
    let ask = move || {
        std::thread::spawn(move || {
            let answer = get(address, "a", "/");
            (answer.status(), answer.text())
        })
    };
    let statuses = |all: Vec<std::thread::JoinHandle<(u16, String)>>| {
        Vec::from_iter(all.into_iter().map(|it| it.join().unwrap().0))
    };
    let first = Vec::from_iter((0..4).map(|_| ask()));
    eventually("four are served", || busy.load(Ordering::SeqCst) == 4);
    let mut others = Vec::from_iter((0..8).map(|_| ask()));
    eventually("three wait", || others.iter().filter(|it| it.is_finished()).count() == 5);
    for told in others.extract_if(.., |it| it.is_finished()) {
        let (status, text) = told.join().unwrap();
        assert!(status == 503 && text.contains("as many requests as it may"), "{text}");
    }
    assert_eq!(busy.load(Ordering::SeqCst), 4);
    open.store(true, Ordering::SeqCst);
    assert_eq!(statuses(first), [200; 4]);
    assert_eq!(statuses(others), [200; 3]);
    assert_eq!(most_at_once.load(Ordering::SeqCst), 4);
    // Who waits in vain is told after a while.
    open.store(false, Ordering::SeqCst);
    look_after(&mut map, "app", limit(3, Duration::from_millis(50)));
    gateway.apply(&map, 3);
    let first = Vec::from_iter((0..4).map(|_| ask()));
    eventually("four are served", || busy.load(Ordering::SeqCst) == 4);
    assert_eq!(get(address, "a", "/").status(), 503);
    open.store(true, Ordering::SeqCst);
    assert_eq!(statuses(first), [200; 4]);
}

/// Of four one takes its time: who chooses by time asks it rarely, on all threads.
#[test]
fn who_answers_late_gets_less() {
    let late = Arc::<AtomicUsize>::default();
    let count = late.clone();
    let slow = Server::answering(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(30));
        ok("slow")
    });
    let others = ["one", "two", "three"].map(Server::echo);
    let mut all = others.each_ref().map(|it| it.address).to_vec();
    all.push(slow.address);
    let options = GatewayOptions { workers: 2, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[], options);
    for (generation, algorithm) in (2..).zip([Algorithm::LeastTime, Algorithm::PeakEwma]) {
        let mut map = routing(&[route("app", "*", "/", &all)]);
        let id = BackendId::from("default/app:80@ingress");
        let mut node = (**map.backends.get(&id).unwrap()).clone();
        let Backend::Endpoints(endpoints) = &mut node.backend else { panic!("a leaf") };
        endpoints.algorithm = algorithm.clone();
        map.backends.insert(id, Arc::new(node));
        gateway.apply(&map, generation);
        late.store(0, Ordering::SeqCst);
        let clients = (0..4).map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                (0..50).for_each(|_| assert_eq!(client.get("a", "/").status(), 200));
            })
        });
        Vec::from_iter(clients).into_iter().for_each(|it| it.join().unwrap());
        let late = late.load(Ordering::SeqCst);
        assert!(late < 25, "{algorithm:?}: {late} of 200, where 50 are a fourth");
    }
}

/// Clients that ask all the time, by GET and by POST, until they are told to stop: how many were
/// answered, and what went wrong.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<std::thread::JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    fn start(address: SocketAddr, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..count)
            .map(|number| {
                let stop = stop.clone();
                std::thread::spawn(move || {
                    let (mut answered, mut wrong) = (0, Vec::new());
                    let mut client = Client::connect(address);
                    while !stop.load(Ordering::SeqCst) {
                        let ask = if number % 2 == 0 {
                            "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                        } else {
                            POST
                        };
                        client.send(ask);
                        match Received::read(&mut client.reader) {
                            Some(answer) if answer.status() == 200 => answered += 1,
                            other => {
                                wrong.push(format!("{number}: {other:?}"));
                                client = Client::connect(address);
                            }
                        }
                    }
                    (answered, wrong)
                })
            })
            .collect();
        Self { stop, clients }
    }

    fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.clients.into_iter().map(|it| it.join().unwrap());
        ended.fold((0, Vec::new()), |(sum, mut all), (answered, wrong)| {
            all.extend(wrong);
            (sum + answered, all)
        })
    }
}

/// An endpoint as Kubernetes ends it: it goes on for a while, then takes no connections, ends those
/// that wait for a request, and finishes what it has.
struct Pod {
    server: Server,
    is_ending: Arc<AtomicBool>,
}

impl Pod {
    fn start() -> Self {
        let is_ending = Arc::new(AtomicBool::new(false));
        let ending = is_ending.clone();
        let server = Server::start(move |mut stream, _| {
            stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            loop {
                // Ended between two requests, as servers do: a request that comes is answered.
                let mut first = [0];
                match stream.peek(&mut first) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(_) if ending.load(Ordering::SeqCst) => return,
                    Err(_) => continue,
                }
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
                if Received::read(&mut reader).is_none() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(2));
                if std::io::Write::write_all(&mut stream, &ok("pod")).is_err() {
                    return;
                }
                stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            }
        });
        Self { server, is_ending }
    }

    fn end(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
    }
}

fn apply(gateway: &Gateway, pods: &[(SocketAddr, EndpointState)], generation: u64) {
    let addresses: Vec<SocketAddr> = pods.iter().map(|(address, _)| *address).collect();
    let mut app = route("app", "*", "/", &addresses);
    for (endpoint, (_, state)) in app.services[0].endpoints.iter_mut().zip(pods) {
        endpoint.state = *state;
    }
    gateway.apply(&routing(&[app]), generation);
}

/// All endpoints are replaced, one after the other, while clients ask: no request fails.
#[test]
fn a_rollout_under_load_fails_no_request() {
    use EndpointState::{Ready, Terminating};
    let mut pods: Vec<Pod> = (0..3).map(|_| Pod::start()).collect();
    let (gateway, address) = gateway(&[]);
    let told = Mutex::new(1);
    let tell = |pods: &[(SocketAddr, EndpointState)]| {
        let mut generation = told.lock().unwrap();
        *generation += 1;
        apply(&gateway, pods, *generation);
    };
    let ready = |pods: &[Pod]| -> Vec<(SocketAddr, EndpointState)> {
        pods.iter().map(|pod| (pod.server.address, Ready)).collect()
    };
    tell(&ready(&pods));
    let load = Load::start(address, 8);
    for _ in 0..6 {
        let old = pods.remove(0);
        pods.push(Pod::start());
        let mut all = ready(&pods);
        all.push((old.server.address, Terminating));
        tell(&all);
        std::thread::sleep(Duration::from_millis(100));
        old.end();
        std::thread::sleep(Duration::from_millis(50));
        drop(old);
        tell(&ready(&pods));
    }
    // To nothing, and back: that is told, and over when they are there again.
    let (answered, wrong) = load.end();
    assert!(wrong.is_empty(), "{} of {answered}: {:?}", wrong.len(), &wrong[..wrong.len().min(4)]);
    assert!(answered > 500, "{answered}");
    tell(&[]);
    assert_eq!(get(address, "a", "/").status(), 503);
    tell(&ready(&pods));
    assert_eq!(get(address, "a", "/").status(), 200);
}
