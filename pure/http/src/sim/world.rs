//! A gateway with its clients and endpoints, and the promises of all they do.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::chance::Chance;
use super::client::{Ask, Client};
use super::endpoint::{Endpoint, Plan, Surplus, Then};
use super::gateway::Connection;
use super::pipe::{End, Pipe};
use super::{Broken, start};
use crate::{Clean, Limits};

/// Everything there is in a run.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) chance: Chance,
    pub(super) pipes: Vec<Pipe>,
    pub(super) asks: Vec<Ask>,
    pub(super) pool: Vec<Clean<usize>>,
    /// Size of buffers for bodies.
    pub(super) bulk: usize,
    /// Everybody behaves: every answer is the endpoint's.
    pub(super) calm: bool,
    pub(super) broken: Option<Broken>,
    pub(super) failure: Option<String>,
    pub(super) story: String,
    verbose: bool,
    reused: usize,
    endpoints: Vec<Endpoint>,
    connections: Vec<Connection>,
}

/// What happens in a run at most.
const MOST: usize = 400_000;

pub(super) fn limits() -> Limits {
    Limits {
        request_body: Duration::from_secs(60),
        write: Duration::from_secs(60),
        response_head: None,
        half_closed: Duration::from_secs(10),
    }
}

/// What happened, or why it must not.
pub(super) fn run(seed: u64, broken: Option<Broken>, verbose: bool) -> Result<String, String> {
    let mut chance = Chance::new(seed);
    let calm = chance.percent(50);
    let mut world = World {
        now: start(),
        bulk: chance.pick(&[1200, 2000]),
        chance,
        pipes: Vec::new(),
        asks: Vec::new(),
        pool: Vec::new(),
        calm,
        broken,
        failure: None,
        story: String::new(),
        verbose,
        reused: 0,
        endpoints: Vec::new(),
        connections: Vec::new(),
    };
    let count = 1 + world.chance.below(4);
    let mut clients: Vec<Client> =
        (0..count).map(|_| Client::new(&mut world.asks, calm, &mut world.chance)).collect();
    world.go_on(&mut clients);
    world.check_answers(&clients);
    // Who still waits is patient no more; nothing of it may stay.
    clients.iter_mut().for_each(|it| it.give_up(&mut world));
    world.go_on(&mut clients);
    world.check_rest();
    let (asks, reused) = (world.asks.len(), world.reused);
    match world.failure {
        Some(why) => Err(format!("seed {seed}: {why}\n{}", world.story)),
        None => Ok(format!("{asks} asked, {reused} on a used connection\n{}", world.story)),
    }
}

