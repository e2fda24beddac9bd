//! Changes under load: weights, routes and listeners come and go while clients ask on connections
//! that they keep, on one each, and by HTTP/2. No connection is reset, and no answer is a 5xx.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use steelyard_gateway::{Gateway, GatewayOptions};
use support::h2::{ask, connect, request, run};
use support::held::HeldServer;
use support::{Client, Served, Server, eventually, gateway_with, get, ok, route, routing, web};

/// Changes that are made, each after some more requests were answered.
const CHANGES: usize = 40;

/// Requests that are answered between two changes, at least.
const BETWEEN: usize = 20;

/// Requests on one connection of HTTP/2, before there is another.
const ON_ONE: usize = 50;

/// Clients that ask until they are told to stop.
#[derive(Default)]
struct Load {
    answered: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }

    fn count(&self, status: u16) {
        assert_eq!(status, 200);
        self.answered.fetch_add(1, Ordering::SeqCst);
    }

    /// On one connection, as long as the gateway leaves it open.
    fn keep(&self, address: SocketAddr) {
        let mut client = Client::connect(address);
        while self.goes_on() {
            let answer = client.get("a", "/");
            self.count(answer.status());
            if answer.header("connection") == Some("close") {
                client = Client::connect(address);
            }
        }
    }

    /// On a connection each.
    fn renew(&self, address: SocketAddr) {
        while self.goes_on() {
            self.count(get(address, "a", "/").status());
        }
    }

    /// By HTTP/2.
    fn share(&self, address: SocketAddr) {
        while self.goes_on() {
            run(async {
                let mut sender = connect(address).await;
                for _ in 0..ON_ONE {
                    let answer = ask(&mut sender, request("GET", "/"), b"").await.unwrap();
                    self.count(answer.status);
                }
            });
        }
    }

    /// Makes each of the changes while all of these ask.
    fn during(&self, address: SocketAddr, mut change: impl FnMut(usize)) {
        // Also when a change fails, else clients would go on for ever.
        struct End<'l>(&'l Load);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.is_over.store(true, Ordering::SeqCst);
            }
        }
        std::thread::scope(|scope| {
            let clients: [fn(&Self, SocketAddr); 5] =
                [Self::keep, Self::keep, Self::renew, Self::renew, Self::share];
            for client in clients {
                scope.spawn(move || {
                    let _end = End(self);
                    client(self, address);
                });
            }
            let _end = End(self);
            for number in 0..CHANGES {
                let before = self.answered.load(Ordering::SeqCst);
                change(number);
                eventually("requests are answered", || {
                    !self.goes_on() || self.answered.load(Ordering::SeqCst) >= before + BETWEEN
                });
                assert!(self.goes_on(), "a client has failed");
            }
        });
    }
}

fn started(routes: &[Served]) -> (Gateway, SocketAddr) {
    gateway_with(routes, GatewayOptions { workers: 2, ..GatewayOptions::default() })
}

#[test]
fn weights_change_under_load() {
    let servers = [Server::echo("one"), Server::echo("two")];
    let [one, two] = servers.each_ref().map(|server| server.address);
    let weighted = |weights: [u32; 2]| {
        let mut both = route("one", "*", "/", &[one]);
        both.services.extend(route("two", "*", "/", &[two]).services);
        both.services.iter_mut().zip(weights).for_each(|(it, weight)| it.weight = weight);
        vec![both]
    };
    let (gateway, address) = started(&weighted([1, 1]));
    let load = Load::default();
    load.during(address, |number| {
        let weights = [[1, 9], [9, 1], [0, 1], [1, 0], [500, 3]][number % 5];
        gateway.apply(&routing(&weighted(weights)), number as u64 + 2);
    });
    gateway.apply(&routing(&weighted([0, 1])), CHANGES as u64 + 2);
    for _ in 0..10 {
        assert_eq!(get(address, "a", "/").who(), "two");
    }
}

/// Each change brings a route and takes another away; the one that is asked for moves to another
/// Service each time.
#[test]
fn routes_come_and_go_under_load() {
    let servers = [Server::echo("one"), Server::echo("two")];
    let table = |number: usize| {
        let mut routes = vec![route("asked", "*", "/", &[servers[number % 2].address])];
        for beside in number..number + 5 {
            let name = format!("beside-{beside}");
            routes.push(route(&name, &format!("{name}.test"), "/", &[servers[0].address]));
        }
        routes
    };
    let (gateway, address) = started(&table(0));
    let load = Load::default();
    load.during(address, |number| gateway.apply(&routing(&table(number)), number as u64 + 2));
    let last = CHANGES - 1;
    assert_eq!(get(address, &format!("beside-{last}.test"), "/").who(), "one");
    assert_eq!(get(address, "a", "/").who(), ["one", "two"][last % 2]);
}

/// A listener beside the one that is asked comes, is asked, and goes while it has a request, which
/// is answered. Its clients are told by their answers.
#[test]
fn listeners_come_and_go_under_load() {
    let server = Server::answering(|_| ok("x"));
    let (gateway, address) = started(&[route("one", "*", "/", &[server.address])]);
    let load = Load::default();
    load.during(address, |number| {
        let held = HeldServer::start("late");
        let routes = [
            route("one", "*", "/", &[server.address]),
            route("held", "held", "/", &[held.server.address]),
        ];
        gateway.apply(&routing(&routes), number as u64 + 2);
        // Nobody else has it at this moment.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let both = gateway.listen(&[web(0), web(port)]);
        assert_eq!(both[0].1.as_ref().unwrap(), &address);
        // Somebody took it in between: then there is none to ask.
        let Ok(beside) = both[1].1 else { return };
        let mut busy = Client::connect(beside);
        assert_eq!(busy.get("a", "/").status(), 200);
        busy.send("GET / HTTP/1.1\r\nHost: held\r\n\r\n");
        eventually("it is asked", || held.server.accepted.load(Ordering::SeqCst) > 0);
        gateway.listen(&[web(0)]);
        held.release();
        let answer = busy.receive();
        assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
        assert!(busy.is_closed());
    });
}
