//! Addresses that filters ask at: who says who may pass, keys of issuers. They stand in objects,
//! and nothing of a request has a part in them.

use std::fmt;
use std::sync::Arc;

use crate::endpoint::Host;
use crate::object::NamespacedName;

/// Longest one, in bytes.
const LONGEST: usize = 4096;

/// An URL (RFC 3986) that a filter asks at, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedUrl {
    /// `https`, and not `http`.
    pub is_secure: bool,
    /// Who is asked.
    pub host: Host,
    /// At which port: the scheme's own where none is written.
    pub port: u16,
    /// `host` or `host:port`, which is what the one who is asked is told.
    pub authority: Arc<str>,
    /// Path and query, from `/` on.
    pub target: Arc<str>,
}

/// Why a text is no URL that can be asked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlFault {
    /// Neither `http` nor `https`.
    Scheme,
    /// It names nobody.
    Host,
    /// The port is none.
    Port,
    /// There is a name or a password before the host.
    User,
    /// Blanks, or what is not ASCII, or more than 4 KiB.
    Characters,
}

impl AskedUrl {
    /// Reads an URL. A fragment is not sent, and so is none of it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, UrlFault> {
        if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlFault::Characters);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlFault::Scheme)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(UrlFault::Scheme),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlFault::User);
        }
        let (host, port) = split(authority)?;
        let port = match port {
            None | Some("") if is_secure => 443,
            None | Some("") => 80,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(UrlFault::Port)?,
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let authority = authority.strip_suffix(':').unwrap_or(authority).into();
        let target = format!("{slash}{target}").into();
        Ok(Self { is_secure, host, port, authority, target })
    }

    /// Reads `host:port` of a server that is not asked by HTTP: it has no target.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn server(text: &str, is_secure: bool) -> Result<Self, UrlFault> {
        if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlFault::Characters);
        }
        if text.contains('@') {
            return Err(UrlFault::User);
        }
        let (host, port) = split(text)?;
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port > 0);
        let port = port.ok_or(UrlFault::Port)?;
        Ok(Self { is_secure, host, port, authority: text.into(), target: "".into() })
    }

    /// Whether it is asked by HTTP.
    pub fn is_http(&self) -> bool {
        !self.target.is_empty()
    }

    /// Scheme, host and port: `http://auth.example:9091`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority)
    }

    /// `http` or `https`; of a server that is not asked by HTTP `tcp` or `tls`.
    pub fn scheme(&self) -> &'static str {
        match (self.is_http(), self.is_secure) {
            (true, true) => "https",
            (true, false) => "http",
            (false, true) => "tls",
            (false, false) => "tcp",
        }
    }

    /// The Service whose name in a cluster the host is, if it is one, and whether it can be nothing
    /// else: `web.apps.svc` and `web.apps.svc.cluster.local`. `web.apps` may be, by the way in
    /// which pods look names up.
    pub fn service(&self) -> Option<(NamespacedName, bool)> {
        let Host::Name(name) = &self.host else { return None };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let short = name.strip_suffix(".cluster.local").unwrap_or(&name);
        let (own, is_service) = match short.strip_suffix(".svc") {
            Some(own) => (own, true),
            None if short.len() == name.len() => (short, false),
            None => return None,
        };
        let (service, namespace) = own.split_once('.')?;
        let is_one = !service.is_empty() && !namespace.is_empty() && !namespace.contains('.');
        is_one.then(|| (NamespacedName::new(namespace, service), is_service))
    }
}

impl fmt::Display for AskedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.target)
    }
}

impl UrlFault {
    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Scheme => "write http:// or https://, a host and a path",
            Self::Host => "write the name or the address of who is asked",
            Self::Port => "write a port from 1 to 65535, or none",
            Self::User => "take name and password out: they would be read by whoever may read this",
            Self::Characters => "write it in ASCII, what else there is in it percent-encoded",
        }
    }
}

