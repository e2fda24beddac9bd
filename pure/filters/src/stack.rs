//! The frames of one request, from outside in.
//!
//! Who drives it calls [`Stack::enter`] until the request is inside (or somebody answers),
//! [`Stack::leave`] with each response that comes of it, feeds bodies through, and ends it with
//! [`Stack::done`]. Frames are made when they are entered, so that those inside a frame that wants
//! another attempt are new ones. Which frames are the next ones may hang on what those before have
//! made of the request: then they are added ([`Stack::deepen`]) once it is inside, and what is
//! added inside a frame that wants another attempt is taken off again.

mod inbound;
mod times;

use std::rc::Rc;

use crate::ask::{Ask, Got};
use crate::context::{Answerer, Context, Ending};
use crate::frame::{Blueprint, Direction, Enter, Flow, Frame, Leave, Needs, Piece};
use crate::replay::Replay;
use crate::response::Response;
use inbound::Inbound;
use steelyard_http::{RequestChanges, RequestEdits, ResponseEdits};
use times::Times;

/// The frames of one request, each made of a `B`.
pub struct Stack<B: Blueprint> {
    /// From outside in.
    blueprints: Rc<[B]>,
    /// What was added inside of these, and how deep each of them is.
    added: Vec<(usize, B)>,
    /// How often something was added.
    depth: usize,
    /// Those that were entered and are not told their end yet.
    layers: Vec<Layer<B::Frame>>,
    phase: Phase,
    /// All frames let it in, and what it got there still counts.
    is_inside: bool,
    /// Who answered, if that was a frame.
    answered: Option<usize>,
    inbound: Inbound,
    /// It is a tunnel: no body passes.
    is_tunnel: bool,
    /// What the request is when it comes in for another attempt, where that is not what it is.
    anew: Option<RequestChanges>,
    /// Of some frames it is not kept yet how they have let the request in: it is still so.
    is_as_let_in: bool,
    /// When frames were entered, where somebody wants to know.
    times: Times,
}

/// Room for the layers of a stack, kept from another one that is over.
pub struct SpareLayers<B: Blueprint>(Vec<Layer<B::Frame>>);

impl<B: Blueprint> Default for SpareLayers<B> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A frame that was entered.
struct Layer<F> {
    frame: F,
    needs: Needs,
    /// What has come out of it of the request's body, where it may be sent again; none where
    /// nothing has.
    replay: Option<Box<Replay>>,
    let_in: LetIn,
}

/// The request as it was when a frame let it in, where it may be sent again.
enum LetIn {
    Unkept,
    /// As it still is.
    AsItIs,
    So(Box<RequestChanges>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The frame at this place is next, or has asked for something.
    Entering(usize),
    Inside,
    /// So many frames are to be left yet.
    Leaving(usize),
    Through,
    Over,
}

/// How a request goes on.
#[derive(Debug)]
pub enum Inward {
    /// To the backend.
    Inside,
    /// Back out: a frame answers.
    Answer(Box<Response>),
    /// Not before this is got: then [`Stack::enter`] again.
    Ask(Ask),
}

/// How a response goes on.
#[derive(Debug)]
pub enum Outward {
    /// To the client.
    Down,
    /// It is dropped, and this one leaves in its place: [`Stack::leave`] again.
    Replaced(Box<Response>),
    /// Not before this is got: then [`Stack::leave`] again.
    Ask(Ask),
    /// It is dropped: after this time [`Stack::enter`] again, for another attempt.
    Again(std::time::Duration),
}

impl<B: Blueprint> Stack<B> {
    /// Frames made of these, from outside in.
    pub fn new(blueprints: impl Into<Rc<[B]>>) -> Self {
        Self::within(blueprints, SpareLayers::default())
    }

