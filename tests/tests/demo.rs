//! `steelyard demo`: one command to a page.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use steelyard_tests::process::{self, Running, Signal};
use steelyard_tests::{binary, http};

/// A URL as printed, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Url {
    host: String,
    port: u16,
    path: String,
}

/// A line of the table: a URL, and everything said about it.
#[derive(Clone, Debug)]
struct Row {
    url: Url,
    line: String,
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = authority.rsplit_once(':')?;
        Some(Self { host: host.to_owned(), port: port.parse().ok()?, path: path.to_owned() })
    }

    /// Fetches it as a browser would, whose resolver knows `.localhost`.
    fn get(&self, path: &str) -> Result<http::Answer> {
        let local = self.host == "127.0.0.1" || self.host.ends_with("localhost");
        ensure!(local, "{} is not reachable in a browser without further ado", self.host);
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        http::get(at, &format!("{}:{}", self.host, self.port), path)
    }
}

/// Starts it, and reads the table.
fn demo() -> Result<(Running, Vec<Row>)> {
    let mut demo = Running::start(binary::command(["demo"]))?;
    demo.wait_for("Ctrl-C ends it")?;
    let printed = demo.printed();
    // Rows begin with their URL; the admin page is spoken of in a sentence.
    let rows = printed.lines().filter_map(|line| {
        let url = Url::parse(line.split_whitespace().next()?)?;
        Some(Row { url, line: line.to_owned() })
    });
    let rows: Vec<Row> = rows.collect();
    Ok((demo, rows))
}

/// Which workload must answer, by what the row says.
fn expected(row: &Row) -> Result<&'static str> {
    [("test-app", "test-app"), ("grafana", "grafana"), ("prometheus", "prometheus")]
        .into_iter()
        .chain([("api-service", "api"), ("web-service", "web")])
        .find_map(|(backend, workload)| row.line.contains(backend).then_some(workload))
        .with_context(|| format!("no backend is named in {:?}", row.line))
}

#[test]
fn every_printed_url_is_served_by_the_backend_beside_it() -> Result<()> {
    let (mut demo, rows) = demo()?;
    let mut seen = BTreeSet::new();
    for row in &rows {
        let workload = expected(row)?;
        let answer = row.url.get(&row.url.path)?;
        ensure!(answer.status == 200 && answer.workload() == workload, "{row:?}: {answer:?}");
        seen.insert(workload);
    }
    let all = ["api", "grafana", "prometheus", "test-app", "web"];
    ensure!(seen == BTreeSet::from(all), "{seen:?} of\n{}", demo.printed());

    let any = rows.iter().find(|row| row.url.path.starts_with("/api")).context("no /api")?;
    let answer = any.url.get("/api/users")?;
    ensure!(answer.status == 200 && answer.workload() == "api", "{answer:?}");
    let answer = any.url.get("/apiary")?;
    ensure!(answer.status == 404 && answer.body.contains("/api"), "a helpful page: {answer:?}");
    let unknown = Url { host: "nobody.localhost".to_owned(), ..any.url.clone() };
    ensure!(unknown.get("/")?.status == 404, "an unknown host");

    let status = demo.stop()?;
    ensure!(status.success(), "{status}: {}", demo.printed());
    Ok(())
}

/// By the command that it prints, for every name of its table.
#[test]
fn all_names_are_served_over_tls() -> Result<()> {
    let (demo, rows) = demo()?;
    let printed = demo.printed();
    let (_, command) = printed.split_once("curl ").context("no command")?;
    let command = command.lines().next().unwrap_or_default();
    let [option, file, url] = command.split_whitespace().collect::<Vec<_>>()[..] else {
        anyhow::bail!("{command} is none")
    };
    let (_, rest) = url.split_once("https://").context("it is for TLS")?;
    let (_, port) = rest.trim_end_matches('/').rsplit_once(':').context("a port")?;
    let mut count = 0;
    for row in rows.iter().filter(|row| row.url.host.ends_with(".homelab.localhost")) {
        let Url { host, path, .. } = &row.url;
        let url = format!("https://{host}:{port}{path}");
        let output = std::process::Command::new("curl")
            .args(["-sS", "--max-time", "30", option, file, &url])
            .output()
            .context("curl")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && said.contains(expected(row)?), "{url}: {said}{failed}");
        count += 1;
    }
    ensure!(count > 2, "{count} names");
    Ok(())
}

