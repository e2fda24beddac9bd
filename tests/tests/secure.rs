//! `websecure` as it is by default: what a browser and a scanner find, and how an example fares.

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "secure/homelab.rs"]
mod homelab;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use chromium::Page;
use serde_json::Value;
use steelyard_tests::process::run;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service};
use steelyard_tests::{binary, http, wait};

const HOST: &str = "shop.localhost";
/// The same with a certificate on RSA.
const RSA_HOST: &str = "rsa.localhost";

/// `up` with two Ingresses and their certificates, which the authority in `ca.pem` has signed.
struct Secure {
    folder: Scratch,
    up: Up,
    _backend: Backend,
}

impl Secure {
    fn start() -> Result<Self> {
        let (folder, keys) = (Scratch::new()?, Authority::new()?);
        let backend = Backend::start("shop")?;
        keys.tell(&folder)?;
        folder.write("shop.yaml", &service("shop", backend.address))?;
        for (name, host, key) in [("shop", HOST, P256), ("rsa", RSA_HOST, "-newkey rsa:2048")] {
            folder.write(&format!("{name}-secret.yaml"), &keys.signed(name, host, key)?)?;
            folder.write(&format!("{name}-route.yaml"), &secure_ingress(name, host))?;
        }
        let up = Up::start(folder.path())?;
        up.wait_for(HOST, 308).context("who asks in plain is led to TLS")?;
        Ok(Self { folder, up, _backend: backend })
    }
}

/// An Ingress of that name, to `shop`, which asks for the certificate of that name.
fn secure_ingress(name: &str, host: &str) -> String {
    let tls = format!("spec:\n  tls: [{{secretName: {name}}}]\n");
    ingress(name, host, "shop", "").replacen("spec:\n", &tls, 1)
}

const P256: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";

/// Signs certificates.
struct Authority(Scratch);

impl Authority {
    fn new() -> Result<Self> {
        let this = Self(Scratch::new()?);
        let files = "-keyout ca.key -out ca.pem";
        this.openssl(&format!("req -x509 -nodes {P256} -days 30 -subj /CN=authority {files}"))?;
        Ok(this)
    }

    fn openssl(&self, words: &str) -> Result<String> {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(self.0.path());
        run(command)
    }

    /// Puts its certificate into a folder.
    fn tell(&self, folder: &Scratch) -> Result<()> {
        std::fs::copy(self.0.file("ca.pem"), folder.file("ca.pem"))?;
        Ok(())
    }

    /// A Secret with a certificate for a host, and its key.
    fn signed(&self, name: &str, host: &str, key: &str) -> Result<String> {
        self.signed_with(name, host, key, (30, ""))
    }

    /// The same for so many days from now, and with these lines of openssl's about it. Behind it
    /// stands who signed it.
    fn signed_with(
        &self,
        name: &str,
        host: &str,
        key: &str,
        (days, lines): (i32, &str),
    ) -> Result<String> {
        self.openssl(&format!("req -nodes {key} -subj /CN={host} -keyout own.key -out own.csr"))?;
        let lines = format!("subjectAltName=DNS:{host}\n{lines}\n");
        std::fs::write(self.0.file("own.ext"), lines)?;
        self.openssl(&format!(
            "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -days {days} -extfile own.ext -out own.pem"
        ))?;
        let indented = |file: &str| -> Result<String> {
            let text = std::fs::read_to_string(self.0.file(file))?;
            Ok(text.lines().map(|line| format!("    {line}\n")).collect())
        };
        let (chain, key) = (indented("own.pem")? + &indented("ca.pem")?, indented("own.key")?);
        Ok(format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ntype: kubernetes.io/tls\n\
             stringData:\n  tls.crt: |\n{chain}  tls.key: |\n{key}"
        ))
    }
}

