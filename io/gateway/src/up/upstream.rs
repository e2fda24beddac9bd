//! Connections to endpoints: idle ones are kept per core and address, and checked when taken. Those
//! over TLS are kept beside, by terms and name.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use steelyard_host::own_sockets::{OwnSocket, OwnSockets};
use steelyard_http::Clean;
use steelyard_model::routing::times::ReuseTerms;
use steelyard_model::routing::transport::{Pings, Upkeep};

use super::h2::{Errand, Sessions};
use super::security::Security;
use super::tally::{EndpointTotals, Tally};
use crate::shared::origins::OriginHandshakes;
use crate::wire::Wire;
use crate::wire::stream::Stream;
use crate::wire::timer::within;

/// Idle connections that are kept per core and address in any case; Traefik's default per host.
/// More are for as long as so many are in use at times: whoever has a thousand requests under way
/// at one backend would else connect anew for most of them.
const KEEP_IDLE: usize = 200;

/// How long the addresses of a name are believed.
const NAME_TTL: Duration = Duration::from_secs(5);

/// One address and its idle connections. Identity is the address, with how TLS is spoken there: it
/// outlives configurations.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// The address as text, for logs.
    pub(crate) label: Arc<str>,
    pub(crate) tally: Rc<Tally>,
    /// How TLS is spoken; none where it is not.
    pub(crate) security: Option<Security>,
    /// The same address over TLS.
    secured: RefCell<Vec<Rc<Self>>>,
    idle: RefCell<Vec<Idle>>,
    /// How many of the idle ones were never needed since they were last looked over.
    spare: Cell<usize>,
    /// Connections that HTTP/2 is spoken on.
    pub(crate) sessions: Sessions,
    kept: Rc<Kept>,
    /// As the last one said who asked there.
    upkeep: Cell<Upkeep>,
}

/// How sure one wants to be of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt {
    /// The request can be sent again if the connection turns out to be closed.
    pub(crate) is_repeatable: bool,
    /// The core's tick.
    pub(crate) now: Instant,
    /// How long it may be used, where somebody says it.
    pub(crate) terms: ReuseTerms,
}

/// How many connections one core keeps, to all addresses.
struct Kept {
    now: Cell<usize>,
    /// How many all cores may keep, and how many cores there are.
    most: Arc<AtomicUsize>,
    cores: usize,
    /// Which of them this is.
    core: usize,
    /// To none of these.
    own: OwnSockets,
}

/// One connection that is kept.
struct Counted(Rc<Kept>);

/// All upstreams of one core, and the names looked up.
pub(crate) struct Upstreams {
    kept: Rc<Kept>,
    by_address: RefCell<HashMap<SocketAddr, Rc<Upstream>>>,
    names: RefCell<HashMap<(Arc<str>, u16), Resolved>>,
}

struct Idle {
    connection: Clean<Stream>,
    since: Instant,
    _counted: Counted,
}

impl Kept {
    fn is_full(&self) -> bool {
        self.now.get() >= self.most.load(Ordering::Relaxed) / self.cores.max(1)
    }

    /// This core's part of what all may keep.
    fn share(&self, most: u32) -> usize {
        let (most, cores) = (usize::try_from(most).unwrap_or(usize::MAX), self.cores.max(1));
        most / cores + usize::from(self.core < most % cores)
    }
}

