//! What one of several filters lets in (nginx's `satisfy any`): each is asked in its turn, until
//! one lets the request in. Whom none lets in is answered by the last one that asks for something
//! (401), else by the last.
//!
//! What the others would have told endpoints is nobody's word then, and goes.

use std::sync::Arc;

use steelyard_http::{Head as _, RequestChanges, RequestEdits, ResponseEdits};
use steelyard_model::routing::filter::told::ToldLines;

use crate::ask::Got;
use crate::context::{Context, Ending, Note};
use crate::frame::{Blueprint, Direction, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::response::Response;
use crate::spellings;

const ASKS: &str = "WWW-Authenticate";

/// Several filters, and what each tells endpoints.
#[derive(Clone)]
pub(crate) struct Either<B: Blueprint> {
    members: Arc<[(B, ToldLines)]>,
    /// The one that is asked, or has let the request in.
    at: usize,
    frame: Option<Box<B::Frame>>,
    /// The request as it came.
    before: Option<RequestChanges>,
    /// How much was noted before any of them was asked, and before the one was that is asked now,
    /// without what others wait for: that goes to them while something is waited for here.
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
    fn turn(&mut self, mut response: Box<Response>, cx: &mut Context<'_>) -> bool {
        if let Some(mut frame) = self.frame.take() {
            frame.done(cx, Ending::Replaced);
        }
        self.at += 1;
        let asks = |it: &Response| it.status == 401;
        if self.refusal.as_ref().is_none_or(|former| !asks(former) || asks(&response)) {
            // How one may ask for something is said, also where the last one does not say it.
            if asks(&response) && response.first(ASKS).is_none() {
                let former = self.refusal.iter_mut().flat_map(|it| it.lines.drain(..));
                response.lines.extend(former.filter(|(name, _)| name.eq_ignore_ascii_case(ASKS)));
            }
            self.refusal = Some(response);
        }
        self.at < self.members.len()
    }

    /// The one that is asked has let it in.
    fn let_in(&self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>) {
        // Who did not let it in has nothing to say of it; what others wait for stays.
        let [first, last] = self.noted;
        let mut at = 0;
        cx.notes.retain(|note| {
            let is_of_others = is_own(note) && (first..last).contains(&at);
            at += usize::from(is_own(note));
            !is_of_others
        });
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

/// Whether it is about this request, and nobody else waits for it.
fn is_own(note: &Note) -> bool {
    !matches!(note, Note::Found(..))
}

fn noted(cx: &Context<'_>) -> usize {
    cx.notes.iter().filter(|note| is_own(note)).count()
}

impl<B: Blueprint> Frame for Either<B> {
    fn needs(&self) -> Needs {
        self.frame.as_ref().map_or_else(Needs::default, |frame| frame.needs())
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, mut got: Got) -> Enter {
        if self.before.is_none() {
            (self.before, self.noted) = (Some(head.changes().clone()), [noted(cx); 2]);
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
                    self.noted[1] = noted(cx);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ask::Ask;
    use crate::tests::{Asked, World};

    /// The first finds something out for others, and refuses; the second waits, and lets in.
    #[derive(Clone)]
    enum Member {
        Refusing,
        Waiting { has_waited: bool },
    }

    impl Blueprint for Member {
        type Frame = Self;

        fn frame(&self) -> Self {
            self.clone()
        }
    }

    impl Frame for Member {
        fn enter(&mut self, cx: &mut Context<'_>, _: &mut RequestEdits<'_>, _: Got) -> Enter {
            match self {
                Self::Refusing => {
                    cx.notes.push(Note::Found("of all".into(), bytes::Bytes::new()));
                    cx.notes.push(Note::Reason("refused"));
                    Enter::Answer(Box::new(Response::bare(401)))
                }
                Self::Waiting { has_waited: true } => {
                    cx.notes.push(Note::User("ann".into()));
                    Enter::Next
                }
                Self::Waiting { has_waited } => {
                    *has_waited = true;
                    Enter::Ask(Ask::Sleep(Duration::ZERO))
                }
            }
        }
    }

    /// Who only asks for it lets nobody in: a browser has to hear how it may ask.
    #[derive(Clone)]
    struct Asking(Option<&'static str>);

    impl Blueprint for Asking {
        type Frame = Self;

        fn frame(&self) -> Self {
            self.clone()
        }
    }

    impl Frame for Asking {
        fn enter(&mut self, _: &mut Context<'_>, _: &mut RequestEdits<'_>, _: Got) -> Enter {
            let mut answer = Response::bare(401);
            let line = self.0.map(|how| (ASKS.into(), how.as_bytes().into()));
            answer.lines.extend(line);
            Enter::Answer(Box::new(answer))
        }
    }

    #[test]
    fn how_one_may_ask_is_said() {
        for (members, expected) in [
            ([Some("Basic"), None], Some("Basic")),
            ([Some("Basic"), Some("Bearer")], Some("Bearer")),
            ([None, Some("Bearer")], Some("Bearer")),
            ([None, None], None),
        ] {
            let members = members.map(|it| (Asking(it), ToldLines::default())).to_vec();
            let (mut either, mut world) = (Either::new(members).unwrap(), World::new());
            let asked = Asked::get("http://a.b", "/");
            let mut head = RequestEdits::new(&asked);
            let entered = either.enter(&mut world.context(), &mut head, Got::Nothing);
            let Enter::Answer(answer) = entered else { panic!("{entered:?}") };
            let said = answer.first(ASKS).map(|it| String::from_utf8_lossy(it).into_owned());
            assert_eq!((answer.status, said.as_deref()), (401, expected));
        }
    }

    /// Who waits for it is told what was found out while something is waited for here.
    #[test]
    fn what_others_wait_for_may_be_gone_when_one_lets_in() {
        let members = [Member::Refusing, Member::Waiting { has_waited: false }];
        for is_told in [false, true] {
            let members = members.clone().map(|it| (it, ToldLines::default())).to_vec();
            let (mut either, mut world) = (Either::new(members).unwrap(), World::new());
            world.notes.push(Note::Reason("of another filter"));
            let asked = Asked::get("http://a.b", "/");
            let mut head = RequestEdits::new(&asked);
            let entered = either.enter(&mut world.context(), &mut head, Got::Nothing);
            assert!(matches!(entered, Enter::Ask(_)));
            world.notes.retain(|note| !is_told || is_own(note));
            let entered = either.enter(&mut world.context(), &mut head, Got::Nothing);
            assert!(matches!(entered, Enter::Next));
            let own = world.notes.iter().filter(|note| is_own(note)).cloned().collect::<Vec<_>>();
            assert_eq!(own, [Note::Reason("of another filter"), Note::User("ann".into())]);
            assert_eq!(world.notes.len() == 3, !is_told);
        }
    }
}
