//! Where the gateway's Service has no address that can be served, nothing listens, and `/readyz`
//! says why.

use anyhow::{Context, Result, ensure};
use steelyard_tests::machine::{MACHINE, Machine, ask, serve};
use steelyard_tests::process::Running;
use steelyard_tests::up::ingress;
use steelyard_tests::{binary, manifests, needs_lab, process, wait};

const ROUTE: &str = "---\napiVersion: v1\nkind: Service\nmetadata: {name: app, annotations: \
                     {steelyard.dev/endpoints: \"10.1.1.1:80\"}}\nspec: {ports: [{port: 80}]}\n";

/// A gateway, a route, and nothing of port 80 on the machine's own addresses.
fn machine(name: &str, parts: &[&str]) -> Result<Machine> {
    let machine = Machine::new(name)?;
    let route = ROUTE.to_owned() + &ingress("app", "app.test", "app", "");
    machine.folder.write("route.yaml", &route)?;
    machine.folder.write("all.yaml", &manifests::all(parts))?;
    Ok(machine)
}

/// The machine's port 80 is free for another server, which answers.
fn port_is_the_machines(machine: &Machine) -> Result<()> {
    let listeners = machine.listeners()?;
    ensure!(!listeners.contains(":80 "), "{listeners}");
    let _own = serve(&machine.node, "TCP:80", "own")?;
    for address in [MACHINE[0].to_owned(), format!("[{}]", MACHINE[1])] {
        let said = ask(&machine.router, &format!("TCP:{address}:80"));
        ensure!(said.contains("own"), "{address}: {said}");
    }
    Ok(())
}

#[test]
fn without_an_address_nothing_listens() -> Result<()> {
    needs_lab!();
    let machine = machine("none", &[&manifests::gateway("web")])?;
    let mut up = machine.up(&[])?;
    machine.says("the gateway's Service default/web has no address: pending: ")?;
    port_is_the_machines(&machine)?;
    // With a pool it is served there.
    machine.folder.write("pool.yaml", &manifests::pool(manifests::BOTH_FAMILIES))?;
    machine.ready(&up)?;
    // Without a Service that is the gateway's, the entry point is everywhere.
    machine.folder.write("all.yaml", "")?;
    wait::until("entry points on the host", || {
        machine.listeners().is_ok_and(|it| it.contains("0.0.0.0:80 "))
    })?;
    ensure!(up.stop()?.success(), "{}", up.printed());
    Ok(())
}

#[test]
fn an_address_of_the_machine_is_given_to_nobody() -> Result<()> {
    needs_lab!();
    let wanted = MACHINE.join(",");
    let asks = manifests::gateway_at("web", &wanted);
    let any = "---\napiVersion: v1\nkind: Service\nmetadata: {name: any, annotations: \
               {steelyard.dev/endpoints: \"10.1.1.1:80\"}}\n\
               spec: {type: LoadBalancer, ports: [{port: 8080}]}\n";
    let machine = machine("refused", &[&own_pool(), &asks, any])?;
    let mut up = machine.up(&[])?;
    let why = format!("\"{}\" is an address of this machine", MACHINE[0]);
    machine.says(&format!("the gateway's Service default/web has no address: pending: {why}"))?;
    let rows = machine.read("services").context("services")?;
    for row in rows.as_array().context("rows")? {
        ensure!(row["addresses"].as_array().is_some_and(Vec::is_empty), "{row}");
    }
    let full = "but for one that is a machine's own";
    ensure!(machine.read("diagnostics").context("findings")?.to_string().contains(full));
    port_is_the_machines(&machine)?;
    // What the machine gives up can be given.
    machine.node.ip(&["addr", "del", &format!("{}/64", MACHINE[1]), "dev", "eth0"])?;
    machine.folder.write(
        "all.yaml",
        &manifests::all(&[&own_pool(), &manifests::gateway_at("web", MACHINE[1])]),
    )?;
    wait::until("the address that it gave up", || {
        machine.read("services").is_some_and(|it| it.to_string().contains(MACHINE[1]))
    })?;
    ensure!(up.stop()?.success(), "{}", up.printed());
    Ok(())
}

/// A pool of nothing but the machine's own addresses.
fn own_pool() -> String {
    manifests::pool(&MACHINE.map(|it| format!("\"{it}-{it}\"")).join(", "))
}

/// As where the machine got it after the Service: nothing moves by itself.
#[test]
fn at_an_address_of_the_machine_nothing_listens() -> Result<()> {
    needs_lab!();
    let wanted = MACHINE.join(",");
    let machine = machine("self", &[&own_pool(), &manifests::gateway_at("web", &wanted)])?;
    let held = format!(
        "version: 1\nservices:\n  default/web: {{pool: pool, addresses: [{}, \"{}\"]}}\n",
        MACHINE[0], MACHINE[1]
    );
    std::fs::write(machine.file("steelyard.lock"), held)?;
    let up = machine.up(&[])?;
    let why = "it is an address of this host, on eth0";
    for address in MACHINE {
        machine.says(&format!("{address} is not announced: {why}"))?;
    }
    nobody_is_named(&machine, &up, why)?;
    let found = machine.read("diagnostics").context("findings")?;
    ensure!(found.to_string().contains("address-of-machine"), "{found}");
    port_is_the_machines(&machine)
}

/// Nobody answers for the addresses, and all that is told says so, and why.
fn nobody_is_named(machine: &Machine, up: &Running, why: &str) -> Result<()> {
    let rows = machine.read("announcements").context("announcements")?;
    for row in rows.as_array().context("rows")? {
        ensure!(row["owner"].is_null(), "{row}");
        ensure!(row["state"] == format!("no-interface: {why}"), "{row}");
    }
    let shown = |arguments: &[&str]| -> Result<String> {
        let shown = machine.node.output(&binary::steelyard().to_string_lossy(), arguments)?;
        Ok(String::from_utf8_lossy(&shown.stdout).into_owned())
    };
    for table in [&["get", "services"][..], &["get", "announcements"], &["get", "owners"]] {
        let shown = shown(table)?;
        ensure!(!shown.contains("box-1"), "{shown}");
    }
    let explained = shown(&["explain", "svc/web"])?;
    for address in MACHINE {
        let said = format!("{address} is not announced: {why}");
        ensure!(explained.contains(&said) && !explained.contains("is announced"), "{explained}");
    }
    ensure!(up.printed().contains(why), "{}", up.printed());
    Ok(())
}

#[test]
fn before_the_lock_comes_a_second_machine_listens_nowhere() -> Result<()> {
    needs_lab!();
    let pool = manifests::pool(manifests::BOTH_FAMILIES);
    let machine = machine("second", &[&pool, &manifests::gateway("web")])?;
    let key = machine.file("key");
    let mut make = binary::command(["key"]);
    make.arg(&key);
    process::run(make)?;
    let key = key.to_string_lossy();
    let mut up = machine.up(&["--peer", "10.1.1.12", "--key-file", &key])?;
    machine.says("the gateway's Service default/web has no address: pending: ")?;
    port_is_the_machines(&machine)?;
    ensure!(up.stop()?.success(), "{}", up.printed());
    Ok(())
}
