//! A browser without scripts: it keeps cookies, goes where it is led, and fills the forms of an
//! OpenID provider's pages in.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};
use steelyard_tests::http::{Answer, exchange};
use steelyard_tests::wait::PATIENCE;

/// How often it is led on, at most.
const MOST: usize = 20;

/// What it keeps. Names that end with `.test` are at `web`, all others where they say.
pub(crate) struct Visitor {
    web: SocketAddr,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// An URL, taken apart.
struct Place {
    authority: String,
    target: String,
}

impl Place {
    fn read(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| format!("an URL: {url}"))?;
        let at = rest.find('/').unwrap_or(rest.len());
        let target = if at < rest.len() { rest[at..].to_owned() } else { "/".to_owned() };
        Ok(Self { authority: rest[..at].to_owned(), target })
    }
}

impl Visitor {
    pub(crate) fn new(web: SocketAddr) -> Self {
        Self { web, cookies: BTreeMap::new() }
    }

    /// One request, and its answer.
    pub(crate) fn ask(&mut self, url: &str, form: Option<&str>) -> Result<Answer> {
        let Place { authority, target } = Place::read(url)?;
        let address = match authority.ends_with(".test") {
            true => self.web,
            false => authority.replace("localhost", "127.0.0.1").parse()?,
        };
        let cookies = self.cookies.entry(authority.clone()).or_default();
        let cookies: Vec<String> =
            cookies.iter().map(|(name, it)| format!("{name}={it}")).collect();
        let (method, more) = match form {
            None => ("GET", String::new()),
            Some(form) => (
                "POST",
                format!(
                    "Origin: http://{authority}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                     Content-Length: {}\r\n",
                    form.len()
                ),
            ),
        };
        let text = format!(
            "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/html\r\nCookie: {}\r\n\
             Connection: close\r\n{more}\r\n{}",
            cookies.join("; "),
            form.unwrap_or_default()
        );
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let answer = exchange(&mut stream, text.as_bytes()).with_context(|| url.to_owned())?;
        self.keep(&authority, &answer);
        Ok(answer)
    }

    fn keep(&mut self, authority: &str, answer: &Answer) {
        let jar = self.cookies.entry(authority.to_owned()).or_default();
        for line in answer.head.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            if !name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            let pair = value.trim().split(';').next().unwrap_or_default();
            let Some((name, text)) = pair.split_once('=') else { continue };
            let is_over = ["Max-Age=0", "Thu, 01 Jan 1970"].iter().any(|it| value.contains(it));
            match is_over || text.is_empty() {
                true => drop(jar.remove(name)),
                false => drop(jar.insert(name.to_owned(), text.to_owned())),
            }
        }
    }

    /// Goes there, and wherever it is led, as `ann`; where it came to, and what was shown there.
    pub(crate) fn go(&mut self, url: &str, form: Option<&str>) -> Result<(String, Answer)> {
        let (mut url, mut form) = (url.to_owned(), form.map(str::to_owned));
        for _ in 0..MOST {
            let answer = self.ask(&url, form.as_deref())?;
            let here = Place::read(&url)?.authority;
            let to = answer.header("location").filter(|_| matches!(answer.status, 302 | 303));
            (url, form) = match (to, filled(&answer.body)) {
                (Some(to), _) => (whole(to, &here), None),
                (None, Some((to, pairs))) if !here.ends_with(".test") => {
                    (whole(&to, &here), Some(pairs))
                }
                _ => return Ok((url, answer)),
            };
        }
        bail!("led in circles, now to {url}")
    }

    /// Whether it is led to the provider, and not let in.
    pub(crate) fn is_led_to(&mut self, url: &str, provider: &str) -> Result<()> {
        let answer = self.ask(url, None)?;
        let to = answer.header("location").unwrap_or_default();
        ensure!(answer.status == 302 && to.starts_with(provider), "{answer:?}");
        Ok(())
    }
}

fn whole(to: &str, here: &str) -> String {
    if to.starts_with('/') { format!("http://{here}{to}") } else { to.to_owned() }
}

/// Where the form of a page goes, and what is in it once it is filled in; none where there is none.
fn filled(page: &str) -> Option<(String, String)> {
    let form = &page[page.find("<form")?..];
    let to = attribute(form, "action")?;
    let mut pairs = Vec::new();
    for input in form.split("<input").skip(1) {
        let input = input.split('>').next().unwrap_or_default();
        let Some(name) = attribute(input, "name") else { continue };
        let value = attribute(input, "value").unwrap_or_else(|| "ann".to_owned());
        pairs.push(format!("{name}={value}"));
    }
    if page.contains("op.logoutForm") {
        pairs.push("logout=yes".to_owned());
    }
    Some((to, pairs.join("&")))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let from = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let value = tag[from..].split('"').next()?;
    Some(value.replace("&amp;", "&"))
}
