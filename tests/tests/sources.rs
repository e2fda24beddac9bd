//! Cannot see is not gone: whatever happens to the manifests, `steelyard up` keeps addresses, lock
//! and what it serves until it has *seen* that they are not wanted any more.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use steelyard_tests::process::{Running, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service};
use steelyard_tests::{manifests, needs_lab, wait};

/// Somebody to whom permissions apply.
const NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
/// Longer than any moment after which a loss is believed.
const LONGER: Duration = Duration::from_secs(7);
const SERVICES: [&str; 3] = ["b", "c", "a"];

/// Manifests whose Services have addresses that no other order of events would give them.
struct World {
    scratch: Scratch,
    _backend: Backend,
    up: Up,
    addresses: BTreeMap<String, String>,
    lock: String,
}

impl World {
    /// Started by this command.
    fn start(by: &[&str]) -> Result<Self> {
        let backend = Backend::start("shop")?;
        let scratch = Scratch::new()?;
        let conf = scratch.file("conf");
        for folder in ["conf", "state"] {
            fs::create_dir(scratch.file(folder))?;
            fs::set_permissions(scratch.file(folder), Permissions::from_mode(0o777))?;
        }
        write(&conf, "app.yaml", &ingress("app", "app.test", "shop", ""))?;
        write(&conf, "service.yaml", &service("shop", backend.address))?;
        write(&conf, "pool.yaml", &manifests::pool("192.0.2.100-192.0.2.150"))?;
        let mut up = launch(by, &scratch)?;
        up.wait_until_ready()?;
        let (addresses, lock) = (BTreeMap::new(), String::new());
        let mut world = Self { scratch, _backend: backend, up, addresses, lock };
        for name in SERVICES {
            write(&conf, &format!("{name}.yaml"), &manifests::load_balancer(name, name, 80))?;
            wait::until("an address", || world.up.address_of(name).is_some())?;
        }
        world.addresses = world.now();
        world.lock = fs::read_to_string(world.lock_file())?;
        ensure!(world.addresses["b"] == "192.0.2.100", "{:?}", world.addresses);
        Ok(world)
    }

    fn conf(&self) -> PathBuf {
        self.scratch.file("conf")
    }

    fn lock_file(&self) -> PathBuf {
        self.scratch.file("state").join("steelyard.lock")
    }

    fn now(&self) -> BTreeMap<String, String> {
        let address = |name: &str| Some((name.to_owned(), self.up.address_of(name)?));
        SERVICES.into_iter().filter_map(address).collect()
    }

    /// Nobody moved, and what was served is served.
    fn stands(&self, after: &str) -> Result<()> {
        ensure!(self.now() == self.addresses, "{after}: {:?}", self.now());
        let lock = fs::read_to_string(self.lock_file())?;
        ensure!(lock == self.lock, "{after}: {lock}");
        let answer = self.up.get("app.test", "/")?;
        ensure!(answer.status == 200 && answer.workload() == "shop", "{after}: {answer:?}");
        Ok(())
    }

    /// While `hidden`, `/readyz` says why and nothing else happens, for longer than any moment;
    /// nor when it is `shown` again.
    fn holds(
        &self,
        what: &str,
        why: &str,
        hide: impl FnOnce() -> Result<()>,
        show: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let told = (|| {
            hide()?;
            self.up.wait_for_reason(why)?;
            let said = self.up.read("diagnostics")?.to_string();
            ensure!(said.contains(why), "{what}: {said}");
            let begun = Instant::now();
            wait::until("some seconds", || begun.elapsed() > LONGER)?;
            self.up.wait_for_reason(why)?;
            self.stands(what)
        })();
        show()?;
        told.with_context(|| what.to_owned())?;
        wait::until("readiness", || self.up.is_ready()).with_context(|| what.to_owned())?;
        self.stands(&format!("{what}, and back"))
    }
}

