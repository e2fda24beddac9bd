//! `websecure` as it is by default: what a browser and a scanner find.

#[path = "browser/chromium.rs"]
mod chromium;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use chromium::Page;
use serde_json::Value;
use steelyard_tests::process::run;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service};

const HOST: &str = "shop.localhost";

/// `up` with one Ingress and its certificate, which the authority in `ca.pem` has signed.
struct Secure {
    folder: Scratch,
    up: Up,
    _backend: Backend,
}

impl Secure {
    fn start() -> Result<Self> {
        let (folder, keys) = (Scratch::new()?, Scratch::new()?);
        let backend = Backend::start("shop")?;
        let secret = signed(keys.path())?;
        std::fs::copy(keys.file("ca.pem"), folder.file("ca.pem"))?;
        folder.write("secret.yaml", &secret)?;
        folder.write("shop.yaml", &service("shop", backend.address))?;
        let route = ingress("shop", HOST, "shop", "");
        let tls = "spec:\n  tls: [{secretName: shop}]\n";
        folder.write("route.yaml", &route.replacen("spec:\n", tls, 1))?;
        let up = Up::start(folder.path())?;
        up.wait_for(HOST, 308).context("who asks in plain is led to TLS")?;
        Ok(Self { folder, up, _backend: backend })
    }
}

/// A Secret with a certificate for [`HOST`]; its authority is left in the folder.
fn signed(folder: &Path) -> Result<String> {
    let openssl = |words: &str| {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(folder);
        run(command)
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {key} -days 30 -subj /CN=authority -keyout ca.key -out ca.pem"))?;
    openssl(&format!(
        "req -x509 {key} -days 30 -subj /CN={HOST} -CA ca.pem -CAkey ca.key -keyout own.key \
         -out own.pem -addext subjectAltName=DNS:{HOST} -addext basicConstraints=critical,CA:FALSE"
    ))?;
    let indented = |file: &str| -> Result<String> {
        let text = std::fs::read_to_string(folder.join(file))?;
        Ok(text.lines().map(|line| format!("    {line}\n")).collect())
    };
    let (chain, key) = (indented("own.pem")?, indented("own.key")?);
    Ok(format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: shop}}\ntype: kubernetes.io/tls\n\
         stringData:\n  tls.crt: |\n{chain}  tls.key: |\n{key}"
    ))
}

#[test]
fn a_browser_opens_a_route() -> Result<()> {
    if chromium::program().is_none() || Command::new("certutil").arg("-H").output().is_err() {
        eprintln!("skipped a_browser_opens_a_route: there is no chromium or no certutil");
        return Ok(());
    }
    let secure = Secure::start()?;
    let address = format!("https://{HOST}:{}/", secure.up.websecure.port());
    let mut page = Page::open_believing(&secure.folder.file("ca.pem"), &address)?;
    page.wait_for("body", "shop")?;
    let protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol";
    ensure!(page.evaluate(protocol)? == "h2", "{}", page.evaluate(protocol)?);
    let security = page.security()?;
    let connection = &security["certificateSecurityState"];
    let agreed = ["protocol", "keyExchangeGroup", "subjectName"].map(|it| &connection[it]);
    ensure!(agreed == ["TLS 1.3", "X25519MLKEM768", HOST], "{security:#}");
    ensure!(connection["modernSSL"] == true, "{security:#}");
    ensure!(security["securityState"] == "secure", "{security:#}");
    let mut stranger = Page::open(&address)?;
    stranger.wait_for("body", "ERR_CERT_AUTHORITY_INVALID")?;
    Ok(())
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
const BEGIN: &str = "<!-- what sslyze finds -->\n";
const END: &str = "<!-- and no more -->\n";

/// What is looked for, as sslyze's options have it. Not whether sessions are resumed: it takes a
/// ticket that is renewed for one that was ignored. Nor whether a fall-back is noticed: it asks for
/// one to versions that are not spoken at all.
const SCANS: &str = "--sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --elliptic_curves \
    --compression --reneg --heartbleed --openssl_ccs --robot --ems --early_data";

/// What docs/security.md says is what is found; `UPDATE=1` has it say so.
#[test]
fn a_scanner_finds_what_is_promised() -> Result<()> {
    let pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
    if !pip.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped a_scanner_finds_what_is_promised: there is no pip");
        return Ok(());
    }
    let secure = Secure::start()?;
    let found = findings(&scan(&secure)?)?;
    let page = std::fs::read_to_string(PAGE)?;
    let (before, rest) = page.split_once(BEGIN).context(BEGIN)?;
    let (said, after) = rest.split_once(END).context(END)?;
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, [before, BEGIN, &found, END, after].concat())?;
        return Ok(());
    }
    ensure!(said == found, "docs/security.md has\n{said}and found is\n{found}");
    Ok(())
}

