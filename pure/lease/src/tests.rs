//! What an election asks and when it leads, answer by answer.

use std::time::{Duration, Instant};

use steelyard_testbed::simulation::start;

use crate::{Election, ElectionInput, ElectionOutput, ElectionTiming, LeaseRecord, SeenLease};

fn at(seconds: u64) -> Instant {
    start() + Duration::from_secs(seconds)
}

fn lease(holder: &str, renewed: &str, version: &str) -> SeenLease {
    let (duration, times) = (Duration::from_secs(15), ("first".to_owned(), renewed.to_owned()));
    let record = LeaseRecord { holder: holder.to_owned(), duration, transitions: 3, times };
    SeenLease { record, version: version.to_owned() }
}

fn write(
    holder: &str,
    transitions: u32,
    acquired: Option<&str>,
    version: Option<&str>,
) -> ElectionOutput {
    ElectionOutput::Write {
        holder: holder.to_owned(),
        duration: Duration::from_secs(if holder.is_empty() { 1 } else { 15 }),
        transitions,
        acquired: acquired.map(str::to_owned),
        version: version.map(str::to_owned),
    }
}

/// Its question answered at `second`, what does `me` ask then?
fn asked_then(
    election: &mut Election,
    second: u64,
    input: ElectionInput,
) -> Option<ElectionOutput> {
    election.handle(at(second), input);
    election.poll(at(second))
}

fn starting() -> Election {
    let mut election = Election::new("me", ElectionTiming::default(), at(0));
    assert_eq!(election.deadline(), Some(at(0)));
    assert_eq!(election.poll(at(0)), Some(ElectionOutput::Read));
    assert_eq!(election.poll(at(0)), None, "one question at a time");
    election
}

/// Has led since second 0.
fn leading() -> Election {
    let mut election = starting();
    asked_then(&mut election, 0, ElectionInput::Read(Some(lease("", "r0", "1"))));
    assert_eq!(asked_then(&mut election, 1, ElectionInput::Written(lease("me", "r1", "2"))), None);
    assert!(election.leads(at(1)));
    election
}

#[test]
fn a_lease_that_is_not_there_is_made() {
    let mut election = starting();
    assert_eq!(
        asked_then(&mut election, 1, ElectionInput::Read(None)),
        Some(write("me", 0, None, None))
    );
    assert!(!election.leads(at(1)), "not before it is written");
    election.handle(at(2), ElectionInput::Written(lease("me", "r1", "1")));
    assert_eq!(election.holder(), Some("me"));
    assert!(election.leads(at(10)));
    assert!(!election.leads(at(11)), "ten seconds from when it asked, not from the answer");
}

#[test]
fn a_lease_that_was_let_go_is_taken_at_once() {
    let mut election = starting();
    let output = asked_then(&mut election, 1, ElectionInput::Read(Some(lease("", "r0", "7"))));
    assert_eq!(output, Some(write("me", 4, None, Some("7"))));
    assert_eq!(election.holder(), None);
}

#[test]
fn another_ones_lease_is_taken_when_it_has_stood_for_its_duration_here() {
    let mut election = starting();
    assert_eq!(
        asked_then(&mut election, 1, ElectionInput::Read(Some(lease("other", "r0", "7")))),
        None
    );
    assert_eq!(election.holder(), Some("other"));
    assert_eq!(election.deadline(), Some(at(3)));
    assert_eq!(election.poll(at(2)), None);
    // Somebody adds a label, which is no renewal.
    assert_eq!(election.poll(at(3)), Some(ElectionOutput::Read));
    assert_eq!(
        asked_then(&mut election, 4, ElectionInput::Read(Some(lease("other", "r0", "8")))),
        None
    );
    assert_eq!(election.poll(at(15)), Some(ElectionOutput::Read));
    assert_eq!(
        asked_then(&mut election, 15, ElectionInput::Read(Some(lease("other", "r0", "8")))),
        None
    );
    assert_eq!(election.poll(at(17)), Some(ElectionOutput::Read));
    let output =
        asked_then(&mut election, 17, ElectionInput::Read(Some(lease("other", "r0", "8"))));
    assert_eq!(output, Some(write("me", 4, None, Some("8"))));
}

#[test]
fn a_renewal_and_a_longer_duration_are_waited_for() {
    let mut election = starting();
    asked_then(&mut election, 0, ElectionInput::Read(Some(lease("other", "r0", "7"))));
    election.poll(at(14));
    let mut long = lease("other", "r1", "8");
    long.record.duration = Duration::from_secs(20);
    asked_then(&mut election, 14, ElectionInput::Read(Some(long.clone())));
    election.poll(at(33));
    assert_eq!(asked_then(&mut election, 33, ElectionInput::Read(Some(long.clone()))), None);
    election.poll(at(35));
    assert!(asked_then(&mut election, 35, ElectionInput::Read(Some(long))).is_some());
}

