//! One run from its seed: clients, the gateway's connections and endpoints take turns until nobody
//! can do anything, and the promises of all they did are held.

use super::Broken;
use super::client::Client;
use super::endpoint::Endpoint;
use super::gateway::Connection;
use super::pipe::End;
use super::stage::Stage;
use super::world::World;

/// What happens in a run at most.
const MOST: usize = 400_000;

/// Everybody there is.
struct Run {
    world: World,
    clients: Vec<Client>,
    connections: Vec<Connection>,
}

/// What happened, or why it must not.
pub(super) fn run(seed: u64, broken: Option<Broken>, verbose: bool) -> Result<String, String> {
    let mut stage = Stage::new(seed, broken, verbose);
    let calm = stage.calm;
    let count = 1 + stage.chance.below(4);
    let client = |_| Client::new(&mut stage.asks, calm, &mut stage.chance);
    let clients = (0..count).map(client).collect();
    let mut run = Run { world: World::new(stage), clients, connections: Vec::new() };
    run.go_on();
    run.check_answers();
    // Who still waits is patient no more; nothing of it may stay.
    let Run { world, clients, .. } = &mut run;
    clients.iter_mut().for_each(|it| it.give_up(world));
    run.go_on();
    run.check_rest();
    let World { stage, endpoints, reused, .. } = run.world;
    let dialed = format!("{} connections to endpoints", endpoints.len());
    match stage.failure {
        Some(why) => Err(format!("seed {seed}: {why}\n{dialed}")),
        None => Ok(format!("{} asked, {reused} on a used connection\n{dialed}", stage.asks.len())),
    }
}

impl Run {
    /// Until nobody can do anything, nor will with time.
    fn go_on(&mut self) {
        for _ in 0..MOST {
            if self.world.stage.failure.is_some() {
                return;
            }
            let count = self.clients.len() + self.world.endpoints.len() + self.connections.len();
            let first = self.world.stage.chance.below(count);
            let moved = (0..count).any(|n| self.turn((first + n) % count));
            self.connections.extend(self.world.arrivals.drain(..).map(Connection::new));
            if !moved && !self.sleep() {
                return;
            }
        }
        self.world.stage.fail("it does not come to an end".to_owned());
    }

    fn turn(&mut self, n: usize) -> bool {
        let World { stage, endpoints, .. } = &mut self.world;
        let (endpoint, connection) = (
            n.wrapping_sub(self.clients.len()),
            n.wrapping_sub(self.clients.len() + endpoints.len()),
        );
        if let Some(client) = self.clients.get_mut(n) {
            client.turn(&mut self.world)
        } else if let Some(endpoint) = endpoints.get_mut(endpoint) {
            endpoint.turn(stage)
        } else {
            self.connections[connection].turn(&mut self.world)
        }
    }

    /// Until the next moment at which somebody does something.
    fn sleep(&mut self) -> bool {
        let clients = self.clients.iter().filter_map(Client::resume);
        let endpoints = self.world.endpoints.iter().filter_map(Endpoint::resume);
        let connections = self.connections.iter().filter_map(|it| it.deadline);
        let moments = clients.chain(endpoints).chain(connections);
        let now = &mut self.world.stage.now;
        let Some(next) = moments.filter(|next| next > now).min() else { return false };
        *now = next;
        true
    }

    fn check_answers(&mut self) {
        if let Some(why) = self.clients.iter().find_map(|it| it.complaint(&self.world)) {
            self.world.stage.fail(why);
        }
    }

    /// Nothing is left of who is gone.
    fn check_rest(&mut self) {
        let World { stage, endpoints, .. } = &mut self.world;
        if let Some(connection) = self.connections.iter().find(|it| !it.is_closed()) {
            stage.fail(format!("a connection {} after its client left", connection.at()));
        }
        let leaked = endpoints.iter().map(|it| it.pipe).find(|pipe| {
            let pooled = stage.pool.iter().any(|it| it.get() == pipe);
            !pooled && !stage.pipes[*pipe].is_closed(End::Near)
        });
        if let Some(pipe) = leaked {
            stage.fail(format!("nobody has pipe {pipe}, and nobody closed it"));
        }
    }
}
