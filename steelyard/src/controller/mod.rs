//! The controller: it gives Services of a cluster their addresses, and reports what is decided.
//!
//! Of several replicas one leads ([`lead`]). The others follow what happens, so as to be quick, and
//! decide nothing. What was decided is held while it is written; what statuses say counts where
//! nothing is held, which is how a leader that starts knows who has what. One whose API server has
//! lost its history, or was put back to what it was before, looks anew like one that starts.

mod args;
mod lead;
mod shown;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use steelyard_admin::Admin;
use steelyard_host::memory;
use steelyard_kube::{CarriedOut, Connection, Gap, Leadership, LeaseOptions, Writer, rivals};
use steelyard_manifest::{ClusterEvent, Reach, Role, STATES, Selection};
use steelyard_model::{Holdings, NamespacedName};
use steelyard_pipeline::ResolveOptions;
use steelyard_statuses::{CONTROLLER, Rivals, StatusKind, StatusOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cluster::{Ears, Event, all_of};
use crate::entry_points::{IngressStatus, StaticOptions};
use crate::hands::chronicle::Chronicle;
use crate::hands::history::History;
use crate::hands::statuses::{Counts, Statuses};
use crate::hands::{self, Hand, Hands, Step};
use crate::instance::{Wish, runtime};
use crate::logging;
use crate::mind::{Mind, OwnFacts};
use crate::tell::board::Board;

pub use args::ControllerArgs;
use lead::{Census, Prepared, prepare};
use shown::{Shown, Waits};

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
pub fn run(args: ControllerArgs, fixed: &StaticOptions) -> Result<ExitCode> {
    logging::start(args.show.style(), args.show.level())?;
    memory::keep_little();
    runtime()?.block_on(serve(args, fixed.ingress_status()))
}

async fn serve(args: ControllerArgs, told: IngressStatus) -> Result<ExitCode> {
    let own = own_state(&args.cluster.namespace);
    let mut ears = Ears::open(&args.cluster, Role::Controller, BTreeSet::from([own])).await?;
    let mut controller = Controller::start(&ears, &args, told)?;
    let why = follow(&mut controller, &mut ears).await;
    tracing::info!("{why}");
    controller.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The main loop: takes what comes until it is told to end, and says why.
async fn follow(controller: &mut Controller, ears: &mut Ears) -> &'static str {
    loop {
        let event = ears.next(controller.next()).await;
        // A leader that slept learns of it before it decides.
        controller.follow_lease();
        match event {
            Event::Heard(heard) => controller.hear(heard).await,
            Event::Own(own) => controller.answer(own).await,
            Event::Tick => controller.tick(ears.feed.gaps()),
            Event::Asked(Wish::Reopen) => {}
            Event::Asked(Wish::Upgrade) => crate::upgrade::refuse(),
            Event::Asked(Wish::Stop(why)) => return why,
        }
        controller.show();
    }
}

/// The running controller.
struct Controller {
    connection: Arc<Connection>,
    namespace: String,
    /// None where nothing is written.
    leadership: Option<Leadership>,
    /// How long a write may take.
    patience: Duration,
    mind: Mind,
    own: OwnFacts,
    hands: ControllerHands,
    shown: Shown,
    term: Term,
    /// What is there, as far as it is known while a term begins.
    census: Census,
    /// Pages of the list of it.
    listed: mpsc::Receiver<Vec<ClusterEvent>>,
    carried: mpsc::UnboundedReceiver<CarriedOut>,
    look: tokio::time::Interval,
    looking: Option<JoinHandle<Option<Rivals>>>,
    /// Nothing is decided before, so that what is heard meanwhile is decided at once; none while
    /// nothing waits.
    rests: Rest,
    /// Something new was taken in since memory was given back.
    is_new: bool,
    _admin: Admin,
}

/// The pause between decisions: where many objects change one after another, each decision is for
/// all that changed while it was rested from the one before.
struct Rest {
    until: Instant,
    /// Something is to be decided then.
    awaits: bool,
}

/// A rest is so many times as long as the decision before it.
const REST: u32 = 3;
const LONGEST_REST: Duration = Duration::from_millis(500);

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

/// What the main loop answers to besides what all roles do.
enum Own {
    CarriedOut(Vec<CarriedOut>),
    Lease,
    /// In which term it was asked for, and a page of it.
    Listed(Option<u64>, Vec<ClusterEvent>),
    Prepared(Option<Prepared>),
    Look,
    Rivals(Option<Rivals>),
    Due,
    Rested,
}

impl Controller {
    fn start(ears: &Ears, args: &ControllerArgs, told: IngressStatus) -> Result<Self> {
        let connection = Arc::clone(ears.connection());
        let identity = args.pod.pod_name.clone().unwrap_or_else(crate::load::host_name);
        let counts = Counts::default();
        let history = History::default();
        let shown = Shown::new(&identity, counts.clone(), ears.feed.standings());
        let admin = steelyard_admin::serve(&args.show.admin(), shown.published())?;
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
        let (_, listed) = mpsc::channel(1);
        let mut controller = Self {
            namespace: args.cluster.namespace.clone(),
            patience: timing.duration - timing.deadline,
            mind: Mind::of_cluster(
                resolve_options(args),
                Holdings::default(),
                all_of(Role::Controller),
            ),
            own: own_facts(args, identity),
            hands: ControllerHands {
                statuses: Statuses::new(status_options(args, told), counts),
                chronicle: Chronicle::new(history),
                board,
            },
            shown,
            term: Term::None,
            census: Census::default(),
            listed,
            carried,
            look: tokio::time::interval(LOOK),
            looking: None,
            rests: Rest { until: Instant::now(), awaits: false },
            is_new: false,
            _admin: admin,
            leadership,
            connection,
        };
        controller.follow_lease();
        Ok(controller)
    }

    /// Waits for what happens next. Cancel-safe.
    async fn next(&mut self) -> Own {
        let due = self.hands.statuses.deadline().map(tokio::time::Instant::from_std);
        let term = self.term.number();
        let rested = self.rests.awaits.then(|| tokio::time::Instant::from_std(self.rests.until));
        let carried = async {
            let mut all = Vec::new();
            if self.carried.recv_many(&mut all, BATCH).await == 0 {
                std::future::pending::<()>().await;
            }
            all
        };
        tokio::select! {
            () = changed(&mut self.leadership) => Own::Lease,
            Some(page) = self.listed.recv() => Own::Listed(term, page),
            prepared = prepared(&mut self.term) => Own::Prepared(prepared),
            all = carried => Own::CarriedOut(all),
            rivals = looked(&mut self.looking) => Own::Rivals(rivals),
            _ = self.look.tick() => Own::Look,
            () = sleep_until(due) => Own::Due,
            () = sleep_until(rested) => Own::Rested,
        }
    }

    async fn answer(&mut self, event: Own) {
        match event {
            Own::CarriedOut(all) => self.hands.statuses.take(all),
            Own::Listed(term, page) if term == self.term.number() => self.see_listed(page),
            Own::Listed(..) | Own::Lease => {}
            Own::Prepared(Some(prepared)) => self.begin(prepared).await,
            Own::Prepared(None) => self.term = Term::None,
            Own::Look => {
                let connection = Arc::clone(&self.connection);
                let look = async move { rivals(&connection).await.ok() };
                self.looking = Some(tokio::spawn(look));
            }
            Own::Rivals(rivals) => {
                self.looking = None;
                if rivals.is_some_and(|rivals| self.hands.statuses.set_rivals(rivals)) {
                    self.decide().await;
                }
            }
            Own::Due => self.hands.statuses.write(),
            Own::Rested => self.decide().await,
        }
    }

    /// Looks after what tells of itself to nobody.
    fn tick(&mut self, gaps: Vec<Gap>) {
        self.shown.set_gaps(&gaps);
        if self.hands.board.set_gaps(gaps) && self.decides() {
            self.hands.board.show();
        }
        if std::mem::take(&mut self.is_new) {
            memory::give_back();
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
        match term {
            None => tracing::info!("another replica leads, or none"),
            Some(_) => tracing::info!("this replica leads"),
        }
        // Who has what is said by statuses alone.
        self.mind.hold(&Holdings::default());
        self.look_anew(term);
    }

    /// In this term, writes and decides nothing before it has looked at what is there. What was
    /// begun before is another's business.
    fn look_anew(&mut self, term: Option<u64>) {
        if let Term::Begins(_, task) = &self.term {
            task.abort();
        }
        self.hands.statuses.write_by(None);
        (_, self.carried) = mpsc::unbounded_channel();
        self.census = Census::default();
        let (tell, listed) = mpsc::channel(1);
        self.listed = listed;
        let Some(term) = term else { return self.term = Term::None };
        self.hands.statuses.forget_services();
        let (connection, namespace) = (Arc::clone(&self.connection), self.namespace.clone());
        let writes = self.leadership.is_some();
        let preparing = prepare(connection, namespace, term, writes, tell);
        self.term = Term::Begins(term, tokio::spawn(preparing));
    }

    /// Decides from now on, by what is there.
    async fn begin(&mut self, prepared: Prepared) {
        let Prepared { term, rivals } = prepared;
        if self.term.number() != Some(term) {
            return;
        }
        while let Ok(page) = self.listed.try_recv() {
            self.see_listed(page);
        }
        let all = self.census.close();
        self.take_in(vec![all]);
        self.term = Term::Stands(term);
        self.hands.statuses.set_rivals(rivals);
        if let Some(leadership) = self.leadership.clone() {
            let leads = Arc::new(move || leadership.term(Instant::now()) == Some(term));
            let connection = Arc::clone(&self.connection);
            let (writer, carried) = Writer::new(connection, CONTROLLER, leads, self.patience);
            self.carried = carried;
            self.hands.statuses.write_by(Some(writer));
        }
        self.decide().await;
    }

    fn see_listed(&mut self, mut page: Vec<ClusterEvent>) {
        self.census.see(&mut page);
        self.take_in(page);
    }

    fn take_in(&mut self, mut heard: Vec<ClusterEvent>) {
        self.hands.statuses.heed(&mut heard);
        self.mind.see_cluster(heard);
    }

    async fn hear(&mut self, heard: Vec<ClusterEvent>) {
        self.is_new = true;
        if heard.iter().any(is_of_reports_anew) {
            // What is reported is not known, nor what became of writes that are under way.
            self.look_anew(self.term.number());
        }
        if let Term::Begins(..) = self.term {
            self.census.hear(&heard);
        }
        self.take_in(heard);
        if self.mind.has_news() && self.rests.until > Instant::now() {
            self.rests.awaits = true;
        } else if self.mind.has_news() {
            self.decide().await;
        } else {
            self.hands.statuses.write();
        }
    }

    fn decides(&self) -> bool {
        let is_informed = self.mind.awaited().is_empty() && !self.mind.is_renewing();
        matches!(self.term, Term::Stands(_)) && is_informed
    }

    /// Decides, and has it written, if this replica leads and has heard of everything.
    async fn decide(&mut self) {
        self.rests.awaits = false;
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
        let rest = (seen.elapsed() * REST).min(LONGEST_REST);
        self.rests.until = Instant::now() + rest;
    }

    /// Shows how it stands where this replica does not decide.
    fn show(&mut self) {
        if self.decides() {
            return self.shown.decide();
        }
        let holder = self.leadership.as_ref().and_then(Leadership::holder);
        let leads = self.term.number().is_some();
        self.shown.wait(Waits { awaited: self.mind.awaited(), leads, holder });
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

/// Whether what is reported somewhere is listed anew.
fn is_of_reports_anew(event: &ClusterEvent) -> bool {
    matches!(event, ClusterEvent::Anew(watch) if StatusKind::named(watch.kind.kind).is_some())
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
        reads_endpoints: false,
        ..ResolveOptions::default()
    }
}

fn own_facts(args: &ControllerArgs, identity: String) -> OwnFacts {
    // It announces nothing; the nodes do, and each of them may.
    let named = args.cluster.node_name.clone().unwrap_or(identity);
    OwnFacts { named, is_for_cluster: true, leaves_forwarding: true, ..OwnFacts::default() }
}

fn status_options(args: &ControllerArgs, told: IngressStatus) -> StatusOptions {
    let gateway = args.gateway_service.clone();
    let gateway =
        gateway.unwrap_or_else(|| NamespacedName::new(args.cluster.namespace.as_str(), GATEWAY));
    StatusOptions {
        ip_mode: args.ip_mode.into(),
        tells_ingresses: told.tells,
        ingresses: told.published(gateway),
        namespace: Some(args.cluster.namespace.clone()),
        owner: args.pod.owner(),
    }
}
