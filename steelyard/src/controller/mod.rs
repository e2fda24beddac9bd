//! The controller: it gives Services of a cluster their addresses, and reports what is decided.
//!
//! Of several replicas one leads ([`lead`]). The others follow what happens, so as to be quick, and
//! decide nothing. What was decided is held while it is written; what statuses say counts where
//! nothing is held, which is how a leader that starts knows who has what.

mod args;
mod lead;
mod shown;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use steelyard_admin::{Admin, AdminOptions};
use steelyard_kube::{CarriedOut, Connection, Feed, Leadership, LeaseOptions, Writer, rivals};
use steelyard_manifest::{ClusterEvent, Reach, Role, STATES, Selection};
use steelyard_model::{Holdings, NamespacedName};
use steelyard_pipeline::ResolveOptions;
use steelyard_statuses::{CONTROLLER, Owner, Rivals, StatusOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cluster::all_of;
use crate::hands::chronicle::Chronicle;
use crate::hands::history::History;
use crate::hands::statuses::{Counts, Statuses};
use crate::hands::{self, Hand, Hands, Step};
use crate::instance::{Signals, Wish, runtime};
use crate::logging;
use crate::mind::{Mind, OwnFacts};
use crate::tell::board::Board;

pub use args::ControllerArgs;
use lead::{Prepared, prepare};
use shown::Shown;

/// The Lease by which one of several replicas leads.
const LEASE: &str = "steelyard-controller";
/// The Service of the gateway, unless another is named.
const GATEWAY: &str = "steelyard-gateway";
/// How often it is looked who else gives addresses.
const LOOK: Duration = Duration::from_secs(30);
/// How long writes may end once it is asked to.
const LAST_WRITES: Duration = Duration::from_secs(10);
/// How long letting go of the lease may take.
const LEAVE: Duration = Duration::from_secs(5);
/// What became of so many writes is taken in at once.
const BATCH: usize = 1024;

/// Runs the command.
///
/// # Errors
/// When it has no way to an API server, or something else that it cannot do without.
pub fn run(args: ControllerArgs) -> Result<ExitCode> {
    logging::start(args.log_format, &args.log_level)?;
    runtime()?.block_on(serve(args))
}

async fn serve(args: ControllerArgs) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let connection =
        Connection::open(args.cluster.kubeconfig.as_deref(), args.cluster.context.as_deref());
    let connection = Arc::new(connection.await?);
    let mut controller = Controller::start(connection, &args)?;
    let why = loop {
        tokio::select! {
            wish = signals.next() => if let Wish::Stop(why) = wish { break why },
            event = controller.next() => controller.answer(event).await,
        }
    };
    tracing::info!("{why}");
    controller.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The running controller.
struct Controller {
    connection: Arc<Connection>,
    namespace: String,
    /// None where nothing is written.
    leadership: Option<Leadership>,
    /// How long a write may take.
    patience: Duration,
    feed: Feed,
    mind: Mind,
    own: OwnFacts,
    hands: ControllerHands,
    shown: Shown,
    term: Term,
    /// What went since it was asked what is there.
    gone: BTreeSet<Box<str>>,
    carried: mpsc::UnboundedReceiver<CarriedOut>,
    look: tokio::time::Interval,
    looking: Option<JoinHandle<Option<Rivals>>>,
    _admin: Admin,
}

/// Its part in the election.
enum Term {
    /// Another one leads.
    None,
    /// It leads, and does not know yet what is there.
    Begins(u64, JoinHandle<Prepared>),
    /// It decides.
    Stands(u64),
}

struct ControllerHands {
    statuses: Statuses,
    chronicle: Chronicle,
    board: Board,
}

impl Hands for ControllerHands {
    fn at(&mut self, step: Step) -> Option<&mut dyn Hand> {
        match step {
            Step::Assigned => Some(&mut self.statuses),
            Step::Told => Some(&mut self.chronicle),
            Step::Written => Some(&mut self.board),
            _ => None,
        }
    }
}

/// Something the main loop answers to.
enum Event {
    Heard(Vec<ClusterEvent>),
    CarriedOut(Vec<CarriedOut>),
    Lease,
    Prepared(Option<Prepared>),
    Look,
    Rivals(Option<Rivals>),
    Due,
}

impl Controller {
    fn start(connection: Arc<Connection>, args: &ControllerArgs) -> Result<Self> {
        let identity = args.pod_name.clone().unwrap_or_else(crate::load::host_name);
        let counts = Counts::default();
        let history = History::default();
        let shown = Shown::new(&identity, counts.clone());
        let admin = AdminOptions {
            listen: args.admin,
            token_file: args.admin_token_file.clone(),
            ..AdminOptions::default()
        };
        let admin = steelyard_admin::serve(&admin, shown.published())?;
        let timing = args.timing()?;
        let leadership = match args.cluster.shadow {
            true => None,
            false => Some(Leadership::start(
                Arc::clone(&connection),
                LeaseOptions {
                    namespace: args.cluster.namespace.clone(),
                    name: LEASE.to_owned(),
                    // A container that starts anew is another one.
                    identity: format!("{identity}_{}", nonce()?),
                    timing,
                },
            )),
        };
        let board = shown.board(history.clone());
        let (_, carried) = mpsc::unbounded_channel();
        let mut controller = Self {
            feed: Feed::start(
                &connection,
                all_of(Role::Controller).into_iter().chain([own_state(&args.cluster.namespace)]),
            ),
            namespace: args.cluster.namespace.clone(),
            patience: timing.duration - timing.deadline,
            mind: Mind::of_cluster(
                resolve_options(args),
                Holdings::default(),
                all_of(Role::Controller),
            ),
            own: own_facts(args, identity),
            hands: ControllerHands {
                statuses: Statuses::new(status_options(args), counts),
                chronicle: Chronicle::new(history),
                board,
            },
            shown,
            term: Term::None,
            gone: BTreeSet::new(),
            carried,
            look: tokio::time::interval(LOOK),
            looking: None,
            _admin: admin,
            leadership,
            connection,
        };
        controller.follow_lease();
        Ok(controller)
    }

    /// Waits for what happens next. Cancel-safe.
    async fn next(&mut self) -> Event {
        let due = self.hands.statuses.deadline().map(tokio::time::Instant::from_std);
        let carried = async {
            let mut all = Vec::new();
            if self.carried.recv_many(&mut all, BATCH).await == 0 {
                std::future::pending::<()>().await;
            }
            all
        };
        tokio::select! {
            () = changed(&mut self.leadership) => Event::Lease,
            prepared = prepared(&mut self.term) => Event::Prepared(prepared),
            all = carried => Event::CarriedOut(all),
            heard = self.feed.next() => Event::Heard(heard),
            rivals = looked(&mut self.looking) => Event::Rivals(rivals),
            _ = self.look.tick() => Event::Look,
            () = sleep_until(due) => Event::Due,
        }
    }

    async fn answer(&mut self, event: Event) {
        // A leader that slept learns of it before it decides.
        self.follow_lease();
        match event {
            Event::Heard(heard) => self.hear(heard).await,
            Event::CarriedOut(all) => self.hands.statuses.take(all),
            Event::Prepared(Some(prepared)) => self.begin(prepared).await,
            Event::Prepared(None) => self.term = Term::None,
            Event::Look => {
                let connection = Arc::clone(&self.connection);
                let look = async move { rivals(&connection).await.ok() };
                self.looking = Some(tokio::spawn(look));
            }
            Event::Rivals(rivals) => {
                self.looking = None;
                if rivals.is_some_and(|rivals| self.hands.statuses.set_rivals(rivals)) {
                    self.decide().await;
                }
            }
            Event::Due => self.hands.statuses.write(),
            Event::Lease => {}
        }
        if !self.decides() {
            self.show();
        }
    }

    /// The term in which this replica leads now; without an election, the only one there is.
    fn now_leads(&self) -> Option<u64> {
        match &self.leadership {
            Some(leadership) => leadership.term(Instant::now()),
            None => Some(0),
        }
    }

    fn follow_lease(&mut self) {
        let (term, known) = (self.now_leads(), self.term.number());
        if term == known {
            return;
        }
        if let Term::Begins(_, task) = &self.term {
            task.abort();
        }
        self.hands.statuses.write_by(None);
        self.gone.clear();
        self.term = match term {
            None => {
                tracing::info!("another replica leads, or none");
                Term::None
            }
            Some(term) => {
                tracing::info!("this replica leads");
                let (connection, namespace) =
                    (Arc::clone(&self.connection), self.namespace.clone());
                let preparing = prepare(connection, namespace, term, self.leadership.is_some());
                Term::Begins(term, tokio::spawn(preparing))
            }
        };
    }

    /// Decides from now on, by what is there.
    async fn begin(&mut self, prepared: Prepared) {
        let Prepared { term, mut heard, rivals } = prepared;
        // A watch may be ahead of the list: what came since is not gone, what went stays so.
        heard.retain(|event| match event {
            ClusterEvent::Written(object) => !self.gone.contains(&object.origin.uid),
            _ => false,
        });
        if self.term.number() != Some(term) {
            return;
        }
        self.term = Term::Stands(term);
        self.hands.statuses.set_rivals(rivals);
        self.hands.statuses.heed(&mut heard);
        self.mind.see_cluster(heard);
        self.mind.hold(&Holdings::default());
        if let Some(leadership) = self.leadership.clone() {
            let leads = Arc::new(move || leadership.term(Instant::now()) == Some(term));
            let connection = Arc::clone(&self.connection);
            let (writer, carried) = Writer::new(connection, CONTROLLER, leads, self.patience);
            self.carried = carried;
            self.hands.statuses.write_by(Some(writer));
        }
        self.decide().await;
    }

    async fn hear(&mut self, mut heard: Vec<ClusterEvent>) {
        for event in &heard {
            if let ClusterEvent::Gone { uid, .. } = event
                && !matches!(self.term, Term::Stands(_))
            {
                self.gone.insert(uid.clone());
            }
        }
        self.hands.statuses.heed(&mut heard);
        self.mind.see_cluster(heard);
        if self.mind.has_news() {
            self.decide().await;
        } else {
            self.hands.statuses.write();
        }
    }

    fn decides(&self) -> bool {
        matches!(self.term, Term::Stands(_)) && self.mind.awaited().is_empty()
    }

    /// Decides, and has it written, if this replica leads and has heard of everything.
    async fn decide(&mut self) {
        if !self.decides() {
            return;
        }
        let seen = Instant::now();
        let mut decided = self.mind.take(&self.own, seen);
        let held = self.hands.statuses.leave_alone(&mut decided);
        // What nobody writes is not held: what others write counts.
        let held = if self.leadership.is_some() { held } else { Holdings::default() };
        self.mind.hold(&held);
        let decided = Arc::new(decided);
        if let Err(error) = hands::carry_out(&mut self.hands, &decided).await {
            tracing::error!("{error:#}");
        }
        self.hands.chronicle.tell_taken();
        self.mind.look_ahead();
    }

    /// Shows how it stands while this replica does not decide.
    fn show(&self) {
        let holder = self.leadership.as_ref().and_then(Leadership::holder);
        self.shown.wait(self.mind.awaited(), self.term.number().is_some(), holder);
    }

    /// Ends: first its writes, then its lead.
    async fn stop(mut self) {
        let Some(leadership) = self.leadership.take() else { return };
        if let Some(writer) = self.hands.statuses.end() {
            let settled = tokio::time::timeout(LAST_WRITES, writer.settle()).await;
            if settled.is_err() {
                // Nobody knows whether they are carried out: the lease ends by itself.
                tracing::warn!("writes have not ended: the lease is not let go of");
                return;
            }
        }
        leadership.leave(LEAVE).await;
    }
}

impl Term {
    fn number(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Begins(term, _) | Self::Stands(term) => Some(*term),
        }
    }
}

