//! A request as it is written on the command line: `[METHOD ]URL` and headers.

use anyhow::{Result, bail};

/// A request that is asked about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// As HTTP/1.1 has it.
    pub(super) text: String,
    /// Whether it comes over TLS.
    pub(super) is_tls: bool,
    /// The port of its URL, or the usual one.
    pub(super) port: u16,
    /// For people.
    pub(super) shown: String,
}

impl Asked {
    /// Reads a request and its headers.
    ///
    /// # Errors
    /// What is wrong with it, and how to write it.
    pub(super) fn parse(request: &str, headers: &[String]) -> Result<Self> {
        let (method, url) = match request.trim().split_once(' ') {
            Some((method, url)) => (method, url.trim()),
            None => ("GET", request.trim()),
        };
        let (is_tls, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            _ => bail!("{url:?} is no URL: write 'GET https://host/path'"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let target = target.split('#').next().unwrap_or_default();
        let slash = if target.starts_with('/') { "" } else { "/" };
        if url.chars().any(|c| c.is_control() || c == ' ') || method.chars().any(char::is_control) {
            bail!("{request:?} has what no request line has: encode it (%20)");
        }
        let mut text = format!("{method} {slash}{target} HTTP/1.1\r\n");
        let named = |line: &String| line.to_ascii_lowercase().starts_with("host:");
        if !headers.iter().any(named) {
            text += &format!("Host: {authority}\r\n");
        }
        for line in headers {
            let is_line = line.split_once(':').is_some_and(|(name, _)| !name.trim().is_empty());
            if !is_line || line.chars().any(char::is_control) {
                bail!("{line:?} is no header: write -H 'name: value'");
            }
            text += &format!("{line}\r\n");
        }
        let written = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port = written.unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { text: text + "\r\n", is_tls, port, shown: format!("{method} {url}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_written_as_people_write_them() {
        for (request, text, is_tls, port) in [
            ("http://a.b", "GET / HTTP/1.1\r\nHost: a.b\r\n\r\n", false, 80),
            ("https://a.b/x?y#z", "GET /x?y HTTP/1.1\r\nHost: a.b\r\n\r\n", true, 443),
            ("POST HTTP://a.b:8080?q", "POST /?q HTTP/1.1\r\nHost: a.b:8080\r\n\r\n", false, 8080),
            ("https://[::1]/", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", true, 443),
        ] {
            let asked = Asked::parse(request, &[]).expect(request);
            assert_eq!((&*asked.text, asked.is_tls, asked.port), (text, is_tls, port), "{request}");
        }
        let asked = Asked::parse("http://a.b/", &["host: c.d".into(), "X-A: 1".into()]);
        let text = "GET / HTTP/1.1\r\nhost: c.d\r\nX-A: 1\r\n\r\n";
        assert_eq!(asked.expect("a request").text, text);
        for (request, header) in
            [("a.b/x", "a: b"), ("ftp://a/", "a: b"), ("http://a/ b", "a: b"), ("http://a/", "b")]
        {
            assert!(Asked::parse(request, &[header.into()]).is_err(), "{request} {header}");
        }
    }
}
