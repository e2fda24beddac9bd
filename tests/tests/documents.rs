//! The documents: every command in them is run as it is written, or listed here with why not, and
//! says what is shown below it.
//!
//! What is for a cluster stands in `bash` blocks, which `kubernetes_install/followed.rs` runs.
//!
//! Each document's `sh` blocks run one after the other in a machine of their own: a network
//! namespace with 192.168.1.10/24 on `eth0`, and copies of the folders that they write to.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use steelyard_tests::binary;
use steelyard_tests::scratch::Scratch;

/// Commands that are not run, by how they begin, and why.
const NOT_RUN: [(&str, &str); 19] = [
    ("cargo run --release", "builds the program anew"),
    ("cargo xtask test", "runs this test"),
    ("cargo xtask image", "`cargo xtask test` does, for both architectures"),
    ("git clone", "there is no address to clone from"),
    ("cargo build --release", "builds the program anew"),
    ("sudo install -m 755 target/release", "what the line above builds"),
    ("sudo steelyard lab", "tests/tests/lab.rs does"),
    ("sudo steelyard lab curl", "tests/tests/lab.rs does"),
    ("sudo steelyard lab arp", "tests/tests/lab.rs does"),
    ("sudo steelyard lab watch", "tests/tests/lab.rs does"),
    ("sudo steelyard lab kill", "tests/tests/lab.rs does"),
    ("curl http://blog.home.arpa/", "from another machine: tests/tests/pair.rs"),
    ("steelyard completions zsh", "its folder is named in the words of zsh"),
    ("kustomize build", "kustomize is no part of Debian"),
    ("helm template", "helm is no part of Debian"),
    ("kubectl get", "there is no cluster to ask"),
    ("sudo scp", "there is no second machine to log in to"),
    ("sudo systemctl daemon-reload", "there is no systemd"),
    ("sudo systemctl disable", "there is no systemd"),
];

/// Commands that go on until they are stopped.
const LASTING: [&str; 3] = ["steelyard up ", "steelyard demo", "  steelyard up "];

/// Commands that are shown with what they say, and are not run here.
const NOT_SHOWN: [(&str, &str); 2] = [
    ("sudo steelyard lab", "tests/tests/lab.rs does"),
    ("steelyard get announcements", "of a running instance among rivals: tests/tests/taken.rs"),
];

