//! Chromium without a window, spoken to in the DevTools protocol over its pipe: JSON messages
//! that end with a NUL byte, in on descriptor 3 and out on descriptor 4.

#![allow(dead_code, reason = "each test file uses its part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};
use steelyard_tests::process::run;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::wait;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const OPTIONS: &str = "--headless --remote-debugging-pipe --disable-gpu --disable-quic \
    --no-first-run --disable-background-networking --disable-component-update --disable-sync";

/// One page in a browser of its own, which ends with it.
pub(crate) struct Page {
    browser: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Option<Value>,
    sent: u64,
    complaints: Vec<String>,
    security: Value,
    _profile: Scratch,
}

/// A tab that is not turned to.
pub(crate) struct Tab(Option<Value>);

/// The browser, where there is one.
pub(crate) fn program() -> Option<PathBuf> {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let files = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.into_iter().find(|file| file.is_file())
}

impl Page {
    /// Opens `address`.
    pub(crate) fn open(address: &str) -> Result<Self> {
        Self::open_in(Scratch::new()?, "", address)
    }

    /// The same as somebody who believes what the authority in this file signs.
    pub(crate) fn open_believing(authority: &Path, address: &str) -> Result<Self> {
        Self::open_resolving(authority, "", address)
    }

    /// The same as somebody for whom names are where these rules say (`MAP *.test 127.0.0.1:8080`).
    pub(crate) fn open_resolving(authority: &Path, rules: &str, address: &str) -> Result<Self> {
        let profile = Scratch::new()?;
        let store = profile.file(".pki/nssdb");
        std::fs::create_dir_all(&store)?;
        let mut certutil = Command::new("certutil");
        certutil.args(["-A", "-n", "authority", "-t", "C,,", "-i"]).arg(authority);
        certutil.arg("-d").arg(format!("sql:{}", store.display()));
        run(certutil)?;
        Self::open_in(profile, rules, address)
    }

    fn open_in(profile: Scratch, rules: &str, address: &str) -> Result<Self> {
        let mut browser =
            command(&profile, rules)?.spawn().context("the browser does not start")?;
        let commands = browser.stdin.take().context("standard input is piped")?;
        let messages = receive(browser.stdout.take().context("standard output is piped")?);
        let mut page = Self {
            browser,
            commands,
            messages,
            session: None,
            sent: 0,
            complaints: Vec::new(),
            security: Value::Null,
            _profile: profile,
        };
        page.tab(address)?;
        Ok(page)
    }

    /// Opens `address` in another tab, which is the page from now on; the one before it.
    pub(crate) fn tab(&mut self, address: &str) -> Result<Tab> {
        let before = Tab(self.session.take());
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }))?;
        let id = &target["targetId"];
        let attached =
            self.call("Target.attachToTarget", json!({ "targetId": id, "flatten": true }))?;
        self.session = Some(attached["sessionId"].clone());
        self.call("Runtime.enable", json!({}))?;
        self.call("Log.enable", json!({}))?;
        self.call("Security.enable", json!({}))?;
        self.visit(address)?;
        Ok(before)
    }

    /// Turns to another tab.
    pub(crate) fn turn_to(&mut self, tab: Tab) {
        self.session = tab.0;
    }

    /// Visits another address.
    pub(crate) fn visit(&mut self, address: &str) -> Result<()> {
        self.call("Page.navigate", json!({ "url": address })).map(drop)
    }

    /// Forgets a cookie of the site at `address`.
    pub(crate) fn forget(&mut self, cookie: &str, address: &str) -> Result<()> {
        let parameters = json!({ "name": cookie, "url": address });
        self.call("Network.deleteCookies", parameters).map(drop)
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", parameters)?;
        ensure!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until `condition` holds in the page.
    pub(crate) fn wait_until(&mut self, what: &str, condition: &str) -> Result<()> {
        let waited =
            wait::until(what, || self.evaluate(condition).is_ok_and(|value| value == true));
        waited.with_context(|| match self.evaluate("document.body.innerText") {
            Ok(text) => format!("the page shows: {text}\ncomplaints: {:?}", self.complaints),
            Err(error) => format!("{error:#}"),
        })
    }

    /// Waits until the part of the page at `selector` shows `text`.
    pub(crate) fn wait_for(&mut self, selector: &str, text: &str) -> Result<()> {
        let (selector, quoted) = (json!(selector), json!(text));
        let shown = format!("document.querySelector({selector})?.innerText?.includes({quoted})");
        self.wait_until(&format!("{text:?} at {selector}"), &shown)
    }

    /// Makes it a screen of this size.
    pub(crate) fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).map(drop)
    }

    /// Errors in scripts, and what the browser refused to load or run.
    pub(crate) fn complaints(&mut self) -> Result<&[String]> {
        self.evaluate("0")?; // reads what was said before
        Ok(&self.complaints)
    }

    /// What the browser says of the connection that the page came by.
    pub(crate) fn security(&mut self) -> Result<Value> {
        wait::until("a page over TLS", || {
            self.evaluate("0").is_ok() && !self.security["certificateSecurityState"].is_null()
        })?;
        Ok(self.security.clone())
    }

    fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone();
        }
        self.commands.write_all(format!("{message}\0").as_bytes())?;
        loop {
            let message = self.messages.recv_timeout(wait::PATIENCE);
            let message = message.with_context(|| format!("no answer to {method}"))?;
            if message["id"] == self.sent {
                return match &message["error"] {
                    Value::Null => Ok(message["result"].clone()),
                    error => Err(anyhow!("{method}: {error}")),
                };
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let parameters = &message["params"];
        if message["method"] == "Security.visibleSecurityStateChanged" {
            self.security = parameters["visibleSecurityState"].clone();
        }
        let is_complaint = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => parameters["entry"]["level"] == "error",
            _ => false,
        };
        if is_complaint {
            self.complaints.push(parameters.to_string());
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

/// The shell moves the pipes to where the browser wants them.
fn command(profile: &Scratch, rules: &str) -> Result<Command> {
    let sandbox = if rustix::process::geteuid().is_root() { "--no-sandbox" } else { "" };
    let script = format!(
        "exec \"$0\" {OPTIONS} {sandbox} --user-data-dir=\"$1\" \
         --host-resolver-rules=\"$2\" 3<&0 4>&1 \
                          </dev/null >/dev/null 2>&1"
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(program().context("there is no chromium")?);
    // Whom it believes is in the home.
    command
        .arg(profile.path())
        .arg(rules)
        .env("HOME", profile.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Ok(command)
}

fn receive(stream: impl Read + Send + 'static) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for message in BufReader::new(stream).split(0).map_while(Result::ok) {
            let Ok(message) = serde_json::from_slice(&message) else { continue };
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}
