//! One stack of each kind, driven as the gateway drives them.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use steelyard_http::{Head, RequestEdits, ResponseEdits, ResponseView};

use super::probe::{Diary, Kind, Plan, plans};
use super::{Sent, World};
use crate::ask::{Ask, Got};
use crate::context::{Answerer, Ending};
use crate::frame::{Flow, Piece};
use crate::response::Response;
use crate::stack::{Inward, Outward, Stack};

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) status: u16,
    /// Heads' marks: of the request inside, of the response below.
    pub(super) marks: [bool; 2],
    /// Marks of the request inside, at the last attempt.
    pub(super) added: usize,
    /// What the backend got of the body, per attempt.
    pub(super) inside: Vec<String>,
    /// What the client got.
    pub(super) below: String,
}

/// Sends a request with the body `pieces` (none: without one) through frames of these kinds, to a
/// backend that answers with `statuses`, one per attempt, the last for ever.
pub(super) fn send(kinds: &[Kind], pieces: &[&str], statuses: &[u16]) -> (Outcome, Diary) {
    send_in_steps(kinds, &[], pieces, statuses)
}

/// The same where the last frames are added when those before have let the request in: so many
/// are there at first, and then each time.
pub(super) fn send_in_steps(
    kinds: &[Kind],
    steps: &[usize],
    pieces: &[&str],
    statuses: &[u16],
) -> (Outcome, Diary) {
    let diary: Diary = Rc::new(RefCell::default());
    let part = |depth: usize| {
        let from: usize = steps.iter().take(depth).sum::<usize>().min(kinds.len());
        let to = steps.get(depth).map_or(kinds.len(), |step| (from + step).min(kinds.len()));
        plans(from, &kinds[from..to], &diary)
    };
    let mut stack = Stack::new(part(0));
    let mut world = World::new();
    let mut out = Outcome {
        status: 0,
        marks: [false; 2],
        added: 0,
        inside: Vec::new(),
        below: String::new(),
    };
    let data = pieces.iter().map(|text| Piece::Data(Bytes::copy_from_slice(text.as_bytes())));
    let end = (!pieces.is_empty()).then(|| Piece::End(Vec::new()));
    let mut body = data.chain(end).collect::<Vec<_>>().into_iter();
    let mut request = RequestEdits::new(&Sent);
    let mut got = Got::Nothing;
    let mut response = 'attempts: loop {
        let mut answer = loop {
            match stack.enter(&mut world.context(), &mut request, got) {
                Inward::Answer(response) => break *response,
                Inward::Ask(Ask::Body { .. }) => got = whole(&mut stack, &mut world, &mut body),
                Inward::Ask(ask) => got = carry_out(ask),
                Inward::Inside if stack.depth() < steps.len() => {
                    stack.deepen(part(stack.depth() + 1));
                    got = Got::Nothing;
                }
                Inward::Inside => {
                    break backend(&mut stack, &mut world, &mut body, statuses, &mut out);
                }
            }
            if let Got::Response(response) = got {
                break *response;
            }
        };
        out.added = 0;
        request.each(&mut |name, _| out.added += usize::from(name == "X-Probe"));
        out.marks[0] = out.added > 0;
        got = Got::Nothing;
        loop {
            let mut edits = ResponseEdits::new(&answer);
            match stack.leave(&mut world.context(), &mut edits, got, true) {
                Outward::Ask(ask) => got = carry_out(ask),
                Outward::Replaced(other) => (answer, got) = (*other, Got::Nothing),
                Outward::Again(_) => {
                    got = Got::Nothing;
                    continue 'attempts;
                }
                Outward::Down => {
                    out.status = edits.status();
                    out.marks[1] = edits.first("X-Probe").is_some();
                    break 'attempts answer;
                }
            }
        }
    };
    response.body = Bytes::from_static(b"r");
    let mut below = Vec::new();
    let piece = Piece::Data(response.body);
    assert!(matches!(stack.response(&mut world.context(), piece, &mut below), Flow::Go));
    out.below = text(&below);
    stack.done(&mut world.context(), Ending::Finished);
    stack.done(&mut world.context(), Ending::Aborted);
    (out, diary)
}

fn whole(
    stack: &mut Stack<Plan>,
    world: &mut World,
    body: &mut impl Iterator<Item = Piece>,
) -> Got {
    let mut none = Vec::new();
    loop {
        if let Some(got) = stack.body() {
            return got;
        }
        let piece = body.next().expect("a body ends, or is too large before");
        match stack.request(&mut world.context(), piece, &mut none) {
            Flow::Fail(response) => return Got::Response(response),
            _ => assert!(none.is_empty(), "nothing goes in while a frame waits"),
        }
    }
}

fn carry_out(ask: Ask) -> Got {
    match ask {
        Ask::Work(job) => Got::Done((job.work)()),
        _ => Got::Nothing,
    }
}

