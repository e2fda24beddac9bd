//! Rules that do not take force, whatever becomes of `nft`: what is told then, and what the kernel
//! holds in the end.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use steelyard_tests::machine::{Machine, serve};
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, manifests, needs_lab, wait};

/// An `nft` that does as a file beside it says.
struct FaultyNft(Scratch);

impl FaultyNft {
    /// Lists as ever, whatever becomes of batches.
    const SCRIPT: &str = "#!/bin/sh
real() { PATH=/usr/sbin:/sbin:/usr/bin:/bin; exec nft \"$@\"; }
[ \"$1\" = -f ] || real \"$@\"
case $(cat \"$0.mood\") in
  well) real \"$@\" ;;
  refuses) cat > /dev/null; echo 'Error: Could not process rule: Out of memory' >&2; exit 1 ;;
  killed) kill -9 $$ ;;
  killed-at-its-end) PATH=/usr/sbin:/sbin:/usr/bin:/bin; nft \"$@\"; kill -9 $$ ;;
esac
";

    fn new() -> Result<Self> {
        let all = Self(Scratch::new()?);
        all.feels("well")?;
        all.install()?;
        Ok(all)
    }

    fn install(&self) -> Result<()> {
        self.0.write("nft", Self::SCRIPT)?;
        let path = self.0.file("nft");
        Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
    }

    fn feels(&self, mood: &str) -> Result<()> {
        self.0.write("nft.mood", mood)
    }

    fn path(&self) -> String {
        let others = std::env::var("PATH").unwrap_or_default();
        format!("{}:{others}", self.0.path().display())
    }
}

/// A Service of the machine's own pool that leads to the router.
fn service(name: &str, ports: &[u16]) -> String {
    let endpoints: Vec<String> = ports.iter().map(|port| format!("10.1.1.1:{port}")).collect();
    let endpoints = endpoints.join(", ");
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations: \
         {{steelyard.dev/endpoints: \"{endpoints}\"}}\nspec:\n  type: LoadBalancer\n  ports: \
         [{{port: 80}}]\n"
    )
}

fn write(machine: &Machine, services: &[String]) -> Result<()> {
    machine
        .folder
        .write("all.yaml", &(manifests::pool(manifests::BOTH_FAMILIES) + &services.concat()))
}

/// What `steelyard` prints on the machine when it asks the instance.
fn shown(machine: &Machine, arguments: &[&str]) -> Result<String> {
    let program = binary::steelyard();
    let output = machine.node.output(&program.to_string_lossy(), arguments)?;
    ensure!(output.status.success(), "{arguments:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// What is set in the kernel, in an order that does not tell what came first.
fn kernel(machine: &Machine) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for look in [
        &["nft", "-s", "list", "ruleset"][..],
        &["ip", "rule"],
        &["ip", "-6", "rule"],
        &["ip", "route", "show", "table", "all"],
    ] {
        let output = machine.node.output(look[0], &look[1..])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        words.extend(text.split_whitespace().map(|it| it.trim_end_matches(',').to_owned()));
    }
    words.sort_unstable();
    Ok(words)
}

fn started(machine: &Machine, nft: &FaultyNft) -> Result<Running> {
    let mut command: Command = machine.command(&["--ip-forward"]);
    command.env("PATH", nft.path());
    let up = Running::start(command)?;
    machine.ready(&up)?;
    Ok(up)
}

#[test]
fn rules_that_are_not_taken_are_told_everywhere_and_tried_again() -> Result<()> {
    needs_lab!();
    let (machine, nft) = (Machine::new("refused")?, FaultyNft::new()?);
    write(&machine, &[service("moves", &[8000])])?;
    let _servers = (8000..8005)
        .map(|port| serve(&machine.router, &format!("TCP:{port}"), "here"))
        .collect::<Result<Vec<_>>>()?;
    let mut up = started(&machine, &nft)?;
    let before = "packets are carried as before the last edit: the kernel's packet filter cannot \
                  be set: ";
    for (turn, (mood, said)) in [
        ("refuses", "nft refused: Error: Could not process rule: Out of memory"),
        ("killed", "nft did not come to its end: signal: 9 (SIGKILL)"),
        ("killed-at-its-end", "nft did not come to its end: signal: 9 (SIGKILL)"),
        ("gone", "cannot run nft: No such file or directory (os error 2)"),
    ]
    .into_iter()
    .enumerate()
    {
        match mood {
            "gone" => nft.0.remove("nft")?,
            mood => nft.feels(mood)?,
        }
        let port = 8001 + u16::try_from(turn)?;
        let comes = service(&format!("comes-{turn}"), &[port]);
        write(&machine, &[service("moves", &[8000, port]), comes])?;
        machine.says(&format!("{before}{said}; ")).context(mood)?;
        let how = "as before the last edit: the kernel's packet filter cannot be set";
        let explained = shown(&machine, &["explain", "service/moves"])?;
        ensure!(explained.contains(how), "{mood}: {explained}");
        ensure!(up.printed().contains(&format!("{before}{said}; ")), "{mood}: {}", up.printed());
        let events = machine.read("events").context("events")?;
        ensure!(events[0]["reason"] == "idle" || events.to_string().contains(said), "{events}");
        let told = machine.read("services").context("services")?.to_string();
        ensure!(told.contains(how) && told.contains("not carried"), "{mood}: {told}");
        nft.install()?;
        nft.feels("well")?;
        machine.ready(&up).context(mood)?;
        let healed = kernel(&machine)?;
        up.kill()?;
        up = started(&machine, &nft)?;
        let same = || kernel(&machine).is_ok_and(|fresh| fresh == healed);
        wait::until("what a fresh start sets", same).context(mood)?;
    }
    ensure!(up.stop()?.success(), "{}", up.printed());
    Ok(())
}