    /// The same, in the room that another one has left.
    pub fn within(blueprints: impl Into<Rc<[B]>>, SpareLayers(mut layers): SpareLayers<B>) -> Self {
        let blueprints = blueprints.into();
        layers.clear();
        layers.reserve(blueprints.len());
        Self {
            layers,
            blueprints,
            added: Vec::new(),
            depth: 0,
            phase: Phase::Entering(0),
            is_inside: false,
            answered: None,
            inbound: Inbound::default(),
            is_tunnel: false,
            anew: None,
            is_as_let_in: false,
            times: Times::default(),
        }
    }

    /// Goes on inwards with what the last ask got.
    ///
    /// # Panics
    /// When the request is neither on its way in nor inside.
    pub fn enter(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut RequestEdits<'_>,
        mut got: Got,
    ) -> Inward {
        if let Some(changes) = self.anew.take() {
            request.reset(changes);
        }
        let count = self.count();
        loop {
            let at = match self.phase {
                Phase::Entering(at) => at,
                Phase::Inside => return Inward::Inside,
                _ => panic!("the request is on its way in"),
            };
            self.note_time(at, cx.now);
            if at == count {
                self.phase = Phase::Inside;
                self.is_inside = true;
                return Inward::Inside;
            }
            if at == self.layers.len() {
                let frame = self.blueprint(at).expect("there is one").frame();
                self.layers.push(Layer::new(frame));
            }
            let got = std::mem::replace(&mut got, Got::Nothing);
            if self.is_as_let_in && self.layers[at].frame.writes() {
                self.keep_as_let_in(request.changes());
            }
            match self.layers[at].frame.enter(cx, request, got) {
                Enter::Next => {
                    let layer = &mut self.layers[at];
                    if layer.may_repeat() {
                        layer.let_in = LetIn::AsItIs;
                        self.is_as_let_in = true;
                    }
                    self.phase = Phase::Entering(at + 1);
                }
                Enter::Answer(response) => return Inward::Answer(self.answer(at, response)),
                Enter::Ask(Ask::Body { max }) => {
                    if let Err((by, response)) = self.collect(cx, at, max) {
                        return Inward::Answer(self.answer_inside(cx, by, response));
                    }
                    return Inward::Ask(Ask::Body { max });
                }
                Enter::Ask(ask) => {
                    self.note_time(at, cx.now);
                    return Inward::Ask(ask);
                }
            }
        }
    }

    /// The request may be changed from now on: those that may send it again keep it as it is.
    fn keep_as_let_in(&mut self, changes: &RequestChanges) {
        for layer in &mut self.layers {
            if let LetIn::AsItIs = layer.let_in {
                layer.let_in = LetIn::So(Box::new(changes.clone()));
            }
        }
        self.is_as_let_in = false;
    }

    /// The frame that has answered, counted from outside; none where none has.
    pub fn answered(&self) -> Option<usize> {
        self.answered.map(|at| self.place(at))
    }

    /// The place of who is at work in a layer, among all that frames stand for.
    fn place(&self, layer: usize) -> usize {
        let outside = (0..layer).filter_map(|at| self.blueprint(at)).map(B::count);
        outside.sum::<usize>() + self.member(layer)
    }

    /// The same among those that the layer's frame stands for.
    fn member(&self, layer: usize) -> usize {
        self.layers.get(layer).map_or(0, |layer| layer.frame.at())
    }

    /// What the one is made of that is at work in a layer.
    fn made_of(&self, layer: usize) -> Option<&B> {
        self.blueprint(layer).map(|blueprint| blueprint.part(self.member(layer)))
    }

    /// The frame that the request is at on its way in; none where it is not on its way in.
    pub fn entering(&self) -> Option<usize> {
        match self.phase {
            Phase::Entering(at) => Some(at),
            _ => None,
        }
    }

