//! Who serves sockets that are lent to it.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::closing::Closer;
use crate::sockets::Sockets;
use crate::wire::{Wire, nonsense};
use crate::word::{LentPlace, Word};
use crate::{MOST_PLACES, door};

/// Between two looks for a lender.
const PAUSE: Duration = Duration::from_millis(200);
/// After one was heard that makes no sense.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// Sockets of one place that are lent.
#[derive(Clone, Debug)]
pub struct LentListener {
    sockets: Arc<Sockets>,
}

/// Equal are those of the same sockets.
impl PartialEq for LentListener {
    fn eq(&self, other: &Self) -> bool {
        self.sockets.identity == other.sockets.identity
    }
}

impl LentListener {
    /// Its sockets, to be accepted from.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn listeners(&self) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
        Ok((self.sockets.address(), self.sockets.again()?))
    }
}

/// What a borrower has, by place.
type Loans = BTreeMap<LentPlace, LentListener>;

/// Looks for a lender, and has what it lends. Dropping it lets the lender know.
#[derive(Debug)]
pub struct Borrower {
    loans: watch::Receiver<Arc<Loans>>,
    news: watch::Receiver<()>,
    begin: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Borrower {
    /// Of the lender at `path`, whose processes are those of `user`. It begins when it is told to.
    /// Inside a runtime.
    pub fn new(path: &Path, user: u32) -> Self {
        let (begin, begun) = watch::channel(false);
        let (told, loans) = watch::channel(Arc::default());
        let (tell_news, news) = watch::channel(());
        let search = Search { path: path.to_owned(), user, told, tell_news, has: Loans::new() };
        Self { loans, news, begin, task: tokio::spawn(search.go_on(begun)) }
    }

    /// Lets the lender know that what it lends is served, from now on.
    pub fn begin(&self) {
        self.begin.send_if_modified(|has_begun| !std::mem::replace(has_begun, true));
    }

    /// What is lent now.
    pub fn loans(&self) -> Arc<BTreeMap<LentPlace, LentListener>> {
        self.loans.borrow().clone()
    }

    /// Changes when what is lent does.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.clone()
    }
}

impl Drop for Borrower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Search {
    path: PathBuf,
    user: u32,
    told: watch::Sender<Arc<Loans>>,
    tell_news: watch::Sender<()>,
    has: Loans,
}

impl Search {
    async fn go_on(mut self, mut begun: watch::Receiver<bool>) {
        if begun.wait_for(|it| *it).await.is_err() {
            return;
        }
        let closer = match Closer::start() {
            Ok(closer) => closer,
            Err(error) => return tracing::error!(%error, "no listener is taken"),
        };
        let mut is_told = false;
        loop {
            match door::enter(&self.path, &closer) {
                Ok(wire) => {
                    tracing::info!("listeners are lent at {}", self.path.display());
                    is_told = false;
                    if let Err(error) = self.follow(&wire).await {
                        tracing::warn!(%error, "{}: no listener is taken", self.path.display());
                        drop(wire);
                        tokio::time::sleep(LONG_PAUSE).await;
                    }
                }
                // It is asked again and again.
                Err(error) if !std::mem::replace(&mut is_told, true) => {
                    tracing::warn!(%error, "{}: no listener is lent", self.path.display());
                }
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Shows the lender what there is, and does as it says, until it ends.
    async fn follow(&mut self, wire: &Wire) -> io::Result<()> {
        if wire.peer()? != self.user {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is another user's"));
        }
        for (place, loan) in &self.has {
            wire.send(&Word::Lent(place.clone()), &loan.sockets.descriptors()).await?;
        }
        wire.send(&Word::Told, &[]).await?;
        while let Some((word, sockets)) = wire.receive().await? {
            match word {
                Word::Lent(place) => {
                    let loan = LentListener { sockets: Arc::new(Sockets::of(&place, sockets)?) };
                    self.has.insert(place, loan);
                    if self.has.len() > MOST_PLACES {
                        return Err(nonsense());
                    }
                }
                Word::Ended(place) => drop(self.has.remove(&place)),
                Word::Told => {
                    self.told.send_replace(Arc::new(self.has.clone()));
                    self.tell_news.send_replace(());
                }
            }
        }
        Ok(())
    }
}
