//! Filters in runs do with all requests what each of them does in a frame of its own, whatever is
//! under way at a time, and however it ends.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;
use steelyard_http::{RequestChanges, ResponseChanges};
use steelyard_model::routing::filter::limit::{Counted, InFlightLimit, RateLimit, RetryRule};
use steelyard_model::routing::filter::{Filter, Use};

use super::*;
use crate::ask::Ask;
use crate::context::Note;
use crate::folded::tests::{filters, requests};
use crate::memory::Memory;
use crate::recipe::Recipe;
use crate::response::Response;
use crate::stack::{Inward, Outward, Stack};
use crate::tests::{Asked, World};

/// What counts, and what is no step.
fn more() -> Vec<Filter> {
    let flight = |amount, of| {
        Filter::InFlight(InFlightLimit { amount, of, status: 429, page: Default::default() })
    };
    let rate = |average, burst| {
        let (period, of) = (Duration::from_secs(1), Counted::Client(Default::default()));
        Filter::RateLimit(Box::new(RateLimit {
            average,
            period,
            burst,
            of,
            redis: None,
            status: 429,
            page: Default::default(),
        }))
    };
    let retry = RetryRule {
        attempts: 2,
        timeout: None,
        interval: None,
        max_body: None,
        statuses: vec![(500, 599)],
        is_by_status_alone: false,
        is_for_all_methods: true,
    };
    vec![
        flight(1, Counted::Host),
        flight(2, Counted::Client(Default::default())),
        flight(0, Counted::Host),
        rate(1, 2),
        rate(10, 1),
        rate(0, 1),
        Filter::Retry(retry),
        Filter::ContentType,
    ]
}

/// What happens to one of some requests.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It comes, from this client, perhaps over TLS.
    Comes { request: usize, client: u8, is_tls: bool },
    /// It is answered so, and ends.
    Ends { which: usize, status: u16 },
    /// It ends.
    Breaks { which: usize },
    /// So many milliseconds pass.
    Waits(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let comes = (0..requests().len(), 1_u8..3, any::<bool>());
    let comes = comes.prop_map(|(request, client, is_tls)| Step::Comes { request, client, is_tls });
    let ends = (0_usize..4, prop_oneof![Just(200_u16), Just(503)]);
    let ends = ends.prop_map(|(which, status)| Step::Ends { which, status });
    let breaks = (0_usize..4).prop_map(|which| Step::Breaks { which });
    // Who comes a little early waits.
    let waits = prop_oneof![1 => 0_u64..1_500, 3 => 50_u64..100].prop_map(Step::Waits);
    prop::collection::vec(prop_oneof![4 => comes, 2 => ends, 1 => breaks, 3 => waits], 1..16)
}

/// One request under way.
struct Under {
    stack: Stack<Recipe>,
    asked: Asked,
    changes: RequestChanges,
    world: World,
}

/// What is seen of it.
#[derive(Debug, PartialEq)]
enum Seen {
    In(RequestChanges),
    Answered { status: u16, at: Option<usize>, by: &'static str, changes: ResponseChanges },
    Asks(Duration),
    Down(ResponseChanges),
    Noted(Vec<Note>),
    Nobody,
}

impl Under {
    /// As far in as it comes.
    fn enter(&mut self, seen: &mut Vec<Seen>) -> bool {
        loop {
            let Self { stack, asked, changes, world } = self;
            let mut head = RequestEdits::over(asked, changes);
            match stack.enter(&mut world.context(), &mut head, Got::Nothing) {
                Inward::Inside => {
                    seen.push(Seen::In(changes.clone()));
                    return true;
                }
                Inward::Ask(Ask::Sleep(time)) => {
                    seen.push(Seen::Asks(time));
                    world.now += time;
                }
                Inward::Ask(ask) => panic!("{ask:?}"),
                Inward::Answer(response) => {
                    let at = stack.answered();
                    let by = stack.answerer().map_or("nobody", Recipe::kind);
                    let mut edits = ResponseEdits::new(&*response);
                    let out = stack.leave(&mut world.context(), &mut edits, Got::Nothing, false);
                    assert!(matches!(out, Outward::Down), "{out:?}");
                    let changes = edits.into_changes();
                    seen.push(Seen::Answered { status: response.status, at, by, changes });
                    return false;
                }
            }
        }
    }

