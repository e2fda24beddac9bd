//! The examples with one nginx and with k3s, whole: a login by a real oauth2-proxy at an OpenID
//! provider, in a browser; the same proxy asked by Traefik's `forwardAuth`; passwords, source
//! ranges, and an endpoint that speaks TLS.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use steelyard_tests::process::{Running, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, tls_endpoint};
use steelyard_tests::{http, wait};

use super::chromium::{self, Page};
use super::{Authority, P256};

const TESTS: &str = env!("CARGO_MANIFEST_DIR");
/// `ann:secret`, which htpasswd's SHA-1 has made.
const USERS: &str = "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";

/// What the examples leave to the cluster, and what stands beside them: the login's own site, a
/// page with a password and no source range, and one that Traefik's words protect.
const BESIDE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: prometheus-basic-auth, namespace: monitoring}
stringData: {auth: \"USERS\"}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: login, namespace: auth}
spec:
  ingressClassName: nginx
  tls: [{hosts: [auth.example.com]}]
  rules:
  - host: auth.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: oauth2-proxy, port: {number: 4180}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: password
  namespace: monitoring
  annotations:
    nginx.ingress.kubernetes.io/auth-type: basic
    nginx.ingress.kubernetes.io/auth-secret: prometheus-basic-auth
    nginx.ingress.kubernetes.io/auth-realm: Prometheus
spec:
  ingressClassName: nginx
  rules:
  - host: password.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: prometheus-server, port: {number: 9090}}}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: login, namespace: monitoring}
spec:
  forwardAuth:
    address: http://oauth2-proxy.auth.svc.cluster.local:4180/
    authResponseHeaders: [X-Auth-Request-User]
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: forward, namespace: monitoring}
spec:
  entryPoints: [websecure]
  routes:
  - match: Host(`forward.example.com`)
    middlewares: [{name: login}]
    services: [{name: grafana, port: 80}]
  tls: {}
";

/// All that runs.
struct Home {
    up: Up,
    folder: Scratch,
    provider: Running,
    proxy: Running,
    _backends: [Backend; 2],
    _argocd: Running,
}

impl Home {
    fn start() -> Result<Self> {
        let (folder, keys) = (Scratch::new()?, Authority::new()?);
        keys.tell(&folder)?;
        for file in ["nginx-homelab/apps", "nginx-homelab/ingress", "vagrant-nginx/ingress"]
            .iter()
            .chain(&["vagrant-nginx/nginx-deployment", "k3s-traefik/ingressroute"])
        {
            let from = Path::new(TESTS).join(format!("../examples/{file}.yaml"));
            std::fs::copy(from, folder.file(&format!("{}.yaml", file.replace('/', "-"))))?;
        }
        let (issuer, port) = (http::free_port()?, http::free_port()?);
        let (provider, proxy) = (provider(issuer)?, oauth2_proxy(port, issuer)?);
        let backends = [Backend::start("grafana")?, Backend::start("prometheus")?];
        let (argocd, argocd_at) = tls_endpoint(&folder)?;
        let [grafana, prometheus] = [&backends[0], &backends[1]].map(|it| it.address);
        let slices = [
            slice("monitoring", "grafana", "service", grafana),
            slice("monitoring", "prometheus-server", "http", prometheus),
            slice("argocd", "argocd-server", "https", argocd_at),
            slice("auth", "oauth2-proxy", "http", ([127, 0, 0, 1], port).into()),
            slice("default", "nginx-app-service", "", grafana),
        ];
        folder.write("slices.yaml", &slices.concat())?;
        folder.write("beside.yaml", &BESIDE.replace("USERS", USERS))?;
        folder.write(
            "wild.yaml",
            &keys.signed("wild", "*.example.com,DNS:*.home.example.com", P256)?,
        )?;
        let state = folder.file(".state");
        let options = [
            "--default-ssl-certificate",
            "default/wild",
            "--entrypoints.web.proxyprotocol.trustedips=127.0.0.1",
            // Middlewares of k3s' example stand in another namespace than who uses them.
            "--providers.kubernetescrd.allowcrossnamespace=true",
            "--state-dir",
        ];
        let options = options.map(AsRef::as_ref);
        let mut up =
            Up::launch(&[], folder.path(), &[&options[..], &[state.as_os_str()]].concat())?;
        up.wait_until_ready()?;
        Ok(Self { up, folder, provider, proxy, _backends: backends, _argocd: argocd })
    }