    /// Goes on outwards with a response, and with what the last ask got. `is_repeatable` says that
    /// nothing of a response went down and the request may be made again.
    ///
    /// # Panics
    /// When no response can be on its way out.
    pub fn leave(
        &mut self,
        cx: &mut Context<'_>,
        response: &mut ResponseEdits<'_>,
        mut got: Got,
        is_repeatable: bool,
    ) -> Outward {
        if self.phase == Phase::Inside {
            self.phase = Phase::Leaving(self.layers.len());
        }
        if let Some(at) = self.answered {
            cx.cause = Answerer::Frame(self.place(at));
        }
        loop {
            let Phase::Leaving(left) = self.phase else { panic!("a response is on its way out") };
            let Some(at) = left.checked_sub(1) else {
                self.phase = Phase::Through;
                return Outward::Down;
            };
            let got = std::mem::replace(&mut got, Got::Nothing);
            match self.layers[at].frame.leave(cx, response, got) {
                Leave::Next => {
                    let layer = &mut self.layers[at];
                    layer.needs.response = layer.frame.needs().response;
                    self.phase = Phase::Leaving(at);
                }
                Leave::Replace(response) => {
                    self.end_from(at + 1, cx, Ending::Replaced);
                    self.phase = Phase::Leaving(at);
                    self.answered = Some(at);
                    return Outward::Replaced(response);
                }
                Leave::Ask(ask) => return Outward::Ask(ask),
                Leave::Again { after } if is_repeatable && self.has_at_hand(at) => {
                    self.rewind(at, cx);
                    return Outward::Again(after);
                }
                Leave::Again { .. } => self.phase = Phase::Leaving(at),
            }
        }
    }

    /// What the frame is made of that has answered; none where none has.
    pub fn answerer(&self) -> Option<&B> {
        self.answered.and_then(|at| self.made_of(at))
    }

    /// What the frame is made of whose turn it is; none where none has one.
    pub fn at_work(&self) -> Option<&B> {
        match self.phase {
            Phase::Entering(at) => self.made_of(at),
            Phase::Leaving(left) => self.made_of(left.checked_sub(1)?),
            Phase::Inside | Phase::Through | Phase::Over => None,
        }
    }

    /// Whether the request is right inside of a frame that has it go another way.
    pub fn takes_detour(&self) -> bool {
        self.layers.last().is_some_and(|layer| layer.frame.takes_detour())
    }

    /// Whether one of them says how often a request that an endpoint has got is sent again: nobody
    /// inside of it sends it again by himself then.
    pub fn repeats(&self) -> bool {
        self.layers.iter().any(|layer| layer.frame.repeats())
    }

    /// Adds frames inside of all others: [`Stack::enter`] again, where there are any.
    ///
    /// # Panics
    /// When the request is not inside.
    pub fn deepen(&mut self, more: Vec<B>) {
        assert_eq!(self.phase, Phase::Inside, "the request is inside");
        self.depth += 1;
        if more.is_empty() {
            return;
        }
        self.phase = Phase::Entering(self.count());
        self.is_inside = false;
        self.added.extend(more.into_iter().map(|blueprint| (self.depth, blueprint)));
    }

    /// How often frames were added, and not taken off again.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// How many frames it may come to have.
    fn count(&self) -> usize {
        self.blueprints.len() + self.added.len()
    }

    /// What the frame at a place is made of.
    fn blueprint(&self, at: usize) -> Option<&B> {
        match at.checked_sub(self.blueprints.len()) {
            None => self.blueprints.get(at),
            Some(within) => self.added.get(within).map(|(_, blueprint)| blueprint),
        }
    }

    /// Something else than a frame answers a request that is still on its way in.
    pub fn turn_back(&mut self) {
        if let Phase::Entering(_) = self.phase {
            self.phase = Phase::Leaving(self.layers.len());
        }
    }

    /// A piece of the request's body: what goes to the backend is pushed to `out`. While a frame
    /// waits for the whole body, until the request is inside, and once a frame has answered,
    /// nothing is. A request without a body has no pieces.
    pub fn request(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        if self.answered.is_some() {
            return Flow::Go;
        }
        let to = if self.is_tunnel { 0 } else { self.inbound.level };
        match pass_in(&mut self.layers[..to], 0, cx, vec![piece], &mut self.inbound.until) {
            Ok(pieces) => self.inbound.add(pieces),
            Err((by, response)) => return Flow::Fail(self.answer_inside(cx, by, response)),
        }
        self.flush(cx, out)
    }

