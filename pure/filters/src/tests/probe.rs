//! A frame that does what it is told and writes down what happens to it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use steelyard_http::{RequestEdits, ResponseEdits, ResponseView};

use crate::ask::{Ask, Got, Job};
use crate::context::{Answerer, Context, Ending};
use crate::frame::{Blueprint, Direction, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::response::Response;

/// What a probe does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    EditsRequest,
    EditsResponse,
    Answers(u16),
    AsksBody(usize),
    Sleeps,
    Works,
    AsksLeaving,
    Replaces(u16),
    /// Wants another attempt after a 503, and keeps so many bytes for it.
    Repeats(usize),
    /// Puts a letter before each piece of either body.
    Marks,
    /// Fails at the first piece of the request's body.
    FailsIn(u16),
}

/// What happened, to whom.
pub(super) type Diary = Rc<RefCell<Vec<(usize, String)>>>;

pub(super) struct Probe {
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) diary: Diary,
    tries: u32,
}

/// What probes are made of.
pub(super) struct Plan(usize, Kind, Diary);

/// What probes of these kinds are made of, of which the first stands at the place `first`.
pub(super) fn plans(first: usize, kinds: &[Kind], diary: &Diary) -> Vec<Plan> {
    let plan = |(at, kind): (usize, &Kind)| Plan(first + at, *kind, diary.clone());
    kinds.iter().enumerate().map(plan).collect()
}

impl Blueprint for Plan {
    type Frame = Probe;

    fn frame(&self) -> Probe {
        Probe { at: self.0, kind: self.1, diary: self.2.clone(), tries: 0 }
    }
}

impl Probe {
    fn note(&self, what: impl Into<String>) {
        self.diary.borrow_mut().push((self.at, what.into()));
    }
}

impl Frame for Probe {
    fn needs(&self) -> Needs {
        match self.kind {
            Kind::Marks => Needs { request: Direction::Transform, response: Direction::Transform },
            Kind::FailsIn(_) => Needs { request: Direction::Transform, ..Needs::default() },
            Kind::Repeats(max) => Needs { request: Direction::Replay(max), ..Needs::default() },
            _ => Needs::default(),
        }
    }

    fn enter(&mut self, _: &mut Context<'_>, request: &mut RequestEdits<'_>, got: Got) -> Enter {
        let first = matches!(got, Got::Nothing);
        match (self.kind, got) {
            (Kind::AsksBody(max), Got::Nothing) => return Enter::Ask(Ask::Body { max }),
            (Kind::AsksBody(_), Got::Body(bytes)) => {
                self.note(format!("body {}", String::from_utf8_lossy(&bytes)));
            }
            (Kind::AsksBody(_), Got::TooLarge) => self.note("too large"),
            (Kind::Sleeps, Got::Nothing) if self.tries == 0 => {
                self.tries = 1;
                return Enter::Ask(Ask::Sleep(Duration::from_secs(1)));
            }
            (Kind::Works, Got::Nothing) => {
                return Enter::Ask(Ask::Work(Job::of(0, || Bytes::from_static(b"42"))));
            }
            (Kind::Works, Got::Done(found)) => {
                self.note(format!("found {}", String::from_utf8_lossy(&found)));
            }
            (Kind::Answers(status), _) => {
                self.note("enter");
                return Enter::Answer(Box::new(Response::of(status)));
            }
            (Kind::EditsRequest, _) => request.lines().add("X-Probe", b"in").unwrap(),
            _ => {}
        }
        if first || self.kind == Kind::Sleeps {
            self.note("enter");
        }
        Enter::Next
    }

    fn leave(&mut self, cx: &mut Context<'_>, response: &mut ResponseEdits<'_>, got: Got) -> Leave {
        match (self.kind, got) {
            (Kind::AsksLeaving, Got::Nothing) if self.tries == 0 => {
                self.tries = 1;
                return Leave::Ask(Ask::Sleep(Duration::from_secs(1)));
            }
            (Kind::EditsResponse, _) => response.lines().add("X-Probe", b"out").unwrap(),
            (Kind::Replaces(status), _) if response.status() != status => {
                self.note(format!("replaces {}", response.status()));
                return Leave::Replace(Box::new(Response::of(status)));
            }
            (Kind::Repeats(_), _) if response.status() == 503 && self.tries < 2 => {
                self.tries += 1;
                self.note("again");
                return Leave::Again { after: Duration::from_millis(10) };
            }
            _ => {}
        }
        let by = match cx.cause {
            Answerer::Backend => "backend".to_owned(),
            Answerer::Gateway | Answerer::Nobody => "gateway".to_owned(),
            Answerer::Frame(at) => at.to_string(),
        };
        self.note(format!("leave {} by {by}", response.status()));
        Leave::Next
    }

    fn request(&mut self, _: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        if let Kind::FailsIn(status) = self.kind {
            return Flow::Fail(Box::new(Response::of(status)));
        }
        mark(self.at, piece, out);
        Flow::Go
    }

    fn response(&mut self, _: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        mark(self.at, piece, out);
        Flow::Go
    }

    fn done(&mut self, _: &mut Context<'_>, ending: Ending) {
        self.note(format!("done {ending:?}"));
    }
}

fn mark(at: usize, piece: Piece, out: &mut Vec<Piece>) {
    if let Piece::Data(_) = piece {
        out.push(Piece::Data(Bytes::from(at.to_string())));
    }
    out.push(piece);
}
