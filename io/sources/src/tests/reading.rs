//! Reading files and folders once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::scratch::Scratch;
use crate::{ReadError, SourceRoots, read};

#[test]
fn a_folder_is_read_recursively_by_name_without_what_is_no_manifest() {
    let scratch = Scratch::new();
    for name in ["b.yaml", "a.json", "sub/deep/c.yml", "z.yaml", "a-sub/d.yaml"] {
        scratch.write(name, "x");
    }
    let others = [
        "README.md",
        "steelyard.lock",
        ".hidden.yaml",
        ".git/e.yaml",
        "b.yaml~",
        "#b.yaml#",
        "~b.yaml",
        ".b.yaml.swp",
        "b.yaml.bak",
        "c.YAML",
        "yaml",
        "4913",
    ];
    for name in others {
        scratch.write(name, "no");
    }
    let sources = read(&SourceRoots::of(&[scratch.path().into()])).unwrap();
    let want = ["a-sub/d.yaml=x", "a.json=x", "b.yaml=x", "sub/deep/c.yml=x", "z.yaml=x"];
    assert_eq!(scratch.lines(&sources), want);
}

/// As Traefik reads them.
#[test]
fn a_folder_of_dynamic_configuration_is_read_whatever_its_files_begin_with() {
    let scratch = Scratch::new();
    for name in [".a.yml", ".sub/b.toml", "c.YAML", "d.yml"] {
        scratch.write(name, "x");
    }
    for name in ["..data/e.yml", ".#d.yml", "#d.yml#", "~d.yml", "f.json", ".d.yml.swp"] {
        scratch.write(name, "no");
    }
    let dynamic = vec![scratch.path().into()];
    let sources = read(&SourceRoots { dynamic, ..SourceRoots::of(&[]) }).unwrap();
    assert_eq!(scratch.lines(&sources), [".a.yml=x", ".sub/b.toml=x", "c.YAML=x", "d.yml=x"]);
}

#[test]
fn a_named_file_is_read_whatever_its_name_and_each_file_once() {
    let scratch = Scratch::new();
    let odd = scratch.write(".odd", "x");
    let file = scratch.write("conf/a.yaml", "y");
    scratch.link("a.yaml", "conf/b.yaml");
    let paths = [odd, file.clone(), scratch.join("conf"), file];
    assert_eq!(
        scratch.lines(&read(&SourceRoots::of(&paths)).unwrap()),
        [".odd=x", "conf/a.yaml=y"]
    );
}

