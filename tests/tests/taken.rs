//! Addresses that a pool holds and another machine has: the nodes leave them alone, say why, and
//! take them when they are free.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use steelyard_tests::run::{Run, service};
use steelyard_tests::{manifests, needs_lab, wait};

/// What a node prints, once it found out.
fn told(run: &mut Run, sentence: &str) -> Result<()> {
    run.lab.process.wait_for(sentence).with_context(|| sentence.to_owned())
}

/// Checks that exactly this host answers the router's questions for `address`.
fn answers(run: &Run, asks: &str, address: &str, host: &str) -> Result<()> {
    let address: IpAddr = address.parse()?;
    let who = run.lab.who_tells(asks, address)?;
    let expected = BTreeSet::from([run.lab.mac(host)?]);
    ensure!(who == expected, "{who:?} answer {asks} for {address}, not {host} alone: {expected:?}");
    Ok(())
}

#[test]
fn a_neighbours_address_is_left_to_it_until_it_is_free() -> Result<()> {
    needs_lab!();
    let mut run = Run::start(&[])?;
    run.settle(&[])?;
    let taken = [("10.1.1.120", "10.1.1.120/24"), ("fd00:1:1::120", "fd00:1:1::120/64")];
    for (_, with_length) in taken {
        let add = ["ip", "addr", "add", with_length, "dev", "eth0", "nodad"];
        ensure!(run.lab.on("client", &add)?.status.success(), "{add:?}");
    }
    let mac = run.lab.mac("client")?;
    let wanted = taken.map(|(address, _)| address).join(",");
    run.folder.write("taken.yaml", &manifests::gateway_at("taken", &wanted))?;
    told(&mut run, &format!("has no owner, but {mac} on eth0 answers for it"))?;
    for (address, with_length) in taken {
        answers(&run, "router", address, "client")?;
        run.lab.on("client", &["ip", "addr", "del", with_length, "dev", "eth0"])?;
    }
    // Each probes again and again; the client's kernel has forgotten the addresses.
    for (address, _) in taken {
        run.owner(address, &[])?;
        let (status, _) = run.lab.curl(&[&manifests::url(address, 80)])?;
        ensure!(status == 404, "the gateway answers, and has no route: {status}");
    }
    // The client did have them before.
    run.end_despite(Some(&mac))
}

#[test]
fn the_routers_and_the_nodes_own_addresses_are_refused() -> Result<()> {
    needs_lab!();
    let mut run = Run::start(&[])?;
    let before = run.settle(&[])?;
    let whole = r#"10.1.1.1-10.1.1.150, "fd00:1:1::1-fd00:1:1::1ff""#;
    let all = service().replace(manifests::BOTH_FAMILIES, whole);
    run.folder.write("all.yaml", &all)?;
    let router = ["10.1.1.1", "fd00:1:1::1"];
    let node = ["10.1.1.2", "fd00:1:1::2"];
    run.folder.write("router.yaml", &manifests::gateway_at("router", &router.join(",")))?;
    run.folder.write("node.yaml", &manifests::gateway_at("node", &node.join(",")))?;
    told(&mut run, "it is the address of the default gateway, on eth0")?;
    let own = format!("\"{}\" is an address of", node[0]);
    let others = "a machine that shares addresses with this one";
    for (host, whose) in [("node-1", "this machine"), ("node-2", others), ("node-3", others)] {
        wait::until("nobody to be given a node's address", || {
            let steelyard = steelyard_tests::binary::steelyard().to_string_lossy();
            let shown = run.lab.on(host, &[&steelyard, "explain", "service/node"]);
            shown.is_ok_and(|it| {
                String::from_utf8_lossy(&it.stdout).contains(&format!("{own} {whose}"))
            })
        })?;
    }
    for address in router {
        answers(&run, "client", address, "router")?;
    }
    for address in node {
        answers(&run, "client", address, "node-1")?;
    }
    let after = run.settle(&[])?;
    ensure!(after == before, "others moved: {before:?} became {after:?}");
    run.end()
}
