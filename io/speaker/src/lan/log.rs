//! Events as log lines: one each while they are few, one for each cause while they are many.
//!
//! Hundreds of addresses that share a fate are one thing to know, not hundreds. Nothing is left
//! out: each address is in a line or counted by one, at most [`WINDOW`] late.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::lan::status::{EventKind, SpeakerEvent};

/// So often is the count of lines begun anew.
const WINDOW: Duration = Duration::from_secs(1);
/// Lines in that time before others wait for its end.
const LINES: usize = 20;

/// Events on their way into the log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    held: Vec<Held>,
    /// Lines were counted since then.
    since: Option<Instant>,
    lines: usize,
}

/// One line to be.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    /// The text without the address: what it has in common with others.
    cause: String,
    text: String,
    help: Option<&'static str>,
    is_warning: bool,
    /// How many more addresses, and the last of them.
    more: Option<(usize, IpAddr)>,
}

impl Log {
    /// Takes note of an event.
    pub(crate) fn take(&mut self, event: &SpeakerEvent) {
        let text = event.to_string();
        let Some(address) = event.address else { return self.held.push(Held::new(event, text)) };
        let cause = match &event.kind {
            EventKind::Owner { change, .. } => change.gist(),
            _ => text.replacen(&address.to_string(), "", 1),
        };
        match self.held.iter_mut().rev().find(|held| held.cause == cause) {
            Some(held) => held.more = Some((held.more.map_or(1, |it| it.0 + 1), address)),
            None => self.held.push(Held { cause, ..Held::new(event, text) }),
        }
    }

    /// Writes what may be written now.
    pub(crate) fn write(&mut self, now: Instant) {
        for line in self.due(now) {
            match line.help {
                Some(help) if line.is_warning => tracing::warn!(help, "{}", line.shown()),
                _ => tracing::info!("{}", line.shown()),
            }
        }
    }

    /// When something that waits may be written.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + WINDOW).filter(|_| !self.held.is_empty())
    }

    fn due(&mut self, now: Instant) -> Vec<Held> {
        if self.since.is_none_or(|since| since + WINDOW <= now) {
            (self.since, self.lines) = (Some(now), 0);
        }
        if self.lines >= LINES {
            return Vec::new();
        }
        self.lines += self.held.len();
        std::mem::take(&mut self.held)
    }
}

impl Held {
    fn new(event: &SpeakerEvent, text: String) -> Self {
        let (help, is_warning) = (event.kind.help(), event.kind.is_warning());
        Self { cause: text.clone(), text, help, is_warning, more: None }
    }

    fn shown(&self) -> String {
        match &self.more {
            None => self.text.clone(),
            Some((1, other)) => format!("{}; so it is with {other}", self.text),
            Some((more, last)) => {
                format!("{}; so it is with {more} more addresses, the last {last}", self.text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::lan::interface::NoInterface;

    fn event(n: u8, kind: EventKind) -> SpeakerEvent {
        SpeakerEvent { at: SystemTime::now(), address: Some([10, 1, 1, n].into()), kind }
    }

    fn nowhere(name: &str) -> EventKind {
        EventKind::NoInterface(NoInterface::Missing { named: vec![name.to_owned()] })
    }

    #[test]
    fn many_of_one_cause_are_one_line() {
        let mut log = Log::default();
        (0..200).for_each(|n| log.take(&event(n, nowhere("eth7"))));
        log.take(&event(1, nowhere("eth8")));
        log.take(&event(2, nowhere("eth8")));
        log.take(&event(3, nowhere("eth9")));
        let lines: Vec<String> = log.due(Instant::now()).iter().map(Held::shown).collect();
        let expected = [
            "10.1.1.0 is announced nowhere: there is no interface eth7; so it is with 199 more \
             addresses, the last 10.1.1.199",
            "10.1.1.1 is announced nowhere: there is no interface eth8; so it is with 10.1.1.2",
            "10.1.1.3 is announced nowhere: there is no interface eth9",
        ];
        assert_eq!(lines, expected);
    }

    /// As when many addresses are announced, one each millisecond.
    #[test]
    fn what_dribbles_in_waits_once_there_was_much() {
        let mut log = Log::default();
        let start = Instant::now();
        let kind = EventKind::Withdrawn { interface: "eth0".to_owned() };
        let mut written = Vec::new();
        for n in 0..200 {
            log.take(&event(n, kind.clone()));
            written.extend(log.due(start + Duration::from_millis(n.into())));
        }
        assert_eq!(written.len(), LINES);
        let due = log.deadline().unwrap();
        assert_eq!(due, start + WINDOW);
        let rest = log.due(due);
        assert_eq!(rest.len(), 1);
        assert!(rest[0].shown().ends_with("179 more addresses, the last 10.1.1.199"), "{rest:?}");
        assert_eq!(log.deadline(), None);
    }
}
