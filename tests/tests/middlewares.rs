//! Each example of docs/middlewares.md, and each option that shows on the wire, as `steelyard up`
//! serves it: over HTTP/1.1 and HTTP/2.
//!
//! A `yaml` block is an object. An `http` block is a request with its header lines, its body behind
//! a `+ `, the status of its answer, and what is to be seen: `> ` at the endpoint, `< ` by the
//! client. A line that begins with `no ` there is not to be there. What is answered before all of
//! the body has come is asked over HTTP/1.1 alone, where it says so: Debian's curl takes the end of
//! a stream of HTTP/2 for a fault then.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, service};

const DOCUMENT: &str = include_str!("../../docs/middlewares.md");
const OPTIONS: &str = include_str!("middlewares/options.md");
/// What is known of Traefik's options, as it is documented.
const KNOWN: &str = include_str!("../../docs/traefik.md");

/// Options that are tried elsewhere, and where: certificates, Redis, files and users who prove who
/// they are. All below them too.
const ELSEWHERE: [(&str, &str); 9] = [
    ("rateLimit.redis", "io/gateway/tests/databases.rs"),
    ("forwardAuth.tls", "io/gateway/tests/asking.rs"),
    ("passTLSClientCert.info", "pure/filters/src/certificate/tests.rs"),
    ("digestAuth.realm", "pure/filters/src/proof/tests.rs"),
    ("digestAuth.removeHeader", "pure/filters/src/proof/tests.rs"),
    ("digestAuth.headerField", "pure/filters/src/proof/tests.rs"),
    ("errors.service", "pure/dialects: as any service is named"),
    ("headers.featurePolicy", "does nothing"),
    ("headers.ssl", "sslRedirect and its kin do nothing"),
];

/// A request, and what is to come of it.
#[derive(Debug, Default)]
struct Row<'d> {
    method: &'d str,
    url: &'d str,
    lines: Vec<&'d str>,
    body: Option<&'d str>,
    /// Over HTTP/1.1 alone.
    is_of_one: bool,
    status: u16,
    sent_on: Vec<&'d str>,
    received: Vec<&'d str>,
}

/// Blocks of a language.
fn blocks<'d>(document: &'d str, language: &str) -> Vec<&'d str> {
    let begin = format!("```{language}\n");
    let blocks = document.split(begin.as_str()).skip(1);
    blocks.filter_map(|rest| rest.split("\n```").next()).collect()
}

fn row(block: &str) -> Result<Row<'_>> {
    let mut lines = block.lines();
    let first = lines.next().context("a request")?;
    let (method, url) = first.split_once(' ').context("a method and an URL")?;
    let mut row = Row { method, url, ..Row::default() };
    for line in lines {
        if let Some(body) = line.strip_prefix("+ ") {
            row.body = Some(body);
            continue;
        }
        if line == "over HTTP/1.1" {
            row.is_of_one = true;
            continue;
        }
        match (line.strip_prefix("> "), line.strip_prefix("< "), line.parse()) {
            (Some(seen), ..) => row.sent_on.push(seen),
            (_, Some(seen), _) => row.received.push(seen),
            (_, _, Ok(status)) => row.status = status,
            _ => row.lines.push(line),
        }
    }
    ensure!(row.status > 0, "no status: {block}");
    Ok(row)
}

/// An IngressRoute for the host of each middleware.
fn routes(objects: &[&str]) -> Result<String> {
    let mut routes = "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: \
                      examples}\nspec:\n  entryPoints: [web]\n  routes:\n"
        .to_owned();
    for object in objects {
        let name = object.split("name: ").nth(1).context("a name")?;
        let name = name.split(['}', ',', '\n']).next().context("a name")?;
        writeln!(
            routes,
            "  - {{match: Host(`{name}.test`), middlewares: [{{name: {name}}}], services: [{{name: \
             echo, port: 80}}]}}"
        )?;
    }
    Ok(routes)
}

/// Somebody who is asked: who may pass (`/verify`), and keys (`/keys`).
fn keeper() -> Result<SocketAddr> {
    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"9dwASG0Z6ZbChEJCGx_a6kzM4jGdp7kE_-pgtkcugjY"}]}"#;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let said = |head: &str, name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let answer = move |head: &str| -> String {
        let from = ["X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"];
        let [scheme, host, uri] = from.map(|name| said(head, name).unwrap_or_default());
        match said(head, "Cookie").and_then(|it| it.strip_prefix("session=").map(str::to_owned)) {
            _ if head.starts_with("GET /keys") => format!("200 OK\r\n\r\n{KEYS}"),
            Some(user) if host == "asks.test" => {
                format!("200 OK\r\nX-User: {user}\r\nSet-Cookie: seen=1\r\n\r\n")
            }
            Some(user) => format!("200 OK\r\nX-User: {user}\r\n\r\n"),
            None if host == "asks.test" => {
                format!("302 Found\r\nLocation: /login?from={scheme}://{host}{uri}\r\n\r\n")
            }
            None => "401 Unauthorized\r\n\r\n".to_owned(),
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut head = String::new();
            let mut reader = BufReader::new(&stream);
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|it| it > 0)
            {
            }
            _ = (&stream).write_all(format!("HTTP/1.1 {}", answer(&head)).as_bytes());
        }
    });
    Ok(address)
}

