//! Where an object is from, and can be found again.

use std::sync::Arc;

use steelyard_model::Location;

use crate::origin::{CLUSTER, ClusterOrigin};
use crate::source::{ReadLimits, Source};
use crate::tree::Node;
use crate::watched::Watched;

/// A file whose objects may be looked for again, and how it was read.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) source: Source,
    pub(crate) limits: ReadLimits,
    /// It is of Traefik's dynamic configuration, and no manifest.
    pub(crate) is_dynamic: bool,
}

impl Text {
    /// A file, to be read so.
    pub(crate) fn of(source: &Source, limits: &ReadLimits, is_dynamic: bool) -> Arc<Self> {
        Arc::new(Self { source: source.clone(), limits: *limits, is_dynamic })
    }
}

/// Where an object is from.
#[derive(Clone, Debug)]
pub(crate) enum Site {
    /// A file.
    Text(Spot),
    /// A cluster, where this kind was asked for.
    Cluster(&'static Watched, Arc<ClusterOrigin>),
}

/// So many objects after where a text can be cut.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) text: Arc<Text>,
    /// Where it is cut: byte and line.
    pub(crate) start: u32,
    pub(crate) line: u32,
    pub(crate) index: u32,
    /// Its tree, where the text cannot be cut: to read a large file again for each of many places
    /// would take for ever.
    pub(crate) kept: Option<Arc<Node>>,
}

impl Site {
    /// The file's name, or what stands in its place.
    pub(crate) fn file(&self) -> &Arc<str> {
        match self {
            Self::Text(spot) => spot.file(),
            Self::Cluster(..) => &CLUSTER,
        }
    }
}

impl Spot {
    pub(crate) fn file(&self) -> &Arc<str> {
        &self.text.source.name
    }

    /// A place after where the text was cut, in the whole text.
    pub(crate) fn shifted(&self, place: Location) -> Location {
        Location { line: place.line.saturating_add(self.line - 1), ..place }
    }
}
