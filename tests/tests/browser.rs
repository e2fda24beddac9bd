//! The admin page in a real browser: what it shows, that it follows, and that it fits a phone.

#[path = "browser/chromium.rs"]
mod chromium;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use chromium::Page;
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, ingress, service};
use steelyard_tests::{binary, http, manifests, wait};

/// A Service that wants an address, with a field nobody knows.
const LAN_SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: lan-shop
  annotations: {steelyard.dev/endpoints: \"127.0.0.1:9\"}
spec:
  type: LoadBalancer
  prots: []
  ports: [{port: 8080}]
";

/// `up` on a folder, always at the same place.
struct Instance {
    folder: Scratch,
    web: SocketAddr,
    admin: SocketAddr,
    token: Option<&'static str>,
    process: Option<Running>,
}

impl Instance {
    fn start() -> Result<(Self, Backend)> {
        let backend = Backend::start("shop")?;
        let folder = Scratch::new()?;
        folder.write("pools.yaml", &manifests::pool("192.0.2.10-192.0.2.20"))?;
        folder.write("lan.yaml", LAN_SERVICE)?;
        folder.write("shop.yaml", &service("shop", backend.address))?;
        folder.write("route.yaml", &ingress("shop", "shop.test", "shop", ""))?;
        let (web, admin) = (loopback()?, loopback()?);
        let mut instance = Self { folder, web, admin, token: None, process: None };
        instance.restart()?;
        Ok((instance, backend))
    }

    fn restart(&mut self) -> Result<()> {
        self.process = None;
        let mut command = binary::command(["up", "--unprivileged"]);
        command.arg(self.folder.path()).arg("--state-dir").arg(self.folder.file(".state"));
        command.arg(format!("--admin={}", self.admin));
        command.arg(format!("--entrypoints.web.address={}", self.web));
        command.arg(format!("--entrypoints.websecure.address={}", loopback()?));
        if let Some(token) = self.token {
            self.folder.write("token", token)?;
            command.arg("--admin-token-file").arg(self.folder.file("token"));
        }
        let process = self.process.insert(Running::start(command)?);
        wait::until("the admin page", || http::get(self.admin, "localhost", "/").is_ok())
            .with_context(|| process.printed())
    }

    fn page(&self) -> Result<Page> {
        Page::open(&format!("http://localhost:{}/", self.admin.port()))
    }
}

fn loopback() -> Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, http::free_port()?).into())
}

/// Ends the calling test, by name, where there is no browser.
macro_rules! needs_browser {
    () => {
        if chromium::program().is_none() {
            let place = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("skipped {place}: there is no chromium");
            return Ok(());
        }
    };
}

#[test]
fn the_page_shows_addresses_routes_endpoints_and_findings() -> Result<()> {
    needs_browser!();
    let (instance, backend) = Instance::start()?;
    let mut page = instance.page()?;
    page.wait_for("#vips", "192.0.2.10")?;
    page.wait_for("#vips", "default/lan-shop")?;
    page.wait_for("#routes", "shop.test")?;
    page.wait_for("#routes", "default/shop:80")?;
    page.wait_for("#endpoints", &backend.address.to_string())?;
    page.wait_for("#diagnostics", "unknown-field")?;
    page.wait_for("#diagnostics", "lan.yaml:8:3")?;
    page.wait_for("#live", "live")?;
    let complaints = page.complaints()?;
    ensure!(complaints.is_empty(), "the browser complains: {complaints:?}");
    Ok(())
}

#[test]
fn an_edit_and_a_restart_are_followed_without_a_reload() -> Result<()> {
    needs_browser!();
    let (mut instance, _backend) = Instance::start()?;
    let mut page = instance.page()?;
    page.wait_for("#routes", "shop.test")?;
    page.evaluate("window.stillHere = true")?;
    instance.folder.write("new.yaml", &ingress("new", "new.test", "shop", ""))?;
    page.wait_for("#routes", "new.test")?;

    instance.process = None;
    page.wait_for("#live", "reconnecting")?;
    instance.folder.remove("new.yaml")?;
    instance.restart()?;
    page.wait_for("#live", "live")?;
    page.wait_until(
        "the removed route to vanish",
        "!document.body.innerText.includes('new.test')",
    )?;
    ensure!(page.evaluate("window.stillHere")? == true, "the page was loaded anew");
    Ok(())
}

#[test]
fn names_are_shown_as_they_are_and_the_filter_finds_them() -> Result<()> {
    needs_browser!();
    let (instance, _backend) = Instance::start()?;
    let markup = "<img src=x onerror=alert(1)>";
    let odd = LAN_SERVICE.replace("lan-shop", "odd").replace("prots", &format!("\"{markup}\""));
    instance.folder.write("odd.yaml", &odd)?;
    let mut page = instance.page()?;
    page.wait_for("#diagnostics", markup)?;
    ensure!(
        page.evaluate("document.querySelectorAll('main img').length")? == 0,
        "it became markup"
    );

    page.evaluate(
        "document.querySelector('#filter').value = 'ODD'; \
         document.querySelector('#filter').dispatchEvent(new Event('input'))",
    )?;
    page.wait_until("one address", "document.querySelectorAll('#vips tbody tr').length === 1")?;
    page.wait_for("#vips", "default/odd")?;
    Ok(())
}

#[test]
fn it_fits_a_phone_and_a_desk() -> Result<()> {
    needs_browser!();
    let (instance, _backend) = Instance::start()?;
    let mut page = instance.page()?;
    for width in [340, 600, 1024, 1920] {
        page.resize(width, 800)?;
        page.wait_for("#vips", "192.0.2.10")?;
        let wide = page.evaluate("document.documentElement.scrollWidth")?;
        ensure!(wide.as_u64() <= Some(u64::from(width)), "{wide} wide at {width}");
    }
    Ok(())
}

#[test]
fn the_page_asks_for_the_token() -> Result<()> {
    needs_browser!();
    let (mut instance, _backend) = Instance::start()?;
    instance.token = Some("0123456789abcdef0123456789abcdef");
    instance.restart()?;
    let mut page = instance.page()?;
    page.wait_for("#login", "asks for its admin token")?;
    ensure!(page.evaluate("document.body.innerText.includes('192.0.2.10')")? == false, "told");
    for token in ["a wrong one", "0123456789abcdef0123456789abcdef"] {
        page.wait_for("#live", "locked")?;
        page.evaluate(&format!(
            "document.querySelector('#token').value = '{token}'; \
             document.querySelector('#login').requestSubmit()"
        ))?;
    }
    page.wait_for("#vips", "192.0.2.10")?;
    page.wait_until("the form to vanish", "document.querySelector('#login').hidden")
}
