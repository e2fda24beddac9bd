//! Where access logs are written: one writer for each place, be it of the program's own options or
//! of ingress-nginx's ConfigMap, which may name others at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::nginx_log::NginxLog;

use crate::options::AccessLog;
use crate::wire::writer::{Lines, LogWays, Writer};

/// A file; none is standard output.
type Place = Option<PathBuf>;

/// The writers, by place.
#[derive(Default)]
pub(crate) struct LogPlaces {
    writers: BTreeMap<Place, Writer>,
    /// That of the program's own log.
    own: Option<Place>,
    /// Those that could not be opened, and why: said once.
    failing: BTreeMap<Place, String>,
}

/// The log of an entry point, where it is kept; `own` is that of the program's own options, which
/// has all requests where the ConfigMap says neither place nor form.
pub(crate) fn kept<'p>(
    point: &'p EntryPoint,
    own: Option<&AccessLog>,
) -> Option<&'p Arc<NginxLog>> {
    let log = point.nginx.as_ref()?.log.as_ref()?;
    (own.is_none() || log.is_asked).then_some(log)
}

impl LogPlaces {
    /// Begins with the program's own log.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn start(own: Option<&AccessLog>) -> io::Result<Self> {
        let mut this = Self::default();
        if let Some(log) = own {
            let writer = Writer::start(log.path.as_deref(), log.buffered)?;
            this.writers.insert(log.path.clone(), writer);
            this.own = Some(log.path.clone());
        }
        Ok(this)
    }

    /// The way to the writer of the program's own log.
    pub(crate) fn own(&self) -> Option<Lines> {
        Some(self.writers.get(self.own.as_ref()?)?.lines.clone())
    }

    /// Opens what is wanted, and lets go of all else.
    pub(crate) fn follow<'l>(&mut self, wanted: impl Iterator<Item = &'l NginxLog>) -> LogWays {
        let wanted: BTreeSet<Option<Arc<str>>> = wanted.map(|log| log.path.clone()).collect();
        let place = |path: &Option<Arc<str>>| path.as_deref().map(PathBuf::from);
        let places: BTreeSet<Place> = wanted.iter().map(place).collect();
        let own = self.own.clone();
        self.writers.retain(|at, _| places.contains(at) || own.as_ref() == Some(at));
        self.failing.retain(|at, _| places.contains(at));
        let ways = wanted.into_iter().filter_map(|path| {
            let lines = self.lines(&place(&path))?;
            Some((path, lines))
        });
        ways.collect()
    }

    fn lines(&mut self, place: &Place) -> Option<Lines> {
        if let Some(writer) = self.writers.get(place) {
            return Some(writer.lines.clone());
        }
        match Writer::start(place.as_deref(), None) {
            Ok(writer) => {
                let lines = writer.lines.clone();
                self.writers.insert(place.clone(), writer);
                self.failing.remove(place);
                Some(lines)
            }
            Err(error) => {
                let error = error.to_string();
                if self.failing.get(place) != Some(&error) {
                    let path = place.as_deref().unwrap_or_else(|| Path::new("standard output"));
                    tracing::error!(
                        path = %path.display(),
                        "the access log of ingress-nginx's ConfigMap cannot be written: {error}"
                    );
                    self.failing.insert(place.clone(), error);
                }
                None
            }
        }
    }

    /// How many lines were dropped so far, where anything is logged.
    pub(crate) fn lost(&self) -> Option<u64> {
        let all = self.writers.values().map(|writer| writer.lines.lost());
        (!self.writers.is_empty()).then(|| all.sum())
    }

    /// Opens the files again.
    pub(crate) fn reopen(&self) {
        self.writers.values().for_each(|writer| writer.lines.reopen());
    }

    /// Waits until the last lines are written, for a moment.
    pub(crate) fn finish(&mut self) {
        std::mem::take(&mut self.writers).into_values().for_each(Writer::finish);
    }
}
