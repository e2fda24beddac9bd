//! A frame of every kind, to try who drives stacks. Built only into tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use steelyard_http::{
    Head, LineEdits, RequestEdits, RequestView, ResponseEdits, ResponseView, Scheme,
};
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::id::BackendId;

use crate::ask::{Ask, Flight, Got, Job, Letter};
use crate::context::{Answerer, Context, Ending, Note};
use crate::frame::{Direction, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::memory::{Kept, Lifespan, Memory};
use crate::response::Response;

/// What a frame does, and under which name it keeps its diary.
#[derive(Clone, Debug)]
pub struct Trial {
    name: Arc<str>,
    deed: Deed,
}

/// What a frame does.
#[derive(Clone, Debug)]
enum Deed {
    /// Adds `X-Trial: NAME` to the request and the response.
    Edit,
    /// Counts requests, from one, and says so: `X-Count`.
    Count(Kept<AtomicU64>),
    /// Sets a header of the request: `NAME:VALUE`.
    Set(Arc<str>, Arc<str>),
    /// Changes method, path and authority.
    Redirect,
    /// Changes the status of the response.
    Status(u16),
    /// Answers.
    Answer(u16),
    /// Answers in the response's place.
    Replace(u16),
    /// Says that the response became smaller.
    Ratio,
    /// Knows who the client is.
    User(Arc<str>),
    /// Wants the body, whole, and answers 413 where it is larger.
    Body(usize),
    /// Waits for so many milliseconds on the way in, and out.
    Sleep(u64),
    /// Asks a backend, and adds what it says to the request.
    Fetch(BackendId),
    /// Has something worked out, and adds it to the request.
    Work,
    /// Has work that panics.
    Panic,
    /// Finds something out once for all, when it is [`release`]d; not at all where the request says
    /// `X-Lost`.
    Shared,
    /// Wants another attempt after a 503 or 502, of bodies of so many bytes.
    Again(usize),
    /// Puts its name before each piece of both bodies.
    Mark,
    /// Lets pieces of the request pass so many milliseconds apart.
    Slow(u64),
    /// Fails at the first piece of the request's body.
    FailIn(u16),
    /// Fails at the first piece of the response's body.
    FailOut(u16),
}

/// Its frame for one request.
#[derive(Clone)]
pub(crate) struct TrialFrame {
    trial: Trial,
    tries: u32,
    has_asked: bool,
    has_rested: bool,
}

static DIARIES: Mutex<BTreeMap<Arc<str>, Vec<String>>> = Mutex::new(BTreeMap::new());

static RELEASED: Mutex<BTreeSet<Arc<str>>> = Mutex::new(BTreeSet::new());

/// Who leads under this name finds it out.
pub fn release(name: &str) {
    RELEASED.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into());
}

fn is_released(name: &str) -> bool {
    RELEASED.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
}

/// What happened to the frames of this name, in order.
pub fn diary(name: &str) -> Vec<String> {
    let diaries = DIARIES.lock().unwrap_or_else(PoisonError::into_inner);
    diaries.get(name).cloned().unwrap_or_default()
}

impl Trial {
    /// What a use of `trial:DEED` or `trial:DEED=ARGUMENT` stands for; its state's key is its name.
    pub fn read(usage: &Use, memory: &mut Memory) -> Option<Self> {
        let text = usage.filter.as_str().strip_prefix("trial:")?;
        let (deed, argument) = text.split_once('=').unwrap_or((text, ""));
        let number = || argument.parse().unwrap_or_default();
        let status = u16::try_from(number()).unwrap_or_default();
        let size = usize::try_from(number()).unwrap_or_default();
        let deed = match deed {
            "edit" => Deed::Edit,
            "count" => Deed::Count(memory.of(usage)),
            "set" => {
                let (name, value) = argument.split_once(':')?;
                Deed::Set(name.into(), value.into())
            }
            "redirect" => Deed::Redirect,
            "status" => Deed::Status(status),
            "answer" => Deed::Answer(status),
            "replace" => Deed::Replace(status),
            "ratio" => Deed::Ratio,
            "user" => Deed::User(argument.into()),
            "body" => Deed::Body(size),
            "sleep" => Deed::Sleep(number()),
            "fetch" => Deed::Fetch(argument.into()),
            "work" => Deed::Work,
            "panic" => Deed::Panic,
            "shared" => Deed::Shared,
            "again" => Deed::Again(size),
            "mark" => Deed::Mark,
            "slow" => Deed::Slow(number()),
            "fail-in" => Deed::FailIn(status),
            "fail-out" => Deed::FailOut(status),
            _ => return None,
        };
        Some(Self { name: usage.state.clone(), deed })
    }