fn scan(secure: &Secure) -> Result<Value> {
    let packages = run(Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sslyze/build")))?;
    let mut sslyze = Command::new("python3");
    sslyze.env("PYTHONPATH", packages.trim()).args(["-m", "sslyze", "--json_out=-"]);
    sslyze.args(SCANS.split_whitespace());
    sslyze.args(["--sni", HOST, &secure.up.websecure.to_string()]);
    let said = run(sslyze)?;
    let mut whole: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    Ok(whole["server_scan_results"][0]["scan_result"].take())
}

/// A table of what each scan has found.
fn findings(found: &Value) -> Result<String> {
    let of = |scan: &str| {
        let scanned = &found[scan];
        let is_complete = scanned["status"] == "COMPLETED";
        is_complete.then_some(&scanned["result"]).with_context(|| format!("{scan}: {scanned}"))
    };
    let said = |scan: &str, field: &str| Ok::<_, anyhow::Error>(worded(&of(scan)?[field]));
    let suites = |version: &str| {
        let scanned = of(&format!("{version}_cipher_suites"))?;
        let accepted = scanned["accepted_cipher_suites"].as_array().context("a list")?;
        Ok::<_, anyhow::Error>(named(accepted.iter().map(|it| &it["cipher_suite"])))
    };
    let curves = of("elliptic_curves")?["supported_curves"].as_array().context("a list")?;
    let rows = [
        ("SSL 2.0", suites("ssl_2_0")?),
        ("SSL 3.0", suites("ssl_3_0")?),
        ("TLS 1.0", suites("tls_1_0")?),
        ("TLS 1.1", suites("tls_1_1")?),
        ("TLS 1.2", suites("tls_1_2")?),
        ("TLS 1.3", suites("tls_1_3")?),
        ("groups (of those that it knows)", named(curves.iter())),
        ("compression (CRIME)", said("tls_compression", "supports_compression")?),
        (
            "renegotiations that a client had",
            said("session_renegotiation", "client_renegotiations_success_count")?,
        ),
        (
            "renegotiation is bound to its connection (RFC 5746)",
            said("session_renegotiation", "supports_secure_renegotiation")?,
        ),
        ("Heartbleed", said("heartbleed", "is_vulnerable_to_heartbleed")?),
        ("CCS injection", said("openssl_ccs_injection", "is_vulnerable_to_ccs_injection")?),
        ("ROBOT", said("robot", "robot_result")?),
        (
            "extended master secret (RFC 7627)",
            said("tls_extended_master_secret", "supports_ems_extension")?,
        ),
        ("early data, which could be replayed", said("tls_1_3_early_data", "supports_early_data")?),
    ];
    let lines = rows.iter().map(|(what, found)| format!("| {what} | {found} |\n"));
    Ok(["| looked for | found |\n|---|---|\n".to_owned()].into_iter().chain(lines).collect())
}

fn worded(value: &Value) -> String {
    match value {
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::String(text) => text.to_lowercase().replace('_', " "),
        other => other.to_string(),
    }
}

/// Names in a list, in one order; "no" where there are none.
fn named<'v>(all: impl Iterator<Item = &'v Value>) -> String {
    let mut names: Vec<&str> = all.filter_map(|it| it["name"].as_str()).collect();
    names.sort_unstable();
    if names.is_empty() { "no".into() } else { names.join(", ") }
}
