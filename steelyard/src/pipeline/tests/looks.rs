//! What stands after looks that saw less than was there.

use std::time::Duration;

use steelyard_manifest::{Blindness, Extent, Sight, Source, Unseen, codes};
use steelyard_model::Diagnostic;

use super::*;

/// A Service of this name.
fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{ports: [{{port: 80}}]}}\n"
    )
}

/// A folder `conf` that is looked at as time goes on.
struct Watched {
    pipeline: Pipeline,
    now: Instant,
    world: Option<World>,
    awaited: Awaited,
}

impl Watched {
    fn new() -> Self {
        Self {
            pipeline: Pipeline::default(),
            now: Instant::now(),
            world: None,
            awaited: Awaited::default(),
        }
    }

    fn look(&mut self, files: &[(&str, &str)], unseen: Vec<Unseen>) -> &mut Self {
        let source =
            |(name, text): &(&str, &str)| Source::new(format!("conf/{name}"), text.as_bytes());
        let sources: Vec<Source> = files.iter().map(source).collect();
        let sight = Sight { sources: sources.into(), unseen, folders: vec!["conf".into()] };
        self.follow(&sight);
        self
    }

    fn follow(&mut self, sight: &Sight) {
        let (world, awaited) = self.pipeline.follow(sight, self.now);
        (self.world, self.awaited) = (Some(world), awaited);
    }

    fn sees(&mut self, files: &[(&str, &str)]) -> &mut Self {
        self.look(files, Vec::new())
    }

    fn after(&mut self, seconds: f64) -> &mut Self {
        self.now += Duration::from_secs_f64(seconds);
        self
    }

    /// Services in force.
    fn services(&self) -> Vec<String> {
        let world = self.world.as_ref().expect("there was a look");
        world.snapshot.services.keys().map(|id| id.name.to_string()).collect()
    }

    /// Files of which the former version stands.
    fn waiting(&self) -> Vec<&str> {
        self.awaited.files.iter().map(|name| &**name).collect()
    }

    fn says(&self, code: steelyard_model::Code) -> Vec<Diagnostic> {
        let world = self.world.as_ref().expect("there was a look");
        world.snapshot.diagnostics.iter().filter(|found| found.code == code).cloned().collect()
    }
}

fn blind(name: &str, extent: Extent, why: Blindness) -> Vec<Unseen> {
    vec![Unseen { name: name.into(), extent, why }]
}

fn refused() -> Blindness {
    Blindness::Failed("Permission denied".into())
}

#[test]
fn what_cannot_be_seen_stands_however_long() {
    let (a, b) = (service("a"), service("b"));
    for (name, why) in [
        ("conf", refused()),
        ("conf", Blindness::Vanished),
        ("conf", Blindness::Unmounted),
        ("conf/a.yaml", Blindness::Vanished),
        ("conf/deep", Blindness::TooDeep(32)),
    ] {
        let deep = if name == "conf/deep" { "deep/a.yaml" } else { "a.yaml" };
        let mut conf = Watched::new();
        conf.sees(&[(deep, &a), ("b.yaml", &b)]);
        let left: &[(&str, &str)] = if name == "conf" { &[] } else { &[("b.yaml", &b)] };
        conf.look(left, blind(name, Extent::Below, why.clone())).after(1000.0);
        conf.look(left, blind(name, Extent::Below, why.clone()));
        assert_eq!(conf.services(), ["a", "b"], "{name}: {why:?}");
        let said = conf.says(codes::FILE_UNREADABLE);
        assert!(said.len() == 1 && said[0].message.contains(&why.to_string()), "{said:?}");
        conf.sees(&[(deep, &a), ("b.yaml", &b)]);
        assert!(conf.says(codes::FILE_UNREADABLE).is_empty());
    }
}

#[test]
fn a_file_that_cannot_be_read_stands_as_it_was_and_others_change() {
    let (a, b) = (service("a"), service("b"));
    let mut conf = Watched::new();
    conf.sees(&[("a.yaml", &a), ("b.yaml", &b)]);
    let sources = vec![
        Source::failed("conf/a.yaml", "Input/output error"),
        Source::new("conf/b.yaml", service("bb").as_bytes()),
        Source::failed("conf/new.yaml", "Input/output error"),
    ];
    let sight = Sight { sources: sources.into(), unseen: Vec::new(), folders: vec!["conf".into()] };
    conf.follow(&sight);
    conf.after(2.0);
    conf.follow(&sight);
    assert_eq!(conf.services(), ["a", "bb"]);
    assert_eq!(conf.says(codes::FILE_UNREADABLE).len(), 2);
    conf.sees(&[("b.yaml", &b)]).after(2.0).sees(&[("b.yaml", &b)]);
    assert_eq!(conf.services(), ["b"], "it is seen to be gone now");
}

