//! One use of a filter on one request.

use std::time::{Duration, Instant};

use bytes::Bytes;
use steelyard_http::{RequestEdits, ResponseEdits, TrailerLine};

use crate::ask::{Ask, Got};
use crate::context::{Context, Ending};
use crate::memory::Lifespan;
use crate::response::Response;

/// One use of a filter on one request.
///
/// Everything but [`Frame::needs`] has a default that does nothing, so that a frame says only what
/// it is about. What happens inside it happens between `enter` and `leave`.
pub trait Frame {
    /// How long what it keeps counts; none where it keeps nothing.
    fn lifespan(&self) -> Option<&Lifespan> {
        None
    }

    /// Whether what it keeps counts no more.
    fn has_lapsed(&self) -> bool {
        self.lifespan().is_some_and(Lifespan::is_over)
    }

    /// What it needs of bodies: of the request's the same for all requests; of the response's
    /// what it says once it has let the head pass.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The request comes in. After an [`Enter::Ask`] it is called again, with what was got.
    fn enter(&mut self, _: &mut Context<'_>, _: &mut RequestEdits<'_>, _: Got) -> Enter {
        Enter::Next
    }

    /// The response comes out. After a [`Leave::Ask`] it is called again, with what was got.
    fn leave(&mut self, _: &mut Context<'_>, _: &mut ResponseEdits<'_>, _: Got) -> Leave {
        Leave::Next
    }

    /// A piece of the request's body, on its way in: what goes on is pushed to `out`.
    fn request(&mut self, _: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        out.push(piece);
        Flow::Go
    }

    /// A piece of the response's body, on its way out.
    fn response(&mut self, _: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        out.push(piece);
        Flow::Go
    }

    /// Whether it may change something about the head of a request that comes in.
    fn writes(&self) -> bool {
        true
    }

    /// Whether what is inside of it is reached by another way from now on.
    fn takes_detour(&self) -> bool {
        false
    }

    /// Whether it alone says how often a request that an endpoint has got is sent again.
    fn repeats(&self) -> bool {
        false
    }

    /// Which of those that it stands for is at work, or has answered.
    fn at(&self) -> usize {
        0
    }

    /// Bytes of bodies that it keeps by now.
    fn kept(&self) -> usize {
        0
    }

    /// There is no room for more: what it keeps that need not be whole goes on with the next piece.
    fn let_go(&mut self) {}

    /// Its part is over: called exactly once, if it was entered.
    fn done(&mut self, _: &mut Context<'_>, _: Ending) {}
}

/// What the frames of one use are made of.
pub trait Blueprint {
    /// What is made of it.
    type Frame: Frame;

    /// A frame for one request.
    fn frame(&self) -> Self::Frame;

    /// Whether what it keeps counts no more, and it is to be made again.
    fn has_lapsed(&self) -> bool {
        false
    }

    /// How many uses of filters it stands for.
    fn count(&self) -> usize {
        1
    }

    /// One of those.
    fn part(&self, _: usize) -> &Self {
        self
    }
}

/// What a frame needs of bodies, per direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Of the request's.
    pub request: Direction,
    /// Of the response's: it cannot be replayed.
    pub response: Direction,
}

/// What a frame needs of one body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Nothing.
    #[default]
    Untouched,
    /// Every piece.
    Transform,
    /// It may be sent again, up to so many bytes.
    Replay(usize),
}

/// How a request goes on after a frame.
#[derive(Debug)]
pub enum Enter {
    /// Further in.
    Next,
    /// Back out, with this.
    Answer(Box<Response>),
    /// Not before this is got.
    Ask(Ask),
}

/// How a response goes on after a frame.
#[derive(Debug)]
pub enum Leave {
    /// Further out.
    Next,
    /// Further out, with this in its place.
    Replace(Box<Response>),
    /// Not before this is got.
    Ask(Ask),
    /// Not at all: what is inside the frame runs anew. Where that cannot be (a byte went down, the
    /// body is not at hand, a tunnel) it is [`Leave::Next`].
    Again {
        /// So much later.
        after: Duration,
    },
}

/// A part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes.
    Data(Bytes),
    /// What came so far is to go on now.
    Flush,
    /// The end, with trailers.
    End(Vec<TrailerLine>),
}

/// How a body goes on.
#[derive(Debug)]
pub enum Flow {
    /// At once.
    Go,
    /// Not before this.
    WaitUntil(Instant),
    /// It does not: where nothing went down yet the client gets this, else its connection breaks.
    Fail(Box<Response>),
}
