//! Whether an endpoint's connection may serve another request. One machine decides, and nobody
//! else can: only it makes a [`Clean`], and the pool takes nothing else.

/// A connection on which an exchange ended and left nothing behind. Only [`Reuse::settle`] makes
/// one.
#[derive(Debug)]
pub struct Clean<S>(S);

/// How one exchange stands on an endpoint's connection. It may serve another one when the request
/// was written whole, the response was read whole, and nothing else can still come of either
/// (RFC 9112 §9.3). What is not reported counts as not done.
#[derive(Debug)]
pub struct Reuse {
    request: Request,
    response: Response,
    /// The endpoint was asked for a 100 that it has not sent: it may still do so.
    awaits_continue: bool,
}

/// What happened on the endpoint's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// So many bytes more are to be written.
    Owed(usize),
    /// The endpoint's socket took so many bytes.
    Wrote(usize),
    /// Nothing more is to be written than what is owed.
    RequestEnds,
    /// A 100 came.
    Continue,
    /// The last byte of the response was read.
    ResponseEnds {
        /// Both its version and its head allow another exchange.
        persistent: bool,
        /// Bytes that came behind it.
        over: usize,
    },
    /// Reading, writing or understanding it failed, or it is a tunnel.
    Broken,
}

/// The request, by what is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Open(usize),
    Ends(usize),
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Response {
    Awaited,
    Whole,
    Broken,
}

impl<S> Clean<S> {
    /// For tests, to see that a connection that is not clean is noticed.
    #[cfg(test)]
    pub(crate) fn forged(connection: S) -> Self {
        Self(connection)
    }

    /// The connection, to look at.
    pub fn get(&self) -> &S {
        &self.0
    }

    /// The connection, for an exchange.
    pub fn into_inner(self) -> S {
        self.0
    }
}

impl Reuse {
    /// A connection nothing was written to. `awaits_continue`: the request asks for a 100.
    pub fn new(awaits_continue: bool) -> Self {
        Self { request: Request::Open(0), response: Response::Awaited, awaits_continue }
    }

    /// Takes note.
    pub fn see(&mut self, seen: Seen) {
        self.request = match (self.request, seen) {
            (Request::Broken, _) | (_, Seen::Broken) => Request::Broken,
            (Request::Open(owed), Seen::Owed(more)) => Request::Open(owed + more),
            // More than was to come, or more than there was.
            (Request::Ends(_), Seen::Owed(_) | Seen::RequestEnds) => Request::Broken,
            (Request::Open(owed), Seen::Wrote(count)) => {
                owed.checked_sub(count).map_or(Request::Broken, Request::Open)
            }
            (Request::Ends(owed), Seen::Wrote(count)) => {
                owed.checked_sub(count).map_or(Request::Broken, Request::Ends)
            }
            (Request::Open(owed), Seen::RequestEnds) => Request::Ends(owed),
            (request, Seen::Continue | Seen::ResponseEnds { .. }) => request,
        };
        self.awaits_continue &= seen != Seen::Continue;
        self.response = match (self.response, seen) {
            (Response::Awaited, Seen::ResponseEnds { persistent: true, over: 0 }) => {
                Response::Whole
            }
            (_, Seen::Broken | Seen::ResponseEnds { .. }) => Response::Broken,
            // An interim response to a request that has its answer.
            (Response::Whole, Seen::Continue) => Response::Broken,
            (response, _) => response,
        };
    }

    /// Whether another exchange may follow.
    pub fn is_clean(&self) -> bool {
        self.request == Request::Ends(0)
            && self.response == Response::Whole
            && !self.awaits_continue
    }

    /// The end: the connection if another exchange may follow; otherwise it is closed.
    pub fn settle<S>(self, connection: S) -> Option<Clean<S>> {
        self.is_clean().then_some(Clean(connection))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen() -> impl Strategy<Value = Seen> {
        prop_oneof![
            (0..3_usize).prop_map(Seen::Owed),
            (0..3_usize).prop_map(Seen::Wrote),
            Just(Seen::RequestEnds),
            Just(Seen::Continue),
            (any::<bool>(), 0..2_usize)
                .prop_map(|(persistent, over)| Seen::ResponseEnds { persistent, over }),
            Just(Seen::Broken),
        ]
    }

    /// The rule as it reads, over the whole story.
    fn is_clean(story: &[Seen], awaits: bool) -> bool {
        let count = |what: fn(&Seen) -> bool| story.iter().filter(|it| what(it)).count();
        let owed = |it: &Seen| if let Seen::Owed(count) = it { *count } else { 0 };
        let wrote = |it: &Seen| if let Seen::Wrote(count) = it { *count } else { 0 };
        let sum =
            |of: &dyn Fn(&Seen) -> usize, to: usize| story[..to].iter().map(of).sum::<usize>();
        let ends = story.iter().position(|it| *it == Seen::RequestEnds);
        let answered = story.iter().position(|it| matches!(it, Seen::ResponseEnds { .. }));
        let (Some(ends), Some(answered)) = (ends, answered) else { return false };
        let last_owed = story.iter().rposition(|it| matches!(it, Seen::Owed(_)));
        let last_continue = story.iter().rposition(|it| *it == Seen::Continue);
        count(|it| *it == Seen::Broken) == 0
            && count(|it| *it == Seen::RequestEnds) == 1
            && last_owed.is_none_or(|at| at < ends)
            && (0..=story.len()).all(|to| sum(&wrote, to) <= sum(&owed, to))
            && sum(&wrote, story.len()) == sum(&owed, story.len())
            && count(|it| matches!(it, Seen::ResponseEnds { .. })) == 1
            && story[answered] == Seen::ResponseEnds { persistent: true, over: 0 }
            && last_continue.is_none_or(|at| at < answered)
            && (!awaits || last_continue.is_some())
    }

    proptest! {
        #[test]
        fn it_is_the_rule(story in prop::collection::vec(seen(), 0..12), awaits: bool) {
            let mut reuse = Reuse::new(awaits);
            story.iter().for_each(|it| reuse.see(*it));
            prop_assert_eq!(reuse.is_clean(), is_clean(&story, awaits));
        }
    }

    #[test]
    fn a_whole_exchange_leaves_it_clean() {
        let answer = Seen::ResponseEnds { persistent: true, over: 0 };
        for (awaits, story, clean) in [
            (false, vec![Seen::Owed(5), Seen::RequestEnds, Seen::Wrote(5), answer], true),
            (false, vec![Seen::Owed(5), Seen::RequestEnds, answer, Seen::Wrote(5)], true),
            (false, vec![Seen::Owed(5), Seen::RequestEnds, Seen::Wrote(4), answer], false),
            (false, vec![Seen::Owed(5), Seen::Wrote(5), answer], false),
            (true, vec![Seen::Owed(5), Seen::RequestEnds, Seen::Wrote(5), answer], false),
            (
                true,
                vec![Seen::Owed(5), Seen::Continue, Seen::RequestEnds, Seen::Wrote(5), answer],
                true,
            ),
        ] {
            let mut reuse = Reuse::new(awaits);
            story.iter().for_each(|it| reuse.see(*it));
            assert_eq!(reuse.settle(()).is_some(), clean, "{story:?}");
        }
    }
}