#[test]
fn a_folder_with_too_many_files_keeps_those_that_stand() {
    let (a, b, c) = (service("a"), service("b"), service("c"));
    let mut conf = Watched::new();
    conf.sees(&[("a.yaml", &a), ("b.yaml", &b)]);
    for _ in 0..3 {
        // A new one comes first, and the last one of before is beyond the limit.
        let many = blind("conf", Extent::Rest, Blindness::TooMany(2));
        conf.look(&[("0.yaml", &c), ("a.yaml", &a)], many).after(100.0);
        assert_eq!(conf.services(), ["a", "b"]);
    }
    conf.sees(&[("0.yaml", &c), ("a.yaml", &a)]).after(2.0).sees(&[("0.yaml", &c), ("a.yaml", &a)]);
    assert_eq!(conf.services(), ["a", "c"]);
}

#[test]
fn a_loss_is_believed_after_a_moment_and_a_change_at_once() {
    let (a, b) = (service("a"), service("b"));
    let both = a.clone() + "---\n" + &b;
    let mut conf = Watched::new();
    conf.sees(&[("a.yaml", &a), ("b.yaml", &b)]);
    conf.sees(&[("b.yaml", &b)]).after(1.9).sees(&[("b.yaml", &b)]);
    assert_eq!(conf.services(), ["a", "b"]);
    conf.after(0.1).sees(&[("b.yaml", &b)]);
    assert_eq!(conf.services(), ["b"]);
    // Moved to another file, and back: nothing is lost.
    conf.sees(&[("c.yaml", &both)]);
    assert_eq!(conf.services(), ["a", "b"]);
    assert!(conf.awaited.due.is_none());
    // A document less.
    conf.sees(&[("c.yaml", &b)]).after(1.0).sees(&[("c.yaml", &b)]);
    assert_eq!(conf.services(), ["a", "b"]);
    assert_eq!(conf.waiting(), ["conf/c.yaml"], "and it is said");
    conf.after(1.0).sees(&[("c.yaml", &b)]);
    assert_eq!(conf.services(), ["b"]);
    assert_eq!(conf.waiting(), [""; 0]);
    conf.sees(&[("c.yaml", &b.replace("80", "81"))]);
    assert!(conf.awaited.due.is_none(), "no loss");
}

#[test]
fn a_file_that_is_being_saved_keeps_its_last_version() {
    let (a, b) = (service("a"), service("b"));
    let both = a.clone() + "---\n" + &b;
    // Cut where what is left is YAML and even an object, without its end.
    for cut in 1..both.len() {
        let mut conf = Watched::new();
        conf.sees(&[("app.yaml", &both)]).sees(&[("app.yaml", &both[..cut])]).after(1.5);
        conf.sees(&[("app.yaml", &both[..cut])]);
        assert_eq!(conf.services(), ["a", "b"], "{:?}", &both[..cut]);
        let ports = |world: &World| {
            world.snapshot.services.values().map(|it| it.ports.len()).collect::<Vec<_>>()
        };
        assert_eq!(conf.world.as_ref().map(ports), Some(vec![1, 1]), "{:?}", &both[..cut]);
        conf.after(0.1).sees(&[("app.yaml", &both)]);
        assert!(conf.says(codes::FILE_LAPSED).is_empty());
    }
    // Emptied, then written in pieces, with another text.
    let mut conf = Watched::new();
    conf.sees(&[("app.yaml", &both)]).sees(&[("app.yaml", "")]).after(4.0);
    conf.sees(&[("app.yaml", "")]);
    assert_eq!(conf.services(), ["a", "b"]);
    assert_eq!(conf.says(codes::FILE_LAPSED).len(), 1);
    let new = both.replace("port: 80", "port: 8080");
    for cut in [10, 60, 100, 120] {
        conf.after(1.0).sees(&[("app.yaml", &new[..cut])]);
        assert_eq!(conf.services(), ["a", "b"], "{:?}", &new[..cut]);
    }
    conf.sees(&[("app.yaml", &new)]);
    assert_eq!(conf.services(), ["a", "b"]);
    assert!(conf.awaited.due.is_none());
}

