//! Every filter there is: what its frames are made of, and the frames. A closed list, so that a
//! stack of them needs no boxes: a new filter is a module of its own and a variant of both.

use std::fmt;
use std::sync::Arc;

use steelyard_http::{RequestEdits, ResponseEdits};
use steelyard_model::routing::filter::{Filter, Use};

use crate::addresses::AllowedAddresses;
use crate::ask::Got;
use crate::characters::AllowedCharacters;
use crate::context::{Context, Ending};
use crate::frame::{Blueprint, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::headers::{HeaderFrame, WrittenLines};
use crate::led::{ByRegex, ToScheme};
#[cfg(feature = "trial")]
use crate::memory::Lifespan;
use crate::memory::Memory;
use crate::redirect::Redirect;
use crate::rewrite::Rewritten;
#[cfg(feature = "trial")]
use crate::trial::{Trial, TrialFrame};

/// What the frames of one use are made of: shared by all requests that pass it.
#[derive(Clone, Debug)]
pub struct Recipe(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Addresses(AllowedAddresses),
    Redirect(Redirect),
    Characters(AllowedCharacters),
    ToScheme(ToScheme),
    ByRegex(ByRegex),
    Rewrite(Rewritten),
    Headers(Arc<WrittenLines>),
    #[cfg(feature = "trial")]
    Trial(Trial),
}

/// A frame of any filter.
pub struct AnyFrame(Made);

enum Made {
    Addresses(AllowedAddresses),
    Redirect(Redirect),
    Characters(AllowedCharacters),
    ToScheme(ToScheme),
    ByRegex(ByRegex),
    Rewrite(Rewritten),
    Headers(HeaderFrame),
    #[cfg(feature = "trial")]
    Trial(TrialFrame),
}

/// Does the same with whichever it is.
macro_rules! each {
    ($made:expr, $frame:ident => $what:expr) => {
        match $made {
            Made::Addresses($frame) => $what,
            Made::Redirect($frame) => $what,
            Made::Characters($frame) => $what,
            Made::ToScheme($frame) => $what,
            Made::ByRegex($frame) => $what,
            Made::Rewrite($frame) => $what,
            Made::Headers($frame) => $what,
            #[cfg(feature = "trial")]
            Made::Trial($frame) => $what,
        }
    };
}

impl Recipe {
    /// What frames of a use of `filter` are made of; none where there is no such filter, or it is
    /// not built yet: what uses it must not be served without it. `memory` has what it keeps.
    pub fn of(usage: &Use, filter: Option<&Filter>, memory: &mut Memory) -> Option<Self> {
        #[cfg(feature = "trial")]
        if let Some(trial) = Trial::read(usage, memory) {
            return Some(Self(Kind::Trial(trial)));
        }
        let _ = (usage, memory);
        let kind = match filter? {
            Filter::AllowAddresses(allowed) => {
                Kind::Addresses(AllowedAddresses(Arc::new(allowed.clone())))
            }
            Filter::Redirect(to) => Kind::Redirect(Redirect(Arc::new(to.clone()))),
            Filter::RedirectScheme(to) => Kind::ToScheme(ToScheme(Arc::new(to.clone()))),
            Filter::RedirectRegex(to) => Kind::ByRegex(ByRegex(Arc::new(to.clone()))),
            Filter::Rewrite(rewrite) => Kind::Rewrite(Rewritten(Arc::new(rewrite.clone()))),
            Filter::EncodedCharacters(allowed) => Kind::Characters(AllowedCharacters(*allowed)),
            Filter::Headers(rules) => Kind::Headers(Arc::new(WrittenLines::new(rules))),
            _ => return None,
        };
        Some(Self(kind))
    }

    /// Whether what it keeps counts no more, and it is to be made again.
    pub fn has_lapsed(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "trial")]
            Kind::Trial(trial) => trial.lifespan().is_some_and(Lifespan::is_over),
            _ => false,
        }
    }
}

impl Blueprint for Recipe {
    type Frame = AnyFrame;

    fn frame(&self) -> AnyFrame {
        AnyFrame(match &self.0 {
            Kind::Addresses(addresses) => Made::Addresses(addresses.clone()),
            Kind::Redirect(redirect) => Made::Redirect(redirect.clone()),
            Kind::Characters(allowed) => Made::Characters(*allowed),
            Kind::ToScheme(to) => Made::ToScheme(to.clone()),
            Kind::ByRegex(to) => Made::ByRegex(to.clone()),
            Kind::Rewrite(rewrite) => Made::Rewrite(rewrite.clone()),
            Kind::Headers(lines) => Made::Headers(lines.frame()),
            #[cfg(feature = "trial")]
            Kind::Trial(trial) => Made::Trial(trial.frame()),
        })
    }
}

impl Frame for AnyFrame {
    fn needs(&self) -> Needs {
        each!(&self.0, frame => frame.needs())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        each!(&mut self.0, frame => frame.enter(cx, head, got))
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, got: Got) -> Leave {
        each!(&mut self.0, frame => frame.leave(cx, head, got))
    }

    fn request(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        each!(&mut self.0, frame => frame.request(cx, piece, out))
    }

    fn response(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        each!(&mut self.0, frame => frame.response(cx, piece, out))
    }

    fn done(&mut self, cx: &mut Context<'_>, ending: Ending) {
        each!(&mut self.0, frame => frame.done(cx, ending));
    }
}

impl fmt::Debug for AnyFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyFrame")
    }
}
