//! The handle; behind it a thread that owns everything.
//!
//! The thread has a runtime of its own, so that copying bytes and waiting for `nft` disturb
//! nobody; it stays in the network namespace of the thread that called [`Forwarder::start`].

use std::collections::BTreeSet;
use std::net::IpAddr;

use steelyard_forwarding::{Desired, HostChange, Observed, Why};
use tokio::sync::{mpsc, oneshot, watch};

use crate::ask::{Ask, Look};
use crate::intake::Intake;
use crate::legacy::ForwardHandedOn;
use crate::meter::Meter;
use crate::options::{ForwardOptions, NoForwarder};
use crate::owner::Owner;
use crate::passing::Passing;

/// Forwards what it is told to. Dropped, it undoes what it set, soon; [`Forwarder::remove`] waits.
#[derive(Debug)]
pub struct Forwarder {
    asks: mpsc::UnboundedSender<Ask>,
    begun: Begun,
}

/// What there is at the start.
#[derive(Debug)]
struct Begun {
    changes: Vec<HostChange>,
    degraded: Option<Why>,
    passing: Passing,
    stirred: watch::Receiver<()>,
    intake: Intake,
    meter: Meter,
}

impl Forwarder {
    /// Removes what an earlier process left, sets up the rest, and returns.
    pub async fn start(options: ForwardOptions) -> Result<Self, NoForwarder> {
        let (asks, inbox) = mpsc::unbounded_channel();
        let (started, ready) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(NoForwarder::Thread)?;
        std::thread::Builder::new()
            .name("forward".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    match Owner::start(&options).await {
                        Ok((owner, changes)) => {
                            let _ = started.send(Ok(Begun {
                                changes,
                                degraded: owner.degraded(),
                                passing: owner.passing(),
                                stirred: owner.stirred(),
                                intake: owner.intake(),
                                meter: owner.meter(),
                            }));
                            tokio::spawn(owner.intake().keep());
                            owner.run(inbox).await;
                        }
                        Err(error) => drop(started.send(Err(error))),
                    }
                });
            })
            .map_err(NoForwarder::Thread)?;
        let begun = ready.await.expect("the owner answers before it ends")?;
        Ok(Self { asks, begun })
    }

    /// What was changed on this host, to be shown to the user.
    pub fn changes(&self) -> &[HostChange] {
        &self.begun.changes
    }

    /// Why the kernel is not used at all, where that is so.
    pub fn degraded(&self) -> Option<&Why> {
        self.begun.degraded.as_ref()
    }

    /// Those of `vips` whose packets can be led to a listener at another port than the one asked
    /// for. A listener of any other has to have that port of the vip, so that nobody can listen on
    /// it at all addresses.
    pub async fn led(&self, vips: BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
        let (answer, done) = oneshot::channel();
        self.asks.send(Ask::Led(vips, answer)).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask")
    }

    /// Which vips packets are taken in for: none, before it is told of some.
    pub fn intake(&self) -> Intake {
        self.begun.intake.clone()
    }

    /// What passes through forwarded ports.
    pub fn meter(&self) -> Meter {
        self.begun.meter.clone()
    }

    /// Which vips have flows at former owners.
    pub fn passing(&self) -> Passing {
        self.begun.passing.clone()
    }

    /// Tells when another program changed something in the kernel's packet filter, or an ip rule:
    /// applying again may come to something else. What it changed of ours is set again without
    /// being asked.
    pub fn stirred(&self) -> watch::Receiver<()> {
        self.begun.stirred.clone()
    }

    /// Makes `desired` so, and tells what came of it. May be repeated at any time: it repairs what
    /// others removed.
    pub async fn apply(&self, desired: &Desired) -> Observed {
        self.carry(desired, Look::AtAll).await
    }

    /// The same at the cost of what differs from what was desired last: of this host only that is
    /// looked at which was not before. It repairs what the kernel tells of, no more.
    pub async fn change(&self, desired: &Desired) -> Observed {
        self.carry(desired, Look::AtNew).await
    }

    async fn carry(&self, desired: &Desired, look: Look) -> Observed {
        let (answer, done) = oneshot::channel();
        let ask = Ask::Apply(desired.clone(), look, answer);
        self.asks.send(ask).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask")
    }

    /// From now on nothing new is carried: it is reset. What is under way goes on, and counts as
    /// [`Forwarder::flows`].
    pub async fn wind_down(&self) {
        let (answer, done) = oneshot::channel();
        self.asks.send(Ask::WindDown(answer)).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask");
    }

    /// How many TCP connections are carried on to endpoints right now. They break with
    /// [`Forwarder::remove`].
    pub async fn flows(&self) -> usize {
        let (answer, done) = oneshot::channel();
        self.asks.send(Ask::Flows(answer)).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask")
    }

    /// Goes on without touching anything of the host, whatever others do to it, and gives what
    /// another process needs to go on with. To be followed by [`Forwarder::let_go`], or by
    /// [`Forwarder::go_on`].
    pub async fn hand_on(&self) -> ForwardHandedOn {
        let (answer, done) = oneshot::channel();
        self.asks.send(Ask::HandOn(answer)).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask")
    }

    /// Goes on as if nothing had been handed on, and sets everything again.
    pub async fn go_on(&self) {
        let (answer, done) = oneshot::channel();
        self.asks.send(Ask::GoOn(answer)).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask");
    }

    /// What another process has set is this one's from now on: before that, nothing of it is undone
    /// when this one ends. Packets for exactly these vips are taken in.
    pub async fn take_over(&self, live: &[IpAddr]) {
        let (answer, done) = oneshot::channel();
        self.asks.send(Ask::TakeOver(answer)).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask");
        self.begun.intake.take_over(live);
    }

    /// Another process has what was handed on: nothing is undone at the end, and connections that
    /// are carried in this process go on ([`Forwarder::flows`] counts them alone).
    pub async fn let_go(&self) {
        let (answer, done) = oneshot::channel();
        self.asks.send(Ask::LetGo(answer)).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask");
    }

    /// Stops and undoes everything that [`Forwarder::changes`] says is undone at exit.
    pub async fn remove(self) -> Result<(), Why> {
        let (answer, done) = oneshot::channel();
        self.asks.send(Ask::Remove(answer)).expect("the owner runs while we do");
        done.await.expect("the owner answers every ask")
    }
}