    /// A browser for which all sites of the home are here.
    fn browser(&self, address: &str) -> Result<Page> {
        let (web, secure) = (self.up.web, self.up.websecure);
        let rules = format!("MAP *.example.com:443 {secure},MAP *.example.com:80 {web}");
        Page::open_resolving(&self.folder.file("ca.pem"), &rules, address)
    }

    /// Goes through the provider's pages as ann, until a site shows this.
    fn log_in(&self, page: &mut Page, site: &str, shown: &str) -> Result<()> {
        let script = format!(
            "(() => {{ if (location.origin === {}) return document.body.innerText.includes({}); \
             const form = document.querySelector('form'); \
             if (form && !window.isSent) {{ window.isSent = true; \
             if (form.login) {{ form.login.value = 'ann'; form.password.value = 'any'; }} \
             form.requestSubmit(); }} return false; }})()",
            json!(site),
            json!(shown),
        );
        page.wait_until(shown, &script).with_context(|| {
            let said = [&self.up.process, &self.provider, &self.proxy].map(Running::printed);
            said.join("\n")
        })
    }

    /// What a program is answered over TLS: status, `Location`, and how many cookies are set.
    fn asked(&self, host: &str, path: &str) -> Result<String> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "20", "--path-as-is", "-o", "/dev/null", "--cacert"]);
        curl.arg(self.folder.file("ca.pem"));
        curl.args(["--connect-to", &format!("::{}", self.up.websecure)]);
        curl.args(["-w", "%{response_code} %header{location}"]);
        run_of(curl.arg(format!("https://{host}{path}")))
    }

    /// What somebody at `client` is answered in plain, who says this of himself.
    fn told(&self, client: &str, host: &str, path: &str, line: &str) -> Result<http::Answer> {
        let mut stream = TcpStream::connect(self.up.web)?;
        write!(stream, "PROXY TCP4 {client} 127.0.0.1 4000 80\r\n")?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{line}Connection: close\r\n\r\n");
        http::exchange(&mut stream, request.as_bytes())
    }
}

