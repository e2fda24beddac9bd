//! Beside the real thing: an nginx that was told by hand what ingress-nginx would tell it, and this
//! program with the same Ingresses. Both get the same requests, row by row
//! (`beside/rows.yaml`); what clients and backends see is compared line by line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, TcpStream};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::wait;

use crate::case::{self, Case};
use crate::client::{Answer, Target};
use crate::controller::Controller;
use crate::record::Received;
use crate::steps::{LESS, alone};

/// The last part of nginx's address.
const NGINX: u8 = 3;
/// Lines that hang on the moment, or on the connection alone.
const OWN: [&str; 7] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
    "x-request-id",
];

#[test]
fn as_nginx_itself() -> Result<()> {
    let mut case = case::of_text(include_str!("beside/rows.yaml"), [127, 30, 0]);
    let rows = case.content["rows"].as_array().cloned().unwrap_or_default();
    let ingresses = rows.iter().map(ingress);
    case.content["objects"].as_array_mut().context("objects")?.extend(ingresses);
    let controller = Controller::start(&case)?;
    let nginx = Nginx::start(&case, &controller, &rows)?;
    let only = std::env::var("ROW").unwrap_or_default();
    let rows = rows.iter().filter(|row| name(row).contains(&only));
    let of_all = &case.content["differs"];
    let mut wrong = Vec::new();
    for row in rows {
        let requests = row["requests"].as_array().into_iter().flatten();
        for request in requests {
            let request = request_of(request, row);
            let ours = seen(&controller, controller.address(), &request, row);
            let theirs = seen(&controller, case.address(NGINX).into(), &request, row);
            wrong.extend(different((row, of_all), &request, (&ours, &theirs)));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}\n{}", wrong.len(), wrong.join("\n"), nginx.printed());
    Ok(())
}

fn name(row: &Value) -> &str {
    row["name"].as_str().unwrap_or_default()
}

fn host(row: &Value) -> String {
    format!("{}.test", name(row))
}

fn ingress(row: &Value) -> Value {
    let annotations = row["ingress"]["annotations"].as_object().into_iter().flatten();
    let annotations: serde_json::Map<String, Value> = annotations
        .map(|(name, it)| (format!("nginx.ingress.kubernetes.io/{name}"), it.clone()))
        .collect();
    let paths = row["ingress"]["paths"].as_array().into_iter().flatten();
    let path = |path: &Value| {
        json!({
            "path": path[1], "pathType": path[0],
            "backend": { "service": { "name": path[2], "port": { "number": 80 } } },
        })
    };
    let paths: Vec<Value> = paths.map(path).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name(row), "annotations": annotations },
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{ "host": host(row), "http": { "paths": paths } }],
        },
    })
}

/// `METHOD PATH`, or what a case has.
fn request_of(written: &Value, row: &Value) -> Value {
    let mut request = match written.as_str() {
        Some(text) => {
            let (method, path) = text.split_once(' ').unwrap_or(("GET", text));
            json!({ "method": method, "path": path })
        }
        None => written.clone(),
    };
    if request["host"].is_null() {
        request["host"] = host(row).into();
    }
    request
}

/// An nginx, which ends with this.
struct Nginx {
    process: Running,
    _folder: Scratch,
}

impl Nginx {
    fn start(case: &Case, controller: &Controller<'_>, rows: &[Value]) -> Result<Self> {
        let folder = Scratch::new()?;
        let secret = &case.content["objects"][1]["stringData"]["auth"];
        folder.write("users", secret.as_str().context("users")?)?;
        let text = configuration(controller, rows)
            .replace("${folder}", &folder.path().display().to_string())
            .replace("${address}", &case.address(NGINX).to_string());
        let text = controller.filled(&text.into(), &BTreeMap::new());
        folder.write("tell", include_str!("beside/tell"))?;
        folder.write("nginx.conf", text.as_str().context("a text")?)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(folder.file("nginx.conf"));
        let mut process = Running::start(command)?;
        process.hush();
        let at = (IpAddr::from(case.address(NGINX)), 80);
        wait::until("nginx", || TcpStream::connect(at).is_ok() || !process.is_running())?;
        anyhow::ensure!(process.is_running(), "{}", process.printed());
        Ok(Self { process, _folder: folder })
    }

    fn printed(&self) -> String {
        self.process.printed()
    }
}

