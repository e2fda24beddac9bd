//! What a responder counts.

use crate::wire::Malformed;

/// Per vip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// ARP requests and neighbor solicitations for it.
    pub requests: u64,
    /// Answers to them.
    pub responses: u64,
    /// Announcement frames; for IPv4 a round is two.
    pub gratuitous: u64,
    /// Answered pings.
    pub echoes: u64,
    /// Frames in which another machine claimed it.
    pub conflicts: u64,
}

/// Why a frame led to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unused {
    /// It is not one of the frames we understand.
    Malformed(Malformed),
    /// We sent it ourselves, on this interface or another.
    OwnFrame,
    /// It is for another station.
    OtherStation,
    /// It is about no vip of ours.
    OtherAddress,
    /// It is about a vip that we do not announce (yet).
    NotAnnounced,
    /// A ping that claims to come from an address that cannot have sent it.
    BadSender,
    /// A ping larger than we answer.
    TooLarge,
    /// More pings, or checks for duplicates, than we answer.
    TooOften,
}

/// Frames that led to nothing, by reason.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ignored {
    counts: [u64; Unused::COUNT],
}

impl Counters {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.responses += other.responses;
        self.gratuitous += other.gratuitous;
        self.echoes += other.echoes;
        self.conflicts += other.conflicts;
    }
}

impl Unused {
    const COUNT: usize = Malformed::ALL.len() + 7;

    /// Every reason, in the order of counting.
    fn all() -> impl Iterator<Item = Self> {
        Malformed::ALL.into_iter().map(Self::Malformed).chain([
            Self::OwnFrame,
            Self::OtherStation,
            Self::OtherAddress,
            Self::NotAnnounced,
            Self::BadSender,
            Self::TooLarge,
            Self::TooOften,
        ])
    }

    /// The reason as a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed(why) => why.as_str(),
            Self::OwnFrame => "own-frame",
            Self::OtherStation => "other-station",
            Self::OtherAddress => "other-address",
            Self::NotAnnounced => "not-announced",
            Self::BadSender => "bad-sender",
            Self::TooLarge => "too-large",
            Self::TooOften => "too-often",
        }
    }
}

impl Ignored {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }

    /// How many frames for each reason, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Unused, u64)> {
        Unused::all().zip(self.counts)
    }

    pub(crate) fn count(&mut self, reason: Unused) {
        let index = Unused::all().position(|it| it == reason).expect("`all` is all");
        self.counts[index] += 1;
    }
}