/// Host and port.
fn split(authority: &str) -> Result<(Host, Option<&str>), UrlFault> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(UrlFault::Host)?;
        let address = address.parse::<std::net::Ipv6Addr>().map_err(|_| UrlFault::Host)?;
        let port = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':').ok_or(UrlFault::Port)?),
        };
        return Ok((Host::Ip(address.into()), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if let Ok(address) = host.parse() {
        return Ok((Host::Ip(address), port));
    }
    let is_part = |part: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&part.len()) && part.bytes().all(is_letter)
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() > 253 || !name.split('.').all(is_part) {
        return Err(UrlFault::Host);
    }
    Ok((Host::Name(name.to_ascii_lowercase().into()), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, u16, String, String) {
        let url = AskedUrl::read(text).unwrap();
        let host = match &url.host {
            Host::Ip(address) => format!("address {address}"),
            Host::Name(name) => name.to_string(),
        };
        (host, url.port, url.authority.to_string(), url.target.to_string())
    }

    #[test]
    fn urls_are_read_as_they_are_written() {
        for (text, host, port, authority, target) in [
            ("http://a.b/c?d=e#f", "a.b", 80, "a.b", "/c?d=e"),
            ("HTTPS://A.b", "a.b", 443, "A.b", "/"),
            ("http://a:9091?x", "a", 9091, "a:9091", "/?x"),
            ("http://a:", "a", 80, "a", "/"),
            ("http://a.b.:1/", "a.b", 1, "a.b.:1", "/"),
            ("http://10.0.0.1:8/x", "address 10.0.0.1", 8, "10.0.0.1:8", "/x"),
            ("https://[::1]/x", "address ::1", 443, "[::1]", "/x"),
            ("https://[::1]:8443", "address ::1", 8443, "[::1]:8443", "/"),
        ] {
            let expected = (host.into(), port, authority.into(), target.into());
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn servers_have_a_port_and_no_target() {
        for (text, is_secure, origin) in
            [("redis:6379", false, "tcp://redis:6379"), ("[::1]:1", true, "tls://[::1]:1")]
        {
            let server = AskedUrl::server(text, is_secure).unwrap();
            assert_eq!((server.origin(), &*server.target), (origin.to_owned(), ""));
        }
        for (text, fault) in [
            ("redis", UrlFault::Port),
            ("redis:0", UrlFault::Port),
            ("redis:x", UrlFault::Port),
            ("", UrlFault::Host),
            ("redis://a:1", UrlFault::Port),
            ("ann:secret@a:1", UrlFault::User),
            ("a b:1", UrlFault::Characters),
        ] {
            assert_eq!(AskedUrl::server(text, false), Err(fault), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_asked_at_is_told_apart() {
        for (text, fault) in [
            ("auth.example", UrlFault::Scheme),
            ("ftp://a/", UrlFault::Scheme),
            ("http://", UrlFault::Host),
            ("http:///x", UrlFault::Host),
            ("http://?x", UrlFault::Host),
            ("http://a..b/", UrlFault::Host),
            ("http://[::1/", UrlFault::Host),
            ("http://[a]/", UrlFault::Host),
            ("http://[::1]8/", UrlFault::Port),
            ("http://a:0/", UrlFault::Port),
            ("http://a:65536/", UrlFault::Port),
            ("http://a:b/", UrlFault::Port),
            ("http://ann:secret@a/", UrlFault::User),
            ("http://a\\b/", UrlFault::Host),
            ("http://a /", UrlFault::Characters),
            ("http://a\r\nX: y/", UrlFault::Characters),
        ] {
            assert_eq!(AskedUrl::read(text), Err(fault), "{text}");
        }
        let long = format!("http://a/{}", "x".repeat(LONGEST));
        assert_eq!(AskedUrl::read(&long), Err(UrlFault::Characters));
    }

    #[test]
    fn names_of_the_cluster_are_its_services() {
        for (host, service) in [
            ("a.b.svc", Some(("b/a", true))),
            ("A.b.svc.cluster.local.", Some(("b/a", true))),
            ("a.b", Some(("b/a", false))),
            ("a.example.com", None),
            ("a", None),
            ("a.b.cluster.local", None),
            ("b.svc", None),
            ("x.a.b.svc", None),
            ("10.0.0.1", None),
        ] {
            let url = AskedUrl::read(&format!("http://{host}/")).unwrap();
            let found = url.service().map(|(id, is)| (id.to_string(), is));
            assert_eq!(found, service.map(|(id, is)| (id.to_owned(), is)), "{host}");
        }
    }
}