/// Passes connections on, and breaks them off when it is told to.
struct Passage {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Passage {
    fn to(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, open) = (listener.local_addr()?, Arc::<Mutex<Vec<TcpStream>>>::default());
        let known = open.clone();
        std::thread::spawn(move || -> std::io::Result<()> {
            loop {
                let (near, far) = (listener.accept()?.0, TcpStream::connect(target)?);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
                known.lock().unwrap_or_else(PoisonError::into_inner).push(near);
            }
        });
        Ok(Self { address, open })
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// With a certificate for all names, and not one word about TLS in its manifests.
#[test]
fn an_example_is_served_over_tls() -> Result<()> {
    let (folder, keys) = (Scratch::new()?, Authority::new()?);
    keys.tell(&folder)?;
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/homelab");
    std::fs::copy(format!("{example}/multi-host-ingress.yaml"), folder.file("route.yaml"))?;
    let backend = Backend::start("grafana")?;
    let grafana = service("grafana", backend.address).replace("port: 80", "port: 3000");
    folder.write("grafana.yaml", &grafana)?;
    folder.write("secret.yaml", &keys.signed("home", "*.homelab.local", P256)?)?;
    let state = folder.file(".state");
    let options = ["--default-ssl-certificate", "default/home", "--state-dir"].map(AsRef::as_ref);
    let mut up = Up::launch(&[], folder.path(), &[&options[..], &[state.as_os_str()]].concat())?;
    up.wait_until_ready()?;
    let (host, port) = ("grafana.homelab.local", up.websecure.port());
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--cacert"]).arg(folder.file("ca.pem"));
    curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]);
    curl.arg(format!("https://{host}:{port}/"));
    let said = run(curl)?;
    ensure!(said.contains("name:    grafana\n"), "{said}");
    Ok(())
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
    it_goes_on_with_its_session(&secure)
}

/// Whose connection breaks comes again by its ticket.
fn it_goes_on_with_its_session(secure: &Secure) -> Result<()> {
    let up = &secure.up;
    let passage = Passage::to(up.websecure)?;
    let address = format!("https://{HOST}:{}/", passage.address.port());
    let mut page = Page::open_believing(&secure.folder.file("ca.pem"), &address)?;
    page.wait_for("body", "shop")?;
    let resumed = || -> Result<String> {
        let metrics = http::get(up.admin, &up.admin.to_string(), "/metrics")?.body;
        let mut lines = metrics.lines();
        let found = lines.find(|it| it.starts_with("steelyard_tls_handshakes_resumed_total{"));
        Ok(found.unwrap_or_default().to_owned())
    };
    ensure!(resumed()?.is_empty(), "{}", resumed()?);
    passage.cut();
    page.evaluate("void fetch('/again')")?;
    wait::until("it to be resumed", || resumed().is_ok_and(|it| it.ends_with(" 1")))
}

