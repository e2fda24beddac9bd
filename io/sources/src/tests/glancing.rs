//! A look at what the kernel named, and a look at everything.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use steelyard_manifest::Sight;
use steelyard_testbed::Chance;

use super::scratch::Scratch;
use crate::SourceRoots;
use crate::shelf::Shelf;
use crate::watch::{Watching, start};

/// No file in these tests is as large.
const LIMIT: usize = 1000;

/// The folder `conf`, as it was looked at.
struct Looked {
    scratch: Scratch,
    shelf: Shelf,
    paths: Vec<PathBuf>,
}

impl Looked {
    fn at(scratch: Scratch, paths: &[&str]) -> Self {
        let paths: Vec<PathBuf> = paths.iter().map(|path| scratch.join(path)).collect();
        let mut shelf = Shelf::new(LIMIT);
        shelf.read(&SourceRoots::of(&paths));
        Self { scratch, shelf, paths }
    }

    /// Two files, one in a folder.
    fn conf() -> Self {
        let scratch = Scratch::new();
        for name in ["conf/b.yaml", "conf/d.yaml", "conf/sub/a.yaml", "conf/sub/b.yaml"] {
            scratch.write(name, "1");
        }
        Self::at(scratch, &["conf"])
    }

    /// What is seen when the kernel has named these.
    fn glance(&mut self, named: &[&str]) -> Option<Sight> {
        let named = named.iter().map(|name| self.scratch.join(name)).collect();
        self.shelf.glance(&named)
    }

    /// It sees what a look at everything sees.
    fn follows(&mut self, named: &[&str]) {
        let whole = Shelf::new(LIMIT).read(&SourceRoots::of(&self.paths)).sight;
        let seen = self.glance(named).unwrap_or_else(|| panic!("{named:?}: nothing was seen"));
        assert_eq!(self.scratch.lines(&seen), self.scratch.lines(&whole), "{named:?}");
        assert_eq!(seen, whole, "{named:?}");
    }
}

/// Whoever keeps what was seen has it once with the shelf.
#[test]
fn where_nothing_differs_the_list_is_that_of_before() {
    let mut looked = Looked::conf();
    let roots = SourceRoots::of(&looked.paths);
    let before = looked.shelf.scene.sight.sources.clone();
    let same = looked.shelf.read(&roots).sight.sources;
    assert!(before.len() == 4 && Arc::ptr_eq(&before, &same));
    looked.scratch.write("conf/b.yaml", "2");
    let now = looked.shelf.read(&roots).sight.sources;
    assert_ne!(now, before);
    assert_eq!(now.iter().zip(&*before).filter(|(now, before)| now == before).count(), 3);
}

/// With as many files as there may be, one that is moved to its place is looked at alone.
/// Of thousands, each look would leave holes in memory as large.
#[test]
fn what_is_kept_of_files_stays_where_it_lies_and_goes_with_them() {
    let scratch = Scratch::new();
    scratch.write("a.yaml", "x");
    scratch.write("b.yaml", "x");
    let (roots, mut shelf) = (SourceRoots::of(&[scratch.path().into()]), Shelf::new(LIMIT));
    let mut look = || {
        shelf.read(&roots);
        let lies = |(path, kept): (&PathBuf, &Box<_>)| (path.clone(), &raw const **kept as usize);
        shelf.files.iter().map(lies).collect::<BTreeMap<PathBuf, usize>>()
    };
    let before = look();
    assert_eq!(before.len(), 2);
    scratch.write("a.yaml", "changed");
    scratch.write("c.yaml", "y");
    let mut now = look();
    now.retain(|path, _| before.contains_key(path));
    assert_eq!(now, before);
    fs::remove_file(scratch.join("a.yaml")).unwrap();
    assert_eq!(look().len(), 2);
}

#[test]
fn a_full_folder_is_followed_file_by_file() {
    let scratch = Scratch::new();
    for number in 0..10_000 {
        scratch.write(&format!("conf/{number:05}.yaml"), "1");
    }
    scratch.write("conf/next", "2");
    let mut looked = Looked::at(scratch, &["conf"]);
    let [next, place] = ["conf/next", "conf/00007.yaml"];
    fs::rename(looked.scratch.join(next), looked.scratch.join(place)).unwrap();
    looked.follows(&[next, place]);
}