/// `up` on the folder, with lock and state in another.
fn launch(by: &[&str], scratch: &Scratch) -> Result<Up> {
    let (lock, state) = (scratch.file("state/steelyard.lock"), scratch.file("state"));
    let options = ["--lock".as_ref(), lock.as_os_str(), "--state-dir".as_ref(), state.as_os_str()];
    Up::launch(by, &scratch.file("conf"), &options)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of a test is text")
}

/// As editors do: whole, beside the old one, then in its place.
fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let fresh = folder.join(format!(".{name}.new"));
    fs::write(&fresh, text)?;
    Ok(fs::rename(&fresh, folder.join(name))?)
}

fn mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

fn command(words: &[&str]) -> Result<()> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    run(command).map(drop)
}

#[test]
fn a_folder_or_a_file_that_may_not_be_read_takes_nothing_away() -> Result<()> {
    needs_lab!();
    let world = World::start(NOBODY)?;
    let conf = world.conf();
    for forbidden in [0o000, 0o444, 0o111] {
        let what = format!("mode {forbidden:o}");
        world.holds(
            &what,
            "Permission denied",
            || mode(&conf, forbidden),
            || mode(&conf, 0o777),
        )?;
    }
    let file = conf.join("b.yaml");
    world.holds("a file", "b.yaml cannot be read", || mode(&file, 0o000), || mode(&file, 0o644))
}

#[test]
fn a_folder_that_is_moved_away_or_covered_takes_nothing_away() -> Result<()> {
    let world = World::start(&[])?;
    let (conf, away) = (world.conf(), world.scratch.file("away"));
    world.holds(
        "moved away",
        "does not exist any more",
        || Ok(fs::rename(&conf, &away)?),
        || Ok(fs::rename(&away, &conf)?),
    )?;
    needs_lab!();
    let empty = world.scratch.file("empty");
    fs::create_dir(&empty)?;
    world.holds(
        "covered by an empty folder",
        "not on the file system that held its manifests",
        || command(&["mount", "--bind", text(&empty)?, text(&conf)?]),
        || command(&["umount", text(&conf)?]),
    )
}

/// A share whose server does not answer, over the folder: whoever looks at it waits.
#[test]
fn a_share_that_hangs_takes_nothing_away() -> Result<()> {
    needs_lab!();
    let world = World::start(&[])?;
    let conf = world.conf();
    let options = "fd=3,rootmode=40000,user_id=0,group_id=0";
    let mount = "exec 3<>/dev/fuse; mount -i -t fuse -o $1 none $2 && exec sleep 100";
    let mut share = Command::new("bash");
    share.args(["-c", mount, "share", options, text(&conf)?]);
    let server = std::cell::RefCell::new(None);
    world.holds(
        "a share that hangs",
        "reading it takes more than 5 s",
        || {
            server.replace(Some(Running::start(share)?));
            Ok(())
        },
        || {
            // Without a server, who waits for it gets an error.
            drop(server.take());
            command(&["umount", "-l", text(&conf)?])
        },
    )
}

#[test]
fn one_file_too_many_takes_nothing_away() -> Result<()> {
    let world = World::start(&[])?;
    let many = world.conf().join("0-many");
    world.holds(
        "10,001 files",
        "more than 10000 manifests",
        || {
            fs::create_dir(&many)?;
            let file = |number| fs::write(many.join(format!("{number:05}.yaml")), "");
            (0..10_000).try_for_each(file).context("cannot fill the folder")
        },
        || Ok(fs::remove_dir_all(&many)?),
    )
}

