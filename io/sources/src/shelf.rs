//! What was last read of each file, so that what did not change is not read again and its bytes
//! are shared between one set of sources and the next.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_manifest::{
    Blindness, DynamicPlaces, Extent, ReadLimits, Sight, Source, SourceText, Unseen, files_named,
};

use crate::SourceRoots;
use crate::attention::Attention;
use crate::version::{Stamp, Version, content};
use crate::walk::{Found, MAX_FILES, Taker, Walk, failed, is_dynamic, is_manifest};

/// All files together, at most.
pub(crate) const MAX_TOTAL: u64 = 256 * 1024 * 1024;
/// Files that one file named once, and names no more, that are followed still.
const MOST_FORMER: usize = 100;
/// When something vanished between listing and reading, it was likely replaced (kubelet removes
/// the old files of a ConfigMap just after the swap): looked at again so many times.
const RETRIES: usize = 4;
/// For how long it is remembered what a file has named that is not there any more: others take it
/// to be gone later than it is seen to be.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The files as last read.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) limit: u64,
    /// By where they really are. A table has places for nearly twice as many: those are small.
    pub(crate) files: HashMap<PathBuf, Box<Kept>>,
    /// Which look at everything it is.
    look: u64,
    stdin: Option<Source>,
    /// What files of dynamic configuration name, by the file.
    named: HashMap<Arc<str>, NamedBy>,
    /// The mounts that folders were on when there last was a manifest in them.
    homes: BTreeMap<Arc<str>, Option<u64>>,
    /// What the last look found.
    pub(crate) scene: Scene,
    /// What it looks at.
    pub(crate) attention: Attention,
}

/// What a look found, as far as one at a few files has to know.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    /// What was seen, and what not.
    pub(crate) sight: Sight,
    /// Bytes of all files.
    pub(crate) total: u64,
    /// The given paths, and folders: whatever becomes of them concerns more than one file.
    pub(crate) turns: HashSet<PathBuf>,
    /// Files that name others, and those that are named: what becomes of one concerns more than it.
    pub(crate) tied: HashSet<PathBuf>,
    /// Whether a link was met, or a name that is no text.
    pub(crate) is_crooked: bool,
    /// The folder given, where there is one only: where it is, and its name for people.
    pub(crate) top: Option<(PathBuf, PathBuf)>,
    torn: bool,
}

/// One look at everything.
#[derive(Debug)]
pub(crate) struct Look {
    /// What was seen, and what not.
    pub(crate) sight: Sight,
    /// Folders whose content decides what is found.
    pub(crate) folders: BTreeSet<PathBuf>,
}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Which of the sources it is.
    pub(crate) place: usize,
    pub(crate) version: Version,
    /// The last look at everything that found it, or after which it was found.
    look: u64,
}

/// What one file names.
#[derive(Debug, Default)]
struct NamedBy {
    /// By this text.
    text: Option<SourceText>,
    now: Vec<Arc<str>>,
    /// Names of earlier texts.
    former: BTreeSet<Arc<str>>,
    /// The text has a mistake: then what an earlier one named counts as if it were named now.
    is_broken: bool,
    /// Since when the file is not there. What is there again, and cannot be read, names what it
    /// named.
    missed: Option<Instant>,
}

impl NamedBy {
    /// Takes in what the file names now. One that cannot be read names what it named.
    fn follow(&mut self, source: &Source) {
        let is_read = matches!(source.text, SourceText::Bytes(_));
        if !is_read || self.text.as_ref() == Some(&source.text) {
            return;
        }
        self.former.extend(std::mem::take(&mut self.now));
        let named = files_named(source, &ReadLimits::default());
        (self.now, self.is_broken) = (named.paths, named.is_broken);
        self.former.retain(|name| !self.now.contains(name));
        while self.former.len() > MOST_FORMER {
            self.former.pop_first();
        }
        self.text = Some(source.text.clone());
    }
}

/// A look while it goes on.
struct Looking<'s> {
    shelf: &'s mut Shelf,
    earlier: &'s Scene,
    /// Files that were found, and of which there is none on the shelf.
    missed: HashSet<PathBuf>,
    /// Nothing more can be read.
    rest: Option<Unseen>,
    /// A file vanished before it was read.
    is_torn: bool,
}

impl Taker for Looking<'_> {
    fn has(&self, real: &Path) -> bool {
        self.shelf.is_found(real) || self.missed.contains(real)
    }

    fn take(&mut self, found: Found) {
        let seen = match found {
            Found::File { real, .. } if self.rest.is_some() => {
                self.missed.insert(real);
                return;
            }
            Found::Stdin if self.rest.is_some() => return,
            Found::Stdin => Ok(self.shelf.stdin()),
            Found::File { name, real, stamp } => {
                let seen = self.shelf.find(name, &real, stamp, self.earlier);
                if !self.shelf.is_found(&real) {
                    self.missed.insert(real);
                }
                seen
            }
        };
        match seen {
            Ok(source) => Arc::make_mut(&mut self.shelf.scene.sight.sources).push(source),
            Err(Missed::Gone) => self.is_torn = true,
            Err(Missed::Rest(unseen)) => self.rest = Some(unseen),
        }
    }
}