    /// What waits of the request's body, as soon as it is inside.
    pub fn flush(&mut self, cx: &mut Context<'_>, out: &mut Vec<Piece>) -> Flow {
        if self.is_inside && self.answered.is_none() {
            if let Err((by, response)) = self.advance(cx, self.count()) {
                return Flow::Fail(self.answer_inside(cx, by, response));
            }
            out.append(&mut self.inbound.waiting.take());
        }
        self.inbound.until.take().map_or(Flow::Go, Flow::WaitUntil)
    }

    /// Whether more of the body is to come before [`Self::body`] can tell.
    pub fn is_collecting(&self) -> bool {
        self.inbound.is_open()
    }

    /// What the frame got that asked for the body, once that is known.
    pub fn body(&mut self) -> Option<Got> {
        self.inbound.collected()
    }

    /// Whether any frame that was entered has a hand in the request's body.
    pub fn has_hand_in_request(&self) -> bool {
        self.layers.iter().any(|layer| layer.needs.request != Direction::Untouched)
    }

    /// Whether any of them may make another body of the request's.
    pub fn changes_request(&self) -> bool {
        self.layers.iter().any(|layer| layer.needs.request == Direction::Transform)
    }

    /// Whether any frame that the response passes may make another body of it.
    pub fn changes_response(&self) -> bool {
        let outside = self.answered.unwrap_or(self.layers.len());
        let mut passed = self.layers[..outside].iter();
        passed.any(|layer| layer.needs.response == Direction::Transform)
    }

    /// A piece of the response's body: what goes to the client is pushed to `out`.
    pub fn response(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        let outside = self.answered.unwrap_or(self.layers.len());
        let (mut pieces, mut until) = (vec![piece], None);
        for layer in self.layers[..outside].iter_mut().rev() {
            if self.is_tunnel || layer.needs.response != Direction::Transform {
                continue;
            }
            let mut next = Vec::new();
            for piece in pieces {
                match layer.frame.response(cx, piece, &mut next) {
                    Flow::Go => {}
                    Flow::WaitUntil(then) => until = until.max(Some(then)),
                    Flow::Fail(response) => return Flow::Fail(response),
                }
            }
            pieces = next;
        }
        out.append(&mut pieces);
        until.map_or(Flow::Go, Flow::WaitUntil)
    }

    /// Bytes of bodies that are kept for frames, or by them.
    pub fn kept(&self) -> usize {
        let by = |layer: &Layer<B::Frame>| {
            layer.frame.kept() + layer.replay.as_deref().map_or(0, Replay::kept)
        };
        self.inbound.kept() + self.layers.iter().map(by).sum::<usize>()
    }

    /// There is no room for more: what is kept to be sent again is not kept any more, and frames
    /// let go what need not be whole.
    pub fn let_go(&mut self) {
        for layer in &mut self.layers {
            if let Some(replay) = layer.replay() {
                replay.let_go();
            }
            layer.frame.let_go();
        }
    }

    /// From now on it is a tunnel: bodies pass untouched.
    pub fn becomes_tunnel(&mut self) {
        self.is_tunnel = true;
    }

    /// Ends it: every frame that was entered is told, the innermost first.
    pub fn done(&mut self, cx: &mut Context<'_>, ending: Ending) {
        self.end_from(0, cx, ending);
        self.phase = Phase::Over;
    }

    /// What room it leaves, once it is over: nothing stands there any more.
    pub fn leave_room(&mut self) -> SpareLayers<B> {
        let is_over = self.layers.is_empty();
        SpareLayers(if is_over { std::mem::take(&mut self.layers) } else { Vec::new() })
    }

    fn answer(&mut self, at: usize, response: Box<Response>) -> Box<Response> {
        self.answered = Some(at);
        self.phase = Phase::Leaving(at + 1);
        response
    }

    /// A frame whose body hook has failed answers: what is inside it is over.
    fn answer_inside(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        response: Box<Response>,
    ) -> Box<Response> {
        self.end_from(at + 1, cx, Ending::Replaced);
        self.answer(at, response)
    }

