//! A filter that is applied only where a rule holds: exemptions of an authentication.
//!
//! A path may have other readings for who serves it (`/public;x/../admin`): the filter is applied
//! where the rule holds for any of them, where the request cannot be read as one that is routed,
//! and, if the rule asks for paths, where nobody knows what all servers see in this one
//! (`/public/%252e%252e/admin`). Whom it is not applied to says nothing of what it would have told
//! endpoints.

use std::sync::Arc;

use steelyard_http::{HeadSubject, RequestEdits, ResponseEdits};
use steelyard_model::routing::filter::told::ToldLines;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::rule::Rule;

use crate::ask::Got;
use crate::context::{Context, Ending};
use crate::frame::{Blueprint, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::spellings;

/// A filter, where it is applied, and what it tells endpoints.
#[derive(Clone)]
pub(crate) struct Exempt<B: Blueprint> {
    terms: Arc<Terms<B>>,
    is_applied: Option<bool>,
    frame: Option<Box<B::Frame>>,
}

struct Terms<B> {
    rule: Rule,
    /// Whether the rule asks for paths.
    is_of_paths: bool,
    filter: B,
    told: ToldLines,
}

impl<B: Blueprint> Exempt<B> {
    pub(crate) fn new(rule: &Rule, recipe: B, told: ToldLines) -> Self {
        let is_of_paths = rule.has(&|it| matches!(it, Matcher::Path(_)));
        let terms = Terms { rule: rule.clone(), is_of_paths, filter: recipe, told };
        Self { terms: Arc::new(terms), is_applied: None, frame: None }
    }

    fn holds(&self, cx: &Context<'_>, head: &RequestEdits<'_>) -> bool {
        let server_name = cx.journey.server_name.as_deref();
        let Ok(subject) = HeadSubject::new(head, cx.journey.peer, server_name) else { return true };
        let rule = &self.terms.rule;
        self.terms.is_of_paths && !subject.is_certain()
            || rule.holds(&subject)
            || subject.readings().any(|it| rule.holds(&it))
    }

    fn passes(&mut self) -> Option<&mut B::Frame> {
        self.frame.as_deref_mut()
    }
}

impl<B: Blueprint> Frame for Exempt<B> {
    fn has_lapsed(&self) -> bool {
        self.terms.filter.has_lapsed()
    }

    fn needs(&self) -> Needs {
        match (&self.frame, self.is_applied) {
            (Some(frame), _) => frame.needs(),
            (None, None) => self.terms.filter.frame().needs(),
            (None, Some(_)) => Needs::default(),
        }
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        if self.is_applied.is_none() {
            let is_applied = self.holds(cx, head);
            self.is_applied = Some(is_applied);
            match is_applied {
                true => self.frame = Some(Box::new(self.terms.filter.frame())),
                false => spellings::remove_told(head, &self.terms.told),
            }
        }
        match self.passes() {
            Some(frame) => frame.enter(cx, head, got),
            None => Enter::Next,
        }
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, got: Got) -> Leave {
        match self.passes() {
            Some(frame) => frame.leave(cx, head, got),
            None => Leave::Next,
        }
    }

    fn request(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        match self.passes() {
            Some(frame) => frame.request(cx, piece, out),
            None => {
                out.push(piece);
                Flow::Go
            }
        }
    }

    fn response(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        match self.passes() {
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
}
