//! A login in a real browser, at an OpenID provider that is certified.

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "login/client.rs"]
mod client;
#[path = "login/matrix.rs"]
mod matrix;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use chromium::Page;
use serde_json::json;
use steelyard_tests::process::{Running, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, service};
use steelyard_tests::{http, wait};

const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oidc/build");

/// A provider, and a site whose pages ask it who visits them.
struct House {
    provider: Running,
    site: String,
    _up: Up,
    _echo: Backend,
    _folder: Scratch,
}

fn objects(issuer: u16) -> String {
    format!(
        "\
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {{name: login}}
spec:
  plugin:
    oidc:
      issuer: http://127.0.0.1:{issuer}
      clientId: dashboard
      clientSecret: urn:k8s:secret:login:known
      redirectUrl: /oidc/callback
      logoutUrl: /oidc/logout
      postLogoutRedirectUrl: /bye
      claims: Contains(`groups`, `ops`)
      forwardHeaders: {{X-User: sub, X-Groups: groups}}
---
apiVersion: v1
kind: Secret
metadata: {{name: login}}
stringData: {{known: what the test and the provider know}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {{name: site}}
spec:
  entryPoints: [web]
  routes:
  - {{match: Host(`localhost`), middlewares: [{{name: login}}], services: [{{name: echo, port: 80}}]}}
  - {{match: Host(`localhost`) && Path(`/bye`), services: [{{name: echo, port: 80}}]}}
"
    )
}

impl House {
    fn start() -> Result<Self> {
        let echo = Backend::start("echo")?;
        let folder = Scratch::new()?;
        let issuer = http::free_port()?;
        folder.write("echo.yaml", &service("echo", echo.address))?;
        folder.write("login.yaml", &objects(issuer))?;
        let up = Up::start(folder.path())?;
        let site = format!("http://localhost:{}", up.web.port());
        let program = run(Command::new(BUILD))?;
        let mut node = Command::new("node");
        node.arg(format!("{}/provider.mjs", program.trim())).arg(issuer.to_string()).arg(&site);
        let mut provider = Running::start(node)?;
        provider.wait_for("listens").with_context(|| provider.printed())?;
        Ok(Self { provider, site, _up: up, _echo: echo, _folder: folder })
    }

    /// Goes through the provider's pages as `who`, until the site shows this.
    fn log_in(&self, page: &mut Page, who: &str, shown: &str) -> Result<()> {
        let script = format!(
            "(() => {{ if (location.origin === {}) return document.body.innerText.includes({}); \
             const form = document.querySelector('form'); \
             if (form && !window.isSent) {{ window.isSent = true; \
             if (form.login) {{ form.login.value = {}; form.password.value = 'any'; }} \
             form.requestSubmit(); }} return false; }})()",
            json!(self.site),
            json!(shown),
            json!(who)
        );
        page.wait_until(&format!("{shown} for {who}"), &script)
            .with_context(|| self.provider.printed())
    }

    fn gives(&self, what: &str) -> usize {
        self.provider.printed().matches(what).count()
    }
}

/// What many requests of the page at once are answered.
fn burst(page: &mut Page) -> Result<String> {
    page.evaluate(
        "window.all = null; Promise.all([...Array(12)].map((_, at) => fetch('/burst/' + at)\
         .then(answer => answer.status))).then(all => { window.all = [...new Set(all)].join(); })",
    )?;
    page.wait_until("all answers", "window.all !== null")?;
    Ok(page.evaluate("window.all")?.as_str().unwrap_or_default().to_owned())
}

/// Sends a form from the page.
fn send(page: &mut Page, target: &str) -> Result<()> {
    page.evaluate(&format!(
        "(() => {{ const form = document.createElement('form'); form.method = 'post'; \
         form.action = {}; const field = document.createElement('input'); field.name = 'a'; \
         field.value = '1 & <2>'; form.append(field); document.body.append(form); \
         form.submit(); }})()",
        json!(target)
    ))
    .map(drop)
}

#[test]
fn people_log_in_stay_and_log_out() -> Result<()> {
    if chromium::program().is_none() || Command::new("npm").arg("--version").output().is_err() {
        eprintln!("skipped: there is no chromium, or no npm");
        return Ok(());
    }
    let mut house = House::start()?;
    let site = house.site.clone();

    // Two tabs that wait for one login, and end it one after the other.
    let mut page = Page::open(&format!("{site}/first?x=1"))?;
    page.wait_until("the login", "document.querySelector('input[name=login]') !== null")?;
    let first = page.tab(&format!("{site}/second"))?;
    house.log_in(&mut page, "ann", "GET /second HTTP/1.1")?;
    page.turn_to(first);
    house.log_in(&mut page, "ann", "GET /first?x=1 HTTP/1.1")?;
    let shown = page.evaluate("document.body.innerText")?;
    let shown = shown.as_str().unwrap_or_default();
    let told = ["x-user\tann", "x-groups\tops,dev"].iter().all(|it| shown.contains(it));
    ensure!(told && !shown.contains("login-session"), "{shown}");

    // What the provider gave is over after seconds: one asks for all, again and again.
    let begun = house.gives("gives refresh_token");
    wait::until("renewals", || {
        burst(&mut page).is_ok_and(|all| all == "200")
            && house.gives("gives refresh_token") > begun + 1
    })
    .with_context(|| house.provider.printed())?;
    ensure!(house.gives("refuses") == 0, "{}", house.provider.printed());

    // Without its session a program is refused, and a form that is sent is not lost.
    page.forget("default-login-session", &site)?;
    ensure!(burst(&mut page)? == "401", "programs are let in");
    send(&mut page, "/save")?;
    house.log_in(&mut page, "ann", "POST /save HTTP/1.1")?;
    page.wait_for("body", "15 bytes")?;

    // Out here and at the provider, which asks whom it shall let in next.
    send(&mut page, "/oidc/logout")?;
    let asks = "document.querySelector('button[name=logout]')";
    page.wait_until("the provider's question", &format!("{asks} !== null"))?;
    page.evaluate(&format!("{asks}.click()"))?;
    page.wait_for("body", "GET /bye HTTP/1.1")?;
    page.visit(&format!("{site}/again"))?;
    house.log_in(&mut page, "eve", "this is not for you")?;

    // Nobody answers there any more: who must be renewed is told so.
    house.provider.kill()?;
    wait::until("an end", || {
        page.visit(&format!("{site}/again")).is_ok()
            && page
                .evaluate("document.body.innerText.includes('The login is not available')")
                .is_ok_and(|is| is == true)
    })?;
    Ok(())
}
