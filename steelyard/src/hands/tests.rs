use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::bail;
use steelyard_manifest::Sight;
use steelyard_model::Holdings;

use super::*;
use crate::mind::{Mind, OwnFacts};

/// A hand that takes note of what it is asked to do.
struct Noting {
    step: Step,
    fails: bool,
    noted: Arc<Mutex<Vec<(&'static str, Step)>>>,
}

impl Hand for Noting {
    fn withdraw<'a>(&'a mut self, _: &'a Decided) -> Doing<'a, ()> {
        self.noted.lock().unwrap().push(("withdraw", self.step));
        Box::pin(std::future::ready(()))
    }

    fn apply<'a>(&'a mut self, _: &'a Arc<Decided>, _: &'a mut Applied) -> Doing<'a, Result<()>> {
        self.noted.lock().unwrap().push(("apply", self.step));
        let fails = self.fails;
        Box::pin(async move { if fails { bail!("it fails") } else { Ok(()) } })
    }
}

struct NotingHands(Vec<Noting>);

impl Hands for NotingHands {
    fn at(&mut self, step: Step) -> Option<&mut dyn Hand> {
        self.0.iter_mut().find(|hand| hand.step == step).map(|hand| hand as &mut dyn Hand)
    }
}

fn decided() -> Arc<Decided> {
    let mut mind =
        Mind::new(steelyard_pipeline::ResolveOptions::default(), Holdings::default(), Vec::new());
    mind.see(Sight::default());
    Arc::new(mind.take(&OwnFacts::default(), Instant::now()))
}

async fn noted(failing: Option<Step>) -> (bool, Vec<(&'static str, Step)>) {
    let noted = Arc::<Mutex<Vec<_>>>::default();
    let steps = [Step::Written, Step::Announced, Step::Forwarding, Step::Listening, Step::Assigned];
    let hand = |step| Noting { step, fails: failing == Some(step), noted: Arc::clone(&noted) };
    let mut hands = NotingHands(steps.map(hand).into());
    let outcome = carry_out(&mut hands, &decided()).await;
    let noted = noted.lock().unwrap().clone();
    (outcome.is_ok(), noted)
}

#[tokio::test]
async fn hands_apply_in_order_and_withdraw_in_the_reverse_one() {
    let (is_ok, noted) = noted(None).await;
    assert!(is_ok);
    let of = |what| noted.iter().filter(move |it| it.0 == what).map(|it| it.1);
    let ours = [Step::Assigned, Step::Listening, Step::Forwarding, Step::Announced, Step::Written];
    let order = ORDER.into_iter().filter(|step| ours.contains(step));
    assert!(of("apply").eq(order.clone()), "{noted:?}");
    assert!(of("withdraw").eq(order.rev().filter(|it| *it != Step::Assigned)), "{noted:?}");
    let ended = noted.iter().rposition(|it| it.0 == "withdraw").unwrap();
    assert!(noted[ended..].iter().skip(1).all(|it| it.0 == "apply"), "{noted:?}");
    assert_eq!(noted[0], ("apply", Step::Assigned));
}

#[tokio::test]
async fn nothing_happens_before_it_is_written_down() {
    let (is_ok, noted) = noted(Some(Step::Assigned)).await;
    assert!(!is_ok);
    assert_eq!(noted, [("apply", Step::Assigned)]);
}

#[tokio::test]
async fn what_fails_later_keeps_nothing_else_from_being_done() {
    let (is_ok, noted) = noted(Some(Step::Listening)).await;
    assert!(is_ok);
    assert_eq!(noted.last(), Some(&("apply", Step::Written)));
}

#[test]
fn each_step_has_its_place() {
    let known: BTreeSet<usize> = ORDER.iter().map(|step| *step as usize).collect();
    assert_eq!(known.len(), Step::Written as usize + 1);
    let place = |step| ORDER.iter().rposition(|it| *it == step).unwrap();
    let chain = [
        Step::Assigned,
        Step::Listening,
        Step::Forwarding,
        Step::Announced,
        Step::Resolvable,
        Step::Written,
    ];
    assert!(chain.is_sorted_by_key(|step| place(*step)));
}