/// What a machine has before any document is followed.
const MACHINE: &str = r#"
set -eu
mount --make-rprivate /
cp -a /etc "$T/etc" && mount --bind "$T/etc" /etc
for folder in /srv /var/lib /usr/local/bin /run; do mount -t tmpfs none "$folder"; done
mkdir -p /etc/bash_completion.d /srv/manifests "$T/home"
printf '#!/bin/sh\nexec "$@"\n' > /usr/local/bin/sudo
chmod 755 /usr/local/bin/sudo "$T"
cp "$STEELYARD" /usr/local/bin/steelyard
ip link set lo up
ip link add eth0 type bridge && ip addr add 192.168.1.10/24 dev eth0 && ip link set eth0 up
cp "$T"/manifests/* /srv/manifests/
export HOME="$T/home" PATH="/usr/local/bin:$PATH"
cd "$T"
lasting() {
    rm -f "$T/log"
    bash -c "$1" > "$T/log" 2>&1 &
    pid=$!
    for _ in $(seq 300); do
        kill -0 $pid 2>/dev/null || { cat "$T/log"; echo "ended: $1"; exit 1; }
        [ -s "$T/log" ] && return
        sleep 0.1
    done
    echo "said nothing: $1"; exit 1
}
stop() {
    kill -TERM $pid 2>/dev/null || true
    wait $pid || { code=$?; cat "$T/log"; echo "ended with $code: $1"; exit 1; }
}
"#;

/// A command of a document.
#[derive(Debug)]
struct Written {
    /// `docs/install.md:66`, that of its block.
    block: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn documents() -> Result<Vec<PathBuf>> {
    let mut documents = vec![root().join("README.md")];
    for entry in std::fs::read_dir(root().join("docs"))? {
        documents.push(entry?.path());
    }
    documents.retain(|path| path.extension().is_some_and(|it| it == "md"));
    documents.sort();
    Ok(documents)
}

/// The blocks of a language, with the line they begin at.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match &mut open {
            Some(_) if line.trim_end() == "```" => found.extend(open.take()),
            Some((_, block)) => {
                let _ = writeln!(block, "{line}");
            }
            None if line.trim_end() == format!("```{language}") => {
                open = Some((index + 1, String::new()));
            }
            None => {}
        }
    }
    found
}

/// Commands of a document, continued lines joined, comments left out.
fn commands(path: &Path) -> Result<Vec<Written>> {
    let text = std::fs::read_to_string(path)?;
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let mut found = Vec::new();
    for (line, block) in blocks(&text, "sh") {
        let joined = block.replace("\\\n", "");
        for command in joined.lines() {
            let command = command.split("  #").next().unwrap_or_default().trim_end();
            if !command.is_empty() && !command.starts_with('#') {
                let block = format!("{name}:{line}");
                found.push(Written { block, text: command.to_owned() });
            }
        }
    }
    Ok(found)
}

fn reason(command: &str) -> Option<&'static str> {
    // The longest that fits: what begins alike may be run or not for reasons of its own.
    let fitting = NOT_RUN.iter().filter(|(start, _)| command.starts_with(start));
    fitting.max_by_key(|(start, _)| start.len()).map(|(_, reason)| *reason)
}

/// A script that follows a document: what lasts is stopped at the end of its block.
fn script(commands: &[Written]) -> String {
    let mut script = MACHINE.to_owned();
    for block in commands.chunk_by(|a, b| a.block == b.block) {
        let mut lasts = false;
        for Written { block, text } in block {
            if let Some(reason) = reason(text) {
                println!("{block}: not run: {text} ({reason})");
                continue;
            }
            let quoted = text.replace('\'', r"'\''");
            if LASTING.iter().any(|start| text.contains(start)) {
                let _ = writeln!(script, "lasting '{quoted}'");
                lasts = true;
            } else {
                let _ = writeln!(
                    script,
                    "bash -c '{quoted}' > out 2>&1 || {{ cat out; echo \"failed: {block}\"; exit 1; }}"
                );
            }
        }
        if lasts {
            let _ = writeln!(script, "stop '{}'", block[0].block);
        }
    }
    script
}

#[test]
fn commands_work_as_they_are_written() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: it takes root to make a machine");
        return Ok(());
    }
    let install = std::fs::read_to_string(root().join("docs/install.md"))?;
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    for path in documents()? {
        let commands = commands(&path)?;
        if commands.iter().all(|it| reason(&it.text).is_some()) {
            continue;
        }
        let folder = Scratch::new()?;
        std::fs::create_dir(folder.file("manifests"))?;
        for (name, text) in [("lan.yaml", &install), ("nas.yaml", &readme)] {
            let (_, manifest) = blocks(text, "yaml").into_iter().next().context("a manifest")?;
            std::fs::write(folder.file("manifests").join(name), manifest)?;
        }
        let output = Command::new("unshare")
            .args(["--net", "--mount", "bash", "-c", &script(&commands)])
            .env("T", folder.path())
            .env("STEELYARD", binary::steelyard())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}:\n{said}{errors}", path.display());
    }
    Ok(())
}

/// A command behind a `$`, with what it says.
#[derive(Debug)]
struct Session {
    /// `docs/allocation.md:9`.
    place: String,
    command: String,
    says: Vec<String>,
}

/// Those of a document: indented blocks, in which a `$` begins a command.
fn sessions(path: &Path) -> Result<Vec<Session>> {
    let text = std::fs::read_to_string(path)?;
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let mut found: Vec<Session> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        let indented = if line.is_empty() { Some(line) } else { line.strip_prefix("    ") };
        let Some(indented) = indented else {
            is_open = false;
            continue;
        };
        if let Some(command) = indented.strip_prefix("$ ") {
            let (place, command) = (format!("{name}:{}", index + 1), command.to_owned());
            found.push(Session { place, command, says: Vec::new() });
            is_open = true;
        } else if let Some(last) = found.last_mut().filter(|_| is_open) {
            last.says.push(indented.to_owned());
        }
    }
    for session in &mut found {
        while session.says.last().is_some_and(String::is_empty) {
            session.says.pop();
        }
    }
    found.retain(|it| it.command.trim_start_matches("sudo ").starts_with("steelyard "));
    Ok(found)
}

/// Whether lines are those expected; `…` stands for any number of them.
fn is_as_shown(lines: &[&str], expected: &[&str]) -> bool {
    match expected {
        [] => lines.is_empty(),
        [elided, rest @ ..] if elided.trim() == "…" => {
            (0..=lines.len()).any(|from| is_as_shown(&lines[from..], rest))
        }
        [first, rest @ ..] => lines.split_first().is_some_and(|(line, more)| {
            line.trim_end() == first.trim_end() && is_as_shown(more, rest)
        }),
    }
}

#[test]
fn commands_say_what_is_shown() -> Result<()> {
    let folder = Scratch::new()?;
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root().join("tests/golden/documents/."))
        .arg(root().join("examples"))
        .arg(folder.path())
        .status()?;
    ensure!(copied.success(), "cp: {copied}");
    let programs = binary::steelyard().parent().context("a folder")?.display().to_string();
    let (mut run, mut wrong) = (0, String::new());
    for path in documents()? {
        for Session { place, command, says } in sessions(&path)? {
            if NOT_SHOWN.iter().any(|(start, _)| command.starts_with(start)) {
                continue;
            }
            let output = Command::new("bash")
                .args(["-c", &format!("PATH={programs}:$PATH; {command}")])
                .current_dir(folder.path())
                .output()?;
            run += 1;
            let said = String::from_utf8(output.stdout)?;
            let lines: Vec<&str> = said.lines().collect();
            let expected: Vec<&str> = says.iter().map(String::as_str).collect();
            let is_right = match expected.is_empty() {
                true => output.status.success(),
                false => is_as_shown(&lines, &expected),
            };
            if !is_right {
                let errors = String::from_utf8_lossy(&output.stderr);
                let _ = writeln!(wrong, "{place}: `{command}` says\n{said}{errors}");
            }
        }
    }
    ensure!(wrong.is_empty(), "{wrong}");
    ensure!(run > 3, "only {run} commands are shown");
    Ok(())
}

#[test]
fn what_is_not_run_is_written_somewhere() -> Result<()> {
    let mut all = Vec::new();
    for path in documents()? {
        all.extend(commands(&path)?);
    }
    for (start, _) in NOT_RUN {
        ensure!(all.iter().any(|it| it.text.starts_with(start)), "nowhere: {start}");
    }
    let mut shown = Vec::new();
    for path in documents()? {
        shown.extend(sessions(&path)?);
    }
    for (start, _) in NOT_SHOWN {
        ensure!(shown.iter().any(|it| it.command.starts_with(start)), "nowhere: {start}");
    }
    Ok(())
}

/// The first file of settings that a document shows.
fn settings(document: &str) -> Result<String> {
    let text = std::fs::read_to_string(root().join("docs").join(document))?;
    let (_, settings) = blocks(&text, "ini").into_iter().next().context("a unit file")?;
    Ok(settings)
}

/// The unit by itself, and with the drop-in of a pair.
#[test]
fn the_unit_files_are_taken() -> Result<()> {
    let folder = Scratch::new()?;
    let binary = binary::steelyard().to_string_lossy().into_owned();
    // There is none where it belongs.
    let here = |text: String| text.replace("/usr/local/bin/steelyard", &binary);
    folder.write("steelyard.service", &here(settings("host.md")?))?;
    for with_pair in [false, true] {
        if with_pair {
            std::fs::create_dir(folder.file("steelyard.service.d"))?;
            let pair = folder.file("steelyard.service.d/pair.conf");
            std::fs::write(pair, here(settings("failover.md")?))?;
        }
        let unit = folder.file("steelyard.service");
        let taken = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(unit).output();
        let Ok(taken) = taken else {
            println!("skipped: there is no systemd-analyze");
            return Ok(());
        };
        let said = String::from_utf8_lossy(&taken.stderr);
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("steelyard")).collect();
        ensure!(taken.status.success() && ours.is_empty(), "{said}");
    }
    Ok(())
}

#[test]
fn the_unit_file_exposes_little() -> Result<()> {
    let unit = settings("host.md")?;
    let folder = Scratch::new()?;
    folder.write("steelyard.service", &unit)?;
    // In tenths of what it calls exposure.
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--threshold=24", "--no-pager"])
        .arg(folder.file("steelyard.service"))
        .output();
    let Ok(judged) = judged else {
        println!("skipped: there is no systemd-analyze");
        return Ok(());
    };
    let said = String::from_utf8_lossy(&judged.stdout);
    ensure!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
    Ok(())
}
