//! `steelyard explain KIND/NS/NAME`: why an object is treated as it is.
//!
//! With paths it plans them; without, it asks a running instance. Both give the same rows, so the
//! text is made in one place.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use steelyard_admin::Respondent;
use steelyard_terminal::{OutputFormat, Style, put, wants_color};

use crate::args::{AdminArgs, WorldArgs};
use crate::entry_points::StaticOptions;
use crate::{lack, load, planning, tell};

/// `steelyard explain`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// Which object: KIND/NAMESPACE/NAME, or KIND/NAME in namespace default, else where it is; or
    /// request/ID
    #[arg(value_name = "OBJECT")]
    object: String,
    /// Manifests to plan; without, a running instance is asked
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
    /// Which Service has which address already
    #[arg(long, value_name = "FILE", requires = "paths")]
    lock: Option<PathBuf>,
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

const EXAMPLES: &str = "\
Examples:
  steelyard explain service/default/nginx manifests/
  steelyard explain svc/nginx                             (of a running instance)
  steelyard explain svc/nginx --cluster                   (of one in a cluster)
  steelyard explain ingress/default/web manifests/
  steelyard explain middleware/http/auth@file             (of a dynamic file; also router, service)
  steelyard explain entrypoint/web                        (which routes are there)
  steelyard explain request/5b1f0c9e7a3d2468              (the X-Request-Id of an answer)
  steelyard explain ipaddresspool/metallb-system/lan manifests/

Exit status: 0 explained, 1 no such object or nobody answers, 2 unreadable input or usage.";

/// Short names that kubectl knows too.
const SHORT: &[(&str, &str)] = &[
    ("svc", "service"),
    ("services", "service"),
    ("ing", "ingress"),
    ("pool", "ipaddresspool"),
    ("ipaddresspools", "ipaddresspool"),
];

/// What a gateway knows best of.
const OF_GATEWAY: [&str; 11] = [
    "entrypoint",
    "ingress",
    "ingressroute",
    "ingressroutetcp",
    "ingressrouteudp",
    "middleware",
    "middlewaretcp",
    "router",
    "tls-options",
    "tlsoption",
    "traefikservice",
];

/// Whether routes, Services and pools say which objects of a kind (in lower case) they hang on.
fn is_told_of(kind: &str) -> bool {
    OF_GATEWAY.contains(&kind) || ["ipaddresspool", "service"].contains(&kind)
}

/// The rows an explanation is made of.
struct Rows {
    services: Value,
    announcements: Value,
    pools: Value,
    routes: Value,
    /// What the gateway knows of endpoints.
    endpoints: Value,
    diagnostics: Value,
}

