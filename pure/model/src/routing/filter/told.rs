//! What filters tell endpoints of who asks: where one is passed by, nobody else may say it.

use std::sync::Arc;

use super::Filter;
use crate::routing::pattern::Expression;

/// Header lines by which endpoints are told who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldLines {
    /// Called so.
    pub names: Vec<Arc<str>>,
    /// Whose names these are found in.
    pub matching: Vec<Expression>,
}

impl ToldLines {
    /// Those of this filter alone, not of what stands within it.
    pub fn of(filter: &Filter) -> Self {
        let names = match filter {
            Filter::BasicAuth(auth) | Filter::DigestAuth(auth) => {
                auth.user_header.iter().cloned().collect()
            }
            Filter::Login(auth) => auth.told.iter().map(|(name, _)| name.clone()).collect(),
            Filter::Token(auth) => auth.told.iter().map(|(name, _)| name.clone()).collect(),
            Filter::ForwardAuth(auth) => {
                auth.response_headers.iter().chain(&auth.user_header).cloned().collect()
            }
            _ => Vec::new(),
        };
        let matching = match filter {
            Filter::ForwardAuth(auth) => auth.response_headers_regex.iter().cloned().collect(),
            _ => Vec::new(),
        };
        Self { names, matching }
    }

    /// With those of another one.
    pub fn and(mut self, other: Self) -> Self {
        self.names.extend(other.names);
        self.matching.extend(other.matching);
        self
    }
}
