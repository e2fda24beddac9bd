//! One request's way through the filters that it passes: the stack, and all that it needs.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use rustls::crypto::aws_lc_rs::default_provider;
use steelyard_filters::{
    Answerer, Context, Ending, Flow, Got, Inward, Journey, Note, Outward, Piece, Recipe, Response,
    Stack,
};
use steelyard_http::{
    Head, RequestChanges, RequestEdits, RequestHead, RequestView, ResponseChanges, ResponseEdits,
    ResponseView, Scheme, TrailerLine,
};

use steelyard_model::routing::id::RouteId;

use crate::core::spares::Spare;
use crate::core::stock::{Stock, Stocked};
use crate::shared::flights::Lead;
use crate::tell::date;
use crate::tell::tracer::Passed;

/// Bytes that nobody asks for room for: the answers of most who say no are smaller, and are given
/// whatever others keep.
pub(crate) const SMALL: usize = 16 * 1024;

const NO_ROOM: Note = Note::Reason("bodies of too many requests are kept for filters");

/// One request's way through its filters. However it ends, its frames are told once.
pub(crate) struct Course {
    stack: Stack<Recipe>,
    journey: Journey,
    notes: Vec<Note>,
    /// What is changed about the request's head.
    changes: RequestChanges,
    /// Room for its head.
    text: Vec<u8>,
    /// When filters were last asked about its head.
    seen: Instant,
    /// The lines that say which gateways the request has passed (RFC 8586): they stay with what
    /// is asked for its sake, or a circle by way of filters would have no end.
    passed: Vec<u8>,
    /// Frames have the body in hand: it comes to them in pieces.
    pub(crate) has_body: bool,
    /// The room that bodies take which are kept for filters, or made by them, until it is over.
    stocked: Option<Stocked>,
    stock: Stock,
    /// Bytes of bodies that frames have kept, at most.
    kept: usize,
    /// What this request is to find out for others.
    pub(crate) leads: Vec<Lead>,
    /// When all of it is to be over.
    pub(crate) due: Option<Instant>,
    is_over: bool,
}

/// Random bytes from where keys of TLS come from.
fn random_bytes() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    default_provider().secure_random.fill(&mut bytes).ok()?;
    Some(bytes)
}

/// What could not be understood, as filters see it.
struct Unread;

impl Course {
    /// `passed`: the lines that say which gateways the request has passed.
    pub(crate) fn new(
        recipes: impl Into<Rc<[Recipe]>>,
        journey: Journey,
        passed: Vec<u8>,
        stock: &Stock,
    ) -> Self {
        let Spare { layers, changes, text } = stock.spare();
        Self {
            stack: Stack::within(recipes, layers),
            journey,
            notes: Vec::new(),
            changes,
            text,
            seen: Instant::now(),
            passed,
            has_body: false,
            stocked: None,
            stock: stock.clone(),
            kept: 0,
            leads: Vec::new(),
            due: None,
            is_over: false,
        }
    }

    /// Goes on inwards with the request of this head, as it came; none for what is no request.
    pub(crate) fn enter(&mut self, head: Option<&RequestHead<'_, '_>>, got: Got) -> Inward {
        let view: &dyn RequestView = head.map_or(&Unread, |head| head);
        let mut edits = RequestEdits::over(view, &mut self.changes);
        let (journey, notes) = (&self.journey, &mut self.notes);
        self.seen = Instant::now();
        let mut cx = Self::context(self.seen, journey, Answerer::Gateway, notes);
        let inward = self.stack.enter(&mut cx, &mut edits, got);
        self.publish();
        inward
    }

    /// Goes on outwards with a response that `cause` gave.
    pub(crate) fn leave(
        &mut self,
        response: &dyn ResponseView,
        changes: &mut ResponseChanges,
        got: Got,
        cause: Answerer,
        is_repeatable: bool,
    ) -> Outward {
        let mut edits = ResponseEdits::resume(response, std::mem::take(changes));
        let (journey, notes) = (&self.journey, &mut self.notes);
        self.seen = Instant::now();
        let mut cx = Self::context(self.seen, journey, cause, notes);
        let outward = self.stack.leave(&mut cx, &mut edits, got, is_repeatable);
        *changes = edits.into_changes();
        self.publish();
        outward
    }

