//! What happens by itself: what the speaker and the forwarder tell, other machines, names, this
//! machine's addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_host::links::{self, LinkError, Monitor};
use steelyard_speaker::{Sharing, SpeakerEvent, VipStatus};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

use crate::hands::ipvs;

/// Where it is heard.
pub(super) struct Senses {
    pub(super) spoken: Option<broadcast::Receiver<SpeakerEvent>>,
    pub(super) status: Option<watch::Receiver<Arc<[VipStatus]>>>,
    /// The other machines, and who owns what.
    pub(super) shared: Option<watch::Receiver<Arc<Sharing>>>,
    /// Tells when another program changed the kernel's packet filter; none where none of it is
    /// ours.
    pub(super) stirred: Option<watch::Receiver<()>>,
    /// Tells when it is otherwise with listeners that are lent, here or elsewhere.
    pub(super) lent: Option<watch::Receiver<()>>,
    /// Tells when interfaces or their addresses change; none where the kernel does not say.
    pub(super) links: Option<Monitor>,
}

/// Something that happened by itself.
pub(crate) enum News {
    /// The speaker tells what happened.
    Spoken(Result<SpeakerEvent, RecvError>),
    /// How vips stand has changed.
    Status,
    /// Other machines, or who owns what, have changed.
    Shared,
    /// A name has another address.
    Names,
    /// Listeners are lent, or not any more; or somebody serves them.
    Lent,
    /// Another program changed the kernel's packet filter.
    Filter,
    /// Interfaces or their addresses have changed, or are no longer told about.
    Links(Result<(), LinkError>),
}

impl Senses {
    /// Waits for any but that names have other addresses. Cancel-safe.
    pub(super) async fn news(&mut self) -> News {
        let spoken = async {
            match &mut self.spoken {
                Some(events) => events.recv().await,
                None => std::future::pending().await,
            }
        };
        let links = async {
            match &self.links {
                Some(links) => links.changed().await.map(drop),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = changed(self.stirred.as_mut()) => News::Filter,
            () = changed(self.lent.as_mut()) => News::Lent,
            links = links => News::Links(links),
            event = spoken => News::Spoken(event),
            () = changed(self.status.as_mut()) => News::Status,
            () = changed(self.shared.as_mut()) => News::Shared,
        }
    }
}

async fn changed<T>(watched: Option<&mut watch::Receiver<T>>) {
    let Some(watched) = watched else { return std::future::pending().await };
    if watched.changed().await.is_err() {
        std::future::pending().await
    }
}

/// Addresses of this machine; none where that cannot be told.
pub(super) fn addresses() -> Option<BTreeSet<IpAddr>> {
    let links = links::list().inspect_err(|error| {
        tracing::warn!(%error, "this machine's addresses are taken to be as they were");
    });
    let links = links.ok()?;
    // There kube-proxy gathers the vips of all nodes: they are not this machine's own.
    let links = links.iter().filter(|link| !link.name.starts_with(ipvs::INTERFACE));
    Some(links.flat_map(|link| &link.addresses).map(|net| net.addr()).collect())
}