    fn end_from(&mut self, first: usize, cx: &mut Context<'_>, ending: Ending) {
        while let Some(at) = self.layers.len().checked_sub(1).filter(|at| *at >= first) {
            self.layers[at].frame.done(cx, ending);
            self.layers.truncate(at);
        }
    }

    /// Lets the frame at `at` have the whole body before it goes on.
    fn collect(&mut self, cx: &mut Context<'_>, at: usize, max: usize) -> Result<(), Failure> {
        self.advance(cx, at)?;
        self.inbound.collect(max);
        Ok(())
    }

    /// Lets what waits of the body come to the frame at `to`.
    fn advance(&mut self, cx: &mut Context<'_>, to: usize) -> Result<(), Failure> {
        let from = self.inbound.level;
        let waiting = self.inbound.waiting.take();
        self.inbound.level = to;
        if self.is_tunnel {
            self.inbound.waiting = waiting.into();
            return Ok(());
        }
        let layers = &mut self.layers[from..to];
        self.inbound.waiting = pass_in(layers, from, cx, waiting, &mut self.inbound.until)?.into();
        Ok(())
    }

    /// Whether what is inside the frame at `at` can be given the request's body once more.
    fn has_at_hand(&self, at: usize) -> bool {
        let layer = &self.layers[at];
        let is_there = layer.replay.as_deref().is_none_or(Replay::is_at_hand);
        !self.is_tunnel && layer.may_repeat() && is_there
    }

    fn rewind(&mut self, at: usize, cx: &mut Context<'_>) {
        self.end_from(at + 1, cx, Ending::Replaced);
        let within = at.checked_sub(self.blueprints.len());
        self.depth = within.and_then(|within| self.added.get(within)).map_or(0, |(it, _)| *it);
        self.added.retain(|(depth, _)| *depth <= self.depth);
        let layer = &mut self.layers[at];
        let kept = layer.replay.as_mut().and_then(|replay| replay.pieces());
        self.inbound.begin_again(at + 1, kept.map(<[Piece]>::to_vec).unwrap_or_default());
        self.anew = match &layer.let_in {
            LetIn::So(changes) => Some((**changes).clone()),
            LetIn::AsItIs | LetIn::Unkept => None,
        };
        self.phase = Phase::Entering(at + 1);
        self.is_inside = false;
        self.answered = None;
    }
}

/// Who failed, and what is answered.
type Failure = (usize, Box<Response>);

impl<F: Frame> Layer<F> {
    fn new(frame: F) -> Self {
        Self { needs: frame.needs(), frame, replay: None, let_in: LetIn::Unkept }
    }

    /// Whether what is inside may be sent the request once more.
    fn may_repeat(&self) -> bool {
        matches!(self.needs.request, Direction::Replay(_))
    }

    /// What is kept of the body for that.
    fn replay(&mut self) -> Option<&mut Replay> {
        let Direction::Replay(max) = self.needs.request else { return None };
        Some(self.replay.get_or_insert_with(|| Box::new(Replay::up_to(max))))
    }
}

/// Passes pieces of a request's body through frames, of which `first` is the place of the first.
fn pass_in<F: Frame>(
    layers: &mut [Layer<F>],
    first: usize,
    cx: &mut Context<'_>,
    mut pieces: Vec<Piece>,
    until: &mut Option<std::time::Instant>,
) -> Result<Vec<Piece>, Failure> {
    for (at, layer) in layers.iter_mut().enumerate() {
        if layer.needs.request == Direction::Transform {
            let mut next = Vec::new();
            for piece in pieces {
                match layer.frame.request(cx, piece, &mut next) {
                    Flow::Go => {}
                    Flow::WaitUntil(then) => *until = (*until).max(Some(then)),
                    Flow::Fail(response) => return Err((first + at, response)),
                }
            }
            pieces = next;
        }
        if !pieces.is_empty()
            && let Some(replay) = layer.replay()
        {
            pieces.iter().for_each(|piece| replay.keep(piece));
        }
    }
    Ok(pieces)
}