async fn changed(leadership: &mut Option<Leadership>) {
    match leadership {
        Some(leadership) => leadership.changed().await,
        None => std::future::pending().await,
    }
}

async fn prepared(term: &mut Term) -> Option<Prepared> {
    match term {
        Term::Begins(_, task) => task.await.ok(),
        Term::None | Term::Stands(_) => std::future::pending().await,
    }
}

async fn looked(looking: &mut Option<JoinHandle<Option<Rivals>>>) -> Option<Rivals> {
    match looking {
        Some(task) => task.await.ok().flatten(),
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// What it reports of itself.
fn own_state(namespace: &str) -> Selection {
    let reach = Reach { namespace: Some(namespace.into()), name: None };
    Selection { kind: &STATES, reach }
}

/// What no other process has in its name.
fn nonce() -> Result<String> {
    let bytes: [u8; 8] = steelyard_host::random::bytes().context("no randomness")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn resolve_options(args: &ControllerArgs) -> ResolveOptions {
    ResolveOptions {
        config_namespace: args.cluster.config_namespace.clone(),
        load_balancer_class: args.cluster.lb_class.clone(),
        ..ResolveOptions::default()
    }
}

fn own_facts(args: &ControllerArgs, identity: String) -> OwnFacts {
    // It announces nothing; the nodes do, and each of them may.
    let named = args.cluster.node_name.clone().unwrap_or(identity);
    OwnFacts { named, is_for_cluster: true, ..OwnFacts::default() }
}

fn status_options(args: &ControllerArgs) -> StatusOptions {
    let pod = args.pod_name.clone().zip(args.pod_uid.clone());
    let gateway = args.gateway_service.clone();
    let gateway =
        gateway.unwrap_or_else(|| NamespacedName::new(args.cluster.namespace.as_str(), GATEWAY));
    StatusOptions {
        ip_mode: args.ip_mode.into(),
        gateway: Some(gateway),
        namespace: Some(args.cluster.namespace.clone()),
        owner: pod.map(|(name, uid)| Owner { name, uid }),
    }
}
