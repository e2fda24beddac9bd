//! Why who asks is not let in, as data: the same for all that ask for names, passwords and keys.

use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;

/// Why who asks is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It says nothing.
    Nothing,
    /// It says more than one thing.
    Twice,
    /// What it says cannot be read.
    Unreadable,
    /// It is not true.
    Wrong,
    /// It is true, of what was given for another time.
    Stale,
    /// It is true, of another request.
    Elsewhere,
    /// As many of its passwords are verified as may be.
    ManyOfOne,
    /// As many passwords are verified as may be.
    Many,
    /// Endpoints cannot be told who it is.
    Untellable,
}

impl Refusal {
    /// The same in words.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Nothing => "the client does not say who it is",
            Self::Twice => "the client says twice who it is",
            Self::Unreadable => "what the client says it is cannot be read",
            Self::Wrong => "the client does not prove who it says it is",
            Self::Stale => "the client proves it by what it has used, or had too long",
            Self::Elsewhere => "the client proves it for another request",
            Self::ManyOfOne => "as many passwords of this client are verified as may be at once",
            Self::Many => "as many passwords are verified as may be at once",
            Self::Untellable => "the user's name is no value of a header",
        }
    }

    /// Answers so, and notes why.
    pub(crate) fn answer(self, cx: &mut Context<'_>, response: Response) -> Enter {
        cx.notes.push(Note::Reason(self.reason()));
        Enter::Answer(Box::new(response))
    }
}