fn backend(
    stack: &mut Stack<Plan>,
    world: &mut World,
    body: &mut impl Iterator<Item = Piece>,
    statuses: &[u16],
    out: &mut Outcome,
) -> Response {
    let mut sent = Vec::new();
    let mut flow = stack.flush(&mut world.context(), &mut sent);
    while let Flow::Go = flow {
        let Some(piece) = body.next() else { break };
        flow = stack.request(&mut world.context(), piece, &mut sent);
    }
    if let Flow::Fail(response) = flow {
        return *response;
    }
    let status = statuses[out.inside.len().min(statuses.len() - 1)];
    out.inside.push(text(&sent));
    Response::of(status)
}

fn text(pieces: &[Piece]) -> String {
    let part = |piece: &Piece| match piece {
        Piece::Data(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Piece::Flush => "|".to_owned(),
        Piece::End(_) => ".".to_owned(),
    };
    pieces.iter().map(part).collect()
}

fn told(diary: &Diary) -> Vec<String> {
    diary.borrow().iter().map(|(at, what)| format!("{at} {what}")).collect()
}

#[test]
fn every_frame_is_entered_left_and_ended_in_order() {
    let (out, diary) = send(&[Kind::EditsRequest, Kind::EditsResponse], &["ab"], &[200]);
    assert_eq!(out.status, 200);
    assert_eq!(out.marks, [true, true]);
    assert_eq!((out.inside, out.below.as_str()), (vec!["ab.".to_owned()], "r"));
    assert_eq!(
        told(&diary),
        [
            "0 enter",
            "1 enter",
            "1 leave 200 by backend",
            "0 leave 200 by backend",
            "1 done Finished",
            "0 done Finished"
        ]
    );
}

#[test]
fn who_answers_is_left_too_and_nothing_inside_is_entered() {
    let (out, diary) = send(&[Kind::Marks, Kind::Answers(401), Kind::Plain], &["ab"], &[200]);
    assert_eq!((out.status, out.inside.len(), out.below.as_str()), (401, 0, "0r"));
    assert_eq!(
        told(&diary),
        [
            "0 enter",
            "1 enter",
            "1 leave 401 by 1",
            "0 leave 401 by 1",
            "1 done Finished",
            "0 done Finished"
        ]
    );
}

#[test]
fn asks_are_answered_before_it_goes_on() {
    let (out, diary) = send(&[Kind::Sleeps, Kind::Works, Kind::AsksLeaving], &[], &[204]);
    assert_eq!(out.status, 204);
    assert_eq!(told(&diary)[..4], ["0 enter", "1 found 42", "2 enter", "2 leave 204 by backend"]);
}

#[test]
fn the_whole_body_is_had_as_frames_outside_made_it_and_goes_on() {
    let kinds = [Kind::Marks, Kind::AsksBody(9), Kind::Marks];
    let (out, diary) = send(&kinds, &["ab", "c"], &[200]);
    assert_eq!(told(&diary)[1], "1 body 0ab0c");
    // Small pieces that wait beside each other go on as one.
    assert_eq!(out.inside, ["20ab0c."]);
    let (out, diary) = send(&kinds, &["abcdefghi", "x"], &[200]);
    assert_eq!(told(&diary)[1], "1 too large");
    assert_eq!(out.inside, ["20abcdefghi202x."]);
}

#[test]
fn a_response_is_replaced_for_the_frames_outside() {
    let (out, diary) = send(&[Kind::Marks, Kind::Replaces(404), Kind::Marks], &[], &[500]);
    assert_eq!((out.status, out.below.as_str()), (404, "0r"));
    assert_eq!(
        told(&diary)[3..],
        [
            "2 leave 500 by backend",
            "1 replaces 500",
            "2 done Replaced",
            "0 leave 404 by 1",
            "1 done Finished",
            "0 done Finished"
        ]
    );
}

#[test]
fn what_is_inside_runs_anew_with_the_same_body() {
    let kinds = [Kind::Marks, Kind::Repeats(10), Kind::Marks];
    let (out, diary) = send(&kinds, &["ab", "c"], &[503, 503, 200]);
    let again = "20ab0c.".to_owned();
    assert_eq!(
        (out.status, out.inside),
        (200, vec!["202ab202c.".to_owned(), again.clone(), again])
    );
    let entered = told(&diary).iter().filter(|it| *it == "2 enter").count();
    let replaced = told(&diary).iter().filter(|it| *it == "2 done Replaced").count();
    assert_eq!((entered, replaced), (3, 2));
    let (out, _) = send(&kinds, &["ab", "c"], &[503]);
    assert_eq!((out.status, out.inside.len()), (503, 3));
}

#[test]
fn frames_that_were_added_are_added_anew_for_another_attempt() {
    let kinds = [Kind::Repeats(10), Kind::Marks, Kind::Repeats(10), Kind::EditsRequest];
    for steps in [&[][..], &[0], &[1], &[2], &[3, 1], &[1, 1, 1], &[4]] {
        let (out, diary) = send_in_steps(&kinds, steps, &["ab"], &[503, 503, 503, 503, 200]);
        assert_eq!((out.status, out.added), (200, 1), "{steps:?}");
        assert_eq!(out.inside, vec!["1ab.".to_owned(); 5], "{steps:?}");
        let entered = told(&diary).iter().filter(|it| *it == "3 enter").count();
        assert_eq!(entered, 5, "{steps:?}");
    }
}

#[test]
fn what_is_inside_changes_the_request_once() {
    let kinds = [Kind::EditsRequest, Kind::Repeats(10), Kind::EditsRequest];
    let (out, _) = send(&kinds, &["ab"], &[503, 503, 200]);
    assert_eq!((out.status, out.added), (200, 2));
}

#[test]
fn without_the_body_at_hand_there_is_no_other_attempt() {
    let (out, _) = send(&[Kind::Repeats(2)], &["ab", "c"], &[503, 200]);
    assert_eq!((out.status, out.inside.len()), (503, 1));
    let (out, _) = send(&[Kind::Repeats(0)], &[], &[503, 200]);
    assert_eq!((out.status, out.inside.len()), (200, 2));
}

#[test]
fn a_frame_that_fails_at_the_body_answers() {
    let (out, diary) = send(&[Kind::Marks, Kind::FailsIn(413), Kind::Plain], &["ab"], &[200]);
    assert_eq!((out.status, out.inside.len(), out.below.as_str()), (413, 0, "0r"));
    assert_eq!(
        told(&diary)[3..],
        [
            "2 done Replaced",
            "1 leave 413 by 1",
            "0 leave 413 by 1",
            "1 done Finished",
            "0 done Finished"
        ]
    );
}

#[test]
fn a_failure_while_an_inner_frame_waits_for_the_body_is_an_answer() {
    let (out, diary) = send(&[Kind::FailsIn(413), Kind::AsksBody(9)], &["ab"], &[200]);
    assert_eq!((out.status, out.inside.len()), (413, 0));
    assert!(told(&diary).contains(&"1 done Replaced".to_owned()), "{:?}", told(&diary));
}

#[test]
fn bodies_of_tunnels_pass_untouched_and_nothing_is_repeated() {
    let diary: Diary = Rc::new(RefCell::default());
    let kinds = [Kind::Repeats(9), Kind::Marks];
    let mut stack = Stack::new(plans(0, &kinds, &diary));
    let mut world = World::new();
    let mut request = RequestEdits::new(&Sent);
    let entered = stack.enter(&mut world.context(), &mut request, Got::Nothing);
    assert!(matches!(entered, Inward::Inside));
    stack.becomes_tunnel();
    let response = Response::of(503);
    let mut edits = ResponseEdits::new(&response);
    let left = stack.leave(&mut world.context(), &mut edits, Got::Nothing, true);
    assert!(matches!(left, Outward::Down));
    let mut out = Vec::new();
    let data = || Piece::Data(Bytes::from_static(b"x"));
    let _ = stack.request(&mut world.context(), data(), &mut out);
    let _ = stack.response(&mut world.context(), data(), &mut out);
    assert_eq!(text(&out), "xx");
    stack.done(&mut world.context(), Ending::Closed);
    assert_eq!(told(&diary).last().unwrap(), "0 done Closed");
}

#[test]
fn the_cause_is_the_drivers_word_until_a_frame_answers() {
    let diary: Diary = Rc::new(RefCell::default());
    let mut stack = Stack::new(plans(0, &[Kind::Plain], &diary));
    let mut world = World::new();
    let _ = stack.enter(&mut world.context(), &mut RequestEdits::new(&Sent), Got::Nothing);
    let response = Response::of(503);
    let mut cx = world.context();
    cx.cause = Answerer::Gateway;
    let _ = stack.leave(&mut cx, &mut ResponseEdits::new(&response), Got::Nothing, false);
    assert_eq!(told(&diary)[1], "0 leave 503 by gateway");
}

#[test]
fn a_body_goes_on_while_its_response_leaves_and_not_once_a_frame_answers() {
    for (kind, inside) in [(Kind::Plain, "ab"), (Kind::Replaces(404), "a")] {
        let diary: Diary = Rc::new(RefCell::default());
        let mut stack = Stack::new(plans(0, &[kind], &diary));
        let mut world = World::new();
        let _ = stack.enter(&mut world.context(), &mut RequestEdits::new(&Sent), Got::Nothing);
        let mut out = Vec::new();
        let data = |text: &'static str| Piece::Data(Bytes::from_static(text.as_bytes()));
        let _ = stack.request(&mut world.context(), data("a"), &mut out);
        let response = Response::of(200);
        let mut edits = ResponseEdits::new(&response);
        let _ = stack.leave(&mut world.context(), &mut edits, Got::Nothing, false);
        let _ = stack.request(&mut world.context(), data("b"), &mut out);
        assert_eq!(text(&out), inside);
    }
}
