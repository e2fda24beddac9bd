//! The process that another one takes the place of.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use steelyard_host::inherited::Inherited;
use steelyard_upgrade::{Answer, Caller, Door, ProcessLine, Request, Successor, notify, reloading};

use super::Stage;
use super::successor::is_program;
use crate::instance::{Instance, Signals, Wish};
use crate::legacy::Estate;

/// How long the new process may take until it is prepared, unless who asks says so.
const WITHIN: Duration = Duration::from_secs(60);
/// The same from then on: it announces, and accepts.
const LAST: Duration = Duration::from_secs(5);

/// How this process was started, looked at when it was: the file may be another one by now.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// How this process is asked to let another one take its place.
pub(crate) struct Upgrades {
    origin: Origin,
    /// None where the state folder is of no use: then a signal asks, and nobody is answered.
    door: Option<Door>,
}

/// Why the main loop ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was asked to; why.
    Asked(&'static str),
    /// Another process is in charge.
    Replaced,
}

/// Why this process is in charge still.
#[derive(Debug)]
enum Failure {
    NoProgram(PathBuf),
    Start(PathBuf, io::Error),
    Ended(String),
    Late(Duration),
    Line(io::Error),
    First,
    NotRoot,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgram(path) => write!(f, "{} is no program", path.display()),
            Self::Start(path, why) => write!(f, "{} does not start: {why}", path.display()),
            Self::Ended(how) => write!(f, "the new process ended before it was in charge: {how}"),
            Self::Late(limit) => {
                write!(f, "the new process was not ready within {} s", limit.as_secs())
            }
            Self::Line(why) => write!(f, "the new process does not take over: {why}"),
            Self::NotRoot => f.write_str(
                "only root may name another program: it would have the capabilities that this one has",
            ),
            Self::First => f.write_str(
                "this is the first process of its container, which would end with it: replace the \
                 container",
            ),
        }
    }
}

impl Origin {
    /// Of this process.
    pub(crate) fn look() -> Self {
        let mut all = std::env::args_os();
        let named = all.next().map(PathBuf::from).unwrap_or_default();
        let found = match named.components().count() {
            0 | 1 => in_path(&named),
            _ => std::path::absolute(&named).ok(),
        };
        let own = || std::env::current_exe().unwrap_or(named);
        Self { program: found.unwrap_or_else(own), arguments: all.collect() }
    }
}

fn in_path(name: &Path) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|it| it.join(name)).find(|it| is_program(it))
}

impl Upgrades {
    /// Opens the door in the state folder. Inside a runtime.
    pub(crate) fn new(origin: Origin, state: &Path, inherited: &Inherited) -> Self {
        let door = Door::open(state, inherited).inspect_err(|error| {
            let state = state.display();
            tracing::debug!(%error, "{state}: an upgrade is asked for by SIGUSR2 alone");
        });
        Self { origin, door: door.ok() }
    }

    /// The next who asks. Cancel-safe.
    pub(crate) async fn next(&self) -> Caller {
        match &self.door {
            Some(door) => door.next().await,
            None => std::future::pending().await,
        }
    }

    /// Has another process take over; whether this one is to end. `caller` is told what became of
    /// it. Whoever asks meanwhile is told that it is under way.
    pub(crate) async fn run(
        &mut self,
        instance: &Instance,
        signals: &mut Signals,
        caller: Option<Caller>,
    ) -> Option<Ending> {
        let request = caller.as_ref().map_or_else(Request::default, |it| it.request.clone());
        let is_root = caller.as_ref().is_none_or(|it| it.is_root);
        notify(&reloading());
        let outcome = {
            let mut attempt = std::pin::pin!(self.attempt(instance, &request, is_root));
            loop {
                tokio::select! {
                    outcome = &mut attempt => break Ok(outcome),
                    other = self.next() => other.answer(&under_way()).await,
                    wish = signals.next() => match wish {
                        Wish::Upgrade => tracing::warn!("{}", under_way().said),
                        Wish::Reopen => instance.reopen_logs(),
                        Wish::Stop(why) => break Err(why),
                    },
                }
            }
        };
        let (ending, answer) = match outcome {
            Ok(Ok(process)) => {
                let said = format!("process {process} has taken over");
                instance.note_upgrade(true, &said);
                notify(&format!("MAINPID={process}\nREADY=1"));
                (Some(Ending::Replaced), Answer { process: Some(process), said })
            }
            Ok(Err(failure)) => {
                instance.go_on().await;
                let said = format!("{failure}; the process that runs goes on");
                instance.note_upgrade(false, &said);
                notify("READY=1");
                (None, Answer { process: None, said })
            }
            Err(why) => {
                instance.go_on().await;
                let said = format!("the upgrade is given up: {why}");
                (Some(Ending::Asked(why)), Answer { process: None, said })
            }
        };
        if let Some(caller) = caller {
            caller.answer(&answer).await;
        }
        if ending == Some(Ending::Replaced) {
            self.door.take().into_iter().for_each(Door::let_go);
        }
        ending
    }