#[test]
fn files_that_change_come_and_leave_are_followed_alone() {
    let mut looked = Looked::conf();
    let name = |name: &str| looked.scratch.join(name);
    let (b, b2) = (name("conf/b.yaml"), name("conf/b2.yaml"));
    looked.scratch.write("conf/d.yaml", "2");
    looked.follows(&["conf/d.yaml"]);
    for come in ["conf/a.yaml", "conf/c.json", "conf/e.yml", "conf/sub/a-1.yaml"] {
        looked.scratch.write(come, "1");
        looked.follows(&[come]);
    }
    fs::rename(&b, &b2).unwrap();
    looked.follows(&["conf/b.yaml", "conf/b2.yaml"]);
    for leaves in ["conf/a.yaml", "conf/sub/b.yaml", "conf/e.yml", "conf/b2.yaml"] {
        fs::remove_file(looked.scratch.join(leaves)).unwrap();
        looked.follows(&[leaves]);
    }
    looked.scratch.write("conf/d.yaml", "x".repeat(LIMIT + 1));
    looked.follows(&["conf/d.yaml"]);
    looked.scratch.write("conf/d.yaml", "3");
    looked.follows(&["conf/d.yaml"]);
}

#[test]
fn what_is_no_manifest_is_passed_over() {
    let mut looked = Looked::conf();
    for other in ["conf/notes.txt", "conf/.b.yaml.swp", "conf/.b.yaml", "beside.yaml"] {
        looked.scratch.write(other, "1");
        looked.follows(&[other]);
        fs::remove_file(looked.scratch.join(other)).unwrap();
        looked.follows(&[other]);
    }
    looked.follows(&["conf/never-was.yaml"]);
}

/// What is done, and what the kernel names then.
type Deed = (fn(&Scratch), &'static [&'static str]);

#[test]
fn everything_is_looked_at_where_a_sign_may_concern_more_than_a_file() {
    let deeds: [Deed; 9] = [
        (|it| drop(it.write("conf/new/a.yaml", "1")), &["conf/new"]),
        (|it| drop(it.write("conf/new/a.yaml", "1")), &["conf/new/a.yaml"]),
        (|it| fs::rename(it.join("conf/sub"), it.join("away")).unwrap(), &["conf/sub"]),
        (|it| fs::rename(it.join("conf"), it.join("away")).unwrap(), &["conf"]),
        (|it| it.link("b.yaml", "conf/c.yaml"), &["conf/c.yaml"]),
        (|it| it.link("sub", "conf/.data"), &["conf/.data"]),
        (|it| fs::set_permissions(it.join("conf/sub"), mode(0)).unwrap(), &["conf/sub"]),
        (
            |it| {
                fs::remove_file(it.join("conf/sub/a.yaml")).unwrap();
                fs::remove_file(it.join("conf/sub/b.yaml")).unwrap();
            },
            &["conf/sub/a.yaml", "conf/sub/b.yaml"],
        ),
        (
            |it| {
                fs::remove_dir_all(it.join("conf/sub")).unwrap();
                it.write("conf/sub", "1");
            },
            &["conf/sub"],
        ),
    ];
    for (number, (deed, named)) in deeds.into_iter().enumerate() {
        let mut looked = Looked::conf();
        deed(&looked.scratch);
        assert_eq!(looked.glance(named), None, "{number}");
    }
}

fn mode(mode: u32) -> fs::Permissions {
    fs::Permissions::from_mode(mode)
}

