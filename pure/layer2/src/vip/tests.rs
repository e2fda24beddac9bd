use super::*;
use crate::tests::start;

const OTHER: Mac = Mac([2, 0, 0, 0, 0, 0xee]);
const THIRD: Mac = Mac([2, 0, 0, 0, 0, 0xcc]);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Runs all that is due up to `until`; what was sent and what changed, with times since `start`.
fn run(vip: &mut Vip, timing: &Timing, until: u64) -> Vec<(u64, Step)> {
    let mut log = Vec::new();
    while let Some(due) = vip.deadline()
        && due <= start() + ms(until)
    {
        let at = u64::try_from((due - start()).as_millis()).unwrap();
        log.push((at, vip.on_time(due, timing)));
        assert_ne!(vip.deadline(), Some(due).filter(|_| vip.answers()), "time must go on");
    }
    log
}

fn probe() -> Step {
    Step { send: Some(Send::Probe), change: None }
}

fn announcement(change: Option<VipChange>) -> Step {
    Step { send: Some(Send::Announcement), change }
}

fn repetition() -> Step {
    Step { send: Some(Send::Repetition), change: None }
}

#[test]
fn a_free_vip_is_probed_twice_and_announced_five_times() {
    let timing = Timing::default();
    let mut vip = Vip::new(start(), 0);
    let expected = vec![
        (0, probe()),
        (25, probe()),
        (50, announcement(Some(VipChange::Announced))),
        (1150, repetition()),
        (2250, repetition()),
        (3350, repetition()),
        (4450, repetition()),
    ];
    assert_eq!(run(&mut vip, &timing, 60_000), expected);
    let refresh = Step { send: Some(Send::Refresh), change: None };
    assert_eq!(run(&mut vip, &timing, 250_000), [(124_450, refresh), (244_450, refresh)]);
    assert_eq!(vip.phase(start() + ms(9000), &timing), Phase::Announced { rival: None });
}

#[test]
fn without_probes_it_is_announced_at_once() {
    let (announce_span, refresh) = (ms(0), ms(0));
    let timing = Timing { probes: 0, announce_span, refresh, ..Timing::default() };
    let mut vip = Vip::new(start(), 0);
    assert_eq!(run(&mut vip, &timing, 99), vec![(0, announcement(Some(VipChange::Announced)))]);
}

#[test]
fn a_taken_vip_is_told_once_and_tried_again() {
    let timing = Timing::default();
    let mut vip = Vip::new(start(), 0);
    run(&mut vip, &timing, 25);
    let at = |time| start() + ms(time);
    let step = vip.on_claim(at(30), (OTHER, None), Claim::Has, ms(500), &timing);
    assert_eq!(step, Step { send: None, change: Some(VipChange::Taken { rival: OTHER }) });
    assert_eq!(vip.deadline(), Some(at(30 + 4000 + 500)));

    assert_eq!(run(&mut vip, &timing, 4540), vec![(4530, probe())]);
    assert_eq!(vip.phase(at(4540), &timing), Phase::Conflicted { rival: OTHER });
    let again = vip.on_claim(at(4540), (OTHER, None), Claim::Has, ms(0), &timing);
    assert_eq!(again, Step::default(), "known already");

    let log = run(&mut vip, &timing, 8600);
    let expected =
        vec![(8540, probe()), (8565, probe()), (8590, announcement(Some(VipChange::Announced)))];
    assert_eq!(log, expected, "the other is gone");
}

#[test]
fn two_that_probe_at_once_both_stand_back() {
    let timing = Timing::default();
    let mut vip = Vip::new(start(), 0);
    run(&mut vip, &timing, 0);
    let step = vip.on_claim(start() + ms(3), (OTHER, None), Claim::Probes, ms(7), &timing);
    assert_eq!(step.change, Some(VipChange::Taken { rival: OTHER }));
}

fn announced(timing: &Timing) -> Vip {
    let mut vip = Vip::new(start(), 0);
    run(&mut vip, timing, 60_000);
    assert!(vip.answers());
    vip
}

#[test]
fn a_vip_is_defended_once_in_ten_seconds() {
    let timing = Timing::default();
    let mut vip = announced(&timing);
    let defended = announcement(Some(VipChange::Defended { rival: OTHER }));
    let table = [(10_000, defended), (10_001, Step::default()), (19_999, Step::default())];
    for (at, expected) in table {
        let step = vip.on_claim(start() + ms(at), (OTHER, None), Claim::Has, ms(0), &timing);
        assert_eq!(step, expected, "at {at}");
        assert!(vip.answers());
    }
    let phase = |at| vip.phase(start() + ms(at), &timing);
    assert_eq!(phase(19_999), Phase::Announced { rival: Some(OTHER) });
    assert_eq!(phase(20_000), Phase::Announced { rival: None });
    let again = vip.on_claim(start() + ms(20_000), (OTHER, None), Claim::Has, ms(0), &timing);
    assert_eq!(again, defended);
}