    /// Whether what it keeps counts no more.
    pub(crate) fn lifespan(&self) -> Option<&Lifespan> {
        match &self.deed {
            Deed::Count(kept) => Some(kept.lifespan()),
            _ => None,
        }
    }
}

impl TrialFrame {
    /// See [`Trial::read`].
    pub(crate) fn read(usage: &Use, memory: &mut Memory) -> Option<Self> {
        let trial = Trial::read(usage, memory)?;
        Some(Self { trial, tries: 0, has_asked: false, has_rested: false })
    }

    fn note(&self, what: impl Into<String>) {
        let mut diaries = DIARIES.lock().unwrap_or_else(PoisonError::into_inner);
        diaries.entry(self.trial.name.clone()).or_default().push(what.into());
    }

    fn ask(&mut self, request: &RequestEdits<'_>) -> Option<Ask> {
        let ask = match &self.trial.deed {
            Deed::Body(max) => Ask::Body { max: *max },
            Deed::Sleep(time) => Ask::Sleep(Duration::from_millis(*time)),
            Deed::Fetch(to) => Ask::Fetch { to: to.clone(), letter: Box::new(letter(request)) },
            Deed::Work => Ask::Work(Job::of(0, || {
                let thread = std::thread::current();
                Bytes::from(thread.name().unwrap_or_default().to_owned())
            })),
            Deed::Panic => Ask::Work(Job::of(0, || panic!("a job of a test"))),
            Deed::Shared => Ask::Shared(self.trial.name.clone()),
            _ => return None,
        };
        (!std::mem::replace(&mut self.has_asked, true)).then_some(ask)
    }

    /// The leader of a flight takes its time, then tells, unless it is lost.
    fn lead(&self, cx: &mut Context<'_>, request: &RequestEdits<'_>) -> Result<Bytes, Enter> {
        if request.first("x-lost").is_some() {
            return Err(Enter::Answer(Box::new(Response::of(500))));
        }
        let found = Bytes::from_static(b"found");
        cx.notes.push(Note::Found(self.trial.name.clone(), found.clone()));
        Ok(found)
    }

    fn got(
        &mut self,
        cx: &mut Context<'_>,
        request: &RequestEdits<'_>,
        got: Got,
    ) -> Result<Option<Bytes>, Enter> {
        let answer = |status| Err(Enter::Answer(Box::new(Response::of(status))));
        match (got, &self.trial.deed) {
            (Got::Flight(Flight::Lead), Deed::Shared) => {
                self.note("leads");
                Err(Enter::Ask(Ask::Sleep(Duration::ZERO)))
            }
            (Got::Nothing, Deed::Shared) if is_released(&self.trial.name) => {
                self.lead(cx, request).map(Some)
            }
            (Got::Nothing, Deed::Shared) => Err(Enter::Ask(Ask::Sleep(Duration::from_millis(1)))),
            (Got::Body(bytes) | Got::Done(bytes) | Got::Flight(Flight::Found(bytes)), _) => {
                Ok(Some(bytes))
            }
            (Got::Response(response), _) => Ok(Some(response.body)),
            (Got::TooLarge, _) => answer(413),
            (Got::Unanswered, _) => answer(502),
            (Got::Nothing | Got::Said(_) | Got::Begin(_) | Got::Flight(Flight::Lead), _) => {
                Ok(None)
            }
        }
    }
}

/// What a frame asks of others for a request.
fn letter(request: &RequestEdits<'_>) -> Letter {
    let mut lines = LineEdits::default();
    let _ = lines.add("X-Asked-For", request.path().as_bytes());
    Letter {
        method: "POST".into(),
        scheme: Scheme::Http,
        authority: "fetch.test".into(),
        target: "/fetched?x=1".into(),
        lines,
        body: Bytes::from_static(b"letter"),
        max: 1000,
        patience: Duration::from_secs(2),
    }
}

impl Frame for TrialFrame {
    fn lifespan(&self) -> Option<&Lifespan> {
        self.trial.lifespan()
    }

