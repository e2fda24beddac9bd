//! Services of the program itself (`api@internal` and its kin), as the innermost frame of who asks
//! for one: it answers, and nothing is inside of it.
//!
//! They are read, and never changed: whoever asks with another method than GET and HEAD is
//! answered 405, and bodies of requests are read by nobody. What takes its time to be made is made
//! on another thread.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use steelyard_http::{Head, RequestEdits, RequestView};
use steelyard_model::routing::backend::Internal;

use crate::ask::{Ask, Got, Job};
use crate::context::Context;
use crate::frame::{Enter, Frame};
use crate::response::Response;

/// Who knows what the program's own services answer.
pub trait OwnServices: Send + Sync {
    /// The answer of `service`, where it is at hand: nobody waits for it.
    fn at_hand(&self, service: Internal, inquiry: &Inquiry) -> Option<Response>;

    /// The answer of `service`, which may take its time.
    fn made(&self, service: Internal, inquiry: &Inquiry) -> Response;
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Path, as it is sent on.
    pub path: Box<str>,
    /// Query, without `?`; empty where there is none.
    pub query: Box<str>,
    /// What was cut off the path before (`X-Forwarded-Prefix`).
    pub prefix: Option<Box<str>>,
}

/// Answers in the name of a service.
#[derive(Clone)]
pub(crate) struct Own {
    service: Internal,
    answers: Arc<dyn OwnServices>,
    /// What was made on another thread.
    made: Option<Arc<Mutex<Option<Response>>>>,
}

impl Own {
    pub(crate) fn new(service: Internal, answers: Arc<dyn OwnServices>) -> Self {
        Self { service, answers, made: None }
    }

    /// The answer, or what makes it.
    fn answer(&mut self, inquiry: Inquiry) -> Enter {
        if let Some(answer) = self.answers.at_hand(self.service, &inquiry) {
            return Enter::Answer(Box::new(answer));
        }
        let (service, answers) = (self.service, self.answers.clone());
        let made = Arc::new(Mutex::new(None));
        self.made = Some(made.clone());
        Enter::Ask(Ask::Work(Job::of(0, move || {
            let answer = answers.made(service, &inquiry);
            *made.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Bytes::new()
        })))
    }
}

impl Frame for Own {
    fn enter(&mut self, _: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        if let Some(made) = self.made.take() {
            let answer = made.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Enter::Answer(Box::new(answer.unwrap_or_else(|| Response::bare(503))));
        }
        if !matches!(head.method(), "GET" | "HEAD") {
            let mut refused = Response::bare(405);
            refused.lines.push(("Allow".into(), (*b"GET, HEAD").into()));
            return Enter::Answer(Box::new(refused));
        }
        let prefix = head.first("x-forwarded-prefix").and_then(|it| str::from_utf8(it).ok());
        let inquiry = Inquiry {
            path: head.path().into(),
            query: head.query().unwrap_or_default().into(),
            prefix: prefix.map(Into::into),
        };
        self.answer(inquiry)
    }
}