#[test]
fn by_policy_it_is_given_up() {
    let timing = Timing { policy: ConflictPolicy::Withdraw, ..Timing::default() };
    let mut vip = announced(&timing);
    let step = vip.on_claim(start() + ms(10_000), (OTHER, None), Claim::Has, ms(0), &timing);
    assert_eq!(step, Step { send: None, change: Some(VipChange::Yielded { rival: OTHER }) });
    assert!(!vip.answers());
    let log = run(&mut vip, &timing, 14_050);
    assert_eq!(
        log.last().unwrap().1.change,
        Some(VipChange::Announced),
        "taken up again when free"
    );
}

/// Machines that sleep answer late: they had it first all the same.
#[test]
fn a_late_answer_is_an_answer() {
    let timing = Timing::default();
    for (at, yields) in [(51, true), (2049, true), (2050, false)] {
        let mut vip = Vip::new(start(), 0);
        run(&mut vip, &timing, 50);
        let step = vip.on_claim(start() + ms(at), (OTHER, None), Claim::Has, ms(0), &timing);
        let change = if yields {
            VipChange::Yielded { rival: OTHER }
        } else {
            VipChange::Defended { rival: OTHER }
        };
        assert_eq!((step.change, vip.answers()), (Some(change), !yields), "at {at}");
    }
    let mut sure = Vip::cleared(start(), &timing, 0);
    run(&mut sure, &timing, 0);
    sure.on_claim(start() + ms(1), (OTHER, None), Claim::Has, ms(0), &timing);
    assert!(sure.answers(), "somebody made sure before");
}

/// Every state × every input: what is sent, what changes, where it goes.
#[test]
fn every_state_takes_every_input() {
    let defend = Timing::default();
    let withdraw = Timing { policy: ConflictPolicy::Withdraw, ..defend };
    let probing = || {
        let mut vip = Vip::new(start(), 0);
        vip.on_time(start(), &defend);
        vip
    };
    let conflicted = || {
        let mut vip = probing();
        vip.on_claim(start(), (OTHER, None), Claim::Has, ms(0), &defend);
        vip
    };
    type Make<'a> = &'a dyn Fn() -> Vip;
    let states: [(&str, Make<'_>); 3] =
        [("probing", &probing), ("announced", &|| announced(&defend)), ("conflicted", &conflicted)];
    let now = start() + ms(20_000);
    type Act<'a> = &'a dyn Fn(&mut Vip) -> Step;
    let inputs: [(&str, Act<'_>); 5] = [
        ("time", &|vip| vip.on_time(now, &defend)),
        ("has", &|vip| vip.on_claim(now, (THIRD, None), Claim::Has, ms(0), &defend)),
        ("has, withdraw", &|vip| vip.on_claim(now, (THIRD, None), Claim::Has, ms(0), &withdraw)),
        ("probes", &|vip| vip.on_claim(now, (THIRD, None), Claim::Probes, ms(0), &defend)),
        ("own mac", &|vip| vip.on_own_mac(now, &defend)),
    ];
    let mut table = String::new();
    for (state, make) in states {
        for (input, act) in inputs {
            let mut vip = make();
            let step = act(&mut vip);
            let send = step.send.map_or_else(|| "-".to_owned(), |it| format!("{it:?}"));
            let change = step.change.map_or("-", |it| match it {
                VipChange::Announced => "Announced",
                VipChange::Taken { .. } => "Taken",
                VipChange::Defended { .. } => "Defended",
                VipChange::Yielded { .. } => "Yielded",
                VipChange::Contested { .. } => "Contested",
            });
            let after = match vip.phase(now, &defend) {
                Phase::Probing => "Probing".to_owned(),
                Phase::Announced { rival } => format!("Announced {}", rival.is_some()),
                Phase::Conflicted { rival } => format!("Conflicted {rival}"),
            };
            table += &format!("{state} | {input} | {send} | {change} | {after}\n");
        }
    }
    let expected = "\
probing | time | Probe | - | Probing
probing | has | - | Taken | Conflicted 02:00:00:00:00:cc
probing | has, withdraw | - | Taken | Conflicted 02:00:00:00:00:cc
probing | probes | - | Taken | Conflicted 02:00:00:00:00:cc
probing | own mac | - | - | Probing
announced | time | - | - | Announced false
announced | has | Announcement | Defended | Announced true
announced | has, withdraw | - | Yielded | Conflicted 02:00:00:00:00:cc
announced | probes | - | - | Announced false
announced | own mac | Announcement | - | Announced false
conflicted | time | Probe | - | Conflicted 02:00:00:00:00:ee
conflicted | has | - | - | Conflicted 02:00:00:00:00:cc
conflicted | has, withdraw | - | - | Conflicted 02:00:00:00:00:cc
conflicted | probes | - | - | Conflicted 02:00:00:00:00:ee
conflicted | own mac | - | - | Conflicted 02:00:00:00:00:ee
";
    assert_eq!(table, expected);
}
