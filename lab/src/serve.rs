//! Running a laboratory: what is said, drawn and done while it stands.

use std::io::Read;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::console::{Console, print};
use super::desk::{Answer, Request};
use super::draw::{self, Look};
use super::start::Laboratory;
use super::state::{self, State};
use super::view::View;
use super::world::Reader;
use super::{LabArgs, named, tools};

/// Between two looks at the nodes.
const TICK: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(25);

/// Signals that end it.
struct Ends([Signal; 3]);

/// Runs it in the foreground.
pub(super) fn run(args: &LabArgs, read: Reader) -> anyhow::Result<ExitCode> {
    tools::require_programs()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // First of all: from here on a signal means an orderly end.
        let mut ends = Ends::new()?;
        let console = Console::new();
        let mut laboratory = tokio::select! {
            biased;
            started = Laboratory::start(args, read, &console) => started?,
            () = ends.any() => return Ok(ExitCode::SUCCESS),
        };
        // Before it is said that it is there: others may come at once.
        laboratory.publish()?;
        let end = match args.background {
            false => "Ctrl-C ends it and removes everything.".to_owned(),
            true => format!("`sudo {} lab{} down` ends it.", program(), named(&args.name)),
        };
        if args.background || !console.take_over() {
            let page = page(&laboratory, &laboratory.view(), &console);
            console.say(&format!("\n{page}\n  {end}\n\n"));
        }
        tokio::select! {
            () = ends.any() => {}
            () = follow(&mut laboratory, &console, &end) => {}
        }
        console.give_back();
        console.say("ending\n");
        laboratory.end().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Carries out orders and keeps what is shown true, for ever.
async fn follow(laboratory: &mut Laboratory, console: &Console, end: &str) {
    let mut tick = tokio::time::interval(TICK);
    let mut shown = laboratory.view();
    let mut drawn_in = (0, 0);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            Some((request, reply)) = laboratory.requests.recv() => {
                // Who asked may have gone.
                let _ = reply.send(answer(laboratory, request, console).await);
            }
        }
        for sentence in laboratory.nodes.look() {
            console.say(&format!("{sentence}\n"));
        }
        let view = laboratory.view();
        for line in view.changes(&shown) {
            console.say(&format!("{line}\n"));
        }
        if view.addresses() != shown.addresses() {
            laboratory.read_again();
        }
        let room = console.room();
        if view != shown || room != drawn_in || console.is_stale() {
            console.draw(&format!("{}\n  {end}\n", page(laboratory, &view, console)));
            (shown, drawn_in) = (view, room);
        }
    }
}

async fn answer(laboratory: &mut Laboratory, request: Request, console: &Console) -> Answer {
    let order = match request {
        Request::Show => return Answer::Seen(laboratory.view()),
        Request::Draw { color, columns } => {
            let view = laboratory.view();
            return Answer::Drawn(drawing(laboratory, &view, color, (usize::MAX, columns)));
        }
        Request::Do(order) => order,
    };
    match laboratory.nodes.take(&order).await {
        Ok(sentence) => {
            console.say(&format!("{sentence}\n"));
            Answer::Done(sentence)
        }
        Err(error) => Answer::Refused(format!("{error:#}")),
    }
}

fn page(laboratory: &Laboratory, view: &View, console: &Console) -> String {
    drawing(laboratory, view, console.color(), console.room())
}

/// In so many rows and columns.
fn drawing(
    laboratory: &Laboratory,
    view: &View,
    color: bool,
    (rows, columns): (usize, usize),
) -> String {
    let Laboratory { topology, world, named, .. } = laboratory;
    let look = Look { color, columns, rows, program: &program(), named };
    draw::laboratory(topology, world, view, look)
}

/// How this program was called.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "steelyard".to_owned())
}

/// Starts it in the background, and returns when it serves.
pub(super) fn detach(args: &LabArgs) -> anyhow::Result<ExitCode> {
    tools::require_programs()?;
    if state::is_claimed(&args.name) {
        bail!(
            "a laboratory named {:?} is running; end it with `sudo steelyard lab{} down`",
            args.name,
            named(&args.name)
        );
    }
    let (path, log) = state::create_log(&args.name)?;
    let mut process = Command::new(std::env::current_exe()?);
    std::os::unix::process::CommandExt::arg0(&mut process, program());
    let arguments = std::env::args_os().skip(1);
    process.args(arguments.map(|it| if it == "--detach" { "--background".into() } else { it }));
    process.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    std::os::unix::process::CommandExt::process_group(&mut process, 0);
    // The log is removed with the laboratory: what it said is read from the open file.
    let mut said = std::fs::File::open(&path)?;
    let mut process = process.spawn().context("cannot start in the background")?;
    loop {
        let ended = process.try_wait()?;
        let ready = State::attach(&args.name).is_ok();
        let mut text = String::new();
        said.read_to_string(&mut text)?;
        print(&text);
        match ended {
            Some(status) => bail!("the laboratory did not start: {status}"),
            None if ready => return Ok(ExitCode::SUCCESS),
            None => std::thread::sleep(PAUSE),
        }
    }
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
