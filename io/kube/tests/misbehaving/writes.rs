//! Very much is to be written at once, and some of it is not answered.

use std::sync::Arc;
use std::time::Duration;

use steelyard_kube::{CarriedOut, Writer};
use steelyard_model::{NamespacedName, ObjectRef};
use steelyard_plan::ServiceEventKind;
use steelyard_statuses::{EventWrite, StatusChange, StatusKind, StatusWrite, WriteOutcome};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::fake::{Fake, Fault};
use crate::{Folder, connection};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);
/// What a writer has under way at most.
const AT_A_TIME: usize = 32;

async fn writer(fake: &Fake, leads: bool) -> (Writer, UnboundedReceiver<CarriedOut>, Folder) {
    let (connection, folder) = connection(fake).await;
    let (writer, told) = Writer::new(Arc::new(connection), "test", Arc::new(move || leads), LONG);
    (writer, told, folder)
}

fn status(name: &str) -> StatusWrite {
    StatusWrite {
        kind: StatusKind::Service,
        id: NamespacedName::new("default", name),
        revision: None,
        change: StatusChange::NoAddresses,
    }
}

fn event(name: &str) -> EventWrite {
    EventWrite {
        name: name.to_owned(),
        object: ObjectRef::new("Service", "default", name),
        uid: String::new(),
        kind: ServiceEventKind::Normal,
        reason: String::new(),
        message: String::new(),
        count: 1,
        first: String::new(),
        last: String::new(),
    }
}

async fn asked(fake: &Fake, is_enough: impl Fn(&[String]) -> bool) {
    while !is_enough(&fake.store().asked) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn one_that_is_not_answered_keeps_no_other_waiting() {
    let fake = Fake::start();
    fake.store().stuck = Some("/stuck/");
    let (writer, mut told, _folder) = writer(&fake, true).await;
    writer.write(status("stuck"));
    (0..300).for_each(|at| writer.write(status(&format!("s{at}"))));
    for _ in 0..300 {
        let it = told.recv().await.unwrap();
        assert_eq!((it.outcome, &*it.id.name == "stuck"), (WriteOutcome::Written, false));
    }
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn few_are_under_way_and_events_come_last() {
    let fake = Fake::start();
    fake.store().always = Some(Fault::Silence);
    let (writer, mut told, _folder) = writer(&fake, true).await;
    writer.tell(event("first"));
    asked(&fake, |asked| asked.len() == 1).await;
    (0..300).for_each(|at| writer.write(status(&format!("s{at}"))));
    (0..10).for_each(|at| writer.tell(event(&format!("e{at}"))));
    asked(&fake, |asked| asked.len() >= AT_A_TIME).await;
    fake.store().always = None;
    let is_event = |path: &String| path.contains("/events/");
    let before = fake.store().asked.iter().filter(|it| is_event(it)).count();
    assert_eq!(before, 1, "the one that waited for nothing");
    // Those that are not answered stay; the hands that are left do the rest.
    assert!(told.try_recv().is_err());
    assert_eq!(fake.store().asked.len(), AT_A_TIME);
}

#[tokio::test]
async fn it_ends_with_what_was_decided_and_without_events() {
    let fake = Fake::start();
    let (writer, mut told, _folder) = writer(&fake, true).await;
    (0..300).for_each(|at| writer.write(status(&format!("s{at}"))));
    (0..300).for_each(|at| writer.tell(event(&format!("e{at}"))));
    writer.settle().await;
    writer.tell(event("late"));
    writer.settle().await;
    let written = std::iter::from_fn(|| told.try_recv().ok());
    assert!(written.filter(|it| it.outcome == WriteOutcome::Written).count() == 300);
    assert!(!fake.store().asked.iter().any(|path| path.contains("/events/")));
}

#[tokio::test]
async fn who_does_not_lead_asks_nothing() {
    let fake = Fake::start();
    let (writer, mut told, _folder) = writer(&fake, false).await;
    (0..300).for_each(|at| writer.write(status(&format!("s{at}"))));
    writer.tell(event("e"));
    for _ in 0..300 {
        assert_eq!(told.recv().await.unwrap().outcome, WriteOutcome::Deposed);
    }
    writer.settle().await;
    assert_eq!(fake.store().asked, [""; 0]);
}
