//! Filters beside each other that only look at heads, or count requests, as one frame: what they
//! have to do is mostly little, and a frame of its own for each costs more than that.
//!
//! Invariants: what one of them does not let in at once is seen to by its own frame, in its place;
//! who was counted is let go exactly once, by the end of this one; each of them is told apart by
//! its place among all, as if it stood alone. A property holds it equal to its frames one after the
//! other (`run/tests.rs`).

use std::sync::Arc;

use steelyard_http::{LineEdits, RequestEdits, RequestView as _, ResponseEdits, Scheme};

use crate::ask::Got;
use crate::context::{Context, Ending};
use crate::folded::responses;
use crate::frame::{Blueprint, Enter, Frame, Leave};
use crate::limit::counts::Ticket;
use crate::memory::Lifespan;
use crate::step::Step;

/// One request on its way through them, each made of a `B`.
pub(crate) struct Run<B: Blueprint> {
    members: Arc<Members<B>>,
    /// Who is next, or has not let it in.
    at: usize,
    is_secure: bool,
    /// What it is to give back, and to whom.
    ticket: Option<(u32, Ticket)>,
    /// Those of them that had more to do, from outside in.
    frames: Vec<(usize, B::Frame)>,
}

/// What they are made of, from outside in.
struct Members<B> {
    all: Box<[(B, Step)]>,
    /// What all of them change about responses to what came plain, and to what came over TLS.
    responses: [LineEdits; 2],
    /// One of them may change a request.
    writes: bool,
    /// How long what they keep counts.
    lifespans: Box<[Lifespan]>,
}

impl<B: Blueprint> Clone for Run<B> {
    /// For another request.
    fn clone(&self) -> Self {
        Self::through(self.members.clone())
    }
}

impl<B: Blueprint> Run<B> {
    pub(crate) fn of(all: Vec<(B, Step)>) -> Self {
        let (blueprints, steps): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let responses = responses(&steps).map(|it| it.lines);
        let writes = steps.iter().any(Step::writes);
        let lifespans = steps.iter().filter_map(Step::lifespan).cloned().collect();
        let all = blueprints.into_iter().zip(steps).collect();
        Self::through(Arc::new(Members { all, responses, writes, lifespans }))
    }

    fn through(members: Arc<Members<B>>) -> Self {
        Self { members, at: 0, is_secure: false, ticket: None, frames: Vec::new() }
    }

    /// What it stands for.
    pub(crate) fn members(&self) -> impl ExactSizeIterator<Item = &B> {
        self.members.all.iter().map(|(blueprint, _)| blueprint)
    }

    /// How many have seen the request.
    fn seen(&self) -> usize {
        self.members.all.len().min(self.at + 1)
    }
}

impl<B: Blueprint> Frame for Run<B> {
    fn has_lapsed(&self) -> bool {
        self.members.lifespans.iter().any(Lifespan::is_over)
    }

    fn writes(&self) -> bool {
        self.members.writes
    }

    fn at(&self) -> usize {
        self.seen() - 1
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, mut got: Got) -> Enter {
        let Self { members, at, is_secure, ticket, frames } = self;
        *is_secure = cx.journey.is_tls || head.scheme() == Scheme::Https;
        while let Some((blueprint, step)) = members.all.get(*at) {
            let mut its = None;
            let is_asked = frames.last().is_some_and(|(of, _)| of == at);
            let is_second = ticket.is_some() && matches!(step, Step::InFlight(_));
            if is_asked || is_second || !step.enter(cx, head, &mut its) {
                if !is_asked {
                    frames.push((*at, blueprint.frame()));
                }
                let Some((_, frame)) = frames.last_mut() else { return Enter::Next };
                match frame.enter(cx, head, std::mem::replace(&mut got, Got::Nothing)) {
                    Enter::Next => {}
                    other => return other,
                }
            }
            *ticket =
                ticket.or_else(|| its.zip(u32::try_from(*at).ok()).map(|(its, at)| (at, its)));
            *at += 1;
        }
        Enter::Next
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        let seen = self.seen();
        let Self { members, is_secure, frames, .. } = self;
        if frames.is_empty() && seen == members.all.len() {
            let changes = &members.responses[usize::from(*is_secure)];
            if !changes.is_empty() {
                head.lines().apply(changes);
            }
            return Leave::Next;
        }
        let mut frames = frames.iter_mut().rev().peekable();
        for (at, (_, step)) in members.all[..seen].iter().enumerate().rev() {
            match frames.next_if(|(of, _)| *of == at) {
                // None of them wants more than to change lines.
                Some((_, frame)) => _ = frame.leave(cx, head, Got::Nothing),
                None => step.answer_with(*is_secure, head.lines()),
            }
        }
        Leave::Next
    }

    fn done(&mut self, cx: &mut Context<'_>, ending: Ending) {
        for (_, mut frame) in self.frames.drain(..).rev() {
            frame.done(cx, ending);
        }
        if let Some((at, ticket)) = self.ticket.take()
            && let Some((_, Step::InFlight(it))) = self.members.all.get(at as usize)
        {
            it.give_back(ticket);
        }
    }
}

#[cfg(test)]
mod tests;