#[test]
fn an_emptied_folder_is_believed_after_a_longer_moment() {
    let (a, b) = (service("a"), service("b"));
    let mut conf = Watched::new();
    conf.sees(&[("a.yaml", &a), ("b.yaml", &b)]).sees(&[]).after(4.9).sees(&[]);
    assert_eq!(conf.services(), ["a", "b"]);
    let said = conf.says(codes::FILE_LAPSED);
    assert!(said.len() == 1 && said[0].message.starts_with("conf has nothing"), "{said:?}");
    conf.after(0.1).sees(&[]);
    assert_eq!(conf.services(), [""; 0]);
    assert!(conf.says(codes::FILE_LAPSED).is_empty(), "it is what the user wants");
}

#[test]
fn a_loss_that_changes_all_the_time_is_believed_in_the_end() {
    let (a, b) = (service("a"), service("b"));
    let both = a.clone() + "---\n" + &b;
    let mut conf = Watched::new();
    conf.sees(&[("app.yaml", &both)]);
    for round in 0..29 {
        conf.sees(&[("app.yaml", &(a.clone() + &format!("# {round}\n")))]).after(1.0);
        assert_eq!(conf.services(), ["a", "b"]);
    }
    conf.after(1.0).sees(&[("app.yaml", &(a.clone() + "# at last\n"))]);
    assert_eq!(conf.services(), ["a"]);
}

#[test]
fn what_stands_keeps_its_place_among_the_files() {
    let (first, second) = (service("a"), service("a").replace("80", "81"));
    let mut conf = Watched::new();
    conf.sees(&[("1.yaml", &first), ("2.yaml", &second), ("3.yaml", &service("b"))]);
    let port = |conf: &Watched| {
        let world = conf.world.as_ref().expect("there was a look");
        world.snapshot.services.values().next().map(|it| it.ports[0].port.port)
    };
    assert_eq!(port(&conf), Some(80));
    let left = [("2.yaml", &*second)];
    conf.look(&left, blind("conf", Extent::Below, refused()));
    assert_eq!(port(&conf), Some(80), "of two with one name the first counts, seen or not");
}

#[test]
fn before_the_first_manifest_nobody_loses_an_address() {
    let mut conf = Watched::new();
    conf.pipeline.expect_manifests();
    conf.sees(&[]).after(1000.0).sees(&[]);
    let absent = |conf: &Watched| conf.world.as_ref().map(|world| world.absent.clone());
    assert_eq!(absent(&conf), Some(steelyard_plan::Absent::KeepAll));
    assert_eq!(conf.says(codes::FILE_LAPSED).len(), 1);
    conf.sees(&[("a.yaml", &service("a"))]);
    assert_ne!(absent(&conf), Some(steelyard_plan::Absent::KeepAll));
}

/// Of a file that never could be read nothing is known; whatever was known once stands.
#[test]
fn a_file_that_could_never_be_read_since_the_start_is_told_until_it_is_mended() {
    let (a, b, broken) = (service("a"), service("b"), "apiVersion: v1\nkind: [Service\n");
    let never = codes::FILE_NEVER_READ;
    let mut conf = Watched::new();
    conf.sees(&[]).sees(&[("a.yaml", broken), ("b.yaml", &b)]);
    let said = conf.says(never);
    let [one] = &said[..] else { panic!("{said:?}") };
    let place = one.location.as_ref().map(|it| (&*it.file, it.line));
    assert_eq!(place, Some(("conf/a.yaml", 2)), "{one:?}");
    assert!(one.message.contains("conf/a.yaml") && one.message.contains("line 2"), "{one:?}");
    // Broken otherwise is broken still; what breaks later, or comes broken, is none of these.
    let other = format!("{broken}x: y: z\n");
    conf.sees(&[("a.yaml", &other), ("b.yaml", &b)]);
    conf.sees(&[("a.yaml", &other), ("b.yaml", broken), ("c.yaml", broken)]).after(3.0);
    conf.sees(&[("a.yaml", &other), ("b.yaml", broken), ("c.yaml", broken)]);
    assert_eq!((conf.says(never).len(), conf.services()), (1, vec!["b".to_owned()]));
    conf.sees(&[("a.yaml", &a), ("b.yaml", &b)]);
    assert_eq!((conf.says(never).len(), conf.services().len()), (0, 2));
    conf.sees(&[("a.yaml", broken), ("b.yaml", &b)]);
    assert_eq!((conf.says(never).len(), conf.services().len()), (0, 2), "it was known once");
    // Taken away is mended, too.
    let mut conf = Watched::new();
    conf.sees(&[("a.yaml", broken), ("b.yaml", &b)]);
    assert_eq!(conf.says(never).len(), 1);
    conf.sees(&[("b.yaml", &b)]).after(3.0).sees(&[("b.yaml", &b)]);
    assert_eq!(conf.says(never).len(), 0);
}
