//! A row of a table of annotations: what becomes of it.

use steelyard_model::routing::transport::OriginScheme;

use super::wishes::{Entry, Wishes};
use crate::findings::Findings;

/// One annotation on objects of one kind.
pub(crate) struct Annotation {
    /// Its name without the prefix.
    pub(crate) name: &'static str,
    pub(crate) on: Carrier,
    pub(crate) state: State,
    /// Values that ask for what is done anyway, in lower case and without spaces.
    pub(crate) neutral: &'static [&'static str],
}

/// The kind of the object that it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Ingress,
    IngressClass,
    Service,
}

/// What becomes of an annotation.
#[derive(Clone, Copy)]
pub(crate) enum State {
    /// It is read, and honoured.
    Reads(fn(&Entry<'_>, &mut Wishes, &mut Findings<'_>)),
    /// It is read with others of its group (`location.rs`), and keeps somebody out.
    Guards,
    /// It is a protocol that endpoints are spoken to in: honoured where it is one that we speak;
    /// otherwise routes must not be served.
    Speaks(fn(&str) -> Option<OriginScheme>),
    /// It asks, with a boolean, that TLS ends at endpoints; what is no boolean asks for what nobody
    /// knows.
    PassesOn,
    /// It is not honoured yet, and routes must not be served without it: access would be wider than
    /// asked for.
    Refused,
    /// Nobody sees a difference, or only in speed.
    Cosmetic,
    /// It is not honoured yet, and nobody comes in who should not.
    Later(Miss),
}

/// What is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// Requests are served otherwise than asked for. Limits of sizes, what is asked of TLS, CORS
    /// and cookies that we do not set are here: without the headers, browsers refuse what they
    /// would allow.
    Function,
}

impl Annotation {
    /// Whether `value`, on an object with these paths, asks for what is done anyway.
    pub(crate) fn is_neutral(&self, value: &str, paths: &[&str]) -> bool {
        if self.neutral.is_empty() {
            return false;
        }
        let mut plain = value.to_ascii_lowercase();
        plain.retain(|c| !c.is_whitespace());
        let same = |neutral: &&str| match *neutral {
            "true" => matches!(plain.as_str(), "true" | "t" | "1"),
            "false" => matches!(plain.as_str(), "false" | "f" | "0"),
            ITS_PATH => !paths.is_empty() && paths.iter().all(|path| *path == value),
            neutral => neutral == plain,
        };
        self.neutral.iter().any(same)
    }

    /// Whether it keeps somebody out, or may name what does: who writes it wrongly wants that.
    pub(crate) fn guards(&self) -> bool {
        self.restricts() || self.name.ends_with(".middlewares")
    }

    /// Whether it keeps somebody out.
    pub(crate) fn restricts(&self) -> bool {
        matches!(self.state, State::Refused | State::Guards)
    }
}

/// Among neutral values: the path that the object has already.
pub(super) const ITS_PATH: &str = "(the path itself)";

impl Carrier {
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::IngressClass => "IngressClass",
            Self::Service => "Service",
        }
    }
}

/// Of one kind, as tables write it.
macro_rules! rows {
    ($on:ident: $($name:literal $state:expr, $neutral:expr;)*) => {
        [$(super::row::Annotation {
            name: $name,
            on: super::row::Carrier::$on,
            state: $state,
            neutral: &$neutral,
        }),*]
    };
}
pub(super) use rows;

/// As tables write states.
pub(super) mod states {
    use super::{Miss, State};

    pub(in super::super) const RESTRICTS: State = State::Refused;
    pub(in super::super) const COSMETIC: State = State::Cosmetic;
    pub(in super::super) const LATER: State = State::Later(Miss::Function);
}
