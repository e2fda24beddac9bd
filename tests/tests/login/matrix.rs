//! Providers of many kinds (`tests/oidc/matrix.json`): who proves what and how, by which
//! signatures, what is renewed, where it ends, and what of it is refused so that people see why.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use steelyard_tests::process::{Running, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, service};
use steelyard_tests::{http, wait};

use super::BUILD;
use super::client::Visitor;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oidc/matrix.json");

/// A row of the table.
struct Case {
    name: String,
    row: Value,
}

/// All providers, and a site for each.
struct Row<'r> {
    name: &'r str,
    row: &'r Value,
    web: SocketAddr,
    port: u16,
    provider: &'r Running,
}

fn cases() -> Result<Vec<Case>> {
    let rows: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(CASES)?)?;
    let name = |row: &Value| row["name"].as_str().map(str::to_owned).context("a name");
    rows.into_iter().map(|row| Ok(Case { name: name(&row)?, row })).collect()
}

impl Case {
    /// The middleware, and the route that passes it.
    fn objects(&self, port: u16) -> String {
        let name = &self.name;
        let mut oidc = json!({
            "issuer": format!("http://127.0.0.1:{port}/{name}"),
            "clientId": "app",
            "clientSecret": "known to both, and to nobody else",
            "redirectUrl": "/oidc/callback",
            "logoutUrl": "/oidc/logout",
            "postLogoutRedirectUrl": "/bye",
            "claims": "Contains(`groups`, `ops`)",
            "forwardHeaders": {"X-User": "sub", "X-Groups": "groups"},
        });
        let own = self.row["oidc"].as_object().cloned().unwrap_or_else(Map::new);
        for (key, value) in own {
            let text = value.as_str().map(|text| text.replace("PORT", &port.to_string()).into());
            oidc[&key] = text.unwrap_or(value);
        }
        let middleware = json!({
            "apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": {"name": name},
            "spec": {"plugin": {"oidc": without_nothing(oidc)}},
        });
        let echo = json!([{"name": "echo", "port": 80}]);
        let host = format!("Host(`{name}.test`)");
        let route = json!({
            "apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": name},
            "spec": {"entryPoints": ["web"], "routes": [
                {"match": host, "middlewares": [{"name": name}], "services": echo},
                {"match": format!("{host} && Path(`/bye`)"), "services": echo},
            ]},
        });
        format!("---\n{middleware}\n---\n{route}\n")
    }
}

/// Without members that are `null`.
fn without_nothing(value: Value) -> Value {
    let Value::Object(all) = value else { return value };
    all.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
}

impl Row<'_> {
    fn site(&self, path: &str) -> String {
        format!("http://{}.test{path}", self.name)
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, self.name)
    }

    fn gives(&self, what: &str) -> usize {
        self.provider.printed().matches(&format!("{} gives {what}.", self.name)).count()
    }

    /// Logs in anew, and looks at what is shown then.
    fn log_in(&self) -> Result<Visitor> {
        let usual =
            json!({"status": 200, "says": ["x-user ann", "x-groups ops,dev", "GET /page?x=1"]});
        let ends = self.row.get("ends").unwrap_or(&usual);
        let mut visitor = Visitor::new(self.web);
        let (_, shown) = visitor.go(&self.site("/page?x=1"), None)?;
        ensure!(Some(u64::from(shown.status)) == ends["status"].as_u64(), "{shown:?}");
        let words = words(&shown.body);
        for text in ends["says"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            ensure!(words.contains(text), "{text}: {words}");
        }
        Ok(visitor)
    }

    fn hold(&self) -> Result<()> {
        let mut visitor = self.log_in()?;
        match self.row["then"].as_str() {
            None => Ok(()),
            Some("renewal") => self.is_renewed(&mut visitor),
            Some("logout") => self.logs_out(&mut visitor),
            Some("rotation") => self.is_rotated(&mut visitor),
            Some(other) => anyhow::bail!("what is {other}?"),
        }
    }

    /// What the provider gave is over after seconds: who is logged in stays so.
    fn is_renewed(&self, visitor: &mut Visitor) -> Result<()> {
        let mut last = Ok(());
        wait::until("two renewals", || {
            last = visitor.ask(&self.site("/"), None).and_then(|answer| {
                ensure!(answer.status == 200, "{answer:?}");
                Ok(())
            });
            last.is_err() || self.gives("refresh_token") >= 2
        })?;
        last
    }

    /// Who logs out comes to where that leads, and is nobody then.
    fn logs_out(&self, visitor: &mut Visitor) -> Result<()> {
        let (url, shown) = visitor.go(&self.site("/oidc/logout"), Some("a=b"))?;
        ensure!(url.starts_with(&self.site("/bye")) && shown.status == 200, "{url}: {shown:?}");
        visitor.is_led_to(&self.site("/"), &self.issuer())
    }

    /// Keys that are new are asked for: not at once, but within seconds. Who was let in stays.
    fn is_rotated(&self, visitor: &mut Visitor) -> Result<()> {
        visitor.ask(&format!("{}/rotate", self.issuer()), Some(""))?;
        wait::until("a login by a new key", || self.log_in().is_ok())?;
        let answer = visitor.ask(&self.site("/"), None)?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    }
}

/// What a page shows: its text, with one blank between words.
fn words(page: &str) -> String {
    let parts = page.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    let text = parts.collect::<Vec<_>>().join(" ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn providers_of_many_kinds_are_understood_or_refused() -> Result<()> {
    if Command::new("npm").arg("--version").output().is_err() {
        eprintln!("skipped: there is no npm");
        return Ok(());
    }
    let (cases, folder, echo) = (cases()?, Scratch::new()?, Backend::start("echo")?);
    let port = http::free_port()?;
    folder.write("echo.yaml", &service("echo", echo.address))?;
    let objects: String = cases.iter().map(|case| case.objects(port)).collect();
    folder.write("sites.yaml", &objects)?;
    let program = run(Command::new(BUILD))?;
    let mut node = Command::new("node");
    node.arg(format!("{}/matrix.mjs", program.trim())).arg(port.to_string()).arg(CASES);
    let mut provider = Running::start(node)?;
    provider.wait_for("listens").with_context(|| provider.printed())?;
    let up = Up::start(folder.path())?;
    let told = up.read("diagnostics")?.to_string();
    let mut failed = Vec::new();
    for Case { name, row } in &cases {
        let it = Row { name, row, web: up.web, port, provider: &provider };
        if let Err(why) = it.hold() {
            failed.push(format!("{name}: {why:?}"));
        }
        if let Some(text) = row["told"].as_str() {
            ensure!(told.contains(text), "{name}: nothing is said of {text}: {told}");
        }
    }
    ensure!(failed.is_empty(), "{}\n{}", failed.join("\n"), provider.printed());
    Ok(())
}