#[test]
fn links_are_followed_and_loops_end() {
    let scratch = Scratch::new();
    scratch.write("outside/a.yaml", "a");
    scratch.write("conf/sub/b.yaml", "b");
    scratch.link("../outside", "conf/linked");
    scratch.link("..", "conf/sub/up");
    scratch.link(scratch.path(), "conf/all");
    scratch.link("loop.yaml", "conf/loop.yaml");
    scratch.link("nowhere", "conf/nowhere.yaml");
    let lines = scratch.lines(&read(&SourceRoots::of(&[scratch.join("conf")])).unwrap());
    assert_eq!(lines[..2], ["conf/all/outside/a.yaml=a", "conf/sub/b.yaml=b"]);
    assert!(lines[2].starts_with("conf/loop.yaml!"), "{lines:?}");
    assert!(lines[3].starts_with("conf/nowhere.yaml!No such file"), "{lines:?}");
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_config_map_mount_shows_each_file_once() {
    let scratch = Scratch::new();
    scratch.write("..2026_11_21/pools.yaml", "x");
    scratch.link("..2026_11_21", "..data");
    scratch.link("..data/pools.yaml", "pools.yaml");
    assert_eq!(
        scratch.lines(&read(&SourceRoots::of(&[scratch.path().into()])).unwrap()),
        ["pools.yaml=x"]
    );
}

#[test]
fn what_cannot_be_read_is_a_source_with_the_reason() {
    let scratch = Scratch::new();
    let huge = fs::File::create(scratch.join("huge.yaml")).unwrap();
    huge.set_len(100 * 1024 * 1024).unwrap();
    let _socket = UnixListener::bind(scratch.join("socket.yaml")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(scratch.join("pipe.yaml")).status();
    assert!(made.unwrap().success());
    scratch.link("/dev/zero", "zero.yaml");
    scratch.write("good.yaml", "x");
    let lines = scratch.lines(&read(&SourceRoots::of(&[scratch.path().into()])).unwrap());
    assert_eq!(lines[0], "good.yaml=x");
    assert_eq!(lines[1], "huge.yaml!104857600 bytes");
    assert_eq!(lines[2], "pipe.yaml!it is a named pipe, not a file");
    assert_eq!(lines[3], "socket.yaml!it is a socket, not a file");
    assert_eq!(lines[4], "zero.yaml!it is a device, not a file");
    let lines = scratch.lines(&read(&SourceRoots::of(&[scratch.join("pipe.yaml")])).unwrap());
    assert_eq!(lines, ["pipe.yaml!it is a named pipe, not a file"]);
}

#[test]
fn an_unreadable_file_costs_only_itself() {
    let scratch = Scratch::new();
    let secret = scratch.write("a.yaml", "no");
    scratch.write("b.yaml", "x");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&secret).is_ok() {
        return; // root reads everything
    }
    let lines = scratch.lines(&read(&SourceRoots::of(&[scratch.path().into()])).unwrap());
    assert!(lines[0].starts_with("a.yaml!Permission denied"), "{lines:?}");
    assert_eq!(lines[1], "b.yaml=x");
}

#[test]
fn too_many_files_are_bounded() {
    let scratch = Scratch::new();
    for number in 0..10_000 {
        scratch.write(&format!("{number:05}.yaml"), "");
    }
    // What is no manifest takes nobody's place.
    scratch.write("z.yaml.new", "");
    scratch.write("zz/README.md", "");
    let lines = scratch.lines(&read(&SourceRoots::of(&[scratch.path().into()])).unwrap());
    assert_eq!(lines.len(), 10_000, "{:?}", lines.last());
    for number in 10_000..10_050 {
        scratch.write(&format!("{number:05}.yaml"), "");
    }
    let lines = scratch.lines(&read(&SourceRoots::of(&[scratch.path().into()])).unwrap());
    assert_eq!(lines.len(), 10_001);
    assert_eq!(lines[10_000], "!it holds more than 10000 manifests; the rest is left out");
}

#[test]
fn a_missing_path_is_an_error_that_says_what_to_give() {
    let error = read(&SourceRoots::of(&[PathBuf::from("/nowhere/at-all")])).unwrap_err();
    assert!(matches!(&error, ReadError::Missing { path } if path.ends_with("at-all")));
    let text = error.to_string();
    assert!(text.starts_with("`/nowhere/at-all` does not exist; give a file, a folder"), "{text}");
    assert!(matches!(read(&SourceRoots::of(&[])), Err(ReadError::NoPath)));
}

#[test]
fn a_folder_too_deep_hides_only_what_is_in_it() {
    let scratch = Scratch::new();
    let deep = "d/".repeat(40);
    scratch.write(&format!("{deep}a.yaml"), "x");
    scratch.write("b.yaml", "x");
    let lines = scratch.lines(&read(&SourceRoots::of(&[scratch.path().into()])).unwrap());
    let shallow = "d/".repeat(33);
    let shallow = shallow.trim_end_matches('/');
    assert_eq!(lines, ["b.yaml=x", &format!("{shallow}!it is more than 32 folders deep")]);
}

/// As another user than root, to whom nothing is forbidden.
#[test]
fn a_folder_that_may_not_be_listed_or_entered_is_not_seen() {
    use rustix::fs::Uid;
    let scratch = Scratch::new();
    scratch.write("conf/a.yaml", "x");
    scratch.write("conf/deep/b.yaml", "x");
    let conf = scratch.join("conf");
    let become_user = |uid| rustix::thread::set_thread_res_uid(Uid::ROOT, uid, Uid::ROOT);
    for mode in [0o000, 0o444, 0o111] {
        fs::set_permissions(&conf, fs::Permissions::from_mode(mode)).unwrap();
        // Of this thread alone. Who may not is another user already.
        let _ = become_user(Uid::from_raw(65_534));
        let sight = read(&SourceRoots::of(std::slice::from_ref(&conf))).unwrap();
        let _ = become_user(Uid::ROOT);
        fs::set_permissions(&conf, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(sight.sources.is_empty(), "{mode:o}: {sight:?}");
        for file in ["a.yaml", "deep/b.yaml"] {
            let file = conf.join(file).display().to_string();
            assert!(sight.may_hide(&file), "{mode:o}: {sight:?}");
        }
        let said: Vec<String> = sight.unseen.iter().map(|it| it.why.to_string()).collect();
        assert!(said.iter().all(|it| it.starts_with("Permission denied")), "{mode:o}: {said:?}");
    }
}