/// Why there is no source for a file that was found.
enum Missed {
    /// It is gone.
    Gone,
    /// It cannot be looked at, nor can the rest.
    Rest(Unseen),
}

impl Scene {
    /// All files have been found. Where they are as before, the list is the one of before, which
    /// others have still.
    fn settle(&mut self, earlier: &Self) {
        let (sources, before) = (&mut self.sight.sources, &earlier.sight.sources);
        match sources == before {
            true => *sources = before.clone(),
            false => Arc::make_mut(sources).shrink_to_fit(),
        }
    }

    /// The same name as before is the same `Arc` as before.
    fn name(&self, known: &Kept, name: &Arc<str>) -> Option<Arc<str>> {
        let earlier = self.sight.sources.get(known.place);
        earlier.map(|earlier| earlier.name.clone()).filter(|earlier| earlier == name)
    }

    /// Whether nothing is hidden, failed or waits for room: then no file hangs on another one.
    pub(crate) fn is_whole(&self) -> bool {
        let is_read = |it: &Source| !matches!(it.text, SourceText::Failed(_));
        !self.torn && self.sight.unseen.is_empty() && self.sight.sources.iter().all(is_read)
    }
}

impl Shelf {
    /// An empty shelf that refuses files of more than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        Self {
            limit,
            files: HashMap::new(),
            look: 0,
            stdin: None,
            named: HashMap::new(),
            homes: BTreeMap::new(),
            scene: Scene::default(),
            attention: Attention::default(),
        }
    }

    /// Looks at everything under `roots`, and reads what changed.
    pub(crate) fn read(&mut self, roots: &SourceRoots) -> Look {
        self.attention.begin();
        let mut folders = self.attempt(roots);
        for _ in 0..RETRIES {
            if !self.scene.torn {
                break;
            }
            folders = self.attempt(roots);
        }
        self.attention.rest();
        Look { sight: self.scene.sight.clone(), folders }
    }

    /// Whether it makes a difference what is written to the file at `real`.
    pub(crate) fn minds(&self, real: &Path) -> bool {
        is_manifest(real)
            || is_dynamic(real)
            || self.files.contains_key(real)
            || self.scene.turns.contains(real)
    }

    /// Looks once; which folders decide what is found.
    fn attempt(&mut self, roots: &SourceRoots) -> BTreeSet<PathBuf> {
        let earlier = std::mem::take(&mut self.scene);
        let many = earlier.sight.sources.len();
        self.scene.sight.sources = Arc::new(Vec::with_capacity(many));
        self.look += 1;
        let attention = self.attention.clone();
        let (missed, rest, is_torn) = (HashSet::new(), None, false);
        let mut looking = Looking { shelf: self, earlier: &earlier, missed, rest, is_torn };
        let mut walk = Walk::under(roots, &attention, &mut looking);
        let Looking { rest, is_torn, .. } = looking;
        walk.torn |= is_torn;
        let is_alone = roots.manifests.len() == 1 && roots.dynamic.is_empty();
        self.scene.turns = std::mem::take(&mut walk.turns);
        self.scene.is_crooked = walk.is_crooked;
        self.scene.top = walk.top.take().filter(|_| is_alone);
        self.scene.sight.unseen = std::mem::take(&mut walk.unseen);
        self.scene.sight.unseen.extend(rest);
        // What is not seen is known before what it names is looked for.
        self.compare_homes(&walk);
        self.add_named(roots, &mut walk, &earlier);
        self.files.retain(|_, kept| kept.look == self.look);
        self.scene.settle(&earlier);
        self.scene.torn = walk.torn;
        walk.folders
    }

    /// Adds the files that dynamic configuration names. One that cannot be read is there with the
    /// reason: who names it is the one to say so.
    fn add_named(&mut self, roots: &SourceRoots, walk: &mut Walk, earlier: &Scene) {
        if roots.dynamic.is_empty() {
            return;
        }
        let names = self.names(&DynamicPlaces(roots.dynamic_names()));
        let found = self.files.iter().filter(|(_, kept)| kept.look == self.look);
        let paths = found.map(|(path, _)| path).filter(|path| is_dynamic(path));
        self.scene.tied.extend(paths.cloned());
        let room = MAX_FILES.saturating_sub(self.scene.sight.sources.len());
        for (name, is_wanted) in names.into_iter().take(room) {
            let found = walk.named(Path::new(&*name)).map(|(real, stamp)| {
                self.scene.tied.insert(real.clone());
                self.find(name.clone(), &real, stamp, earlier)
            });
            let source = match found {
                Ok(Ok(source)) => Source::named(source.name, source.text),
                Ok(Err(Missed::Rest(unseen))) => return self.scene.sight.unseen.push(unseen),
                _ if !is_wanted => continue,
                Ok(Err(Missed::Gone)) => Source::named(name, gone()),
                Err(error) => Source::named(name, SourceText::Failed(error.to_string().into())),
            };
            Arc::make_mut(&mut self.scene.sight.sources).push(source);
        }
        self.scene.turns.extend(std::mem::take(&mut walk.turns));
        self.scene.is_crooked |= walk.is_crooked;
    }

    /// The names, and whether somebody has them now. What was named before is followed as long as
    /// it can be read: of a file with a mistake the last good version counts. So does a file that
    /// is not seen, since it is not gone.
    fn names(&mut self, places: &DynamicPlaces) -> BTreeMap<Arc<str>, bool> {
        let sight = &self.scene.sight;
        let naming: HashMap<&str, &Source> = sight
            .sources
            .iter()
            .filter(|source| places.holds(&source.name))
            .map(|source| (&*source.name, source))
            .collect();
        let now = Instant::now();
        self.named.retain(|name, known| {
            let is_there = naming.contains_key(&**name) || sight.may_hide(name);
            let since = known.missed.unwrap_or(now);
            known.missed = (!is_there).then_some(since);
            is_there || now.duration_since(since) < REMEMBERED
        });
        for source in naming.into_values() {
            self.named.entry(source.name.clone()).or_default().follow(source);
        }
        let mut names = BTreeMap::new();
        for known in self.named.values().filter(|known| known.missed.is_none()) {
            let former = known.former.iter().map(|name| (name, known.is_broken));
            for (name, is_wanted) in former.chain(known.now.iter().map(|name| (name, true))) {
                *names.entry(name.clone()).or_default() |= is_wanted;
            }
        }
        names
    }

    /// The next file of a look.
    fn find(
        &mut self,
        name: Arc<str>,
        real: &Path,
        stamp: Stamp,
        earlier: &Scene,
    ) -> Result<Source, Missed> {
        self.attention.turn_to(&name);
        let known = self.files.get(real);
        let name = known.and_then(|known| earlier.name(known, &name)).unwrap_or(name);
        match self.file(real, stamp, known.map(|known| &known.version)) {
            Ok(version) => {
                self.scene.total += version.length();
                let text = version.text.clone();
                let place = self.scene.sight.sources.len();
                self.keep(real, place, version);
                Ok(Source::of(name, text))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Missed::Gone),
            Err(error) => match failed(&name, &error) {
                Unseen { extent: Extent::Below, .. } => {
                    Ok(Source::failed(name, &error.to_string()))
                }
                rest => Err(Missed::Rest(rest)),
            },
        }
    }

    /// Keeps a file as read, where it lay before: of thousands, each look would leave holes in
    /// memory as large.
    pub(crate) fn keep(&mut self, real: &Path, place: usize, version: Version) {
        let kept = Kept { place, version, look: self.look };
        match self.files.get_mut(real) {
            Some(known) => **known = kept,
            None => _ = self.files.insert(real.to_owned(), Box::new(kept)),
        }
    }

    /// Whether this look has found the file.
    fn is_found(&self, real: &Path) -> bool {
        self.files.get(real).is_some_and(|kept| kept.look == self.look)
    }

    /// A folder that is empty, on another mount than when it held manifests, says nothing of them;
    /// nor does a link to where it was.
    fn compare_homes(&mut self, walk: &Walk) {
        let sight = &mut self.scene.sight;
        for listed in &walk.listed {
            let home = self.homes.get(&listed.name).copied().flatten();
            if listed.holds {
                // One that left while it was looked at did not tell, and is where it was.
                self.homes.insert(listed.name.clone(), listed.mount.or(home));
            } else if home.is_some_and(|home| Some(home) != listed.mount) {
                let (name, extent) = (listed.name.clone(), Extent::Below);
                sight.unseen.push(Unseen { name, extent, why: Blindness::Unmounted });
            }
        }
        let known = walk.dangling.iter().filter(|it| self.homes.contains_key(&it.name));
        sight.unseen.extend(known.cloned());
        let named = walk.listed.iter().filter(|listed| listed.is_named);
        sight.folders = named.map(|listed| listed.name.clone()).collect();
    }

    /// Standard input; it can be read once only.
    fn stdin(&mut self) -> Source {
        let limit = self.limit;
        let failed = |error: io::Error| SourceText::Failed(error.to_string().into());
        let read = || content(io::stdin().lock(), limit).unwrap_or_else(failed);
        let text = || Source::of("-", read());
        self.attention.rest(); // whoever writes it may be a person
        let stdin = self.stdin.get_or_insert_with(text).clone();
        self.attention.begin();
        stdin
    }

    /// The file at `real`, where there is room for it.
    fn file(&self, real: &Path, stamp: Stamp, earlier: Option<&Version>) -> io::Result<Version> {
        let is_read = stamp.length() <= self.limit;
        if is_read && self.scene.total + stamp.length() > MAX_TOTAL {
            let why = "it is left out: all files together exceed 256 MiB";
            return Ok(Version::unread(SourceText::Failed(why.into())));
        }
        Version::of(real, stamp, earlier, self.limit)
    }
}

fn gone() -> SourceText {
    SourceText::Failed(io::Error::from(io::ErrorKind::NotFound).to_string().into())
}
