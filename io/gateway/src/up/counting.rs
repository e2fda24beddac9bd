//! Servers that count for many replicas (Redis, Valkey): connections to them, kept per core, on
//! which one script is run after the other.
//!
//! A connection serves one request at a time, and none any more once something is amiss on it. Who
//! is waited for longer than he may take, or cannot be reached, has not answered: who asks lets
//! nobody in then.
//!
//! Several servers may be a cluster: one that says that another has the key (`MOVED`) is believed,
//! and the others that are known are asked. Where it says the other is does not matter: nobody is
//! reached whom nobody has named.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_filters::Script;
use steelyard_http::release;
use steelyard_model::routing::filter::limit::RedisStore;
use steelyard_resp::{Reply, slot, write};
use tokio::sync::Semaphore;

use crate::wire::Wire;
use crate::wire::buffers::{Buffer, BufferPool};
use crate::wire::stream::Stream;
use crate::wire::timer::within;

/// Connections of a pool whose size nobody says, for each core (Traefik).
const USUAL: usize = 10;

/// How long one is kept that nobody needs, beyond those that are always kept.
const IDLE: Duration = Duration::from_mins(5);

/// The servers of one core.
pub(crate) struct Counting {
    pools: RefCell<Vec<Rc<Pool>>>,
    /// What replies are read into.
    heads: Rc<BufferPool>,
    /// How many cores there are.
    cores: usize,
}

/// Connections to the servers of a list, by all that is said of them.
struct Pool {
    store: Arc<RedisStore>,
    idle: RefCell<Vec<Idle>>,
    /// Who is asked first: who took us last.
    first: Cell<usize>,
    /// The same of slots of a cluster that others have.
    led: RefCell<HashMap<u16, usize>>,
    /// How many there may be.
    places: Semaphore,
    used: Cell<Instant>,
}

struct Idle {
    link: Link,
    /// Whose it is, by its place in the list.
    at: usize,
    since: Instant,
}

/// One connection, whose server knows who we are.
struct Link {
    stream: Stream,
    slot: Option<Buffer>,
}

impl Counting {
    pub(crate) fn new(heads: Rc<BufferPool>, cores: usize) -> Self {
        Self { pools: RefCell::default(), heads, cores }
    }

    /// What a script comes to that a server of `store` runs. `reach` connects to the one at this
    /// place of its list.
    pub(crate) async fn run<F: Future<Output = io::Result<Stream>>>(
        &self,
        store: &Arc<RedisStore>,
        script: &Script,
        reach: impl Fn(usize) -> F,
    ) -> io::Result<Vec<Box<[u8]>>> {
        let pool = self.pool(store);
        pool.used.set(Instant::now());
        let times = Times::of(store);
        // As long as an answer may take, and a second (Traefik).
        let waiting = within(times.read + Duration::from_secs(1), async {
            pool.places.acquire().await.map_err(io::Error::other)
        });
        let _place = waiting.await?;
        let slot = slot(&script.key);
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        let mut has_moved = false;
        for at in pool.order(slot) {
            match self.run_at(&pool, at, script, &reach).await {
                Ok(said) => {
                    pool.know(at, has_moved.then_some(slot));
                    return Ok(said);
                }
                Err(Refused::Moved) => {
                    has_moved = true;
                    failed = io::Error::other("none of the servers has the key");
                }
                Err(Refused::Unreached(error)) => failed = error,
                Err(Refused::Failed(error)) => return Err(error),
            }
        }
        Err(failed)
    }

    /// The same at one server.
    async fn run_at<F: Future<Output = io::Result<Stream>>>(
        &self,
        pool: &Pool,
        at: usize,
        script: &Script,
        reach: impl Fn(usize) -> F,
    ) -> Result<Vec<Box<[u8]>>, Refused> {
        let times = Times::of(&pool.store);
        while let Some(mut link) = pool.idle(at) {
            match link.run(&self.heads, script, times).await {
                // The server may have closed it in this moment: a fresh one tells.
                Err(Refused::Failed(error)) if is_of_connection(&error) => {}
                outcome => return pool.kept(link, at, outcome),
            }
        }
        let connecting = pool.connect(&self.heads, times, reach(at)).await;
        let mut link = connecting.map_err(Refused::Unreached)?;
        let outcome = link.run(&self.heads, script, times).await;
        pool.kept(link, at, outcome)
    }

