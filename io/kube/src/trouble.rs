//! What keeps us from hearing of a cluster, as data.

use std::time::Duration;

use steelyard_manifest::Verb;

/// Why nothing is heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Not allowed (403).
    #[error("this account may not {0} it")]
    Refused(Verb),
    /// The API server does not take us for anybody (401).
    #[error("the API server does not accept the account's token or certificate")]
    Unauthorized,
    /// There is no such kind (404).
    #[error("there is no such kind in this cluster")]
    Absent,
    /// The version to go on from is forgotten (410).
    #[error("the API server has forgotten the version to go on from")]
    Expired,
    /// Its history is not the one that was followed: its store was put back to what it was before.
    #[error("the API server is at an older version than it was")]
    Rewound,
    /// It has too much to do (429), or is not ready (503), and may say when to come again.
    #[error("the API server is busy (status {status})")]
    Busy {
        /// Its answer.
        status: u16,
        /// When to come again.
        wait: Option<Duration>,
    },
    /// Another answer than 200.
    #[error("the API server answers with status {0}")]
    Failed(u16),
    /// Lists are not sent as streams here.
    #[error("the API server does not send lists as streams")]
    NotStreamed,
    /// An answer that is none.
    #[error("what the API server sends makes no sense: {0}")]
    Garbled(String),
    /// More in one piece than is taken.
    #[error("the API server sends more than {0} bytes in one piece")]
    TooLarge(usize),
    /// A connection on which nothing comes.
    #[error("nothing comes from the API server for {} s", .0.as_secs())]
    Silent(Duration),
    /// An answer that comes bit by bit.
    #[error("an answer of the API server is not complete after {} s", .0.as_secs())]
    Slow(Duration),
    /// What was coming has ended at once.
    #[error("the API server ends what it sends at once")]
    CutShort,
    /// No connection, or one that broke.
    #[error("the API server is not reached: {0}")]
    Unreachable(String),
}

/// An error with all that it comes from: the outermost alone says little.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = source.source();
    }
    text
}
