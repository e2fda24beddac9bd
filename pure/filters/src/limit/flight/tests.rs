//! How many are let in at once.

use super::*;
use crate::memory::Memory;
use crate::tests::{Sent, World, kept};

#[test]
fn as_many_as_may_be_and_one_more_for_each_that_ends() {
    let mut memory = Memory::default();
    let limit =
        InFlightLimit { amount: 2, of: Counted::Host, status: 429, page: Default::default() };
    let flight = InFlight::new(&limit, kept(&mut memory), 1);
    let mut world = World::new();
    let mut frames: Vec<InFlight> = (0..3).map(|_| flight.clone()).collect();
    let mut enter = |frame: &mut InFlight| {
        let mut request = RequestEdits::new(&Sent);
        let entered = frame.enter(&mut world.context(), &mut request, Got::Nothing);
        match entered {
            Enter::Next => 200,
            Enter::Answer(answer) => answer.status,
            Enter::Ask(ask) => panic!("{ask:?}"),
        }
    };
    let first: Vec<u16> = frames.iter_mut().map(&mut enter).collect();
    assert_eq!(first, [200, 200, 429]);
    let mut other = World::new();
    frames[2].done(&mut other.context(), Ending::Finished);
    frames[0].done(&mut other.context(), Ending::Aborted);
    frames[0].done(&mut other.context(), Ending::Aborted);
    assert_eq!([0, 2].map(|it| enter(&mut frames[it])), [200, 429]);
}

#[test]
fn nobody_is_let_in_where_none_may_be() {
    let counts = Counts::default();
    assert!(counts.enter(1, 0).is_none());
    assert!(counts.enter(1, 1).is_some());
}

/// Four threads, two sources: never more than may be, and in the end none.
#[test]
fn one_count_for_all_cores() {
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
    let counts = Counts::default();
    let under_way = [AtomicI64::new(0), AtomicI64::new(0)];
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (counts, under_way) = (&counts, &under_way);
            scope.spawn(move || {
                for turn in 0..20_000_u64 {
                    let which = (turn ^ thread) & 1;
                    let Some(ticket) = counts.enter(which << 40 | 5, 2) else { continue };
                    let now = under_way[usize::from(which == 1)].fetch_add(1, SeqCst) + 1;
                    assert!(now <= 2, "{now}");
                    under_way[usize::from(which == 1)].fetch_sub(1, SeqCst);
                    counts.leave(ticket);
                }
            });
        }
    });
    let tickets: Vec<_> = (0..2).map(|_| counts.enter(5, 2).unwrap()).collect();
    assert!(counts.enter(5, 2).is_none());
    tickets.into_iter().for_each(|it| counts.leave(it));
}

#[test]
fn more_sources_at_once_than_there_are_places_are_refused() {
    let counts = Counts::default();
    let same_window = |it: u64| it << 24 | 3;
    let tickets: Vec<_> = (0..16).map(|it| counts.enter(same_window(it), 9).unwrap()).collect();
    assert!(counts.enter(same_window(16), 9).is_none());
    assert!(counts.enter(same_window(3), 9).is_some());
    counts.leave(tickets[0]);
    assert!(counts.enter(same_window(16), 9).is_some());
}