    /// What the request came to, as far as that was noted.
    pub(crate) fn came_to(&self) -> Passed {
        let (frames, inside) = self.stack.come_to();
        let filters = frames.into_iter().filter_map(|(it, at)| Some((it.of_filter()?.clone(), at)));
        Passed { filters: filters.collect(), inside }
    }

    /// The filter that has answered, counted from outside.
    pub(crate) fn answered(&self) -> Option<usize> {
        self.stack.answered()
    }

    /// It passes these too, inside of all others, and this route takes it.
    pub(crate) fn deepen(&mut self, recipes: Vec<Recipe>, route: Option<RouteId>) {
        if route.is_some() {
            self.journey.route = route;
        }
        self.stack.deepen(recipes);
    }

    /// Whether it is to go another way than before.
    pub(crate) fn takes_detour(&self) -> bool {
        self.stack.takes_detour()
    }

    /// Whether a filter says how often a request that an endpoint has got is sent again.
    pub(crate) fn repeats(&self) -> bool {
        self.stack.repeats()
    }

    /// Where its connection comes from.
    pub(crate) fn client(&self) -> IpAddr {
        self.journey.peer
    }

    /// Room for the request's head, as long as nobody has taken it.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// The lines that say which gateways the request has passed.
    pub(crate) fn passed(&self) -> &[u8] {
        &self.passed
    }

    /// What is changed about the request's head.
    pub(crate) fn changes(&self) -> &RequestChanges {
        &self.changes
    }

    /// A piece of the request's body comes in.
    fn request(&mut self, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        let flow = self.with_context(|stack, cx| stack.request(cx, piece, out));
        self.if_there_is_room(flow)
    }

    /// Some of the request's body comes in, perhaps the last of it.
    pub(crate) fn bring(
        &mut self,
        payload: Bytes,
        end: Option<Vec<TrailerLine>>,
        out: &mut Vec<Piece>,
    ) -> Flow {
        pass(payload, end, |piece| self.request(piece, out))
    }

    /// Some of the response's body goes out, perhaps the last of it.
    pub(crate) fn send(
        &mut self,
        payload: Bytes,
        end: Option<Vec<TrailerLine>>,
        out: &mut Vec<Piece>,
    ) -> Flow {
        pass(payload, end, |piece| self.response(piece, out))
    }

    /// What has come of the response is to go out now, as far as frames hold it back.
    pub(crate) fn send_all(&mut self, out: &mut Vec<Piece>) -> Flow {
        self.response(Piece::Flush, out)
    }

    /// What waited of it goes on in.
    pub(crate) fn flush(&mut self, out: &mut Vec<Piece>) -> Flow {
        self.with_context(|stack, cx| stack.flush(cx, out))
    }

    /// A piece of the response's body goes out.
    fn response(&mut self, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        let flow = self.with_context(|stack, cx| stack.response(cx, piece, out));
        self.if_there_is_room(flow)
    }

    /// How a body goes on for what frames keep of it by now.
    fn if_there_is_room(&mut self, flow: Flow) -> Flow {
        if matches!(flow, Flow::Fail(_)) || self.has_room_for_kept() {
            return flow;
        }
        self.stack.let_go();
        if self.has_room_for_kept() {
            return flow;
        }
        self.notes.push(NO_ROOM);
        self.stack.turn_back();
        Flow::Fail(Box::new(Response::bare(503)))
    }

    fn has_room_for_kept(&mut self) -> bool {
        let kept = self.stack.kept();
        let more = kept.saturating_sub(self.kept.max(SMALL));
        let has_room = more == 0 || self.take_room(more);
        if has_room {
            self.kept = self.kept.max(kept);
        }
        has_room
    }

    pub(crate) fn stack(&mut self) -> &mut Stack<Recipe> {
        &mut self.stack
    }

    /// So many bytes more are kept until it is over: whether there is room.
    pub(crate) fn has_room(&mut self, bytes: usize) -> bool {
        let has_room = self.take_room(bytes);
        if !has_room {
            self.notes.push(NO_ROOM);
        }
        has_room
    }

    fn take_room(&mut self, bytes: usize) -> bool {
        match &mut self.stocked {
            Some(stocked) => stocked.grow(bytes),
            none => {
                *none = self.stock.bytes(bytes);
                none.is_some()
            }
        }
    }