/// Head and content of what a client gets.
fn ask(up: &Up, row: &Row<'_>, version: &str) -> Result<String> {
    let mut command = Command::new("curl");
    command.args(["-sS", "-i", "-m", "10", "--noproxy", "*", "--path-as-is", version]);
    command.args(["--connect-to", &format!("::127.0.0.1:{}", up.web.port())]);
    command.args(["-X", row.method]);
    row.lines.iter().for_each(|line| _ = command.args(["-H", line]));
    row.body.iter().for_each(|body| _ = command.args(["--data-binary", body]));
    let output = command.arg(row.url).output().context("curl")?;
    ensure!(output.status.success(), "{row:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).replace('\r', ""))
}

/// Whether each is there, or is not, as it says. Names are compared without case.
fn holds(text: &str, wanted: &[&str]) -> Result<()> {
    let has = |line: &str| text.lines().any(|it| it.eq_ignore_ascii_case(line));
    let has_name = |name: &str| {
        let is_it =
            |line: &str| line.split_once(':').is_some_and(|(it, _)| it.eq_ignore_ascii_case(name));
        text.lines().any(is_it)
    };
    for line in wanted {
        match line.strip_prefix("no ") {
            Some(name) => ensure!(!has_name(name), "{name} is there: {text}"),
            None => ensure!(has(line), "{line:?} is not there: {text}"),
        }
    }
    Ok(())
}

/// A client of another hand proves who it is: what an example cannot say, since proofs are made
/// with what it is given.
fn proves(up: &Up) -> Result<()> {
    for (user, status) in [("ann:secret", "200"), ("ann:wrong", "401"), ("bob:secret", "401")] {
        // Debian's curl cannot ask a second time on one connection of HTTP/2 without TLS.
        let mut command = Command::new("curl");
        command.args(["-sS", "-m", "10", "--noproxy", "*", "--digest", "-u", user, "--http1.1"]);
        command.args(["--connect-to", &format!("::127.0.0.1:{}", up.web.port())]);
        command.args(["-o", "/dev/null", "-w", "%{http_code} "]);
        // The second one uses what the first was given once more.
        command.args(["http://digest.test/a?b=1", "-o", "/dev/null", "http://digest.test/c"]);
        let output = command.output().context("curl")?;
        let statuses = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(statuses == format!("{status} {status} "), "{user}: {statuses}");
    }
    Ok(())
}

/// Serves the objects of a document, and holds its requests to what it says of them.
fn does_what_it_says(document: &str) -> Result<Served> {
    let echo = Backend::start("echo")?;
    let folder = Scratch::new()?;
    let objects = blocks(document, "yaml");
    folder.write("echo.yaml", &service("echo", echo.address))?;
    folder.write("keeper.yaml", &service("keeper", keeper()?))?;
    // Nobody is there.
    let redis = service("redis", "127.0.0.1:1".parse()?).replace("port: 80", "port: 6379");
    folder.write("redis.yaml", &redis)?;
    folder.write("middlewares.yaml", &objects.join("\n---\n"))?;
    folder.write("routes.yaml", &routes(&objects)?)?;
    let up = Up::start(folder.path())?;
    let rows = blocks(document, "http");
    ensure!(rows.len() >= objects.len(), "each object has an example");
    let mut failed = Vec::new();
    for block in rows {
        let row = row(block)?;
        let versions = ["--http1.1", "--http2-prior-knowledge"];
        for version in &versions[..if row.is_of_one { 1 } else { 2 }] {
            if let Err(error) = holds_as(&up, &row, version) {
                failed.push(format!("{version} {block}\n{error:#}"));
            }
        }
    }
    ensure!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n\n"));
    Ok(Served { up, _echo: echo, _folder: folder })
}

/// What is served, as long as it is.
struct Served {
    up: Up,
    _echo: Backend,
    _folder: Scratch,
}

fn holds_as(up: &Up, row: &Row<'_>, version: &str) -> Result<()> {
    let answer = ask(up, row, version)?;
    let (head, content) = answer.split_once("\n\n").context("a head")?;
    let status = head.split(' ').nth(1).and_then(|it| it.parse::<u16>().ok());
    ensure!(status == Some(row.status), "{answer}");
    holds(head, &row.received)?;
    holds(content, &row.sent_on)
}

#[test]
fn each_example_does_what_its_document_says() -> Result<()> {
    proves(&does_what_it_says(DOCUMENT)?.up)
}

#[test]
fn each_option_does_what_traefik_does() -> Result<()> {
    does_what_it_says(OPTIONS).map(|_| ())
}

/// Every option that is documented stands in an object above, or is tried elsewhere.
#[test]
fn no_option_is_forgotten() -> Result<()> {
    let section = KNOWN.split("## Middleware\n").nth(1).context("a section of Middleware")?;
    let section = section.split("\n## ").next().context("an end")?;
    let options =
        section.lines().filter_map(|line| line.strip_prefix("| `spec.")?.split('`').next());
    let objects = [DOCUMENT, OPTIONS].map(|it| blocks(it, "yaml").join("\n")).concat();
    let is_written = |option: &str| {
        let field = option.rsplit('.').next().unwrap_or(option).trim_end_matches("[]");
        let kind = option.split('.').next().unwrap_or(option);
        let blocks = objects.split("apiVersion: ");
        blocks.filter(|block| block.contains(kind)).any(|block| block.contains(field))
    };
    let is_elsewhere = |option: &str| ELSEWHERE.iter().any(|(it, _)| option.starts_with(it));
    let (mut count, mut missing) = (0, Vec::new());
    for option in options {
        count += 1;
        if !is_written(option) && !is_elsewhere(option) {
            missing.push(option);
        }
    }
    ensure!(count > 100, "{count} options");
    ensure!(missing.is_empty(), "tried nowhere: {missing:#?}");
    Ok(())
}