/// Runs the command.
///
/// # Errors
/// When a path cannot be read, or the object is not named as one.
pub fn run(mut args: ExplainArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    if let Some(id) = args.object.strip_prefix("request/") {
        return request(&args, id);
    }
    let mut wanted = Wanted::parse(&args.object)?;
    let rows = if args.paths.is_empty() {
        match ask(&args, &wanted) {
            Ok(rows) => rows,
            Err(error) => {
                steelyard_terminal::complain(&format!("error: {error:#}"));
                return Ok(ExitCode::from(1));
            }
        }
    } else {
        offline(&args)?
    };
    let elsewhere = rows.settle(&mut wanted);
    let found = rows.about(&wanted);
    if found.is_empty() {
        steelyard_terminal::complain(&wanted.missing(&elsewhere));
        return Ok(ExitCode::from(1));
    }
    match args.output {
        OutputFormat::Json => put(&format!("{:#}\n", found.to_json()))?,
        OutputFormat::Text => put(&found.text(&wanted, wants_color()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a request was answered as it was: only who answered it knows.
fn request(args: &ExplainArgs, id: &str) -> Result<ExitCode> {
    if !args.paths.is_empty() {
        bail!("requests are a running instance's: leave the paths out");
    }
    let ask = |admin: Box<dyn Respondent>| {
        let rows = admin.ask("requests")?;
        let row = rows.as_array().into_iter().flatten().find(|it| it["id"] == id).cloned();
        // It may be forgotten meanwhile.
        Ok(row.map(|row| admin.ask(&format!("requests/{id}")).unwrap_or(row)))
    };
    let found = match args.admin.respondent("gateway").and_then(ask) {
        Ok(found) => found,
        Err(error) => {
            steelyard_terminal::complain(&format!("error: {:#}", anyhow::Error::from(error)));
            return Ok(ExitCode::from(1));
        }
    };
    let Some(found) = found else {
        let message = "error: no such request: the last 1,000 that were not answered with success \
                       are known, `steelyard get requests` lists them";
        steelyard_terminal::complain(message);
        return Ok(ExitCode::from(1));
    };
    match args.output {
        OutputFormat::Json => put(&format!("{found:#}\n"))?,
        OutputFormat::Text => put(&request_text(&found, wants_color()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What clients sent is shown without its control characters.
fn request_text(row: &Value, color: bool) -> String {
    let said = |name: &str| words(&row[name]).replace(char::is_control, "\u{fffd}");
    let asked = format!("{} {}{}", said("method"), said("host"), said("path"));
    let mut out = Style::Heading.paint(&asked, color) + "\n";
    let status = Style::Bad.paint(&said("status"), color);
    let _ = writeln!(
        out,
        "  answered {status} after {} ms, to {} at {}",
        said("durationMs"),
        said("client"),
        said("entryPoint")
    );
    for (name, shown) in [("router", "route"), ("service", "service"), ("endpoint", "endpoint")] {
        if !row[name].is_null() {
            let _ = writeln!(out, "  {shown} {}", said(name));
        }
    }
    for why in row["why"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "    {}", words(why).replace(char::is_control, "\u{fffd}"));
    }
    let ruling = &row["ruling"];
    if ruling.is_object() {
        out += "by the routes that are in force now:\n";
        out += &crate::route::ruled::words(ruling, color);
    }
    if let Some(note) = ruling["note"].as_str() {
        let _ = writeln!(out, "{note}");
    }
    out
}

fn ask(args: &ExplainArgs, wanted: &Wanted) -> Result<Rows> {
    // What a file has is a router's, whatever it is called.
    let is_gateways = OF_GATEWAY.contains(&&*wanted.kind) || wanted.name.contains('@');
    let business = if is_gateways { "gateway" } else { "controller" };
    live(&*args.admin.respondent(business)?)
}

fn live(admin: &dyn Respondent) -> Result<Rows> {
    Ok(Rows {
        services: admin.ask("services")?,
        announcements: admin.ask("announcements")?,
        pools: json!([]),
        routes: admin.ask("routes")?,
        endpoints: admin.ask("endpoints").unwrap_or_default(),
        diagnostics: admin.ask("diagnostics")?,
    })
}

fn offline(args: &ExplainArgs) -> Result<Rows> {
    let held = planning::held(args.lock.as_deref())?;
    let (world, _) = load::world(&args.paths, &args.world)?;
    let known = world.known.clone();
    let (_, mut planned) = planning::of(world, &held, &planning::facts(&args.world));
    known.advise(&mut planned.diagnostics);
    let mut rows = serde_json::to_value(&planned)?;
    tell::explain_services(&mut rows["services"], &planned);
    let routing = planned.routes.routing();
    lack::explain_routes(&mut rows["routes"], &planned, routing, &BTreeSet::new());
    let mut take = |name: &str| rows[name].take();
    Ok(Rows {
        services: take("services"),
        announcements: take("announcements"),
        pools: take("pools"),
        routes: take("routes"),
        endpoints: json!([]),
        diagnostics: take("diagnostics"),
    })
}

/// The object that was asked for; kind in lower case.
struct Wanted {
    kind: String,
    namespace: String,
    name: String,
    /// Whether the namespace is the user's word.
    is_certain: bool,
}

impl Wanted {
    fn parse(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, namespace, name] => (kind, Some(namespace), name),
            [kind, name] => (kind, None, name),
            _ => bail!("{text:?} names no object: write KIND/NAMESPACE/NAME"),
        };
        let kind = kind.to_ascii_lowercase();
        let long = SHORT.iter().find(|(short, _)| *short == kind).map(|(_, long)| *long);
        Ok(Self {
            kind: long.unwrap_or(&kind).to_owned(),
            namespace: namespace.unwrap_or("default").to_owned(),
            name: name.to_owned(),
            is_certain: namespace.is_some(),
        })
    }

    /// That there is nothing to tell, and what may have been meant: objects of the name in these
    /// namespaces.
    fn missing(&self, namespaces: &[String]) -> String {
        if namespaces.is_empty() && !is_told_of(&self.kind) {
            return format!(
                "error: of objects of this kind only what was found is told, and nothing was found \
                 of {self}: nothing is wrong with it, or it is not there"
            );
        }
        if namespaces.is_empty() {
            return format!(
                "error: there is nothing to tell about {self}: no route uses it, and nothing was \
                 found of it; is it spelt right?"
            );
        }
        let Self { kind, name, .. } = self;
        let named: Vec<String> =
            namespaces.iter().map(|namespace| format!("{kind}/{namespace}/{name}")).collect();
        format!("error: {kind}/{name} is in several namespaces: write one of {}", named.join(", "))
    }

    /// Whether `reference`, as rows write it (`Service/default/web`), is this object.
    fn is(&self, reference: &Value) -> bool {
        let Some(reference) = reference.as_str() else { return false };
        let parts: Vec<&str> = reference.split('/').collect();
        match parts[..] {
            [kind, namespace, name] => {
                kind.eq_ignore_ascii_case(&self.kind)
                    && namespace == self.namespace
                    && name == self.name
            }
            [kind, name] => kind.eq_ignore_ascii_case(&self.kind) && name == self.name,
            _ => false,
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
    }
}

/// The rows that speak of one object.
#[derive(Default)]
struct Found {
    services: Vec<Value>,
    announcements: Vec<Value>,
    pools: Vec<Value>,
    routes: Vec<Value>,
    endpoints: Vec<Value>,
    diagnostics: Vec<Value>,
}

impl Rows {
    /// Looks in other namespaces where none was said and `default` has no such object. Returns
    /// them where that does not tell which one is meant.
    fn settle(&self, wanted: &mut Wanted) -> Vec<String> {
        if wanted.is_certain || !self.about(wanted).is_empty() {
            return Vec::new();
        }
        let found = self.namespaces(wanted);
        match &found[..] {
            [only] => wanted.namespace.clone_from(only),
            _ => return found,
        }
        Vec::new()
    }

    /// Namespaces with an object of this kind and name.
    fn namespaces(&self, wanted: &Wanted) -> Vec<String> {
        let each = |rows: &'_ Value| rows.as_array().cloned().unwrap_or_default();
        let of = |reference: &Value| match reference.as_str()?.split('/').collect::<Vec<_>>()[..] {
            [kind, namespace, name] if kind.eq_ignore_ascii_case(&wanted.kind) => {
                (name == wanted.name).then(|| namespace.to_owned())
            }
            _ => None,
        };
        let services = each(&self.services)
            .into_iter()
            .filter(|row| wanted.kind == "service" && row["name"] == *wanted.name);
        let mut found: BTreeSet<String> = services.map(|row| words(&row["namespace"])).collect();
        for row in each(&self.routes) {
            found.extend(of(&row["source"]));
            found.extend(each(&row["passes"]).iter().filter_map(&of));
            let backends = each(&row["backends"]).into_iter().filter_map(|it| {
                let service = it["service"].as_str()?.rsplit_once(':')?.0.to_owned();
                of(&json!(format!("Service/{service}")))
            });
            found.extend(backends);
        }
        for row in each(&self.diagnostics) {
            found.extend([&row["object"], &row["beside"]].into_iter().filter_map(of));
        }
        found.into_iter().collect()
    }

    fn about(&self, wanted: &Wanted) -> Found {
        let pick = |rows: &Value, test: &dyn Fn(&Value) -> bool| -> Vec<Value> {
            rows.as_array().into_iter().flatten().filter(|row| test(row)).cloned().collect()
        };
        let id = format!("{}/{}", wanted.namespace, wanted.name);
        let is_service = wanted.kind == "service";
        let is_row = |row: &Value| {
            row["namespace"] == *wanted.namespace && row["name"] == *wanted.name && is_service
        };
        let uses = |row: &Value| {
            let backends = row["backends"].as_array().into_iter().flatten();
            let mut names = backends.filter_map(|backend| backend["service"].as_str());
            is_service && names.any(|name| name.starts_with(&format!("{id}:")))
        };
        let is_pool = |row: &Value| wanted.kind == "ipaddresspool" && row["name"] == *wanted.name;
        let from_pool = |row: &Value| {
            wanted.kind == "ipaddresspool" && row["pool"] == *wanted.name || is_row(row)
        };
        let named = |row: &Value, list: &str| {
            row[list].as_array().into_iter().flatten().any(|object| wanted.is(object))
        };
        let is_at = |row: &Value| {
            let points = || row["entryPoints"].as_array().into_iter().flatten();
            wanted.kind == "entrypoint" && points().any(|point| *point == *wanted.name)
        };
        let routes = pick(&self.routes, &|row| {
            let is_its = wanted.is(&row["source"]) || uses(row) || is_at(row);
            is_its || named(row, "passes") || named(row, "rests")
        });
        let led_to = |row: &Value| {
            let mut backends = routes.iter().filter_map(|it| it["backends"].as_array()).flatten();
            backends.any(|backend| backend["service"] == row["service"])
        };
        // What is said of the certificate that its clients are shown is said of it, too.
        let own = routes.iter().filter(|row| wanted.is(&row["source"]));
        let shown: BTreeSet<&str> = own.filter_map(|row| row["certificate"].as_str()).collect();
        let of_certificate = |object: &Value| {
            let secret = object.as_str().and_then(|it| it.strip_prefix("Secret/"));
            secret.is_some_and(|secret| shown.contains(secret))
        };
        let diagnostics = pick(&self.diagnostics, &|row| {
            let is_its = wanted.is(&row["object"]) || wanted.is(&row["beside"]);
            is_its || of_certificate(&row["object"])
        });
        Found {
            endpoints: pick(&self.endpoints, &led_to),
            services: pick(&self.services, &from_pool),
            announcements: pick(&self.announcements, &|row| is_service && row["service"] == *id),
            pools: pick(&self.pools, &is_pool),
            diagnostics,
            routes,
        }
    }
}

impl Found {
    fn is_empty(&self) -> bool {
        let all = [&self.services, &self.pools, &self.routes, &self.diagnostics];
        all.iter().all(|rows| rows.is_empty())
    }

    fn to_json(&self) -> Value {
        json!({
            "services": self.services,
            "announcements": self.announcements,
            "pools": self.pools,
            "routes": self.routes,
            "endpoints": self.endpoints,
            "diagnostics": self.diagnostics,
        })
    }

    fn text(&self, wanted: &Wanted, color: bool) -> String {
        let mut out = Style::Heading.paint(&wanted.to_string(), color) + "\n";
        for row in &self.pools {
            let _ = writeln!(
                out,
                "  in use: {} IPv4, {} IPv6; free: {} IPv4, {} IPv6",
                row["assignedIPv4"],
                row["assignedIPv6"],
                row["availableIPv4"],
                row["availableIPv6"]
            );
        }
        for row in &self.services {
            service(&mut out, row, color);
        }
        for row in &self.routes {
            let _ = writeln!(out, "  route {}: {}", words(&row["name"]), words(&row["rule"]));
            let filters = row["filters"].as_array().into_iter().flatten();
            let filters: Vec<String> = filters.map(|filter| words(&filter["name"])).collect();
            if !filters.is_empty() {
                let _ = writeln!(out, "    passes {}", filters.join(", "));
            }
            if let Some(answers) = row["answers"].as_str() {
                let _ = writeln!(out, "    answers {}", Style::Bad.paint(answers, color));
            }
            for backend in row["backends"].as_array().into_iter().flatten() {
                let endpoints = list(&backend["endpoints"]);
                let endpoints = if endpoints.is_empty() { "no ready endpoint" } else { &endpoints };
                let _ = writeln!(out, "    to {}: {endpoints}", words(&backend["service"]));
                let elsewhere = list(&backend["elsewhere"]);
                if !elsewhere.is_empty() {
                    let _ = writeln!(out, "      not {elsewhere}: meant for other zones");
                }
                // Each route to a Service has them for itself; those that are alike are told once.
                let of_it = self.endpoints.iter().filter(|it| it["service"] == backend["service"]);
                let lines: BTreeSet<String> = of_it.map(|it| endpoint(it, color)).collect();
                out.extend(lines);
            }
        }
        for row in &self.diagnostics {
            diagnostic(&mut out, row, color);
        }
        out
    }
}

fn service(out: &mut String, row: &Value, color: bool) {
    let addresses = list(&row["addresses"]);
    let line = if addresses.is_empty() {
        Style::Bad.paint("pending", color)
    } else {
        let pool = words(&row["pool"]);
        format!(
            "{}, pool {pool}, {}",
            Style::Good.paint(&addresses, color),
            words(&row["servedBy"])
        )
    };
    let name = format!("{}/{}", words(&row["namespace"]), words(&row["name"]));
    let _ = writeln!(out, "  {name}: {line}");
    for why in row["why"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "    {}", words(why));
    }
    let ports = row["ports"].as_array().into_iter().flatten();
    for reached in ports.flat_map(|port| port["reached"].as_array()).flatten() {
        let _ = writeln!(out, "    {}: {}", words(&reached["at"]), words(&reached["how"]));
        if let Some(obstacle) = reached["obstacle"].as_str() {
            let _ = writeln!(out, "      {}", Style::Bad.paint(obstacle, color));
            let _ = writeln!(out, "      help: {}", words(&reached["help"]));
        }
    }
    for event in row["events"].as_array().into_iter().flatten() {
        let (kind, reason) = (words(&event["type"]), words(&event["reason"]));
        let _ = writeln!(out, "    {kind} {reason}: {}", words(&event["message"]));
    }
}

/// What the gateway knows of an endpoint.
fn endpoint(row: &Value, color: bool) -> String {
    let mut out = String::new();
    let state = words(&row["state"]);
    let style = match state.as_str() {
        "up" => Style::Good,
        "down" => Style::Bad,
        _ => Style::Careful,
    };
    let _ = write!(out, "      {} is {}", words(&row["address"]), style.paint(&state, color));
    if let Some(since) = row["since"].as_f64() {
        let _ = write!(out, " since {}", ago(since));
    }
    let _ = write!(out, ", {} requests under way", words(&row["inFlight"]));
    if let Some(latency) = row["latencyMs"].as_f64() {
        let _ = write!(out, ", answers in {latency:.1} ms");
    }
    let failure = &row["lastFailure"];
    if let Some(time) = failure["time"].as_f64() {
        let _ = write!(out, "; failed {}: {}", ago(time), words(&failure["why"]));
    }
    out.push('\n');
    out
}

/// How long ago that is, of seconds since 1970.
fn ago(time: f64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let passed = (now.unwrap_or_default().as_secs_f64() - time).max(0.0);
    if passed < 120.0 {
        format!("{passed:.0} s ago")
    } else {
        format!("{:.0} min ago", passed / 60.0)
    }
}

fn diagnostic(out: &mut String, row: &Value, color: bool) {
    let style = match words(&row["severity"]).as_str() {
        "error" => Style::Bad,
        "warning" => Style::Careful,
        _ => Style::Faint,
    };
    let head = format!("{}[{}]", words(&row["severity"]), words(&row["code"]));
    let at = match row["file"].as_str() {
        Some(file) => format!(" ({file}:{}:{})", row["line"], row["column"]),
        None => String::new(),
    };
    let _ = writeln!(out, "  {}: {}{at}", style.paint(&head, color), words(&row["message"]));
    let _ = writeln!(out, "    help: {}", words(&row["help"]));
}

/// A value as plain words.
fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(value: &Value) -> String {
    let items: Vec<String> = value.as_array().into_iter().flatten().map(words).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_explained_without_control_characters() {
        let row = json!({ "id": "5b1f", "status": 502, "method": "GET", "host": "a", "path": "/\u{1b}",
            "durationMs": 3.5, "client": "192.0.2.1", "entryPoint": "web", "router": "r@ingress",
            "service": null, "endpoint": "10.0.0.1:80",
            "why": ["the endpoint closed the connection", "10.0.0.1:80: the line \"x\""] });
        let want = "\
GET a/\u{fffd}
  answered 502 after 3.5 ms, to 192.0.2.1 at web
  route r@ingress
  endpoint 10.0.0.1:80
    the endpoint closed the connection
    10.0.0.1:80: the line \"x\"
";
        assert_eq!(request_text(&row, false), want);
    }
}
