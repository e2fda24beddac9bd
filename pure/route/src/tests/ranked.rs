//! Routes as a test writes them.

use std::cmp::Reverse;
use std::sync::Arc;

use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::rule::Rule;

use crate::candidate::Candidate;

/// A route of a test: no more than the table needs.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    pub(crate) id: Arc<str>,
    pub(crate) rank: Rank,
    pub(crate) rule: Rule,
}

impl Ranked {
    /// A route for everything, of the plainest rank.
    pub(crate) fn named(id: &str) -> Arc<Self> {
        let specific = Specificity::new(HostSpecificity::Any, PathSpecificity::Length(Reverse(0)));
        let rank = Rank {
            ladder: Ladder::Specific,
            number: 0,
            specific,
            provider: 0,
            created: None,
            object: "default/object".into(),
            index: 0,
        };
        Arc::new(Self { id: id.into(), rank, rule: Rule::always() })
    }
}

impl Candidate for Ranked {
    fn id(&self) -> &str {
        &self.id
    }

    fn rank(&self) -> &Rank {
        &self.rank
    }

    fn rule(&self) -> &Rule {
        &self.rule
    }
}