    /// The number of the process that is in charge then.
    async fn attempt(
        &self,
        instance: &Instance,
        request: &Request,
        is_root: bool,
    ) -> Result<u32, Failure> {
        if std::process::id() == 1 {
            return Err(Failure::First);
        }
        if request.program.is_some() && !is_root && instance.settings().privileges.is_full() {
            return Err(Failure::NotRoot);
        }
        let program = request.program.as_ref().unwrap_or(&self.origin.program);
        if !is_program(program) {
            return Err(Failure::NoProgram(program.clone()));
        }
        tracing::info!("an upgrade: {} is started", program.display());
        let started = Successor::start(program, &self.origin.arguments);
        let (mut successor, line) =
            started.map_err(|error| Failure::Start(program.clone(), error))?;
        let process = successor.process().unwrap_or_default();
        let within = request.within.map_or(WITHIN, Duration::from_secs);
        let first = watched(&mut successor, within, self.prepare(instance, &line)).await;
        first?;
        let last = async {
            let (baton, sockets) = instance.pass_on().await;
            line.say(&baton, &sockets).await?;
            expect(&line, Stage::InCharge).await
        };
        watched(&mut successor, LAST, last).await?;
        successor.stays();
        Ok(process)
    }

    /// Gives the new process what it needs, and waits until it is prepared.
    async fn prepare(&self, instance: &Instance, line: &ProcessLine) -> io::Result<()> {
        let (forward, mut shared) = instance.hand_on().await?;
        shared.extend(self.door.as_ref().map(Door::share).transpose()?);
        let (sockets, descriptors): (Vec<String>, Vec<_>) = shared.into_iter().unzip();
        line.say(&Estate { sockets, forward }, &descriptors).await?;
        drop(descriptors);
        expect(line, Stage::Prepared).await
    }
}

fn under_way() -> Answer {
    let said = "an upgrade is under way already: this one is not begun".to_owned();
    Answer { process: None, said }
}

async fn expect(line: &ProcessLine, stage: Stage) -> io::Result<()> {
    let (said, _) = line.hear::<Stage>().await?;
    if said == stage { Ok(()) } else { Err(io::Error::other(format!("it says {said:?}"))) }
}

/// Whether the other end of a line is gone.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// What comes of `work`, unless the new process ends before, or it takes too long.
async fn watched(
    successor: &mut Successor,
    limit: Duration,
    work: impl Future<Output = io::Result<()>>,
) -> Result<(), Failure> {
    let ended = |ended: io::Result<ExitStatus>| match ended {
        Ok(status) => Failure::Ended(status.to_string()),
        Err(error) => Failure::Line(error),
    };
    let worked = tokio::select! {
        // What it says last says less than how it ended.
        biased;
        status = successor.ended() => return Err(ended(status)),
        worked = tokio::time::timeout(limit, work) => worked,
    };
    match worked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if is_end(&error) => {
            // It is about to end.
            match tokio::time::timeout(LAST, successor.ended()).await {
                Ok(status) => Err(ended(status)),
                Err(_) => Err(Failure::Line(error)),
            }
        }
        Ok(Err(error)) => Err(Failure::Line(error)),
        Err(_) => Err(Failure::Late(limit)),
    }
}