    /// Why a frame answered, if it says so.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        self.notes.iter().rev().find_map(|note| match note {
            Note::Reason(why) => Some(*why),
            _ => None,
        })
    }

    /// Who the client is, as a frame has found out.
    pub(crate) fn user(&self) -> Option<&str> {
        self.notes.iter().rev().find_map(|note| match note {
            Note::User(user) => Some(&**user),
            _ => None,
        })
    }

    /// What it is called, where a frame has named it.
    pub(crate) fn name(&self) -> Option<&str> {
        self.notes.iter().find_map(|note| match note {
            Note::Name(name) => str::from_utf8(name).ok(),
            _ => None,
        })
    }

    /// How much smaller its response became, as the frame says that made it so.
    pub(crate) fn shrunk(&self) -> Option<(u64, u64)> {
        self.notes.iter().rev().find_map(|note| match note {
            Note::Ratio(before, after) => Some((*before, *after)),
            _ => None,
        })
    }

    /// It is over.
    pub(crate) fn finish(&mut self, ending: Ending) {
        if !std::mem::replace(&mut self.is_over, true) {
            let (journey, notes) = (&self.journey, &mut self.notes);
            let mut cx = Self::context(self.seen, journey, Answerer::Gateway, notes);
            self.stack.done(&mut cx, ending);
            self.publish();
        }
        self.leads.clear();
    }

    fn context<'c>(
        now: Instant,
        journey: &'c Journey,
        cause: Answerer,
        notes: &'c mut Vec<Note>,
    ) -> Context<'c> {
        let (clock, wall, random) = (date::unix_now, date::wall, random_bytes);
        Context { now, clock, wall, random, journey, cause, notes }
    }

    fn with_context<T>(
        &mut self,
        run: impl FnOnce(&mut Stack<Recipe>, &mut Context<'_>) -> T,
    ) -> T {
        let (journey, notes) = (&self.journey, &mut self.notes);
        let mut cx = Self::context(Instant::now(), journey, Answerer::Gateway, notes);
        let outcome = run(&mut self.stack, &mut cx);
        self.publish();
        outcome
    }

    /// Tells others what was found out for them.
    fn publish(&mut self) {
        if self.notes.is_empty() {
            return;
        }
        let leads = &mut self.leads;
        self.notes.retain(|note| {
            let Note::Found(key, found) = note else { return true };
            if let Some(at) = leads.iter().position(|lead| lead.key == *key) {
                leads.swap_remove(at).tell(found);
            }
            false
        });
    }
}

fn pass(
    payload: Bytes,
    end: Option<Vec<TrailerLine>>,
    mut piece: impl FnMut(Piece) -> Flow,
) -> Flow {
    let mut last = None;
    let data = (!payload.is_empty()).then_some(Piece::Data(payload));
    for it in data.into_iter().chain(end.map(Piece::End)) {
        match piece(it) {
            Flow::Go => {}
            Flow::WaitUntil(until) => last = last.max(Some(until)),
            failed @ Flow::Fail(_) => return failed,
        }
    }
    last.map_or(Flow::Go, Flow::WaitUntil)
}

impl Drop for Course {
    fn drop(&mut self) {
        self.finish(Ending::Aborted);
        let layers = self.stack.leave_room();
        let (changes, text) = (std::mem::take(&mut self.changes), std::mem::take(&mut self.text));
        self.stock.put_back(Spare { layers, changes, text });
    }
}

impl Head for Unread {
    fn first(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn each(&self, _: &mut dyn FnMut(&str, &[u8])) {}
}

impl RequestView for Unread {
    fn method(&self) -> &str {
        ""
    }

    fn scheme(&self) -> Scheme {
        Scheme::Http
    }

    fn authority(&self) -> &str {
        ""
    }

    fn path(&self) -> &str {
        "*"
    }

    fn query(&self) -> Option<&str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_understood_says_nothing() {
        assert_eq!((Unread.method(), Unread.authority(), Unread.path()), ("", "", "*"));
        assert_eq!(
            (Unread.query(), Unread.first("host"), Unread.scheme()),
            (None, None, Scheme::Http)
        );
        Unread.each(&mut |name, _| panic!("it has no lines, not {name}"));
    }
}
