//! How old a connection is, and how many requests it had (Traefik's `keepAliveMaxTime` and
//! `keepAliveMaxRequests`).

use std::time::Instant;

use crate::options::EntryTerms;

/// A connection's age.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    began: Instant,
    requests: u32,
    is_over: bool,
}

impl Age {
    /// One that begins.
    pub(super) fn new(began: Instant) -> Self {
        Self { began, requests: 0, is_over: false }
    }

    /// One more request has come: whether it is the last that the connection has.
    pub(super) fn is_last(&mut self, terms: &EntryTerms) -> bool {
        self.requests = self.requests.saturating_add(1);
        self.is_over |= terms.requests.is_some_and(|most| self.requests >= most)
            || terms.age.is_some_and(|limit| self.began.elapsed() > limit);
        self.is_over
    }

    /// Whether it was.
    pub(super) fn is_over(self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_connection_ends_with_its_last_request() {
        let now = Instant::now();
        let long_ago = now.checked_sub(Duration::from_secs(9)).expect("it is later than that");
        let terms = |requests, age: Option<u64>| EntryTerms {
            requests,
            age: age.map(Duration::from_secs),
            ..EntryTerms::default()
        };
        for (began, terms, expected) in [
            (long_ago, terms(None, None), [false, false, false]),
            (now, terms(Some(1), None), [true, true, true]),
            (now, terms(Some(3), None), [false, false, true]),
            (now, terms(None, Some(60)), [false, false, false]),
            (long_ago, terms(None, Some(5)), [true, true, true]),
        ] {
            let mut age = Age::new(began);
            assert_eq!([(); 3].map(|()| age.is_last(&terms)), expected, "{terms:?}");
            assert_eq!(age.is_over(), expected[2]);
        }
    }
}
