//! What tests ask the API server, through `kubectl proxy` on a Unix socket: as the cluster's
//! administrator, without a process for each question.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http::{Answer, exchange};

/// Longest wait for an answer: a list of thousands of objects takes its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests at a time, where there are many.
const HANDS: usize = 8;

/// A door to the API server of a cluster.
#[derive(Clone, Debug)]
pub struct Api {
    socket: PathBuf,
}

impl Api {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// An object, or a list (`/api/v1/nodes`); an error when the answer is another than 200.
    pub fn get(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.get_text(path)?).with_context(|| path.to_owned())
    }

    /// The same for what is not JSON (`/readyz`).
    pub fn get_text(&self, path: &str) -> Result<String> {
        let answer = self.send("GET", path, "")?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
        Ok(answer.body)
    }

    /// Creates `object(0)` … `object(count - 1)`, each in the collection that goes with it, by
    /// several hands.
    pub fn create_many(
        &self,
        count: usize,
        object: impl Fn(usize) -> (String, Value) + Sync,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<()> {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok(());
                }
                let (path, object) = object(at);
                let answer = self.send("POST", &path, &object.to_string())?;
                ensure!(answer.status == 201, "{path}: {} {}", answer.status, answer.body);
            }
        };
        std::thread::scope(|scope| {
            let hands: Vec<_> = (0..HANDS).map(|_| scope.spawn(work)).collect();
            hands.into_iter().try_for_each(|hand| hand.join().expect("it does not panic"))
        })
    }

    /// Sends JSON and hands the answer back, whatever it is. A `PATCH` is a merge patch.
    pub fn send(&self, method: &str, path: &str, content: &str) -> Result<Answer> {
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // In HTTP/1.0 an answer is one piece, and ends with its connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{content}",
            content.len(),
        );
        exchange(&mut stream, request.as_bytes())
    }
}