fn run_of(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn provider(issuer: u16) -> Result<Running> {
    let program = run(Command::new(format!("{TESTS}/oidc/build")))?;
    let mut node = Command::new("node");
    node.arg(format!("{}/provider.mjs", program.trim())).arg(issuer.to_string());
    node.args(["https://nobody.test", "https://auth.example.com/oauth2/callback"]);
    let mut provider = Running::start(node)?;
    provider.hush();
    provider.wait_for("listens").with_context(|| provider.printed())?;
    Ok(provider)
}

fn oauth2_proxy(port: u16, issuer: u16) -> Result<Running> {
    let program = run(Command::new(format!("{TESTS}/oauth2/build")))?;
    let mut proxy = Command::new(program.trim());
    proxy.args(["--provider=oidc", "--client-id=proxy", "--client-secret=of the proxy"]);
    proxy.arg(format!("--oidc-issuer-url=http://127.0.0.1:{issuer}"));
    proxy.args(["--oidc-email-claim=sub", "--insecure-oidc-allow-unverified-email"]);
    proxy.args(["--email-domain=*", "--scope=openid", "--code-challenge-method=S256"]);
    proxy.args([
        "--redirect-url=https://auth.example.com/oauth2/callback",
        "--upstream=static://202",
    ]);
    proxy.args(["--cookie-domain=.example.com", "--whitelist-domain=.example.com"]);
    proxy.args(["--cookie-secret=of the cookies, 32 bytes of them", "--reverse-proxy"]);
    proxy.args(["--trusted-proxy-ip=127.0.0.1", "--set-xauthrequest", "--skip-provider-button"]);
    proxy.arg(format!("--http-address=127.0.0.1:{port}"));
    let mut proxy = Running::start(proxy)?;
    proxy.hush();
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    wait::until("oauth2-proxy", || http::get(at, "proxy", "/ping").is_ok())
        .with_context(|| proxy.printed())?;
    Ok(proxy)
}

/// The one endpoint of a Service, at the port that it calls so.
fn slice(namespace: &str, service: &str, port: &str, at: SocketAddr) -> String {
    let (address, number) = (at.ip(), at.port());
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  \
         name: {service}-1\n  namespace: {namespace}\n  \
         labels: {{kubernetes.io/service-name: {service}}}\naddressType: IPv4\n\
         ports: [{{name: \"{port}\", port: {number}}}]\n\
         endpoints: [{{addresses: [\"{address}\"], conditions: {{ready: true}}}}]\n"
    )
}

#[test]
fn examples_of_homes_are_served_whole() -> Result<()> {
    let has = |program: &str| Command::new(program).arg("--help").output().is_ok();
    if chromium::program().is_none() || !has("npm") || !has("go") || !has("certutil") {
        eprintln!("skipped: there is no chromium, certutil, npm or Go");
        return Ok(());
    }
    let home = Home::start()?;
    programs(&home)?;
    people(&home)
}

fn programs(home: &Home) -> Result<()> {
    // Whoever asks is led to the login, and back to where he was and nowhere else.
    let start = "302 https://auth.example.com/oauth2/start?rd=https://grafana.example.com";
    for (path, back) in [
        ("/d/1?a=b&c=d", "%2Fd%2F1%3Fa%3Db%26c%3Dd"),
        ("//evil.test/", "%2Fevil.test%2F"),
        ("/?rd=https://evil.test", "%2F%3Frd%3Dhttps%3A%2F%2Fevil.test"),
    ] {
        let told = home.asked("grafana.example.com", path)?;
        ensure!(told == format!("{start}{back}"), "{path}: {told}");
    }
    let told = home.asked("forward.example.com", "/d/2")?;
    ensure!(
        told.starts_with("302 http://127.0.0.1:") && told.contains("client_id=proxy"),
        "{told}"
    );
    let told = home.asked("grafana.home.example.com", "/")?;
    ensure!(told == "200 ", "{told}");
    let told = home.up.get("grafana.home.example.com", "/x")?;
    let location = told.header("location").unwrap_or_default();
    ensure!((told.status, location) == (301, "https://grafana.home.example.com/x"), "{told:?}");

    // Two things are asked of who wants to see Prometheus.
    let ann = "Authorization: Basic YW5uOnNlY3JldA==\r\n";
    for (client, line, status) in [
        ("127.0.0.1", ann, 403),
        ("172.16.0.1", ann, 403),
        ("10.1.2.3", "", 401),
        ("10.1.2.3", "Authorization: Basic YW5uOndyb25n\r\n", 401),
        ("192.168.7.7", ann, 200),
    ] {
        let told = home.told(client, "prometheus.homelab.local", "/graph", line)?;
        ensure!(told.status == status, "{client}: {told:?}");
        let asks = told.header("www-authenticate");
        ensure!(asks == (status == 401).then_some("Basic realm=\"Prometheus\""), "{asks:?}");
        ensure!(!told.body.to_lowercase().contains("authorization:"), "{}", told.body);
    }
    // A target that is the path itself rewrites nothing.
    let told = home.told("127.0.0.1", "my-app.local", "/any/thing", "")?;
    ensure!(told.status == 200 && told.body.contains("GET /any/thing HTTP/1.1"), "{told:?}");
    Ok(())
}

fn people(home: &Home) -> Result<()> {
    let mut page = home.browser("https://grafana.example.com/d/1?a=b")?;
    home.log_in(&mut page, "https://grafana.example.com", "GET /d/1?a=b HTTP/1.1")?;
    let shown = page.evaluate("document.body.innerText")?.as_str().unwrap_or_default().to_owned();
    ensure!(shown.contains("x-auth-request-user\tann"), "{shown}");
    // Who is known is so wherever the same proxy is asked.
    page.visit("https://forward.example.com/d/2")?;
    page.wait_for("body", "GET /d/2 HTTP/1.1")?;
    page.wait_for("body", "x-auth-request-user\tann")?;
    page.visit("https://argocd.example.com/")?;
    page.wait_for("body", "s_server -www")?;
    page.visit("https://grafana.home.example.com/")?;
    page.wait_for("body", "GET / HTTP/1.1")?;
    let framed = "window.framed = null; fetch('/').then(answer => { \
                  window.framed = answer.headers.get('x-frame-options'); })";
    page.evaluate(framed)?;
    page.wait_until("a header", "window.framed === 'DENY'")?;
    page.visit("https://ann:secret@password.example.com/graph")?;
    page.wait_for("body", "GET /graph HTTP/1.1")?;
    Ok(())
}
