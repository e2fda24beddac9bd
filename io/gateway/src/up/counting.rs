//! Servers that count for many replicas (Redis, Valkey): connections to them, kept per core, on
//! which one script is run after the other.
//!
//! A connection serves one request at a time, and none any more once something is amiss on it. Who
//! is waited for longer than he may take, or cannot be reached, has not answered: who asks lets
//! nobody in then.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_filters::Script;
use steelyard_http::release;
use steelyard_model::routing::filter::limit::RedisStore;
use steelyard_resp::{Reply, write};
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

/// Connections to one server, by all that is said of it.
struct Pool {
    store: Arc<RedisStore>,
    idle: RefCell<Vec<Idle>>,
    /// How many there may be.
    places: Semaphore,
    used: Cell<Instant>,
}

struct Idle {
    link: Link,
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
        while let Some(mut link) = pool.idle() {
            match link.run(&self.heads, script, times).await {
                // The server may have closed it in this moment: a fresh one tells.
                Err(error) if is_of_connection(&error) => {}
                Err(error) => return Err(error),
                Ok(said) => {
                    pool.keep(link);
                    return Ok(said);
                }
            }
        }
        let mut link = pool.connect(&self.heads, times, reach).await?;
        let said = link.run(&self.heads, script, times).await?;
        pool.keep(link);
        Ok(said)
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

impl Pool {
    /// One that is there, the one that was used last.
    fn idle(&self) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop()).map(|it| it.link).find(|link| link.stream.is_silent())
    }

    fn keep(&self, link: Link) {
        if link.slot.is_none() {
            self.idle.borrow_mut().push(Idle { link, since: Instant::now() });
        }
    }

    /// A fresh one, to the first server that takes us.
    async fn connect<F: Future<Output = io::Result<Stream>>>(
        &self,
        heads: &Rc<BufferPool>,
        times: Times,
        reach: impl Fn(usize) -> F,
    ) -> io::Result<Link> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for at in 0..self.store.servers.len() {
            let reached = within(times.dial, reach(at)).await;
            let greeted = match reached {
                Ok(stream) => Link { stream, slot: None }.greet(heads, &self.store, times).await,
                Err(error) => Err(error),
            };
            match greeted {
                Ok(link) => return Ok(link),
                Err(error) => failed = error,
            }
        }
        Err(failed)
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
    ) -> io::Result<Vec<Box<[u8]>>> {
        self.say(&command(b"EVALSHA", script.digest.as_bytes(), script), times).await?;
        let mut reply = self.reply(heads, times).await?;
        if reply.fault() == Some(b"NOSCRIPT") {
            self.say(&command(b"EVAL", script.text.as_bytes(), script), times).await?;
            reply = self.reply(heads, times).await?;
        }
        match reply {
            Reply::List(Some(parts)) => {
                let texts = parts.iter().map(Reply::text).collect::<Option<_>>();
                texts.ok_or_else(|| io::Error::other("the script says what it should not"))
            }
            other => {
                let fault = other.fault().map(|it| String::from_utf8_lossy(it).into_owned());
                let fault = fault.unwrap_or_else(|| "no list".to_owned());
                Err(io::Error::other(format!("the script cannot be run: {fault}")))
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