    fn pool(&self, store: &Arc<RedisStore>) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        let is_it = |it: &&Rc<Pool>| Arc::ptr_eq(&it.store, store) || it.store == *store;
        if let Some(known) = pools.iter().find(is_it) {
            return known.clone();
        }
        let made = Rc::new(Pool {
            store: store.clone(),
            idle: RefCell::default(),
            first: Cell::default(),
            led: RefCell::default(),
            places: Semaphore::new(places(store, self.cores)),
            used: Cell::new(Instant::now()),
        });
        pools.push(made.clone());
        made
    }

    /// Once a second: closes what nobody needs, and forgets who is not asked any more.
    pub(crate) fn prune(&self, now: Instant) {
        let mut pools = self.pools.borrow_mut();
        pools.retain(|pool| {
            let least = usize::try_from(pool.store.idle).unwrap_or(usize::MAX);
            let mut idle = pool.idle.borrow_mut();
            let is_old = |it: &Idle| now.saturating_duration_since(it.since) >= IDLE;
            let surplus = idle.len().saturating_sub(least);
            // Those that were used last are at the end.
            let old = idle.iter().take(surplus).take_while(|it| is_old(it)).count();
            idle.drain(..old);
            idle.retain(|it| it.link.stream.is_alive());
            Rc::strong_count(pool) > 1 || now.saturating_duration_since(pool.used.get()) < IDLE
        });
    }
}

/// How many connections a core of so many may have.
fn places(store: &RedisStore, cores: usize) -> usize {
    let size = |of: u64| usize::try_from(of).unwrap_or(usize::MAX);
    let all = match (size(store.pool), size(store.active)) {
        (0, 0) => return USUAL,
        (0, most) => most.min(USUAL.saturating_mul(cores)),
        (pool, 0) => pool,
        (pool, most) => pool.min(most),
    };
    (all / cores.max(1)).clamp(1, Semaphore::MAX_PERMITS)
}

/// Why a server has not run a script.
enum Refused {
    /// Another one has the key.
    Moved,
    /// It takes nobody.
    Unreached(io::Error),
    Failed(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Pool {
    /// Servers in the order in which they are asked about a slot.
    fn order(&self, slot: u16) -> impl Iterator<Item = usize> + use<> {
        let first = self.led.borrow().get(&slot).copied().unwrap_or_else(|| self.first.get());
        std::iter::once(first).chain((0..self.store.servers.len()).filter(move |at| *at != first))
    }

    /// This one has taken us, where others have said that the slot is not theirs.
    fn know(&self, at: usize, slot: Option<u16>) {
        match slot {
            Some(slot) => drop(self.led.borrow_mut().insert(slot, at)),
            None => self.first.set(at),
        }
    }

    /// One to a server that is there, the one that was used last.
    fn idle(&self, at: usize) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let last = idle.iter().rposition(|it| it.at == at)?;
            let link = idle.remove(last).link;
            if link.stream.is_silent() {
                return Some(link);
            }
        }
    }

    /// Keeps one that has come to an outcome.
    fn kept<T>(&self, link: Link, at: usize, outcome: Result<T, Refused>) -> Result<T, Refused> {
        if link.slot.is_none() && matches!(outcome, Ok(_) | Err(Refused::Moved)) {
            self.idle.borrow_mut().push(Idle { link, at, since: Instant::now() });
        }
        outcome
    }

    /// A fresh one.
    async fn connect(
        &self,
        heads: &Rc<BufferPool>,
        times: Times,
        reaching: impl Future<Output = io::Result<Stream>>,
    ) -> io::Result<Link> {
        let stream = within(times.dial, reaching).await?;
        Link { stream, slot: None }.greet(heads, &self.store, times).await
    }
}

/// How long what may take.
#[derive(Clone, Copy)]
struct Times {
    dial: Duration,
    write: Duration,
    read: Duration,
}

