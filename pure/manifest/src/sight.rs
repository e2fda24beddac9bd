//! What a look at files and folders saw, and what it could not see.
//!
//! What is not in a [`Sight`] is gone only where the sight is complete: what lies under something
//! [`Unseen`] may be there as well as not, so nobody may conclude anything from its absence.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::source::Source;

/// One look at everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The files seen, in order; of two objects with one name the first counts. Whoever keeps a
    /// sight shares the list with all others.
    pub sources: Arc<Vec<Source>>,
    /// What could not be seen. None of them: the sight is complete.
    pub unseen: Vec<Unseen>,
    /// The folders that the user named and that could be listed.
    pub folders: Vec<Arc<str>>,
}

/// A place that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The file or folder, as shown to the user.
    pub name: Arc<str>,
    /// How much is not seen.
    pub extent: Extent,
    /// Why.
    pub why: Blindness,
}

/// How much is not seen for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The place, and all that is under it.
    Below,
    /// All that was not seen elsewhere: the look broke off here.
    Rest,
}

/// Why a place could not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blindness {
    /// The operating system's reason.
    Failed(Arc<str>),
    /// There is nothing at a path that the user named.
    Vanished,
    /// It is empty, and on another file system than when it held something.
    Unmounted,
    /// More folders within folders than are followed.
    TooDeep(usize),
    /// More manifests than are read.
    TooMany(usize),
    /// A look at everything has not ended for so long, and is there.
    HeldUp(Duration),
}

impl Sight {
    /// A look that saw everything.
    pub fn complete(sources: Vec<Source>) -> Self {
        Self { sources: sources.into(), ..Self::default() }
    }

    /// The files seen, and one that failed for each place that was not.
    pub fn into_sources(self) -> Vec<Source> {
        let failed = self.unseen.iter().map(Unseen::source);
        Arc::unwrap_or_clone(self.sources).into_iter().chain(failed).collect()
    }

    /// The same while a later look is held up at `place` for `long`.
    #[must_use]
    pub fn held_up(mut self, place: Arc<str>, long: Duration) -> Self {
        Arc::make_mut(&mut self.sources).retain(|source| source.name != place);
        self.unseen.retain(|unseen| unseen.name != place);
        let why = Blindness::HeldUp(long);
        self.unseen.push(Unseen { name: place, extent: Extent::Rest, why });
        self
    }

    /// Whether `name`, which is not among the files seen, may be there all the same.
    pub fn may_hide(&self, name: &str) -> bool {
        self.unseen.iter().any(|unseen| unseen.covers(name))
    }

    /// How many manifests are read at most, where there are more.
    pub fn most(&self) -> Option<usize> {
        self.unseen.iter().find_map(|unseen| match unseen.why {
            Blindness::TooMany(most) => Some(most),
            _ => None,
        })
    }

    /// Folders that the user named, that were listed, and in which no file was seen.
    pub fn empty_folders(&self) -> impl Iterator<Item = &Arc<str>> {
        let holds = |folder: &str| self.sources.iter().any(|it| is_under(&it.name, folder));
        let is_hidden = |folder: &str| {
            self.unseen.iter().any(|it| it.covers(folder) || is_under(&it.name, folder))
        };
        self.folders.iter().filter(move |it| !holds(it) && !is_hidden(it))
    }
}

impl Unseen {
    /// Whether a file of this name may be there.
    pub fn covers(&self, name: &str) -> bool {
        self.extent == Extent::Rest || is_under(name, &self.name)
    }

    /// It as a file that could not be read.
    pub fn source(&self) -> Source {
        Source::failed(self.name.clone(), &self.why.to_string())
    }
}

/// Whether the file `name` is `folder`, or lies in it or deeper. What lies in the current folder,
/// `.`, shows without it.
pub fn is_under(name: &str, folder: &str) -> bool {
    match folder {
        "." => !name.starts_with(['/', '.']) || name.starts_with("./"),
        _ => Path::new(name).starts_with(folder),
    }
}

impl fmt::Display for Blindness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) => f.write_str(reason),
            Self::Vanished => f.write_str("it does not exist any more"),
            Self::Unmounted => {
                f.write_str("it is empty, and not on the file system that held its manifests")
            }
            Self::TooDeep(most) => write!(f, "it is more than {most} folders deep"),
            Self::TooMany(most) => {
                write!(f, "it holds more than {most} manifests; the rest is left out")
            }
            Self::HeldUp(long) => {
                write!(f, "reading it takes more than {} s", long.as_secs())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_stays_while_a_look_is_held_up() {
        let seen = Sight::complete(vec![
            Source::failed("conf/a.yaml", "x"),
            Source::failed("conf/b.yaml", "x"),
        ]);
        let held_up = seen.clone().held_up("conf/b.yaml".into(), Duration::from_secs(5));
        assert_eq!(held_up.sources[..], seen.sources[..1]);
        assert!(held_up.may_hide("conf/b.yaml") && held_up.may_hide("other/c.yaml"));
        assert_eq!(held_up.unseen[0].why.to_string(), "reading it takes more than 5 s");
        let again = held_up.clone().held_up("conf/b.yaml".into(), Duration::from_secs(5));
        assert_eq!(again, held_up);
    }

    #[test]
    fn what_lies_under_an_unseen_place_may_be_there() {
        for (name, folder, expected) in [
            ("conf/a.yaml", "conf", true),
            ("conf/deep/a.yaml", "conf", true),
            ("conf", "conf", true),
            ("conf-other/a.yaml", "conf", false),
            ("a.yaml", ".", true),
            ("sub/a.yaml", ".", true),
            ("/etc/a.yaml", ".", false),
            ("../a.yaml", ".", false),
            ("a.yaml", "conf", false),
        ] {
            let unseen = |extent| Unseen { name: folder.into(), extent, why: Blindness::Vanished };
            assert_eq!(unseen(Extent::Below).covers(name), expected, "{name} in {folder}");
            assert!(unseen(Extent::Rest).covers(name));
        }
    }
}
