//! One round, and what is measured in it.
//!
//! **Outage**: from the moment before the act to the end of the first answer of which all later
//! requests of the round were answered too. A request that is answered between two that are not
//! ends no outage. The round goes on until another node has the address and 40 requests in a row
//! were answered after that.
//!
//! **Failed, broken, late**: requests of the round, those under way at the act included, that had
//! no connection; had one that broke; had one and no answer by the deadline.
//!
//! **Two answer**: from the first frame by which a node says that it has the address to the last
//! one of a node that had said so before it, as the client hears them; it asks for the address all
//! the time. A node that takes it back later is another one then.
//!
//! **At the return**: requests without an answer from the end of the round until the struck node
//! is a settled member again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use steelyard_lab::watch::{Fate, Outcome};

use super::act::Act;
use super::client::{Client, PACE};
use super::fault::Witness;
use super::site::{Site, wait};

/// What came of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) outage: Duration,
    pub(super) failed: u32,
    pub(super) broken: u32,
    pub(super) late: u32,
    /// How long one node still said that it has the address after another began to.
    pub(super) double: Duration,
    pub(super) at_return: u32,
    /// The longest that the client itself was behind its pace in the round.
    pub(super) slip: Duration,
    /// Whether there were answers again; else the outage is as long as was waited.
    pub(super) is_over: bool,
    /// From the act until everything is as before.
    pub(super) took: Duration,
}

/// Moments of a round.
#[derive(Clone, Copy)]
struct Moments {
    act: Instant,
    calm: Instant,
    settled: Instant,
}

/// Plays one round; the act is `phase` after everything is settled.
pub(super) fn play(
    site: &mut dyn Site,
    client: &Client,
    witness: &Witness,
    (act, phase): (Act, Duration),
) -> Result<Round> {
    client.forget();
    let victim = wait("one owner, and all others standing by", || site.settled())?;
    // The last round has ended with as many answers.
    client.calm_after(Instant::now().checked_sub(PACE.deadline).unwrap_or_else(Instant::now))?;
    std::thread::sleep(phase);
    let begun = site.strike(act, &victim)?;
    let but = if act.may_stay() { "" } else { &victim };
    let calm = wait("another owner", || site.holder(but).map(|_| Instant::now()))
        .and_then(|moved| client.calm_after(moved));
    let Ok(calm) = calm else {
        return Ok(Round { outage: begun.elapsed(), ..Round::default() });
    };
    // What goes on before they are given up would answer requests of the outage.
    client.all_before(calm)?;
    site.revive(act, &victim).with_context(|| format!("{victim} does not come back"))?;
    wait("the return", || site.settled()).with_context(|| site.described())?;
    let settled = Instant::now();
    client.all_before(settled)?;
    let round = judge(&client.since(begun), Moments { act: begun, calm, settled });
    Ok(Round { double: witness.longest_double(begun), ..round })
}

/// What the outcomes of all requests come to that were not over at the act.
fn judge(outcomes: &[Outcome], at: Moments) -> Round {
    let begun: Vec<&Outcome> =
        outcomes.iter().filter(|it| it.started >= at.act && it.started < at.calm).collect();
    let next = begun.iter().rposition(|it| it.fate != Fate::Answered).map_or(0, |last| last + 1);
    let first = begun.get(next).map(|it| it.ended - at.act);
    let count = |fate: Fate| {
        let all = outcomes.iter().filter(|it| it.started < at.calm && it.fate == fate);
        u32::try_from(all.count()).unwrap_or(u32::MAX)
    };
    let later = outcomes.iter().filter(|it| it.started >= at.calm && it.started < at.settled);
    let unanswered = later.filter(|it| it.fate != Fate::Answered).count();
    let gaps = begun.windows(2).map(|pair| pair[1].started - pair[0].started);
    Round {
        outage: first.unwrap_or(at.calm - at.act),
        failed: count(Fate::Failed),
        broken: count(Fate::Broken),
        late: count(Fate::Late),
        at_return: u32::try_from(unanswered).unwrap_or(u32::MAX),
        slip: gaps.max().unwrap_or_default().saturating_sub(PACE.every),
        double: Duration::ZERO,
        is_over: true,
        took: at.settled - at.act,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A request each 5 ms from 10 ms before the act, as letters: answered after 1 ms, failed,
    /// broken, late.
    fn round_of(fates: &str, calm: u64) -> Round {
        let start = Instant::now();
        let outcome = |(number, fate): (u64, char)| {
            let (fate, took) = match fate {
                'a' => (Fate::Answered, 1),
                'f' => (Fate::Failed, 100),
                'b' => (Fate::Broken, 12),
                _ => (Fate::Late, 100),
            };
            let started = start + ms(number * 5);
            Outcome { number, started, ended: started + ms(took), fate }
        };
        let act = start + ms(10);
        let at = Moments { act, calm: act + ms(calm), settled: act + ms(1000) };
        let outcomes: Vec<Outcome> = (0..).zip(fates.chars()).map(outcome).collect();
        let open: Vec<Outcome> = outcomes.into_iter().filter(|it| it.ended > act).collect();
        judge(&open, at)
    }

    #[test]
    fn an_outage_ends_with_the_answer_after_which_all_is_answered() {
        let round = round_of("aafffaaa", 100);
        assert_eq!((round.outage, round.failed), (ms(16), 3));
        let flapping = round_of("aaffafaa", 100);
        assert_eq!(flapping.outage, ms(21), "one answer in between ends nothing");
        assert!(round.is_over && round.slip == ms(0) && round.at_return == 0);
    }

    #[test]
    fn without_an_unanswered_request_it_lasts_until_the_next_answer() {
        assert_eq!(round_of("aaaaaa", 100).outage, ms(1));
    }

    #[test]
    fn requests_under_way_at_the_act_count_and_prolong_nothing() {
        let round = round_of("bbaaaa", 100);
        assert_eq!((round.outage, round.broken, round.failed, round.late), (ms(1), 2, 0, 0));
    }

    #[test]
    fn what_is_lost_after_the_round_is_the_return() {
        let round = round_of("aafaaaaflaa", 20);
        assert_eq!((round.failed, round.late, round.at_return), (1, 0, 2));
        assert_eq!(round.outage, ms(6));
    }
}