    /// Out, with what is answered; once more in where it wants that.
    fn leave(&mut self, status: u16, seen: &mut Vec<Seen>) {
        let mut response = Response::of(status);
        response.lines.push(("X-A".into(), (*b"its own").into()));
        loop {
            let mut edits = ResponseEdits::new(&response);
            let out = self.stack.leave(&mut self.world.context(), &mut edits, Got::Nothing, true);
            match out {
                Outward::Down => return seen.push(Seen::Down(edits.into_changes())),
                Outward::Again(after) => {
                    seen.push(Seen::Asks(after));
                    if !self.enter(seen) {
                        return;
                    }
                }
                Outward::Ask(Ask::Begin { .. }) => {
                    // It has a type: nobody looks further.
                    panic!("nothing is asked for");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn end(mut self, ending: Ending, seen: &mut Vec<Seen>) {
        self.stack.done(&mut self.world.context(), ending);
        seen.push(Seen::Noted(self.world.notes));
    }
}

/// What is seen of all of them.
fn play(recipes: &[Recipe], steps: &[Step], requests: &[Asked]) -> Vec<Seen> {
    let (mut under, mut seen) = (Vec::<Under>::new(), Vec::new());
    let mut now = World::new().now;
    for step in steps {
        match *step {
            Step::Comes { request, client, is_tls } => {
                let mut world = World::of([10, 0, 0, client].into());
                world.now = now;
                if is_tls {
                    world.speaks_tls("a.b");
                }
                let (asked, changes) = (requests[request].clone(), RequestChanges::default());
                let stack = Stack::new(recipes.to_vec());
                let mut it = Under { stack, asked, changes, world };
                match it.enter(&mut seen) {
                    true => under.push(it),
                    false => it.end(Ending::Finished, &mut seen),
                }
            }
            Step::Ends { which, status } if which < under.len() => {
                let mut it = under.remove(which);
                it.world.now = now.max(it.world.now);
                it.leave(status, &mut seen);
                it.end(Ending::Finished, &mut seen);
            }
            Step::Breaks { which } if which < under.len() => {
                under.remove(which).end(Ending::Aborted, &mut seen);
            }
            Step::Ends { .. } | Step::Breaks { .. } => seen.push(Seen::Nobody),
            Step::Waits(millis) => now += Duration::from_millis(millis),
        }
    }
    under.into_iter().for_each(|it| it.end(Ending::Closed, &mut seen));
    seen
}

#[test]
fn filters_in_runs_do_what_their_frames_do() {
    let (mut filters, requests) = (filters(), requests());
    filters.extend(more());
    filters.retain(|it| *it != Filter::ContentType);
    let usage = |at: usize| Use { filter: "it".into(), state: at.to_string().into() };
    let made = |list: &[usize]| -> Vec<Recipe> {
        let mut memory = Memory::seeded(1);
        let all = list.iter().enumerate();
        all.map(|(place, at)| Recipe::of(&usage(place), Some(&filters[*at]), &mut memory).unwrap())
            .collect()
    };
    let (fewer, answered, waited) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let few = filters.len() - 7;
    let which = prop_oneof![2 => 0..few, 3 => few..filters.len()];
    let lists = prop::collection::vec(which, 1..7);
    let config = ProptestConfig { cases: 6_000, ..ProptestConfig::default() };
    proptest!(config, |(list in lists, steps in steps())| {
        let alone = made(&list);
        let runs = Recipe::in_runs(made(&list));
        fewer.set(fewer.get() + usize::from(runs.len() < alone.len()));
        let kinds = |all: &[Recipe]| -> Vec<&'static str> {
            all.iter().flat_map(Recipe::parts).map(Recipe::kind).collect()
        };
        prop_assert_eq!(kinds(&runs), kinds(&alone));
        let (found, expected) = (play(&runs, &steps, &requests), play(&alone, &steps, &requests));
        let count = |is_it: fn(&Seen) -> bool| expected.iter().filter(|it| is_it(it)).count();
        answered.set(answered.get() + count(|it| matches!(it, Seen::Answered { status: 429, .. })));
        waited.set(waited.get() + count(|it| matches!(it, Seen::Asks(time) if !time.is_zero())));
        prop_assert_eq!(found, expected);
    });
    let counts = [fewer, answered, waited].map(|it| it.get());
    assert!(counts.iter().all(|count| *count > 200), "{counts:?}");
}

/// Whoever was counted is let go once, whatever else was in the run.
#[test]
fn a_ticket_is_given_back_once() {
    let filters = [&more()[0], &more()[1], &more()[3]].map(Clone::clone);
    let mut memory = Memory::seeded(1);
    let usage = |at: usize| Use { filter: "it".into(), state: at.to_string().into() };
    let all = filters.iter().enumerate();
    let all = all.map(|(at, it)| Recipe::of(&usage(at), Some(it), &mut memory).unwrap());
    let runs = Recipe::in_runs(all);
    assert_eq!(runs.len(), 1);
    let [request, ..] = &requests()[..] else { panic!("there are some") };
    let mut stacks: Vec<_> = (0..3_u8)
        .map(|at| {
            let (stack, changes) = (Stack::new(runs.clone()), RequestChanges::default());
            let world = World::of([10, 0, 1, at].into());
            Under { stack, asked: request.clone(), changes, world }
        })
        .collect();
    let mut seen = Vec::new();
    let [a, b, c] = &mut stacks[..] else { panic!("three") };
    assert!(a.enter(&mut seen) && !b.enter(&mut seen), "one at once");
    for _ in 0..2 {
        a.stack.done(&mut a.world.context(), Ending::Aborted);
    }
    b.stack.done(&mut b.world.context(), Ending::Finished);
    assert!(c.enter(&mut seen), "it was let go");
    let mut b = Under {
        stack: Stack::new(runs),
        asked: request.clone(),
        changes: RequestChanges::default(),
        world: World::of([10, 0, 1, 9].into()),
    };
    assert!(!b.enter(&mut seen), "and only once");
}