impl World {
    pub(super) fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>6} ms {}", (self.now - start()).as_millis(), what());
        }
    }

    /// A client's connection.
    pub(super) fn connect(&mut self) -> usize {
        self.pipes.push(Pipe::new(&mut self.chance));
        let pipe = self.pipes.len() - 1;
        self.connections.push(Connection::new(pipe));
        pipe
    }

    /// A connection to an endpoint.
    pub(super) fn dial(&mut self) -> usize {
        self.pipes.push(Pipe::new(&mut self.chance));
        let pipe = self.pipes.len() - 1;
        self.endpoints.push(Endpoint::new(pipe));
        pipe
    }

    /// An idle connection to an endpoint on which nothing came.
    pub(super) fn checkout(&mut self) -> Option<Clean<usize>> {
        while let Some(clean) = self.pool.pop() {
            let pipe = &mut self.pipes[*clean.get()];
            if !pipe.is_ended(End::Near) && pipe.unread(End::Near).next().is_none() {
                self.reused += 1;
                return Some(clean);
            }
            pipe.close(End::Near);
        }
        None
    }

    fn endpoint_at(&self, pipe: usize) -> Option<&Endpoint> {
        self.endpoints.iter().find(|it| it.pipe == pipe)
    }

    /// What the endpoint does about a request, if it got it.
    pub(super) fn plan_at(&self, pipe: usize, id: usize) -> Option<Plan> {
        self.endpoint_at(pipe)?.at.filter(|(at, _)| *at == id).map(|(_, plan)| plan)
    }

    /// Whether a request may end without its answer: who got it misbehaves.
    pub(super) fn may_fail(&self, id: usize) -> bool {
        let pipes = self.asks.get(id).map_or(&[][..], |ask| &ask.pipes[..]);
        pipes.iter().any(|pipe| self.endpoint_at(*pipe).is_some_and(|it| it.misbehaves))
    }

    /// Whether the endpoint has all of a request, or will have when it reads what lies there.
    pub(super) fn has_whole(&self, pipe: usize) -> bool {
        let Some(endpoint) = self.endpoint_at(pipe) else { return false };
        let mut reader = endpoint.reader.clone();
        let mut bytes = self.pipes[pipe].unread(End::Far);
        let read = bytes.try_for_each(|byte| reader.feed(byte, &mut Vec::new()));
        read.is_ok() && reader.is_idle()
    }

    /// Whether a connection is as good as new, as far as both ends know.
    pub(super) fn is_untouched(&self, pipe: usize, id: usize) -> bool {
        let Some(endpoint) = self.endpoint_at(pipe) else { return false };
        let Some((_, plan)) = endpoint.at.filter(|(at, _)| *at == id) else { return false };
        plan.then == Then::Stay
            && plan.surplus != Surplus::With
            && (plan.hundred || !self.asks[id].expects)
            && endpoint.is_flushed()
            && self.pipes[pipe].unread(End::Near).next().is_none()
            && !self.pipes[pipe].is_ended(End::Near)
            && self.has_whole(pipe)
    }

    /// Until nobody can do anything, nor will with time.
    fn go_on(&mut self, clients: &mut [Client]) {
        for _ in 0..MOST {
            if self.failure.is_some() {
                return;
            }
            let count = clients.len() + self.endpoints.len() + self.connections.len();
            let first = self.chance.below(count);
            let moved = (0..count).any(|n| self.turn((first + n) % count, clients));
            if !moved && !self.sleep(clients) {
                return;
            }
        }
        self.fail("it does not come to an end".to_owned());
    }

    fn turn(&mut self, n: usize, clients: &mut [Client]) -> bool {
        if let Some(client) = clients.get_mut(n) {
            return client.turn(self);
        }
        let n = n - clients.len();
        if n < self.endpoints.len() {
            let mut endpoint = std::mem::replace(&mut self.endpoints[n], Endpoint::new(0));
            let moved = endpoint.turn(self);
            self.endpoints[n] = endpoint;
            return moved;
        }
        let n = n - self.endpoints.len();
        let mut connection = std::mem::replace(&mut self.connections[n], Connection::new(0));
        let moved = connection.turn(self);
        self.connections[n] = connection;
        moved
    }

    /// Until the next moment at which somebody does something.
    fn sleep(&mut self, clients: &[Client]) -> bool {
        let clients = clients.iter().filter_map(Client::resume);
        let endpoints = self.endpoints.iter().filter_map(Endpoint::resume);
        let connections = self.connections.iter().filter_map(|it| it.deadline);
        let moments = clients.chain(endpoints).chain(connections);
        let Some(next) = moments.filter(|next| *next > self.now).min() else { return false };
        self.now = next;
        true
    }

    fn check_answers(&mut self, clients: &[Client]) {
        if let Some(why) = clients.iter().find_map(|it| it.complaint(self)) {
            self.fail(why);
        }
    }

    /// Nothing is left of who is gone.
    fn check_rest(&mut self) {
        if let Some(connection) = self.connections.iter().find(|it| !it.is_closed()) {
            let why = format!("a connection {} after its client left", connection.at());
            self.fail(why);
        }
        let leaked = self.endpoints.iter().map(|it| it.pipe).find(|pipe| {
            let pooled = self.pool.iter().any(|it| it.get() == pipe);
            !pooled && !self.pipes[*pipe].is_closed(End::Near)
        });
        if let Some(pipe) = leaked {
            self.fail(format!("nobody has pipe {pipe}, and nobody closed it"));
        }
        let _ = write!(self.story, "{} connections to endpoints", self.endpoints.len());
    }
}