    fn needs(&self) -> Needs {
        use Direction::{Replay, Transform};
        let none = Needs::default();
        match self.trial.deed {
            Deed::Mark => Needs { request: Transform, response: Transform },
            Deed::Slow(_) | Deed::FailIn(_) => Needs { request: Transform, ..none },
            Deed::FailOut(_) => Needs { response: Transform, ..none },
            Deed::Again(max) => Needs { request: Replay(max), ..none },
            _ => none,
        }
    }

    fn enter(&mut self, cx: &mut Context<'_>, request: &mut RequestEdits<'_>, got: Got) -> Enter {
        if let Some(ask) = self.ask(request) {
            self.note("enter");
            return Enter::Ask(ask);
        }
        if !self.has_asked {
            self.note("enter");
        }
        let found = match self.got(cx, request, got) {
            Ok(found) => found,
            Err(enter) => return enter,
        };
        if let Some(found) = found {
            let _ = request.lines().set("X-Found", &found);
        }
        match &self.trial.deed {
            Deed::Edit => {
                let _ = request.lines().add("X-Trial", self.trial.name.as_bytes());
            }
            Deed::Set(name, value) => {
                let _ = request.lines().set(name, value.as_bytes());
            }
            Deed::User(user) => cx.notes.push(Note::User(user.clone())),
            Deed::Redirect => {
                let _ = request.set_method("PATCH");
                let _ = request.set_path("/elsewhere");
                let _ = request.set_authority("other.test");
            }
            Deed::Answer(status) => {
                let mut response = Response::of(*status);
                response.lines.push(("X-By".into(), self.trial.name.as_bytes().into()));
                response.body = Bytes::from_static(b"answered");
                return Enter::Answer(Box::new(response));
            }
            _ => {}
        }
        Enter::Next
    }

    fn leave(&mut self, cx: &mut Context<'_>, response: &mut ResponseEdits<'_>, _: Got) -> Leave {
        let by = match cx.cause {
            Answerer::Backend => "backend".to_owned(),
            Answerer::Gateway | Answerer::Nobody => "gateway".to_owned(),
            Answerer::Frame(at) => at.to_string(),
        };
        match &self.trial.deed {
            Deed::Edit => {
                let _ = response.lines().add("X-Trial", self.trial.name.as_bytes());
            }
            Deed::Status(status) => {
                let _ = response.set_status(*status);
            }
            Deed::Count(kept) => {
                let count = kept.fetch_add(1, Ordering::Relaxed) + 1;
                let _ = response.lines().set("X-Count", count.to_string().as_bytes());
            }
            Deed::Ratio => cx.notes.push(Note::Ratio(10, 4)),
            Deed::Sleep(time) if !self.has_rested => {
                self.has_rested = true;
                return Leave::Ask(Ask::Sleep(Duration::from_millis(*time)));
            }
            Deed::Replace(status) => {
                self.note(format!("replaces {} by {by}", response.status()));
                let mut other = Response::of(*status);
                other.body = Bytes::from_static(b"replaced");
                return Leave::Replace(Box::new(other));
            }
            Deed::Again(_) if matches!(response.status(), 502 | 503) && self.tries < 3 => {
                self.tries += 1;
                self.note("again");
                return Leave::Again { after: Duration::from_millis(5) };
            }
            _ => {}
        }
        self.note(format!("leave {} by {by}", response.status()));
        Leave::Next
    }

    fn request(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        match self.trial.deed {
            Deed::FailIn(status) => return Flow::Fail(Box::new(Response::of(status))),
            Deed::Slow(time) => {
                self.note("piece");
                out.push(piece);
                return Flow::WaitUntil(cx.now + Duration::from_millis(time));
            }
            _ => self.mark(piece, out),
        }
        Flow::Go
    }

    fn response(&mut self, _: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        if let Deed::FailOut(status) = self.trial.deed {
            return Flow::Fail(Box::new(Response::of(status)));
        }
        self.mark(piece, out);
        Flow::Go
    }

    fn done(&mut self, _: &mut Context<'_>, ending: Ending) {
        self.note(format!("done {ending:?}"));
    }
}

impl TrialFrame {
    fn mark(&self, piece: Piece, out: &mut Vec<Piece>) {
        if let Piece::Data(_) = piece {
            out.push(Piece::Data(Bytes::copy_from_slice(self.trial.name.as_bytes())));
        }
        out.push(piece);
    }
}