impl Counted {
    fn new(kept: &Rc<Kept>) -> Self {
        kept.now.set(kept.now.get() + 1);
        Self(kept.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

struct Resolved {
    addresses: Rc<[SocketAddr]>,
    until: Instant,
}

impl Upstream {
    /// The same address over TLS, where it is known as `host` or by its number.
    pub(crate) fn over(&self, terms: &Arc<OriginHandshakes>, host: Option<&str>) -> Rc<Self> {
        let mut secured = self.secured.borrow_mut();
        let is_it = |it: &&Rc<Self>| it.security.as_ref().is_some_and(|it| it.is_by(terms, host));
        if let Some(known) = secured.iter().find(is_it) {
            return known.clone();
        }
        let made = Rc::new(Self {
            address: self.address,
            label: self.label.clone(),
            tally: self.tally.clone(),
            security: Some(Security::new(terms.clone(), host)),
            secured: RefCell::default(),
            idle: RefCell::default(),
            spare: Cell::default(),
            sessions: Sessions::default(),
            kept: self.kept.clone(),
            upkeep: self.upkeep.clone(),
        });
        secured.push(made.clone());
        made
    }

    /// What becomes of its connections from now on, as a transport by which it is asked says.
    pub(crate) fn keep_by(&self, upkeep: Upkeep) {
        self.upkeep.set(upkeep);
    }

    /// How those that requests share are asked whether somebody is there.
    pub(super) fn pings(&self) -> Option<Pings> {
        self.upkeep.get().pings
    }

    /// Whether requests there are known to share no connection, where they might.
    pub(crate) fn is_alone(&self) -> bool {
        self.security.as_ref().is_some_and(Security::is_alone)
    }

    /// Whether it is worth keeping although nobody has it.
    fn has_connections(&self) -> bool {
        !self.idle.borrow().is_empty()
            || !self.sessions.is_empty()
            || !self.secured.borrow().is_empty()
    }

    /// Whether it has become a socket that nobody is led to, whatever connections there are.
    fn is_own(&self) -> bool {
        self.kept.own.holds(self.address)
    }

    /// A place on a connection that requests share, where there is one with room that was not idle
    /// for `most` until `now`.
    pub(crate) fn place(&self, now: Instant, most: Option<Duration>) -> Option<Errand> {
        if self.is_own() {
            return None;
        }
        self.sessions.kept(now, most)
    }

    /// A connection that was alive a moment ago, most recently used first.
    pub(crate) fn checkout(&self, doubt: Doubt) -> Option<Clean<Stream>> {
        if self.is_own() {
            return None;
        }
        loop {
            let idle = self.take()?;
            if doubt.is_worn(&idle) {
                continue;
            }
            let stream = idle.connection.get();
            let is_usable =
                if doubt.is_about(&idle) { stream.is_silent() } else { stream.is_alive() };
            if is_usable {
                return Some(idle.connection);
            }
        }
    }

    fn take(&self) -> Option<Idle> {
        let mut idle = self.idle.borrow_mut();
        let taken = idle.pop();
        self.spare.set(self.spare.get().min(idle.len()));
        taken
    }

    /// Keeps a connection for later. What an exchange left unclean cannot be given back.
    pub(crate) fn give_back(&self, connection: Clean<Stream>, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        connection.get().carry_one();
        let most = self.upkeep.get().most_idle;
        let has_room = most.is_none_or(|most| idle.len() < self.kept.share(most));
        if has_room && !self.kept.is_full() {
            idle.push(Idle { connection, since: now, _counted: Counted::new(&self.kept) });
        }
    }

    /// A new connection for one request after the other.
    pub(crate) async fn connect(&self, limit: Duration) -> io::Result<Stream> {
        self.make(limit, b"", false).await
    }

    /// A new connection that begins with these words, in clear: they come before a handshake.
    pub(crate) async fn connect_with(&self, words: &[u8], limit: Duration) -> io::Result<Stream> {
        self.make(limit, words, false).await
    }

    /// A new connection; `shared` is whether HTTP/2 may be agreed on.
    pub(super) async fn make(
        &self,
        limit: Duration,
        words: &[u8],
        shared: bool,
    ) -> io::Result<Stream> {
        if self.is_own() {
            return Err(io::Error::other(OwnSocket));
        }
        let begun = Instant::now();
        let connected = within(limit, async {
            let mut stream = Stream::connect(self.address).await?;
            if !words.is_empty() {
                stream.write_all(words, limit).await.map_err(|(error, _)| error)?;
            }
            if let Some(security) = &self.security {
                Box::pin(security.shake(&mut stream, self.address, shared)).await?;
            }
            Ok(stream)
        });
        let connected = connected.await;
        self.tally.connected(begun.elapsed(), connected.is_ok());
        connected
    }

    /// Closes what has been idle since before `limit`, or was closed by the other side; and of
    /// many, half of those that nobody needed since the last time.
    fn prune(&self, now: Instant, limit: Duration) {
        let mut idle = self.idle.borrow_mut();
        let surplus = self.spare.get().min(idle.len().saturating_sub(KEEP_IDLE));
        // Those that were used last are at the end.
        idle.drain(..surplus.div_ceil(2));
        idle.retain(|idle| {
            now.saturating_duration_since(idle.since) < limit && idle.connection.get().is_alive()
        });
        self.spare.set(idle.len());
        self.sessions.prune(now, limit);
        self.secured.borrow_mut().retain(|it| {
            it.prune(now, limit);
            Rc::strong_count(it) > 1 || it.has_connections()
        });
    }
}

impl Doubt {
    /// Whether `idle` has been that for too long, or was used for long enough.
    fn is_worn(self, idle: &Idle) -> bool {
        let stream = idle.connection.get();
        let since = |from| self.now.saturating_duration_since(from);
        self.terms.idle.is_some_and(|most| since(idle.since) >= most)
            || self.terms.age.is_some_and(|most| since(stream.made()) >= most)
            || self.terms.requests.is_some_and(|most| stream.carried() >= most)
    }

    /// Whether the kernel is to be asked about `idle`. That is one system call more, 2 to 3 % of
    /// what sending and receiving a small request and its answer take, and pays where the answer
    /// may be news and matters: an endpoint that ends a connection as idle does so after a second
    /// or more, and a request that cannot be repeated would be lost to a connection that was
    /// closed since the reactor's last turn. For the others that turn is as good as the call: a
    /// repeatable request finds a closed connection out and takes a fresh one, and who sends a
    /// surplus chooses its moment, which may as well be the one after any call.
    fn is_about(self, idle: &Idle) -> bool {
        !self.is_repeatable || self.now > idle.since
    }
}

impl Upstreams {
    /// None yet, of one core. Of `cores`, all together keep at most `most` connections; none is
    /// made to `own`.
    pub(crate) fn new(
        (core, cores): (usize, usize),
        most: Arc<AtomicUsize>,
        own: OwnSockets,
    ) -> Self {
        let kept = Rc::new(Kept { now: Cell::new(0), most, cores, core, own });
        Self { kept, by_address: RefCell::default(), names: RefCell::default() }
    }

    pub(crate) fn at(&self, address: SocketAddr) -> Rc<Upstream> {
        let mut by_address = self.by_address.borrow_mut();
        let upstream = by_address.entry(address).or_insert_with(|| {
            let label = address.to_string().into();
            let kept = self.kept.clone();
            let (tally, secured, idle, spare, sessions, upkeep) = Default::default();
            let security = None;
            Rc::new(Upstream {
                address,
                label,
                tally,
                security,
                secured,
                idle,
                spare,
                sessions,
                kept,
                upkeep,
            })
        });
        upstream.clone()
    }

    /// What was counted of each address that is known.
    pub(crate) fn totals(&self) -> Vec<(Arc<str>, EndpointTotals)> {
        let by_address = self.by_address.borrow();
        by_address.values().map(|it| (it.label.clone(), it.tally.totals())).collect()
    }

    /// Addresses of a name. A failing resolver does not take away what was known.
    pub(crate) async fn resolve(
        &self,
        name: &Arc<str>,
        port: u16,
        now: Instant,
        limit: Duration,
    ) -> io::Result<Rc<[SocketAddr]>> {
        let key = (name.clone(), port);
        let known = {
            let names = self.names.borrow();
            names.get(&key).map(|known| (known.addresses.clone(), known.until > now))
        };
        if let Some((addresses, true)) = known {
            return Ok(addresses);
        }
        let lookup = async { tokio::net::lookup_host((&**name, port)).await.map(Vec::from_iter) };
        let addresses = match (within(limit, lookup).await, known) {
            (Ok(found), _) => Rc::from(found),
            (Err(_), Some((addresses, _))) => addresses,
            (Err(error), None) => return Err(error),
        };
        let resolved = Resolved { addresses: addresses.clone(), until: now + NAME_TTL };
        self.names.borrow_mut().insert(key, resolved);
        Ok(addresses)
    }

    /// Once a second: closes idle connections that are too old or gone, forgets what is unused.
    pub(crate) fn prune(&self, now: Instant, limit: Duration) {
        let mut by_address = self.by_address.borrow_mut();
        for upstream in by_address.values() {
            upstream.prune(now, limit);
        }
        by_address
            .retain(|_, upstream| Rc::strong_count(upstream) > 1 || upstream.has_connections());
        self.names.borrow_mut().retain(|_, known| known.until + NAME_TTL * 60 > now);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use steelyard_http::{Reuse, Seen};

    use super::*;

    fn clean(stream: Stream) -> Clean<Stream> {
        let mut reuse = Reuse::new(false);
        reuse.see(Seen::Owed(1));
        reuse.see(Seen::RequestEnds);
        reuse.see(Seen::Wrote(1));
        reuse.see(Seen::ResponseEnds { persistent: true, over: 0 });
        reuse.settle(stream).unwrap()
    }

    /// The reactor has no turn between what the endpoint does and the next request.
    #[tokio::test]
    async fn what_the_kernel_knows_is_asked_for_where_it_matters() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let doubts = [
            (Doubt { is_repeatable: false, now: start, terms: ReuseTerms::default() }, true),
            (Doubt { is_repeatable: true, now: later, terms: ReuseTerms::default() }, true),
            (Doubt { is_repeatable: true, now: start, terms: ReuseTerms::default() }, false),
        ];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstreams =
            Upstreams::new((0, 1), Arc::new(AtomicUsize::new(9)), OwnSockets::default());
        let upstream = upstreams.at(listener.local_addr().unwrap());
        for (surplus, (doubt, is_noticed)) in
            [false, true].into_iter().flat_map(|it| doubts.map(|doubt| (it, doubt)))
        {
            let stream = upstream.connect(Duration::from_secs(9)).await.unwrap();
            let mut endpoint = listener.accept().unwrap().0;
            // The reactor knows of nothing to read.
            assert!(stream.is_alive());
            upstream.give_back(clean(stream), start);
            if surplus {
                endpoint.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
            } else {
                endpoint.shutdown(std::net::Shutdown::Write).unwrap();
            }
            while upstream.idle.borrow()[0].connection.get().is_silent() {
                assert!(start.elapsed() < Duration::from_secs(9), "the kernel hears of it");
            }
            let taken = upstream.checkout(doubt);
            assert_eq!(taken.is_none(), is_noticed, "{doubt:?}, surplus: {surplus}");
        }
    }

    const LIMIT: Duration = Duration::from_secs(9);

    /// A place to connect to, and what was connected there.
    struct Endpoint {
        listener: TcpListener,
        accepted: Vec<std::net::TcpStream>,
    }

    impl Endpoint {
        fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            Self { listener, accepted: Vec::new() }
        }

        fn at(&self, upstreams: &Upstreams) -> Rc<Upstream> {
            upstreams.at(self.listener.local_addr().unwrap())
        }

        async fn give_back(&mut self, upstream: &Upstream, now: Instant) {
            let stream = upstream.connect(LIMIT).await.unwrap();
            self.accepted.push(self.listener.accept().unwrap().0);
            upstream.give_back(clean(stream), now);
        }
    }

    fn doubt(now: Instant) -> Doubt {
        Doubt { is_repeatable: true, now, terms: ReuseTerms::default() }
    }

    #[tokio::test]
    async fn no_more_are_kept_than_all_cores_may() {
        let now = Instant::now();
        let mut endpoint = Endpoint::new();
        let upstreams =
            Upstreams::new((0, 2), Arc::new(AtomicUsize::new(4)), OwnSockets::default());
        let upstream = endpoint.at(&upstreams);
        for kept in [1, 2, 2] {
            endpoint.give_back(&upstream, now).await;
            assert_eq!(upstream.idle.borrow().len(), kept);
        }
        // What is taken makes room.
        drop(upstream.checkout(doubt(now)).unwrap());
        endpoint.give_back(&upstream, now).await;
        assert_eq!(upstream.idle.borrow().len(), 2);
    }

    #[tokio::test]
    async fn as_many_are_kept_as_are_needed_at_times() {
        let now = Instant::now();
        let mut endpoint = Endpoint::new();
        let upstreams =
            Upstreams::new((0, 1), Arc::new(AtomicUsize::new(9_999)), OwnSockets::default());
        let upstream = endpoint.at(&upstreams);
        for _ in 0..KEEP_IDLE + 100 {
            endpoint.give_back(&upstream, now).await;
        }
        let left = |needed: usize| {
            let taken = Vec::from_iter((0..needed).map(|_| upstream.take().unwrap()));
            upstream.idle.borrow_mut().extend(taken);
            upstreams.prune(now, LIMIT);
            upstream.idle.borrow().len()
        };
        assert_eq!(left(0), KEEP_IDLE + 100, "a moment ago there were none");
        assert_eq!(left(KEEP_IDLE + 100), KEEP_IDLE + 100, "all are needed");
        assert_eq!(left(KEEP_IDLE + 60), KEEP_IDLE + 80, "half of 40");
        assert_eq!(left(1), KEEP_IDLE + 40, "half of what is beyond");
        let rounds = (0..).take_while(|_| left(1) > KEEP_IDLE).count();
        assert!((4..9).contains(&rounds), "{rounds}");
        assert_eq!(left(0), KEEP_IDLE);
    }

    #[tokio::test]
    async fn what_is_idle_too_long_or_closed_is_given_up() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut endpoint = Endpoint::new();
        let upstreams =
            Upstreams::new((0, 1), Arc::new(AtomicUsize::new(9)), OwnSockets::default());
        let upstream = endpoint.at(&upstreams);
        endpoint.give_back(&upstream, start).await;
        endpoint.give_back(&upstream, at(500)).await;
        let limit = Duration::from_secs(1);
        for (now, left) in [(999, 2), (1_000, 1), (1_499, 1), (1_500, 0)] {
            upstreams.prune(at(now), limit);
            assert_eq!(upstream.idle.borrow().len(), left, "{now}");
        }
        endpoint.give_back(&upstream, start).await;
        endpoint.accepted.clear();
        while upstream.idle.borrow().iter().any(|idle| idle.connection.get().is_alive()) {
            assert!(start.elapsed() < LIMIT, "it is heard of");
            tokio::task::yield_now().await;
        }
        upstreams.prune(start, limit);
        assert_eq!(upstream.idle.borrow().len(), 0);
    }

    #[tokio::test]
    async fn what_was_used_for_long_enough_is_not_used_again() {
        let start = Instant::now();
        let mut endpoint = Endpoint::new();
        let upstreams =
            Upstreams::new((0, 1), Arc::new(AtomicUsize::new(9)), OwnSockets::default());
        let upstream = endpoint.at(&upstreams);
        let seconds = |count| Some(Duration::from_secs(count));
        let fresh = |now, terms| Doubt { now, terms, ..doubt(now) };
        let by = |idle, age, requests| ReuseTerms { idle, age, requests };
        for (after, terms, is_used) in [
            (5, by(seconds(6), None, None), true),
            (5, by(seconds(5), None, None), false),
            (5, by(None, seconds(90), None), true),
            (90, by(None, seconds(60), None), false),
            (0, by(None, None, Some(2)), true),
            (0, by(None, None, Some(1)), false),
        ] {
            endpoint.give_back(&upstream, start).await;
            let now = start + Duration::from_secs(after);
            let taken = upstream.checkout(fresh(now, terms));
            assert_eq!(taken.is_some(), is_used, "{after} s, {terms:?}");
            assert_eq!(upstream.idle.borrow().len(), 0);
        }
        // Each time it is given back it has carried one more.
        endpoint.give_back(&upstream, start).await;
        for carried in 1..4 {
            let most = |most| fresh(start, by(None, None, Some(most)));
            let taken = upstream.checkout(most(carried + 1)).unwrap();
            upstream.give_back(taken, start);
        }
        assert!(upstream.checkout(fresh(start, by(None, None, Some(4)))).is_none());
    }

    /// What all cores may keep is divided, and none is left over.
    #[test]
    fn cores_keep_no_more_than_all_may() {
        for (most, cores, expected) in [
            (0, 2, &[0, 0][..]),
            (1, 2, &[1, 0]),
            (5, 2, &[3, 2]),
            (7, 3, &[3, 2, 2]),
            (4, 1, &[4]),
        ] {
            let share = |core| {
                let own = OwnSockets::default();
                Upstreams::new((core, cores), Arc::default(), own).kept.share(most)
            };
            assert_eq!((0..cores).map(share).collect::<Vec<_>>(), expected, "{most} by {cores}");
        }
    }

    #[tokio::test]
    async fn addresses_are_known_while_somebody_has_them_or_they_have_connections() {
        let now = Instant::now();
        let mut endpoint = Endpoint::new();
        let upstreams =
            Upstreams::new((0, 1), Arc::new(AtomicUsize::new(9)), OwnSockets::default());
        let known = || upstreams.by_address.borrow().len();
        let upstream = endpoint.at(&upstreams);
        upstreams.prune(now, LIMIT);
        assert_eq!(known(), 1, "somebody has it");
        endpoint.give_back(&upstream, now).await;
        drop(upstream);
        upstreams.prune(now, LIMIT);
        assert_eq!(known(), 1, "it has a connection");
        upstreams.prune(now + LIMIT, LIMIT);
        assert_eq!(known(), 0);
    }

    #[tokio::test]
    async fn names_are_believed_for_a_while_and_longer_where_nothing_else_is_known() {
        let start = Instant::now();
        let old: SocketAddr = "192.0.2.9:80".parse().unwrap();
        let upstreams = Upstreams::new((0, 1), Arc::default(), OwnSockets::default());
        let [local, lost] = ["localhost", "lost.invalid"].map(Arc::<str>::from);
        for name in [&local, &lost] {
            let resolved = Resolved { addresses: Rc::from([old]), until: start + NAME_TTL };
            upstreams.names.borrow_mut().insert((name.clone(), 80), resolved);
        }
        let until = |name: &Arc<str>| upstreams.names.borrow()[&(name.clone(), 80)].until;
        let just = start + NAME_TTL - Duration::from_millis(1);
        let found = upstreams.resolve(&local, 80, just, LIMIT).await.unwrap();
        assert_eq!(*found, [old], "it was looked up a moment ago");
        let over = start + NAME_TTL;
        let found = upstreams.resolve(&local, 80, over, LIMIT).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        assert_eq!(until(&local), over + NAME_TTL);
        let found = upstreams.resolve(&lost, 80, over, LIMIT).await.unwrap();
        assert_eq!(*found, [old], "nothing else is known");
        assert!(upstreams.resolve(&"none.invalid".into(), 80, over, LIMIT).await.is_err());
        let known = || upstreams.names.borrow().len();
        let forgotten = over + NAME_TTL + NAME_TTL * 60;
        upstreams.prune(forgotten - Duration::from_millis(1), LIMIT);
        assert_eq!(known(), 2);
        upstreams.prune(forgotten, LIMIT);
        assert_eq!(known(), 0);
    }
}
