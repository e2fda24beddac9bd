//! What is under way is finished on one machine too: connections that the kernel translates and
//! those that are carried in process.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use steelyard_host::netns::Namespace;
use steelyard_tests::machine::{Machine, ROUTER, ask};
use steelyard_tests::process::Signal;
use steelyard_tests::{manifests, needs_lab, wait};

const CLIENT: [&str; 2] = ["10.1.1.5/24", "fd00:1:1::5/64"];

/// Says back each line, for as long as the test runs.
fn echo(host: &Namespace, address: &str) -> Result<SocketAddr> {
    let at = SocketAddr::new(address.parse()?, 8090);
    let listener = host.run(|| TcpListener::bind(at))??;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || -> std::io::Result<()> {
                let lines = BufReader::new(stream.try_clone()?).lines();
                lines.map_while(Result::ok).try_for_each(|line| writeln!(stream, "{line}"))
            });
        }
    });
    Ok(at)
}

fn exchange(stream: &TcpStream, word: &str) -> Result<()> {
    let mut stream = stream;
    writeln!(stream, "{word}")?;
    let mut said = String::new();
    BufReader::new(stream).read_line(&mut said)?;
    ensure!(said.trim_end() == word, "{said:?}");
    Ok(())
}

fn service(name: &str, vip: &str, endpoint: SocketAddr) -> String {
    let family = if endpoint.is_ipv6() { "IPv6" } else { "IPv4" };
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations:\n    \
         metallb.io/loadBalancerIPs: \"{vip}\"\n    steelyard.dev/endpoints: \"{endpoint}\"\n\
         spec: {{type: LoadBalancer, ipFamilies: [{family}], ports: [{{port: 80}}]}}\n"
    )
}

#[test]
fn connections_end_before_the_process_does() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("drain")?;
    let client = machine.host("client", &CLIENT)?;
    let services = [
        ("10.1.1.100", echo(&machine.router, ROUTER[0])?),
        ("fd00:1:1::100", echo(&machine.router, ROUTER[1])?),
        ("10.1.1.101", echo(&machine.node, "127.0.0.1")?),
        ("fd00:1:1::101", echo(&machine.node, "::1")?),
    ];
    let mut parts = vec![manifests::pool(manifests::BOTH_FAMILIES)];
    let named = services.iter().enumerate();
    parts.extend(named.map(|(number, (vip, at))| service(&format!("s{number}"), vip, *at)));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    machine.folder.write("all.yaml", &manifests::all(&parts))?;
    let mut up = machine.up(&["--ip-forward", "--drain", "60"])?;
    machine.ready(&up)?;
    let connect = |vip: &str| -> Result<TcpStream> {
        let at = SocketAddr::new(vip.parse::<IpAddr>()?, 80);
        let stream = client.run(|| TcpStream::connect_timeout(&at, Duration::from_secs(5)))??;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        exchange(&stream, "before").with_context(|| vip.to_owned())?;
        Ok(stream)
    };
    let mut open = Vec::new();
    for (vip, _) in services {
        open.push((vip, connect(vip)?));
    }
    up.signal(Signal::TERM)?;
    // Nobody new comes in, and nobody is kept waiting for that.
    for (vip, _) in services {
        let at = SocketAddr::new(vip.parse()?, 80).to_string();
        let mut said = String::new();
        wait::until("new connections are refused", || {
            said = ask(&client, &format!("TCP:{at}"));
            said == "connection refused"
        })
        .with_context(|| format!("{at}: {said}"))?;
    }
    for (vip, stream) in &open {
        exchange(stream, "meanwhile").with_context(|| format!("{vip}\n{}", up.printed()))?;
    }
    while let Some((vip, stream)) = open.pop() {
        ensure!(up.is_running(), "it ends before its last connection, to {vip}");
        exchange(&stream, "the last").with_context(|| vip.to_owned())?;
    }
    // Long before the time for it is over: nothing is left to wait for.
    ensure!(up.wait_for_end()?.success(), "{}", up.printed());
    let left = machine.node.output("nft", &["list", "tables"])?.stdout;
    ensure!(left.is_empty(), "left behind: {}", String::from_utf8_lossy(&left));
    Ok(())
}