/// A link may lead to a name of any kind, and a given file may come back.
#[test]
fn everything_is_looked_at_where_names_do_not_tell_where_files_are() {
    let scratch = Scratch::new();
    scratch.write("conf/.1/a.yaml", "1");
    scratch.link(".1", "conf/.data");
    scratch.link(".data/a.yaml", "conf/a.yaml");
    let mut linked = Looked::at(scratch, &["conf"]);
    linked.scratch.write("conf/.1/a.yaml", "2");
    linked.follows(&["conf/.1/a.yaml"]);
    for other in ["conf/.data", "conf/.2", "conf/b.yaml", "conf/notes.txt"] {
        assert_eq!(linked.glance(&[other]), None, "{other}");
    }
    let scratch = Scratch::new();
    scratch.write("a.yaml", "1");
    let mut given = Looked::at(scratch, &["a.yaml"]);
    given.scratch.write("a.yaml", "2");
    given.follows(&["a.yaml"]);
    fs::remove_file(given.scratch.join("a.yaml")).unwrap();
    assert_eq!(given.glance(&["a.yaml"]), None);
}

/// One deed of somebody who works in the folder; what is named is up to the kernel.
fn edit(scratch: &Scratch, chance: &mut Chance) {
    let folder = chance.pick(&["conf", "conf", "conf/sub", "conf/sub/deep"]);
    let name = chance.pick(&["a.yaml", "b.json", "c.yml", "d.txt", ".e.yaml"]);
    let (folder, other) = (scratch.join(folder), scratch.join(chance.pick(&["conf", "aside"])));
    let (path, text) = (folder.join(name), chance.below(9).to_string());
    let to = other.join(chance.pick(&["a.yaml", "c.yml", "x.yaml", "sub", "in"]));
    // Not all of it can be done as things are.
    let _ = match chance.below(16) {
        0..4 => fs::write(&path, text),
        4 => fs::remove_file(&path),
        5 | 6 => replace(&path, &text),
        7 => fs::rename(&path, &to),
        8 => fs::rename(&folder, &to),
        9 => fs::rename(scratch.join("aside/in"), folder.join("in")),
        10 | 11 => fs::create_dir_all(&folder),
        12 => fs::remove_dir_all(folder.join(chance.pick(&["deep", "in", "sub"]))),
        13 => std::os::unix::fs::symlink(name, folder.join("link.yaml")),
        14 => fs::remove_file(folder.join("link.yaml")),
        _ => swap(scratch, &text),
    };
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("tmp");
    fs::File::create(&beside)?.write_all(text.as_bytes())?;
    fs::rename(beside, path)
}

/// As kubelet does with a `ConfigMap`.
fn swap(scratch: &Scratch, text: &str) -> std::io::Result<()> {
    let version = format!("conf/..{text}");
    let _ = fs::remove_file(scratch.join("conf/..tmp"));
    scratch.write(&format!("{version}/map.yaml"), text);
    std::os::unix::fs::symlink(scratch.join(&version), scratch.join("conf/..tmp"))?;
    fs::rename(scratch.join("conf/..tmp"), scratch.join("conf/..data"))?;
    std::os::unix::fs::symlink("..data/map.yaml", scratch.join("conf/map.yaml"))
}

/// Nothing is looked at but what the kernel names: what it does not would never be seen.
#[tokio::test]
async fn looks_at_what_the_kernel_names_come_to_a_look_at_everything() {
    for seed in 0..12 {
        let scratch = Scratch::new();
        fs::create_dir(scratch.join("aside")).unwrap();
        scratch.write("conf/a.yaml", "1");
        let paths = [scratch.join("conf")];
        let (wake, woken) = std::sync::mpsc::channel();
        let mut watching = Watching::new(SourceRoots::of(&paths), wake.clone());
        watching.poll = Duration::from_hours(1);
        let (mut sight, mut watch) = start(watching, wake, woken);
        let mut chance = Chance::new(seed);
        for round in 0..60 {
            for _ in 0..=chance.below(3) {
                edit(&scratch, &mut chance);
            }
            let whole = || Shelf::new(LIMIT).read(&SourceRoots::of(&paths)).sight;
            while sight != whole() {
                let next = tokio::time::timeout(Duration::from_secs(10), watch.changed()).await;
                sight = next.ok().flatten().unwrap_or_else(|| {
                    let (seen, whole) = (scratch.lines(&sight), scratch.lines(&whole()));
                    panic!("seed {seed}, round {round}: {seen:?} instead of {whole:?}")
                });
            }
        }
    }
}