fn configuration(controller: &Controller<'_>, rows: &[Value]) -> String {
    let (mut upstreams, mut servers) = (String::new(), String::new());
    for (name, instances) in controller.instances() {
        let lines: String = instances.iter().map(|at| format!("server {at};")).collect();
        _ = writeln!(upstreams, "  upstream {name} {{ {lines} }}");
    }
    for row in rows {
        upstreams.push_str(row["http"].as_str().unwrap_or_default());
        let (host, locations) = (host(row), row["nginx"].as_str().unwrap_or_default());
        _ = writeln!(
            servers,
            "  server {{ listen ${{address}}:80; server_name {host}; set $to $http_host; {locations} }}"
        );
    }
    let text = include_str!("beside/nginx.conf");
    text.replace("${upstreams}", &upstreams).replace("${servers}", &servers)
}

/// What came of a request, by name: of answers, and of what backends received.
type Seen = BTreeMap<String, String>;

fn seen(controller: &Controller<'_>, address: IpAddr, request: &Value, row: &Value) -> Seen {
    let before = controller.records.count();
    let target = Target { address, request, certs: &controller.certs, patience: LESS };
    let count = request["count"].as_u64().unwrap_or(1);
    let answers: Vec<Result<Answer>> = (0..count).map(|_| alone(&target)).collect();
    let mut all = Seen::new();
    for (index, answer) in answers.iter().enumerate() {
        match answer {
            Ok(answer) => told(&mut all, &format!("answer {index}"), answer),
            Err(why) => _ = all.insert(format!("answer {index}"), format!("{why:#}")),
        }
    }
    let only = row["sees"].as_array();
    let is_seen =
        |it: &Received| only.is_none_or(|only| only.iter().any(|name| it.backend == *name));
    let received = controller.records.since(before);
    for (index, received) in received.iter().filter(|it| is_seen(it)).enumerate() {
        got(&mut all, &format!("request {index}"), received);
    }
    all
}

fn told(all: &mut Seen, what: &str, answer: &Answer) {
    all.insert(format!("{what} status"), answer.status.to_string());
    lines(all, what, &answer.headers);
    // The bytes of what was made smaller are its own.
    if answer.all("content-encoding").is_empty() {
        let text = String::from_utf8_lossy(&answer.body);
        let kind = if answer.served().is_some() { "body" } else { "page" };
        // What a backend says about who asked is compared where it is received.
        let text = if kind == "body" { text.len().min(1).to_string() } else { text.into_owned() };
        all.insert(format!("{what} {kind}"), text);
    }
}

fn got(all: &mut Seen, what: &str, received: &Received) {
    let Received { backend, method, target, version, body, .. } = received;
    all.insert(format!("{what} line"), format!("{backend} {method} {target} {version}"));
    all.insert(format!("{what} body"), String::from_utf8_lossy(body).into_owned());
    lines(all, what, &received.headers);
}

fn lines(all: &mut Seen, what: &str, headers: &[(String, String)]) {
    let mut by_name: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        by_name.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    by_name.retain(|name, _| !OWN.contains(&name.as_str()));
    all.extend(by_name.into_iter().map(|(name, it)| (format!("{what} {name}"), it.join(" | "))));
}

/// What is not the same, but for what the row says.
fn different(
    (row, of_all): (&Value, &Value),
    request: &Value,
    (ours, theirs): (&Seen, &Seen),
) -> Vec<String> {
    let is_known = |key: &str| {
        let last = key.rsplit(' ').next().unwrap_or_default();
        [&row["differs"], of_all].iter().any(|it| it[last].is_string())
    };
    let mut keys: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    // What explains the rest comes first.
    keys.sort_by_key(|key| (!key.ends_with(" status") && !key.ends_with(" line"), *key));
    keys.dedup();
    let is_other = |key: &&String| !is_known(key) && ours.get(*key) != theirs.get(*key);
    let mut found = Vec::new();
    for key in keys.into_iter().filter(is_other) {
        let (ours, theirs) = (ours.get(key), theirs.get(key));
        found.push(format!(
            "{}: {request}: {key}:\n  ours   {ours:?}\n  nginx  {theirs:?}",
            name(row)
        ));
        if key.ends_with(" status") || key.ends_with(" line") {
            break;
        }
    }
    found
}
