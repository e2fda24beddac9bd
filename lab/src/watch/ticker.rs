//! Requests at a steady pace, each on a connection of its own and with a deadline.
//!
//! Requests do not wait for each other: one that hangs at a dead node delays none that comes
//! after, so that the first to be answered again tells the end of an outage to within one tick.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout_at;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// Value of the `Host` field.
    pub host: String,
    /// Path and query.
    pub path: String,
}

/// How often, and for how long at most.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between the starts of two requests.
    pub every: Duration,
    /// What is not answered by then is given up.
    pub deadline: Duration,
}

/// What became of one request.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Counted from 0, in the order of the starts.
    pub number: u64,
    /// When it was begun.
    pub started: Instant,
    /// When it was answered or given up.
    pub ended: Instant,
    /// What came of it.
    pub fate: Fate,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Answered in time, with a status below 500.
    Answered,
    /// No connection: refused, unreachable, or not there by the deadline.
    Failed,
    /// Connected, and then reset, closed before a whole head, or answered with 500 or above.
    Broken,
    /// Connected, and neither answered nor closed by the deadline.
    Late,
}

/// Starts requests for ever, in the namespace of the calling thread; sends what becomes of them,
/// as it becomes known.
pub async fn tick(target: Target, pace: Pace, outcomes: mpsc::UnboundedSender<Outcome>) {
    let mut interval = tokio::time::interval(pace.every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: steelyard-watch\r\nConnection: close\r\n\r\n",
        target.path, target.host
    );
    let request: std::rc::Rc<str> = request.into();
    let tasks = tokio::task::LocalSet::new();
    tasks
        .run_until(async {
            for number in 0.. {
                interval.tick().await;
                let (request, outcomes) = (request.clone(), outcomes.clone());
                tokio::task::spawn_local(async move {
                    let started = Instant::now();
                    let fate = ask(target.address, &request, started + pace.deadline).await;
                    let ended = Instant::now();
                    // Who does not listen any more is ending.
                    let _ = outcomes.send(Outcome { number, started, ended, fate });
                });
            }
        })
        .await;
}

async fn ask(address: SocketAddr, request: &str, deadline: Instant) -> Fate {
    let deadline = deadline.into();
    let Ok(Ok(stream)) = timeout_at(deadline, TcpStream::connect(address)).await else {
        return Fate::Failed;
    };
    match timeout_at(deadline, exchange(stream, request)).await {
        Ok(Ok(status)) if status < 500 => Fate::Answered,
        Ok(_) => Fate::Broken,
        Err(_) => Fate::Late,
    }
}

/// Status of the answer; its content is read too, so that closing resets nothing.
async fn exchange(mut stream: TcpStream, request: &str) -> std::io::Result<u16> {
    stream.set_nodelay(true)?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    let status = status.and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidData))
}
