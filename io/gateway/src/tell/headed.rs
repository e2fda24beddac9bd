//! What lines of requests add to the names of their counters (`metrics.prometheus.headerLabels`).
//!
//! Clients choose those lines, so they could make series without end: all that they say at once is
//! one text, of which there are [`MOST`] for all cores together, and one more for all others.
//! A core that has not seen a text asks the others once, under a lock, until there are as many as
//! there may be; then it has them all and asks no more.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use crate::options::HeaderLabel;
use crate::shared::texts::KnownTexts;

/// How many texts are told apart.
const MOST: usize = 256;

/// What stands for a value that is not told apart.
const OTHER: &str = "other";

/// Bytes of a value that is told apart, at most.
const LONGEST: usize = 128;

/// Between the values of a text: no line has it.
const BETWEEN: char = '\n';

/// Values of all labels, in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HeadedValues(Arc<str>);

/// What one core knows of them.
pub(crate) struct Headed {
    pub(crate) labels: Arc<[HeaderLabel]>,
    all: Arc<KnownTexts>,
    own: RefCell<HashSet<Arc<str>>>,
    /// There are as many as there may be, and `own` has them all.
    is_full: Cell<bool>,
    others: Arc<str>,
    /// Put together here.
    text: RefCell<String>,
}

impl Headed {
    pub(crate) fn new(labels: Arc<[HeaderLabel]>, all: Arc<KnownTexts>) -> Self {
        let others = vec![OTHER; labels.len()].join(&BETWEEN.to_string());
        let others = others.into();
        let (own, is_full, text) = (RefCell::default(), Cell::default(), RefCell::default());
        Self { labels, all, own, is_full, others, text }
    }

    /// What a request with these lines says. One that lacks a line says nothing there.
    pub(crate) fn of<'l>(
        &self,
        lines: impl Iterator<Item = (&'l [u8], &'l [u8])> + Clone,
    ) -> HeadedValues {
        let mut text = self.text.borrow_mut();
        text.clear();
        for (at, HeaderLabel { header, .. }) in self.labels.iter().enumerate() {
            if at > 0 {
                text.push(BETWEEN);
            }
            let is_it = |(name, _): &(&[u8], &[u8])| name.eq_ignore_ascii_case(header.as_bytes());
            let value = lines.clone().find(is_it).map_or(&[][..], |(_, value)| value);
            if value.len() > LONGEST {
                text.push_str(OTHER);
            } else {
                text.push_str(&String::from_utf8_lossy(value));
            }
        }
        self.known(&text)
    }

    fn known(&self, text: &str) -> HeadedValues {
        let mut own = self.own.borrow_mut();
        let known = match own.get(text) {
            Some(known) => known.clone(),
            None if self.is_full.get() => self.others.clone(),
            None => match self.all.take(text, MOST) {
                Ok(known) => {
                    own.insert(known.clone());
                    known
                }
                Err(all) => {
                    *own = all;
                    self.is_full.set(true);
                    own.get(text).unwrap_or(&self.others).clone()
                }
            },
        };
        HeadedValues(known)
    }
}

impl HeadedValues {
    /// The values, one for each label.
    pub(crate) fn each(&self) -> impl Iterator<Item = &str> {
        self.0.split(BETWEEN)
    }
}

#[cfg(test)]
impl HeadedValues {
    pub(crate) fn of(values: &[&str]) -> Self {
        Self(values.join(&BETWEEN.to_string()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headed(headers: &[&str], all: &Arc<KnownTexts>) -> Headed {
        let label = |header: &&str| HeaderLabel { label: "l".into(), header: (*header).into() };
        Headed::new(headers.iter().map(label).collect(), all.clone())
    }

    fn told(headed: &Headed, lines: &[(&str, &[u8])]) -> Vec<String> {
        let lines = lines.iter().map(|(name, value)| (name.as_bytes(), *value));
        headed.of(lines).each().map(str::to_owned).collect()
    }

    #[test]
    fn the_first_line_of_a_name_is_told() {
        let headed = headed(&["X-Team", "User-Agent"], &Arc::default());
        let long = [b'a'; LONGEST + 1];
        for (lines, want) in [
            (&[][..], ["", ""]),
            (&[("x-team", &b"a"[..]), ("X-TEAM", b"b"), ("other", b"c")], ["a", ""]),
            (&[("user-agent", b"u\xff"), ("x-team", b"")], ["", "u\u{fffd}"]),
            (&[("user-agent", &long), ("x-team", &long[1..])], [&"a".repeat(LONGEST), OTHER]),
        ] {
            assert_eq!(told(&headed, lines), want);
        }
    }

    /// Of two cores, each sees texts that the other has not: all know the same in the end.
    #[test]
    fn clients_cannot_make_series() {
        let all = Arc::default();
        let cores = [headed(&["a", "b"], &all), headed(&["a", "b"], &all)];
        let ask = |core: usize, number: usize| {
            told(&cores[core], &[("a", number.to_string().as_bytes())])
        };
        for number in 0..MOST {
            assert_eq!(ask(number % 2, number), [number.to_string(), String::new()]);
        }
        for number in 0..3 * MOST {
            let value = if number < MOST { number.to_string() } else { OTHER.to_owned() };
            for core in 0..2 {
                assert_eq!(ask(core, number)[0], value);
            }
        }
        assert_eq!(ask(0, MOST), [OTHER, OTHER]);
        let (length, is_full) = (cores[1].own.borrow().len(), cores[1].is_full.get());
        assert_eq!((length, is_full), (MOST, true));
    }
}