#[test]
fn a_file_that_is_being_saved_takes_nothing_away() -> Result<()> {
    let world = World::start(&[])?;
    let file = world.conf().join("b.yaml");
    let whole = fs::read_to_string(&file)?;
    // As `render > b.yaml` does.
    fs::write(&file, "")?;
    world.up.wait_for_reason("b.yaml has nothing in it any more")?;
    world.stands("emptied")?;
    fs::write(&file, &whole[..whole.len() / 2])?;
    world.up.wait_for_reason("b.yaml ends earlier than before")?;
    world.stands("cut")?;
    fs::write(&file, &whole)?;
    wait::until("readiness", || world.up.is_ready())?;
    world.stands("written again")?;
    // As some editors do.
    fs::remove_file(&file)?;
    world.stands("removed")?;
    fs::write(&file, &whole)?;
    // As `git checkout` or `rm -r; cp -r` do with all of them.
    let all = Scratch::copy_of(&world.conf())?;
    for entry in fs::read_dir(world.conf())? {
        let path = entry?.path();
        if path.is_file() {
            fs::remove_file(path)?;
        }
    }
    world.up.wait_for_reason("conf has nothing in it any more")?;
    world.stands("all removed")?;
    for entry in fs::read_dir(all.path())? {
        let entry = entry?;
        fs::copy(entry.path(), world.conf().join(entry.file_name()))?;
    }
    wait::until("readiness", || world.up.is_ready())?;
    world.stands("all written again")
}

#[test]
fn what_is_seen_to_be_gone_is_gone_after_a_moment() -> Result<()> {
    let world = World::start(&[])?;
    fs::remove_file(world.conf().join("b.yaml"))?;
    wait::until("b is gone", || world.up.address_of("b").is_none())?;
    ensure!(world.up.address_of("a") == world.addresses.get("a").cloned());
    for entry in fs::read_dir(world.conf())? {
        let path = entry?.path();
        if path.is_file() {
            fs::remove_file(path)?;
        }
    }
    wait::until("all are gone", || world.now().is_empty())?;
    world.up.wait_for("app.test", 404)?;
    wait::until("readiness", || world.up.is_ready())?;
    let lock = fs::read_to_string(world.lock_file())?;
    ensure!(lock.contains("services: {}"), "{lock}");
    Ok(())
}

/// As after a boot at which the share with the manifests was not there yet.
#[test]
fn before_the_first_manifest_is_seen_the_lock_stays() -> Result<()> {
    let mut world = World::start(&[])?;
    world.up.process.kill()?;
    let (conf, away) = (world.conf(), world.scratch.file("away"));
    fs::rename(&conf, &away)?;
    fs::create_dir(&conf)?;
    world.up = launch(&[], &world.scratch)?;
    world.up.wait_for_reason("has no manifests, and Services hold addresses")?;
    let begun = Instant::now();
    wait::until("some seconds", || begun.elapsed() > LONGER)?;
    ensure!(fs::read_to_string(world.lock_file())? == world.lock, "nobody lost an address");
    for entry in fs::read_dir(&away)? {
        let entry = entry?;
        fs::copy(entry.path(), conf.join(entry.file_name()))?;
    }
    wait::until("readiness", || world.up.is_ready())?;
    world.up.wait_for("app.test", 200)?;
    world.stands("the share is there")
}

#[test]
fn a_lock_beside_manifests_that_are_away_makes_nothing_wait() -> Result<()> {
    let scratch = Scratch::new()?;
    let (conf, away) = (scratch.file("conf"), scratch.file("away"));
    fs::create_dir(&conf)?;
    write(&conf, "pool.yaml", &manifests::pool("192.0.2.100-192.0.2.150"))?;
    write(&conf, "a.yaml", &manifests::load_balancer("a", "a", 80))?;
    let state = scratch.file("state");
    let up = Up::launch(&[], &conf, &["--state-dir".as_ref(), state.as_os_str()])?;
    wait::until("an address", || up.address_of("a").is_some())?;
    wait::until("a lock", || conf.join("steelyard.lock").exists())?;
    fs::rename(&conf, &away)?;
    up.wait_for_reason("does not exist any more")?;
    up.wait_for_reason("the lock of before stays in force")?;
    let said = up.read("diagnostics")?.to_string();
    ensure!(said.contains("does not exist any more"), "{said}");
    ensure!(up.address_of("a").is_some(), "it lost its address");
    fs::rename(&away, &conf)?;
    wait::until("the manifests", || {
        up.read("diagnostics").is_ok_and(|it| !it.to_string().contains("any more"))
    })?;
    ensure!(up.address_of("a").is_some(), "it lost its address");
    Ok(())
}
