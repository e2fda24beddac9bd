//! What `lab watch` prints: a line for what happened and, on a terminal, one that goes on changing.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use steelyard_terminal::{OutputFormat, Style, wants_color};

use super::meter::{Outage, Totals, Unanswered};
use super::ticker::{Pace, Target};
use crate::console::print;

/// Prints.
#[derive(Debug)]
pub(super) struct Teller {
    output: OutputFormat,
    color: bool,
    /// Whether there is a line that goes on changing.
    is_live: bool,
}

/// Who answered before and after something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Move {
    /// Before; none where it is not known.
    pub(super) before: Option<String>,
    /// After.
    pub(super) after: Option<String>,
}

impl Teller {
    /// For standard output.
    pub(super) fn new(output: OutputFormat) -> Self {
        let is_live = output == OutputFormat::Text && std::io::stdout().is_terminal();
        Self { output, color: wants_color(), is_live }
    }

    /// What will be asked for.
    pub(super) fn begin(&self, target: &Target, pace: Pace, from: &str) {
        let Target { address, host, path } = target;
        let text = format!(
            "{from} asks {address} for {host}{path} every {} ms; late after {} ms. Ctrl-C ends it",
            pace.every.as_millis(),
            pace.deadline.as_millis()
        );
        let event = json!({
            "event": "watching", "address": address.to_string(), "host": host, "path": path,
            "from": from, "everyMs": ms(pace.every), "deadlineMs": ms(pace.deadline),
        });
        self.line(&text, Style::Plain, event);
    }

    /// A time without answers that is over; it ended at `to`.
    pub(super) fn outage(&self, outage: &Outage, to: SystemTime, who: &Move) {
        let length = outage.length();
        let text = format!(
            "{}  outage of {:.0} ms, {} unanswered{}{}",
            clock(to),
            ms(length),
            requests(outage.unanswered.total()),
            kinds(outage.unanswered),
            who.words()
        );
        let since = to.duration_since(UNIX_EPOCH).unwrap_or_default();
        let event = json!({
            "event": "outage", "ms": ms(length), "until": since.as_secs_f64(),
            "before": who.before, "after": who.after,
        });
        let event = with(event, outage.unanswered);
        self.line(&text, Style::Bad, event);
    }

    /// Another node answers, and no request was lost by that.
    pub(super) fn moved(&self, who: &Move) {
        let text = format!("{}  moved without an outage{}", clock(SystemTime::now()), who.words());
        let event = json!({ "event": "moved", "before": who.before, "after": who.after });
        self.line(&text, Style::Good, event);
    }

    /// The line that goes on changing.
    pub(super) fn status(&self, totals: Totals, owner: Option<&str>, open: Option<Duration>) {
        if !self.is_live {
            return;
        }
        let now = match open {
            Some(open) => {
                Style::Bad.paint(&format!("no answer for {:.0} ms", ms(open)), self.color)
            }
            None => {
                let owner = owner.unwrap_or("?");
                format!("answered by {}", Style::Good.paint(owner, self.color))
            }
        };
        let Totals { requests, unanswered, .. } = totals;
        print(&format!(
            "\r\x1b[K{now}   {requests} requests, {} unanswered{}, median {:.1} ms",
            unanswered.total(),
            kinds(unanswered),
            ms(totals.median)
        ));
    }

    /// Everything, at the end.
    pub(super) fn end(&self, totals: Totals, open: Option<Duration>, after: Duration) {
        let answered = totals.requests - totals.unanswered.total();
        let mut outages = match totals.outages {
            0 => "no outage".to_owned(),
            1 => format!("1 outage of {:.0} ms", ms(totals.longest)),
            count => format!("{count} outages, the longest {:.0} ms", ms(totals.longest)),
        };
        if let Some(open) = open {
            let _ = write!(outages, ", and none for the last {:.0} ms", ms(open));
        }
        let text = format!(
            "{} in {:.1} s: {answered} answered (median {:.1} ms, 99 % within {:.1} ms), {} not{}; {outages}",
            requests(totals.requests),
            after.as_secs_f64(),
            ms(totals.median),
            ms(totals.p99),
            totals.unanswered.total(),
            kinds(totals.unanswered)
        );
        let event = json!({
            "event": "summary", "requests": totals.requests, "answered": answered,
            "outages": totals.outages, "longestMs": ms(totals.longest),
            "openMs": open.map(ms), "medianMs": ms(totals.median),
            "p99Ms": ms(totals.p99), "seconds": after.as_secs_f64(),
        });
        let event = with(event, totals.unanswered);
        self.line(&text, Style::Plain, event);
    }

    fn line(&self, text: &str, style: Style, event: Value) {
        let clear = if self.is_live { "\r\x1b[K" } else { "" };
        match self.output {
            OutputFormat::Json => print(&format!("{event}\n")),
            OutputFormat::Text => print(&format!("{clear}{}\n", style.paint(text, self.color))),
        }
    }
}

impl Move {
    fn words(&self) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before == after => format!("; {after} all along"),
            (Some(before), Some(after)) => format!("; {before} → {after}"),
            (None, Some(after)) => format!("; now {after}"),
            (_, None) => String::new(),
        }
    }
}

fn requests(count: u64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}

/// ` (2 failed, 1 broken)`; nothing where there are none.
fn kinds(Unanswered { failed, broken, late }: Unanswered) -> String {
    let kinds = [(failed, "failed"), (broken, "broken"), (late, "late")];
    let some: Vec<String> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{count} {kind}"))
        .collect();
    if some.is_empty() { String::new() } else { format!(" ({})", some.join(", ")) }
}

/// An event with what was not answered: `unanswered` is the sum of the others.
fn with(mut event: Value, unanswered: Unanswered) -> Value {
    event["unanswered"] = unanswered.total().into();
    event["failed"] = unanswered.failed.into();
    event["broken"] = unanswered.broken.into();
    event["late"] = unanswered.late.into();
    event
}

/// Milliseconds, to a tenth.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The time of day, UTC, to the millisecond.
fn clock(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_who_answered() {
        let words = |before: Option<&str>, after: Option<&str>| {
            let owned = |it: Option<&str>| it.map(str::to_owned);
            Move { before: owned(before), after: owned(after) }.words()
        };
        assert_eq!(words(Some("a"), Some("b")), "; a → b");
        assert_eq!(words(Some("a"), Some("a")), "; a all along");
        assert_eq!(words(None, Some("b")), "; now b");
        assert_eq!(words(Some("a"), None), "");
    }

    #[test]
    fn words_for_what_was_not_answered() {
        assert_eq!(kinds(Unanswered::default()), "");
        assert_eq!(kinds(Unanswered { failed: 12, broken: 0, late: 3 }), " (12 failed, 3 late)");
    }

    #[test]
    fn times_of_day() {
        let time = UNIX_EPOCH + Duration::from_millis(1_000 * 3_723 + 45);
        assert_eq!(clock(time), "01:02:03.045");
        assert_eq!(ms(Duration::from_micros(1_449)), 1.4);
    }
}
