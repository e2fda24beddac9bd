//! Who opens sockets, and lends them.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::closing::Closer;
use crate::door::{Door, DoorName};
use crate::sockets::Sockets;
use crate::wire::{Wire, nonsense};
use crate::word::{LentPlace, Word};
use crate::{MOST_PLACES, wire};

/// Borrowers at once, at most: one, the one that takes its place, and those that came to nothing.
/// Of more the last are heard: what the first have they keep, and who comes back is the last.
const MOST_BORROWERS: usize = 4;
/// For so long after the last borrower has gone it is taken to come back: connections wait for it.
const ABSENCE: Duration = Duration::from_secs(10);
/// After a connection could not be taken in.
const PAUSE: Duration = Duration::from_millis(100);

type Lent = BTreeMap<LentPlace, Arc<Sockets>>;

/// Lends sockets to the processes of one user. Dropping it ends that; what was lent stays with
/// whoever has it.
#[derive(Debug)]
pub struct Lender {
    ledger: Arc<Ledger>,
    name: DoorName,
    closer: Closer,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Ledger {
    book: Mutex<Book>,
    /// Tells borrowers that what is lent has changed.
    lent: watch::Sender<()>,
    /// Tells whoever lends that it is otherwise with borrowers, or what they brought back.
    news: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Book {
    /// None before it is known what is to be lent: then nobody is told to give anything up.
    lent: Option<Lent>,
    /// What borrowers have of an earlier lender, and is not lent yet.
    brought: Lent,
    borrowers: usize,
    /// Whether there are borrowers, or were a moment ago.
    is_served: bool,
}

impl Lender {
    /// Opens the door at `path` for processes of `user`, who have the group of the same number.
    /// Inside a runtime.
    ///
    /// # Errors
    /// When there is no socket to be made at `path`.
    pub fn start(path: &Path, user: u32) -> io::Result<Self> {
        let closer = Closer::start()?;
        let door = Door::open(path, user, &closer)?;
        let name = door.name();
        let (lent, news) = (watch::Sender::new(()), watch::Sender::new(()));
        let ledger = Arc::new(Ledger { book: Mutex::default(), lent, news });
        let task = tokio::spawn(keep(door, user, ledger.clone()));
        Ok(Self { ledger, name, closer, task })
    }

    /// Lends exactly `wanted` from now on. What is new is taken over from a borrower that has it of
    /// an earlier lender, else opened. What came of each, in order: where its sockets are.
    pub fn lend(
        &self,
        wanted: &[LentPlace],
        mut open: impl FnMut(&LentPlace) -> io::Result<Vec<TcpListener>>,
    ) -> Vec<io::Result<SocketAddr>> {
        let mut book = self.ledger.book();
        let mut before = book.lent.take().unwrap_or_default();
        let mut brought = std::mem::take(&mut book.brought);
        let mut lent = Lent::new();
        let mut outcomes = Vec::with_capacity(wanted.len());
        for place in wanted {
            let known = before.remove(place).or_else(|| brought.remove(place));
            let sockets = match known {
                Some(sockets) => Ok(sockets),
                None if lent.len() >= MOST_PLACES => {
                    Err(io::Error::other(format!("{MOST_PLACES} are lent already")))
                }
                None => {
                    let opened = open(place);
                    opened.and_then(|all| Sockets::opened(place, all, &self.closer)).map(Arc::new)
                }
            };
            outcomes.push(sockets.map(|sockets| {
                let address = sockets.address();
                lent.insert(place.clone(), sockets);
                address
            }));
        }
        book.lent = Some(lent);
        drop(book);
        self.ledger.lent.send_replace(());
        outcomes
    }

    /// Whether somebody serves what is lent, or did a moment ago and is taken to come back.
    pub fn is_served(&self) -> bool {
        self.ledger.book().is_served
    }

    /// Changes when [`Lender::is_served`] does, or when [`Lender::lend`] may do better than before.
    pub fn news(&self) -> watch::Receiver<()> {
        self.ledger.news.subscribe()
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        self.task.abort();
        // The task may have it a moment longer.
        *self.ledger.book() = Book::default();
        self.name.remove();
    }
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a borrower has of an earlier lender. Of what is lent already there are other sockets.
    fn take_back(&self, brought: Lent) {
        let mut book = self.book();
        let known = book.lent.clone().unwrap_or_default();
        let new = brought.into_iter().filter(|(place, _)| !known.contains_key(place));
        let new: Vec<_> = new.collect();
        let is_news = !new.is_empty();
        book.brought.extend(new);
        let much = book.brought.len().saturating_sub(MOST_PLACES);
        for _ in 0..much {
            book.brought.pop_first();
        }
        drop(book);
        if is_news {
            self.news.send_replace(());
        }
    }
}

/// A borrower that serves what is lent.
struct Presence(Arc<Ledger>);

impl Presence {
    fn begin(ledger: &Arc<Ledger>) -> Self {
        let mut book = ledger.book();
        book.borrowers += 1;
        let is_news = !std::mem::replace(&mut book.is_served, true);
        drop(book);
        if is_news {
            ledger.news.send_replace(());
        }
        Self(ledger.clone())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut book = self.0.book();
        book.borrowers = book.borrowers.saturating_sub(1);
        drop(book);
        let ledger = self.0.clone();
        tokio::spawn(async move {
            tokio::time::sleep(ABSENCE).await;
            let mut book = ledger.book();
            let is_news = book.borrowers == 0 && std::mem::take(&mut book.is_served);
            drop(book);
            if is_news {
                ledger.news.send_replace(());
            }
        });
    }
}

/// Takes borrowers in.
async fn keep(door: Door, user: u32, ledger: Arc<Ledger>) {
    let mut borrowers = Borrowers::default();
    let door = Arc::new(door);
    loop {
        let wire = match door.next().await {
            Ok(wire) => wire,
            Err(error) => {
                tracing::warn!(%error, "a gateway could not be taken in");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if let Err(error) = check(wire.peer(), user) {
            tracing::warn!(%error, "no listener is lent");
            continue;
        }
        let (ledger, door) = (ledger.clone(), door.clone());
        borrowers.take(async move {
            if let Err(error) = serve(&wire, &door, &ledger).await {
                tracing::warn!(%error, "a gateway that listeners were lent to is not heard any more");
            }
        });
    }
}

/// Why somebody is lent nothing, if that is so.
fn check(peer: io::Result<u32>, user: u32) -> io::Result<()> {
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    match peer {
        Ok(uid) if uid == user => Ok(()),
        Ok(uid) => refused(format!("it is user {uid}, and a gateway is user {user}")),
        Err(error) => refused(format!("it is unclear which user it is: {error}")),
    }
}

/// Those that are talked with, the first one first. They end with this.
#[derive(Default)]
struct Borrowers {
    all: JoinSet<()>,
    order: VecDeque<AbortHandle>,
}

impl Borrowers {
    /// Takes one more in, in the place of the first where there are many.
    fn take(&mut self, talk: impl Future<Output = ()> + Send + 'static) {
        while self.all.try_join_next().is_some() {}
        self.order.retain(|it| !it.is_finished());
        if self.order.len() >= MOST_BORROWERS
            && let Some(first) = self.order.pop_front()
        {
            tracing::warn!("{MOST_BORROWERS} gateways are there already: the first is left alone");
            first.abort();
        }
        self.order.push_back(self.all.spawn(talk));
    }
}

/// Tells one borrower what is lent, as long as it is there.
async fn serve(wire: &Wire, door: &Door, ledger: &Arc<Ledger>) -> io::Result<()> {
    // All of it, however it drips.
    let told = tokio::time::timeout(wire::PATIENCE, brought(wire, door)).await?;
    let Some(brought) = told? else { return Ok(()) };
    let mut has: BTreeMap<LentPlace, u64> =
        brought.iter().map(|(place, sockets)| (place.clone(), sockets.identity)).collect();
    let mut lent = ledger.lent.subscribe();
    ledger.take_back(brought);
    let _presence = Presence::begin(ledger);
    loop {
        lent.mark_unchanged();
        let now = ledger.book().lent.clone();
        if let Some(now) = now {
            tell(wire, &has, &now).await?;
            has = now.into_iter().map(|(place, sockets)| (place, sockets.identity)).collect();
        }
        tokio::select! {
            changed = lent.changed() => if changed.is_err() { return Ok(()) },
            word = wire.receive() => return match word? {
                None => Ok(()),
                Some(_) => Err(nonsense()),
            },
        }
    }
}

/// What a borrower has of an earlier lender; none where it has left.
async fn brought(wire: &Wire, door: &Door) -> io::Result<Option<Lent>> {
    let mut brought = Lent::new();
    loop {
        let Some((word, sockets)) = wire.receive_soon().await? else { return Ok(None) };
        match word {
            Word::Lent(place) if brought.len() < MOST_PLACES => {
                let sockets = Sockets::of(&place, sockets)?;
                sockets.are_beside(door)?;
                brought.insert(place, Arc::new(sockets));
            }
            Word::Told => return Ok(Some(brought)),
            Word::Lent(_) | Word::Ended(_) => return Err(wire::nonsense()),
        }
    }
}

/// Tells what differs from what the borrower has: first what it is to give up.
async fn tell(wire: &Wire, has: &BTreeMap<LentPlace, u64>, lent: &Lent) -> io::Result<()> {
    let is_lent = |place: &LentPlace, identity: u64| {
        lent.get(place).is_some_and(|sockets| sockets.identity == identity)
    };
    for (place, _) in has.iter().filter(|(place, identity)| !is_lent(place, **identity)) {
        wire.send(&Word::Ended(place.clone()), &[]).await?;
    }
    for (place, sockets) in lent {
        if has.get(place) != Some(&sockets.identity) {
            wire.send(&Word::Lent(place.clone()), &sockets.descriptors()).await?;
        }
    }
    wire.send(&Word::Told, &[]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_lent_nothing_is_told_why() {
        let said = |peer| check(peer, 65532).map_err(|error| error.to_string());
        assert_eq!(said(Ok(65532)), Ok(()));
        let other = "it is user 0, and a gateway is user 65532";
        assert_eq!(said(Ok(0)), Err(other.to_owned()));
        let unclear = "it is unclear which user it is: no socket";
        assert_eq!(said(Err(io::Error::other("no socket"))), Err(unclear.to_owned()));
    }
}
