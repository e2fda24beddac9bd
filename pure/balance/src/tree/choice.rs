//! What comes of a choice.

use std::sync::Arc;

use steelyard_model::routing::backend::{CopiedBody, Sticky};

use super::DEEPEST;

/// The way from the root of a tree to a node: places of edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EdgePath {
    edges: [u16; DEEPEST],
    len: u8,
}

/// What comes of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafChoice<N> {
    /// The way to the leaf.
    pub path: EdgePath,
    /// The leaf; none where nobody takes the request.
    pub leaf: Option<N>,
    /// Cookies that are to lead back here, from the root on.
    pub pins: Vec<Pin>,
    /// Who gets copies.
    pub copies: Vec<Copied<N>>,
    /// Who is asked if what was chosen fails: the last first.
    pub rescues: Vec<Rescue<N>>,
    /// Where the choice waits, in the place of a leaf: the node itself, of which the first edge is
    /// taken, and the second one after such a status.
    pub fork: Option<Rescue<N>>,
}

/// A cookie that is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Which, and its attributes.
    pub sticky: Sticky,
    /// Its value.
    pub value: Arc<str>,
}

/// A copy of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied<N> {
    /// What has it made.
    pub from: N,
    /// By which of its edges it goes: a choice goes on from where that leads.
    pub edge: usize,
    /// The way there.
    pub path: EdgePath,
    /// Whether with its body.
    pub body: CopiedBody,
}

/// Who is asked if what was chosen fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescue<N> {
    /// Where it goes: a choice goes on from there.
    pub node: N,
    /// The way there.
    pub path: EdgePath,
    /// The statuses that are a failure: ranges.
    pub statuses: Vec<(u16, u16)>,
    /// Bytes of the body that are kept for it; none is any number.
    pub replay: Option<u64>,
}

impl EdgePath {
    /// The way further along an edge; none where it is too long already.
    pub fn then(mut self, edge: usize) -> Option<Self> {
        *self.edges.get_mut(usize::from(self.len))? = u16::try_from(edge).ok()?;
        self.len += 1;
        Some(self)
    }

    /// How many edges it has.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether it leads nowhere: to the root itself.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its edges, from the root on.
    pub fn edges(&self) -> impl Iterator<Item = usize> {
        self.edges[..usize::from(self.len)].iter().map(|edge| usize::from(*edge))
    }
}

impl<N> LeafChoice<N> {
    pub(super) fn new(path: EdgePath) -> Self {
        let (pins, copies, rescues) = (Vec::new(), Vec::new(), Vec::new());
        Self { path, leaf: None, pins, copies, rescues, fork: None }
    }
}

impl<N> Copied<N> {
    /// Bytes of body that it may have; none is any number. Nothing where it has none.
    pub fn max(&self) -> Option<Option<u64>> {
        match self.body {
            CopiedBody::Without => None,
            CopiedBody::UpTo(max) => Some(max),
        }
    }

    /// Whether a request with so many bytes of body is copied, and then with its body.
    pub fn of(&self, bytes: u64) -> Option<bool> {
        match self.body {
            CopiedBody::Without => Some(false),
            CopiedBody::UpTo(max) => max.is_none_or(|max| bytes <= max).then_some(true),
        }
    }
}

impl<N> Rescue<N> {
    /// Whether it takes a request of which so many bytes were kept, after this status.
    pub fn takes(&self, status: u16, bytes: u64) -> bool {
        let is_failure =
            self.statuses.iter().any(|(first, last)| (*first..=*last).contains(&status));
        is_failure && self.replay.is_none_or(|max| bytes <= max)
    }
}