/// Wherever one asks: the log, `get`, `explain`, `check`, the API (which the page shows), metrics.
#[test]
fn faults_of_certificates_are_told_alike_everywhere() -> Result<()> {
    let (folder, keys) = (Scratch::new()?, Authority::new()?);
    let asks = "tlsfeature=status_request\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:1/";
    let (own, lapsed) = (keys.signed("mismatch", "a.test", P256)?, (-1, ""));
    let other = keys.signed("mismatch", "a.test", P256)?;
    let key = |secret: &str| secret.split_once("tls.key").map(|it| it.1.to_owned());
    let [own_key, other_key] = [&own, &other].map(|it| key(it).unwrap_or_default());
    let all = [
        keys.signed_with("expired", "expired.test", P256, lapsed)?,
        keys.signed_with("unstapled", "unstapled.test", P256, (30, asks))?,
        own.replace(&own_key, &other_key),
        service("shop", "127.0.0.1:1".parse()?),
    ];
    let faults = [
        ("expired", "Secret", "certificate-lapses", "not valid any more, since "),
        ("unstapled", "Secret", "certificate-unstapled", "its responder is not to be reached"),
        ("mismatch", "Ingress", "tls-secret-unfit", "is that of another certificate"),
        ("missing", "Ingress", "tls-secret-missing", "there is no Secret `missing`"),
    ];
    let routes = faults.map(|(name, ..)| secure_ingress(name, &format!("{name}.test")));
    folder.write("all.yaml", &(all.concat() + &routes.concat()))?;
    let up = Up::start(folder.path())?;
    let metrics = || http::get(up.admin, &up.admin.to_string(), "/metrics");
    wait::until("the responder to be asked", || {
        metrics().is_ok_and(|it| it.body.contains("\nsteelyard_ocsp_lacking 1\n"))
            && up.process.printed().contains("certificate-unstapled")
    })?;
    let ask = |words: &[&str]| -> Result<String> {
        let mut command = binary::command([]);
        command.args(words);
        Ok(String::from_utf8(command.output()?.stdout)?)
    };
    let admin = up.admin.to_string();
    let table = ask(&["get", "diagnostics", "--admin", &admin])?;
    let checked = ask(&["check", &folder.path().display().to_string()])?;
    let (rows, overview) = (up.read("diagnostics")?, up.read("overview")?);
    let rows = rows.as_array().context("rows")?;
    for (name, kind, code, words) in faults {
        let object = format!("{kind}/default/{name}");
        let row = rows.iter().find(|it| it["object"] == *object && it["code"] == code);
        let row = row.with_context(|| format!("{object} in {rows:#?}"))?;
        let message = row["message"].as_str().context("a message")?;
        ensure!(message.contains(words), "{row:#}");
        let place = format!("all.yaml:{}:", row["line"]);
        ensure!(!place.contains("null"), "{row:#}");
        let explained = ask(&["explain", &format!("ingress/{name}"), "--admin", &admin])?;
        let printed = up.process.printed();
        let asked = [("get", &table), ("explain", &explained), ("log", &printed)];
        // Who asks nobody cannot know what a responder says.
        let unasked = ("check", &checked);
        let asked = asked.into_iter().chain((name != "unstapled").then_some(unasked));
        for (who, said) in asked {
            ensure!(said.contains(message), "{who} on {name}: {said}");
            ensure!(said.contains(code) && said.contains(&place), "{who} on {name}: {said}");
        }
    }
    let counts = &overview["diagnostics"];
    let count: u64 =
        ["error", "warning", "info"].iter().filter_map(|it| counts[*it].as_u64()).sum();
    ensure!(count == rows.len() as u64, "{overview:#} of {rows:#?}");
    ensure!(up.is_ready(), "a certificate makes nobody unready");
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
    let [own, rsa] = scan(&secure)?;
    let found = side_by_side(&findings(&own)?, &findings(&rsa)?);
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

/// What is found for either host.
fn scan(secure: &Secure) -> Result<[Value; 2]> {
    let packages = run(Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sslyze/build")))?;
    let mut sslyze = Command::new("python3");
    sslyze.env("PYTHONPATH", packages.trim()).args(["-m", "sslyze", "--json_out=-"]);
    sslyze.args(SCANS.split_whitespace());
    let port = secure.up.websecure.port();
    sslyze.args([HOST, RSA_HOST].map(|host| format!("{host}:{port}{{127.0.0.1}}")));
    let said = run(sslyze)?;
    let whole: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    let of = |host: &str| {
        let all = whole["server_scan_results"].as_array()?;
        let found = all.iter().find(|it| it["server_location"]["hostname"] == host)?;
        Some(found["scan_result"].clone())
    };
    Ok([of(HOST).context("the first host")?, of(RSA_HOST).context("the other one")?])
}

/// One table of two whose first cells are the same.
fn side_by_side(own: &[(&str, String)], rsa: &[(&str, String)]) -> String {
    let head = "| looked for | with a certificate on P-256 | on RSA |\n|---|---|---|\n";
    let rows = own.iter().zip(rsa);
    let row = |((what, own), (_, rsa)): (&(&str, String), &(&str, String))| {
        let rsa = if own == rsa { "the same" } else { rsa };
        format!("| {what} | {own} | {rsa} |\n")
    };
    rows.map(row).fold(head.to_owned(), |all, row| all + &row)
}

/// What each scan has found.
fn findings(found: &Value) -> Result<Vec<(&'static str, String)>> {
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
    Ok(vec![
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
    ])
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
