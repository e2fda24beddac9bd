//! `lab arp`: who answers for each address, asked from the client as any host of the LAN would.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::{Command, ExitCode, Output};

use anyhow::Context;
use steelyard_terminal::{Cell, Style, Table, wants_color};

use super::state::{Role, State};
use super::world::{Reader, World};

/// Requests per address, and seconds to wait for answers.
const REQUESTS: &str = "2";
const SECONDS: &str = "2";
const MILLISECONDS: &str = "1000";

/// Prints a row per address; fails unless each is answered for by exactly one host.
pub(super) fn run(lab: &str, read: Reader) -> anyhow::Result<ExitCode> {
    let state = State::attach(lab)?;
    let world = World::read(read, &state.paths, &state.lock)?;
    let client = &state.first(Role::Client)?.namespace;
    let mut table = Table::new(&["ADDRESS", "SERVICE", "ANSWERED BY", ""]);
    let mut all_owned = true;
    for (address, answers) in ask_all(client, &world)? {
        let service = world.service_of(address);
        all_owned &= answers.len() == 1;
        table.row([address.to_string().into(), service.into(), who(&state, &answers), "".into()]);
    }
    if table.is_empty() {
        steelyard_terminal::show("no Service has an address\n");
    } else {
        steelyard_terminal::show(&table.render(0, wants_color()));
    }
    Ok(if all_owned { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks for all addresses at the same time.
fn ask_all(client: &str, world: &World) -> anyhow::Result<Vec<(IpAddr, BTreeSet<String>)>> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = world
            .addresses()
            .map(|address| (address, scope.spawn(move || ask(client, address))))
            .collect();
        let answered = asked.into_iter().map(|(address, thread)| {
            let answers = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok((address, answers))
        });
        answered.collect()
    })
}

/// The hardware addresses that answer for `address`.
fn ask(client: &str, address: IpAddr) -> anyhow::Result<BTreeSet<String>> {
    let address_text = address.to_string();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", client]);
    if address.is_ipv4() {
        command.args(["arping", "-c", REQUESTS, "-w", SECONDS, "-I", "eth0", &address_text]);
    } else {
        command.args(["ndisc6", "-m", "-r", REQUESTS, "-w", MILLISECONDS, &address_text, "eth0"]);
    }
    let output: Output = command.output().context("cannot run `ip netns exec`")?;
    Ok(hardware_addresses(&String::from_utf8_lossy(&output.stdout)))
}

fn who(state: &State, answers: &BTreeSet<String>) -> Cell {
    let named = |mac: &String| {
        let host = state.hosts.iter().find(|host| host.mac.as_deref() == Some(mac));
        host.map_or_else(|| mac.clone(), |host| format!("{} ({mac})", host.name))
    };
    let names: Vec<String> = answers.iter().map(named).collect();
    match names.len() {
        0 => Cell::new("nobody", Style::Bad),
        1 => Cell::new(names[0].clone(), Style::Good),
        _ => Cell::new(names.join(" and "), Style::Bad),
    }
}

/// Hardware addresses in the output of either arping (Habets', iputils') or ndisc6.
fn hardware_addresses(output: &str) -> BTreeSet<String> {
    output
        .split(|c: char| !(c.is_ascii_hexdigit() || c == ':'))
        .map(str::to_ascii_lowercase)
        .filter(|word| is_hardware_address(word))
        .collect()
}

fn is_hardware_address(word: &str) -> bool {
    let parts: Vec<&str> = word.split(':').collect();
    parts.len() == 6 && parts.iter().all(|part| part.len() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_three_programs_are_read() {
        for output in [
            "42 bytes from 02:00:00:00:00:0a (10.1.1.100): index=0 time=9.675 usec",
            "Unicast reply from 10.1.1.100 [02:00:00:00:00:0A]  0.6ms",
            "Target link-layer address: 02:00:00:00:00:0A\n from fd00::100",
        ] {
            let found: Vec<_> = hardware_addresses(output).into_iter().collect();
            assert_eq!(found, ["02:00:00:00:00:0a"], "{output}");
        }
        assert!(hardware_addresses("ARPING 10.1.1.100\nTimeout\n12:34:56").is_empty());
    }
}