#[test]
fn a_leader_renews_what_it_knows_without_asking() {
    let mut election = leading();
    assert_eq!(election.deadline(), Some(at(3)));
    assert_eq!(election.poll(at(3)), Some(write("me", 3, Some("first"), Some("2"))));
    assert_eq!(election.deadline(), Some(at(10)), "leads no more then, if nobody answers");
    election.handle(at(4), ElectionInput::Written(lease("me", "r2", "3")));
    assert!(election.leads(at(12)));
    assert!(!election.leads(at(13)));
}

#[test]
fn after_what_tells_nothing_it_reads_first() {
    for input in [ElectionInput::Conflict, ElectionInput::Failed] {
        let mut election = leading();
        election.poll(at(3));
        assert_eq!(asked_then(&mut election, 4, input), None);
        assert!(election.leads(at(9)), "what it has, it has");
        assert_eq!(election.poll(at(6)), Some(ElectionOutput::Read));
        // It was written after all.
        let output =
            asked_then(&mut election, 7, ElectionInput::Read(Some(lease("me", "r2", "3"))));
        assert_eq!(output, Some(write("me", 3, Some("first"), Some("3"))));
    }
}

#[test]
fn whose_lease_was_taken_leads_no_more() {
    let mut election = leading();
    election.poll(at(3));
    election.handle(at(4), ElectionInput::Conflict);
    election.poll(at(6));
    assert_eq!(
        asked_then(&mut election, 7, ElectionInput::Read(Some(lease("other", "r2", "3")))),
        None
    );
    assert!(!election.leads(at(7)));
}

#[test]
fn who_slept_past_its_deadline_reads_first() {
    let mut election = leading();
    assert!(!election.leads(at(60)));
    assert_eq!(election.poll(at(60)), Some(ElectionOutput::Read));
    assert_eq!(election.deadline(), None);
}

#[test]
fn who_leaves_lets_go_and_is_done() {
    let mut election = leading();
    election.leave();
    assert!(!election.leads(at(1)) && !election.is_gone());
    assert_eq!(election.poll(at(1)), Some(write("", 3, Some("first"), Some("2"))));
    assert_eq!(asked_then(&mut election, 2, ElectionInput::Written(lease("", "r2", "3"))), None);
    assert!(election.is_gone());
    assert_eq!((election.poll(at(60)), election.deadline()), (None, None));
}

#[test]
fn a_renewal_under_way_is_awaited_before_it_lets_go() {
    let mut election = leading();
    election.poll(at(3));
    election.leave();
    assert_eq!(election.poll(at(3)), None);
    let output = asked_then(&mut election, 4, ElectionInput::Written(lease("me", "r2", "3")));
    assert_eq!(output, Some(write("", 3, Some("first"), Some("3"))));
    assert!(!election.leads(at(4)));
}

#[test]
fn who_leaves_what_it_does_not_have_is_done() {
    let mut election = starting();
    election.leave();
    assert_eq!(
        asked_then(&mut election, 1, ElectionInput::Read(Some(lease("other", "r0", "7")))),
        None
    );
    assert!(election.is_gone());
    let mut election = leading();
    election.poll(at(3));
    election.leave();
    assert_eq!(asked_then(&mut election, 4, ElectionInput::Failed), None);
    assert!(election.is_gone(), "it ends by itself");
}

#[test]
fn an_answer_that_nobody_asked_for_is_nothing() {
    let mut election = leading();
    for input in [
        ElectionInput::Read(None),
        ElectionInput::Written(lease("other", "r2", "3")),
        ElectionInput::Failed,
    ] {
        election.handle(at(2), input);
    }
    assert!(election.leads(at(2)));
    assert_eq!(election.deadline(), Some(at(3)));
}

/// Whoever wrote it: the process goes on, and looks again.
#[test]
fn a_lease_that_never_ends_is_waited_for() {
    let mut election = starting();
    let mut forever = lease("other", "r0", "7");
    forever.record.duration = Duration::MAX;
    assert_eq!(asked_then(&mut election, 1, ElectionInput::Read(Some(forever))), None);
    assert_eq!(election.deadline(), Some(at(3)));
    assert_eq!(election.poll(at(3)), Some(ElectionOutput::Read));
    let output = asked_then(&mut election, 4, ElectionInput::Read(Some(lease("", "r1", "8"))));
    assert!(matches!(output, Some(ElectionOutput::Write { .. })), "{output:?}");
}

#[test]
#[should_panic(expected = "retry")]
fn a_leader_that_leads_as_long_as_others_wait_is_refused() {
    let duration = Duration::from_secs(10);
    let _ = Election::new("me", ElectionTiming { duration, ..ElectionTiming::default() }, at(0));
}
