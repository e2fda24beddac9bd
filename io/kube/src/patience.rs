//! How long to wait for what.

use std::time::Duration;

/// For how long what does not come is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until an answer begins. A list is made as a whole before.
    pub beginning: Duration,
    /// Between two pieces of a list.
    pub listing: Duration,
    /// Between two words of a watch, before it is taken for dead: API servers send bookmarks each
    /// minute.
    pub silence: Duration,
    /// How long a watch lasts at least, and at most half as long again: the API server ends it, and
    /// so balances who is connected to whom.
    pub watch: Duration,
    /// For so long a kind that was there is not taken for gone: an API server that starts may not
    /// know yet which kinds it has.
    pub doubt: Duration,
    /// The same of a kind that was never there.
    pub first_doubt: Duration,
    /// How often that is asked for which is not watched, unless there is much of it.
    pub round: Duration,
    /// Before the first question after trouble; before each next one twice as long.
    pub first: Duration,
    /// The longest: when an API server is back it is asked again after that.
    pub longest: Duration,
    /// The longest where it is there, and says no.
    pub answered: Duration,
    /// The longest that an API server can put us off.
    pub put_off: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            beginning: seconds(30),
            listing: seconds(20),
            silence: seconds(150),
            watch: seconds(290),
            doubt: seconds(30),
            first_doubt: seconds(1),
            round: seconds(30),
            first: Duration::from_millis(200),
            longest: seconds(15),
            answered: seconds(5),
            put_off: seconds(60),
        }
    }
}
