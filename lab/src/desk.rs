//! What another terminal tells a running laboratory, and what it answers.
//!
//! One line of JSON each way over a Unix socket in the laboratory's folder.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use super::order::Order;
use super::state::State;
use super::view::View;

/// How long an order may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked of a running laboratory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Request {
    /// Do this.
    Do(Order),
    /// Tell how things are.
    Show,
    /// The same as a drawing.
    Draw {
        /// In colours.
        color: bool,
        /// For so many columns.
        columns: usize,
    },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// It is done: what.
    Done(String),
    /// It is not done: why, and what to do.
    Refused(String),
    /// How things are.
    Seen(View),
    /// The same as a drawing.
    Drawn(String),
}

/// A request that waits to be answered.
pub(super) type Pending = (Request, oneshot::Sender<Answer>);

/// Where a laboratory listens.
fn socket(folder: &Path) -> PathBuf {
    folder.join("orders")
}

/// Gives an order to the laboratory of this name and prints what it says.
pub(super) fn give(lab: &str, order: &Order) -> anyhow::Result<ExitCode> {
    match ask(lab, &Request::Do(order.clone()))? {
        Answer::Done(sentence) => steelyard_terminal::show(&(sentence + "\n")),
        Answer::Refused(sentence) => anyhow::bail!(sentence),
        Answer::Seen(_) | Answer::Drawn(_) => {
            anyhow::bail!("the laboratory answers something else")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the laboratory of this name; what it answers.
pub(super) fn ask(lab: &str, request: &Request) -> anyhow::Result<Answer> {
    let state = State::attach(lab)?;
    let mut stream = UnixStream::connect(socket(&state.folder))
        .context("the laboratory does not listen; end it with `sudo steelyard lab down`")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", serde_json::to_string(request)?).as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context("the laboratory does not answer")?;
    serde_json::from_str(&line).context("the laboratory is of another version; restart it")
}

/// Listens in `folder`, from now on until the runtime ends.
pub(super) fn listen(folder: &Path) -> anyhow::Result<mpsc::Receiver<Pending>> {
    let listener = tokio::net::UnixListener::bind(socket(folder))?;
    let (pending, orders) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let pending = pending.clone();
            // Who goes away before the answer does not want it.
            tokio::spawn(async move { drop(serve(stream, pending).await) });
        }
    });
    Ok(orders)
}

async fn serve(
    mut stream: tokio::net::UnixStream,
    pending: mpsc::Sender<Pending>,
) -> anyhow::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    tokio::io::BufReader::new(reader).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => {
            let (reply, answer) = oneshot::channel();
            pending.send((request, reply)).await?;
            answer.await?
        }
        Err(error) => Answer::Refused(format!("it does not understand this: {error}")),
    };
    let text = format!("{}\n", serde_json::to_string(&answer)?);
    writer.write_all(text.as_bytes()).await?;
    Ok(())
}