impl Times {
    fn of(store: &RedisStore) -> Self {
        let or =
            |time: Option<Duration>, seconds| time.unwrap_or_else(|| Duration::from_secs(seconds));
        Self { dial: or(store.dial, 5), write: or(store.write, 3), read: or(store.read, 3) }
    }
}

impl Link {
    /// Says who we are, and which database is meant.
    async fn greet(
        mut self,
        heads: &Rc<BufferPool>,
        store: &RedisStore,
        times: Times,
    ) -> io::Result<Self> {
        let (mut out, mut awaited) = (Vec::new(), 0);
        if let Some((name, password)) = &store.credentials {
            match name.is_empty() {
                true => write(&[b"AUTH", password.as_bytes()], &mut out),
                false => write(&[b"AUTH", name.as_bytes(), password.as_bytes()], &mut out),
            }
            awaited += 1;
        }
        if store.database > 0 {
            write(&[b"SELECT", store.database.to_string().as_bytes()], &mut out);
            awaited += 1;
        }
        if awaited > 0 {
            self.say(&out, times).await?;
        }
        for _ in 0..awaited {
            let reply = self.reply(heads, times).await?;
            if let Some(fault) = reply.fault() {
                let fault = String::from_utf8_lossy(fault).into_owned();
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, fault));
            }
        }
        Ok(self)
    }

    /// What a script comes to: by its digest, and whole where the server does not know that.
    async fn run(
        &mut self,
        heads: &Rc<BufferPool>,
        script: &Script,
        times: Times,
    ) -> Result<Vec<Box<[u8]>>, Refused> {
        self.say(&command(b"EVALSHA", script.digest.as_bytes(), script), times).await?;
        let mut reply = self.reply(heads, times).await?;
        if reply.fault() == Some(b"NOSCRIPT") {
            self.say(&command(b"EVAL", script.text.as_bytes(), script), times).await?;
            reply = self.reply(heads, times).await?;
        }
        match reply {
            Reply::List(Some(parts)) => {
                let texts = parts.iter().map(Reply::text).collect::<Option<_>>();
                let error = || io::Error::other("the script says what it should not");
                Ok(texts.ok_or_else(error)?)
            }
            moved if moved.fault() == Some(b"MOVED") => Err(Refused::Moved),
            other => {
                let fault = other.fault().map(|it| String::from_utf8_lossy(it).into_owned());
                let fault = fault.unwrap_or_else(|| "no list".to_owned());
                Err(io::Error::other(format!("the script cannot be run: {fault}")).into())
            }
        }
    }

    async fn say(&self, bytes: &[u8], times: Times) -> io::Result<()> {
        self.stream.write_all(bytes, times.write).await.map_err(|(error, _)| error)
    }

    async fn reply(&mut self, heads: &Rc<BufferPool>, times: Times) -> io::Result<Reply> {
        within(times.read, async {
            loop {
                if let Some(buffer) = &self.slot {
                    let read = Reply::read(buffer).map_err(io::Error::other)?;
                    if let Some((reply, len)) = read {
                        release(&mut self.slot, len);
                        return Ok(reply);
                    }
                }
                if self.stream.read(heads, &mut self.slot).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        })
        .await
    }
}

fn command(word: &[u8], script: &[u8], it: &Script) -> Vec<u8> {
    let mut parts = vec![word, script, b"1", &it.key];
    parts.extend(it.arguments.iter().map(|argument| argument.as_bytes()));
    let mut out = Vec::new();
    write(&parts, &mut out);
    out
}

/// Whether a connection that was kept may just have been closed.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
    };
    [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof]
        .contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_share_what_a_pool_may_have() {
        let store = |pool, active| RedisStore {
            servers: Vec::new(),
            credentials: None,
            tls: None,
            database: 0,
            pool,
            idle: 0,
            active,
            read: None,
            write: None,
            dial: None,
        };
        for (pool, active, cores, expected) in [
            (0, 0, 1, 10),
            (0, 0, 4, 10),
            (8, 0, 4, 2),
            (8, 4, 4, 1),
            (0, 8, 4, 2),
            (0, 800, 4, 10),
            (1, 0, 4, 1),
        ] {
            assert_eq!(places(&store(pool, active), cores), expected, "{pool} {active} {cores}");
        }
    }
}
