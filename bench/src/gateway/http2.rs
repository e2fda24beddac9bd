//! Load over HTTP/2, by h2load: connections of several streams, each of which asks again as soon as
//! it has its answer.

use std::net::SocketAddr;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};

use super::workload::Load;
use crate::load::Report;
use crate::peer::{Proxy, beside};

/// Answers as long as it is there.
pub(super) struct Backend(Child);

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs h2load against `proxy`, and the backend of HTTP/1 beside it.
pub(super) fn generate(
    proxy: &Proxy,
    (load, streams): (&Load, u32),
    backend: SocketAddr,
    seconds: f64,
) -> Result<Report> {
    let _backend = answer(backend, seconds)?;
    ask(proxy, (load, streams), ("http", proxy.http2), seconds)
}

/// The same over TLS, in HTTP/1.1 where there are no streams.
pub(super) fn generate_secure(
    proxy: &Proxy,
    load: &Load,
    backend: SocketAddr,
    seconds: f64,
) -> Result<Report> {
    let _backend = answer(backend, seconds)?;
    ask(proxy, (load, load.streams.unwrap_or_default()), ("https", proxy.tls), seconds)
}

fn ask(
    proxy: &Proxy,
    (load, streams): (&Load, u32),
    (scheme, at): (&str, SocketAddr),
    seconds: f64,
) -> Result<Report> {
    let version = match streams {
        0 => "--h1".to_owned(),
        streams => format!("--max-concurrent-streams={streams}"),
    };
    let output = beside("h2load")
        .arg("--threads=1")
        .arg(format!("--clients={}", load.connections))
        .arg(version)
        .arg(format!("--duration={}", seconds.ceil()))
        .arg(format!("--connect-to={at}"))
        .arg("--header=user-agent: Mozilla/5.0 (X11; Linux x86_64) bench")
        .arg("--header=accept: text/html,application/xhtml+xml,*/*;q=0.8")
        .arg("--header=accept-encoding: gzip, deflate, br")
        .arg("--header=cookie: session=0123456789abcdef0123456789abcdef")
        .arg(format!("{scheme}://{}{}", load.host, load.path))
        .output()
        .context("cannot start h2load (Debian's nghttp2-client)")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "h2load on {}: {said}", proxy.name);
    report(&said, seconds.ceil()).with_context(|| said.into_owned())
}

/// The generator of HTTP/1 that asks nothing, and answers.
pub(super) fn answer(at: SocketAddr, seconds: f64) -> Result<Backend> {
    let child = beside(&std::env::current_exe()?.to_string_lossy())
        .args(["load", "--connections=0", "--target", &at.to_string()])
        .args(["--backend", &at.to_string(), "--seconds", &(seconds + 60.0).to_string()])
        .stdout(Stdio::null())
        .spawn()?;
    let backend = Backend(child);
    for _ in 0..200 {
        if std::net::TcpStream::connect(at).is_ok() {
            return Ok(backend);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    anyhow::bail!("the backend does not listen on {at}")
}

/// What h2load says: how many were answered by 2xx, and how many were not. Of what fails it counts
/// those with another status too.
fn report(said: &str, seconds: f64) -> Option<Report> {
    let number_before = |line: &str, word: &str| -> Option<u64> {
        let rest = said.lines().find_map(|it| it.strip_prefix(line))?;
        let part = rest.split(',').find(|part| part.trim_end().ends_with(word))?;
        part.split_whitespace().next()?.parse().ok()
    };
    let requests = number_before("status codes:", "2xx")?;
    let errors = number_before("requests:", "failed")?;
    // It tells no percentiles.
    Some(Report { requests, errors, p50: 0, p99: 0, seconds })
}

#[cfg(test)]
mod tests {
    use super::report;

    #[test]
    fn what_h2load_says_is_counted() {
        let said = "finished in 2.00s, 10.50 req/s, 2.1KB/s\n\
            requests: 25 total, 25 started, 25 done, 21 succeeded, 4 failed, 1 errored, 0 timeout\n\
            status codes: 21 2xx, 0 3xx, 1 4xx, 2 5xx\n";
        let found = report(said, 2.0).unwrap();
        assert_eq!((found.requests, found.errors), (21, 4));
        assert!(report("requests: none", 2.0).is_none());
    }
}
