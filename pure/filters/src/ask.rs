//! What a frame may ask for, and what it gets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::response::Response;
use bytes::Bytes;
use steelyard_http::{LineEdits, Scheme};
use steelyard_model::routing::filter::limit::RedisStore;
use steelyard_model::routing::id::BackendId;

/// What a frame cannot go on without.
#[derive(Debug)]
pub enum Ask {
    /// The request's body, whole: [`Got::Body`], or [`Got::TooLarge`] if it has more than `max`
    /// bytes.
    Body {
        /// Bytes, at most.
        max: usize,
    },
    /// The first bytes of the response's body, as it comes to the frames, when a response comes
    /// out: [`Got::Begin`]. It is not waited for longer than that: who says nothing for hours has
    /// said so in its head.
    Begin {
        /// Bytes, at most.
        max: usize,
        /// How long they are waited for.
        patience: Duration,
    },
    /// A request of the frame's own: [`Got::Response`], [`Got::TooLarge`] if the answer has more
    /// bytes than the letter lets it have, or [`Got::Unanswered`].
    Fetch {
        /// Where to.
        to: BackendId,
        /// What.
        letter: Box<Letter>,
    },
    /// Time: [`Got::Nothing`] when it has passed.
    Sleep(Duration),
    /// Work that would keep others waiting, done elsewhere: [`Got::Done`].
    Work(Job),
    /// A script that a server runs which many replicas share: [`Got::Said`], or
    /// [`Got::Unanswered`].
    Run {
        /// The server.
        store: Arc<RedisStore>,
        /// What it runs.
        script: Box<Script>,
    },
    /// What only one of all requests, on all cores, is to find out: [`Got::Flight`].
    Shared(Arc<str>),
}

/// A request that a frame makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Method.
    pub method: Box<str>,
    /// Scheme that the endpoint is told.
    pub scheme: Scheme,
    /// Host that the endpoint is told.
    pub authority: Box<str>,
    /// Path and query.
    pub target: Box<str>,
    /// Header lines.
    pub lines: LineEdits,
    /// Body.
    pub body: Bytes,
    /// Bytes of the answer's body, at most.
    pub max: usize,
    /// How long it may take.
    pub patience: Duration,
}

/// A script that a server runs, and what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The script.
    pub text: &'static str,
    /// Its digest (SHA-1 in hex), by which a server knows it that has run it before.
    pub digest: Arc<str>,
    /// The key that it is about.
    pub key: Box<[u8]>,
    /// More that it is told.
    pub arguments: Arc<[String]>,
}

/// Work for another thread. What it finds out is bytes that the frame understands.
pub struct Job {
    /// Whose it is: jobs of one wait for those before them, and take turns with those of others.
    pub whose: usize,
    /// What is done.
    pub work: Box<dyn FnOnce() -> Bytes + Send>,
}

impl Job {
    /// One of `whose`.
    pub fn of(whose: usize, work: impl FnOnce() -> Bytes + Send + 'static) -> Self {
        Self { whose, work: Box::new(work) }
    }
}

/// What came of an [`Ask`].
#[derive(Debug)]
pub enum Got {
    /// The frame asked for nothing, or for time that has passed.
    Nothing,
    /// The body.
    Body(Bytes),
    /// The body has more bytes, or the answer's.
    TooLarge,
    /// What has come of the response's body; nothing where there is none.
    Begin(Bytes),
    /// The answer to a request of the frame's own.
    Response(Box<Response>),
    /// What a script came to.
    Said(Vec<Box<[u8]>>),
    /// Nobody answered it, or not in time.
    Unanswered,
    /// What the work found out.
    Done(Bytes),
    /// How it stands with what is shared.
    Flight(Flight),
}

/// How it stands with what only one is to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flight {
    /// This request is the one: whoever else asks waits until it has [noted](crate::Note::Found)
    /// what it found, or has ended.
    Lead,
    /// Another one found this.
    Found(Bytes),
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}
