//! What one of several filters lets in (nginx's `satisfy any`): each is asked in its turn, until
//! one lets the request in. Whom none lets in is answered by the last one that asks for something
//! (401), else by the last.
//!
//! What the others would have told endpoints is nobody's word then, and goes.

use std::sync::Arc;

use steelyard_http::{RequestChanges, RequestEdits, ResponseEdits};
use steelyard_model::routing::filter::told::ToldLines;

use crate::ask::Got;
use crate::context::{Context, Ending, Note};
use crate::frame::{Blueprint, Direction, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::response::Response;
use crate::spellings;

/// Several filters, and what each tells endpoints.
#[derive(Clone)]
pub(crate) struct Either<B: Blueprint> {
    members: Arc<[(B, ToldLines)]>,
    /// The one that is asked, or has let the request in.
    at: usize,
    frame: Option<Box<B::Frame>>,
    /// The request as it came.
    before: Option<RequestChanges>,
    /// How much was noted before any of them was asked, and before the one was that is asked now.
    noted: [usize; 2],
    refusal: Option<Box<Response>>,
}

impl<B: Blueprint> Either<B> {
    /// None where there is nobody who could let anybody in, or one has a hand in bodies: then the
    /// others would let them pass it by.
    pub(crate) fn new(members: Vec<(B, ToldLines)>) -> Option<Self> {
        let is_plain =
            |(recipe, _): &(B, _)| recipe.frame().needs().request == Direction::Untouched;
        if members.is_empty() || !members.iter().all(is_plain) {
            return None;
        }
        Some(Self {
            members: members.into(),
            at: 0,
            frame: None,
            before: None,
            noted: [0; 2],
            refusal: None,
        })
    }

    /// The next one is asked, where there is one.
    fn turn(&mut self, response: Box<Response>, cx: &mut Context<'_>) -> bool {
        if let Some(mut frame) = self.frame.take() {
            frame.done(cx, Ending::Replaced);
        }
        self.at += 1;
        let asks = |it: &Response| it.status == 401;
        if self.refusal.as_ref().is_none_or(|former| !asks(former) || asks(&response)) {
            self.refusal = Some(response);
        }
        self.at < self.members.len()
    }

    /// The one that is asked has let it in.
    fn let_in(&self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>) {
        // Who did not let it in has nothing to say of it; what others wait for stays.
        let [first, last] = self.noted;
        let own = cx.notes.split_off(last.max(first));
        let others = cx.notes.split_off(first);
        let is_kept = |note: &Note| matches!(note, Note::Found(..));
        cx.notes.extend(others.into_iter().filter(is_kept).chain(own));
        let own = &self.members[self.at].1;
        for (at, (_, told)) in self.members.iter().enumerate() {
            if at != self.at {
                let names = told.names.iter().filter(|name| !own.names.contains(name)).cloned();
                let others = ToldLines { names: names.collect(), matching: told.matching.clone() };
                spellings::remove_told(head, &others);
            }
        }
    }
}

impl<B: Blueprint> Frame for Either<B> {
    fn needs(&self) -> Needs {
        self.frame.as_ref().map_or_else(Needs::default, |frame| frame.needs())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, mut got: Got) -> Enter {
        if self.before.is_none() {
            (self.before, self.noted) = (Some(head.changes().clone()), [cx.notes.len(); 2]);
        }
        loop {
            let Some((recipe, _)) = self.members.get(self.at) else {
                return Enter::Answer(Box::new(Response::bare(403)));
            };
            let frame = self.frame.get_or_insert_with(|| Box::new(recipe.frame()));
            match frame.enter(cx, head, std::mem::replace(&mut got, Got::Nothing)) {
                Enter::Next => {
                    self.let_in(cx, head);
                    return Enter::Next;
                }
                Enter::Ask(ask) => return Enter::Ask(ask),
                Enter::Answer(response) => {
                    head.reset(self.before.clone().unwrap_or_default());
                    self.noted[1] = cx.notes.len();
                    if !self.turn(response, cx) {
                        let refusal = self.refusal.take();
                        return Enter::Answer(
                            refusal.unwrap_or_else(|| Box::new(Response::bare(403))),
                        );
                    }
                }
            }
        }
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, got: Got) -> Leave {
        match &mut self.frame {
            Some(frame) => frame.leave(cx, head, got),
            None => Leave::Next,
        }
    }

    fn response(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        match &mut self.frame {
            Some(frame) => frame.response(cx, piece, out),
            None => {
                out.push(piece);
                Flow::Go
            }
        }
    }

    fn kept(&self) -> usize {
        self.frame.as_ref().map_or(0, |frame| frame.kept())
    }

    fn let_go(&mut self) {
        self.frame.iter_mut().for_each(|frame| frame.let_go());
    }

    fn done(&mut self, cx: &mut Context<'_>, ending: Ending) {
        if let Some(mut frame) = self.frame.take() {
            frame.done(cx, ending);
        }
    }

    fn has_lapsed(&self) -> bool {
        self.members.iter().any(|(recipe, _)| recipe.has_lapsed())
    }
}