#[test]
fn the_names_of_the_manifests_work_too() -> Result<()> {
    let (_demo, rows) = demo()?;
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, rows.first().context("no rows")?.url.port));
    let mut replicas = BTreeSet::new();
    for _ in 0..60 {
        let answer = http::get(at, "test.homelab.local", "/")?;
        ensure!(answer.status == 200, "{answer:?}");
        replicas.insert(answer.replica().to_owned());
    }
    ensure!(replicas.len() == 2, "not both replicas: {replicas:?}");
    Ok(())
}

#[test]
fn what_is_announced_to_nobody_is_not_said_to_be() -> Result<()> {
    let (demo, _) = demo()?;
    let printed = demo.printed();
    let mut urls = printed.split_whitespace().filter_map(Url::parse);
    let admin = urls.rfind(|url| url.host == "127.0.0.1").context("no admin page")?;
    let services = admin.get("/api/v1/services")?.body;
    let said = "10.1.1.100 is not announced: the LAN is not told of it without privileges";
    ensure!(services.contains(said) && !services.contains("is announced by"), "{services}");
    Ok(())
}

/// The answer names the request, the API lists it, and the command explains it.
#[test]
fn who_gets_no_answer_can_ask_why() -> Result<()> {
    let (demo, rows) = demo()?;
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, rows.first().context("no rows")?.url.port));
    let answer = http::get(at, "test.homelab.locl", "/lost?secret=1")?;
    let id = answer.header("x-request-id").context("it has no name")?.to_owned();
    ensure!(answer.status == 404, "{answer:?}");
    let printed = demo.printed();
    let mut urls = printed.split_whitespace().filter_map(Url::parse);
    let admin = urls.rfind(|url| url.host == "127.0.0.1").context("no admin page")?;
    let told = admin.get("/api/v1/requests")?.body;
    ensure!(told.contains(&id) && told.contains("/lost") && !told.contains("secret"), "{told}");
    let of = format!("--admin=127.0.0.1:{}", admin.port);
    for (command, part) in [
        (["explain", &format!("request/{id}"), &of], "the path is not below its prefix"),
        (["get", "requests", &of], "no route matches"),
    ] {
        let said = process::run(binary::command(command))?;
        ensure!(said.contains(part), "{command:?}: {said}");
    }
    Ok(())
}

#[test]
fn it_runs_beside_another() -> Result<()> {
    let (mut first, first_rows) = demo()?;
    let (mut second, second_rows) = demo()?;
    let port = |rows: &[Row]| rows.first().map(|row| row.url.port);
    ensure!(port(&first_rows) != port(&second_rows), "both on {:?}", port(&first_rows));
    for row in first_rows.iter().chain(&second_rows) {
        ensure!(row.url.get(&row.url.path)?.status == 200, "{row:?}");
    }
    first.signal(Signal::INT)?;
    ensure!(first.wait_for_end()?.success(), "{}", first.printed());
    ensure!(second.is_running(), "the other goes on");
    Ok(())
}

/// Nobody reads any more, and nothing can be written: it ends, says no more than that, and no
/// command panics.
#[test]
fn closed_and_full_outputs_end_it_quietly() -> Result<()> {
    let steelyard = binary::steelyard().display().to_string();
    let homelab = binary::example("homelab").display().to_string();
    let run = |script: &str| -> Result<(Option<i32>, String)> {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script]).env("S", &steelyard).env("M", &homelab);
        let mut running = Running::start(command)?;
        let status = running.wait_for_end()?;
        let said = running.printed();
        running.hush();
        Ok((status.code(), said))
    };
    for (script, expected) in [
        ("set -o pipefail; $S demo --admin 127.0.0.1:0 | head -1", 0),
        ("$S demo --admin 127.0.0.1:0 > /dev/full", 2),
        ("set -o pipefail; $S plan $M | head -1", 0),
        ("$S plan $M > /dev/full", 2),
        ("$S check $M > /dev/full", 2),
        ("$S hosts $M > /dev/full", 2),
        ("$S explain svc/none $M 2> /dev/full", 1),
        ("$S check /nowhere 2> /dev/full", 2),
    ] {
        let (code, said) = run(script)?;
        ensure!(code == Some(expected), "{script}: {code:?}\n{said}");
        ensure!(!said.contains("panicked"), "{script}\n{said}");
    }
    Ok(())
}
