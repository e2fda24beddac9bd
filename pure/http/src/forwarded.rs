//! For whom a request speaks: what `X-Forwarded-*` and the like say, where whoever sends them may
//! say such things, and nothing else.
//!
//! Who is believed is settled by the address a connection comes from alone. Of the others nothing
//! of the kind goes on, nor what servers take for it (see `name.rs`).
//!
//! Invariants: a client's address that is decided by (rules, filters, logs) is its own, or was said
//! by somebody in a trusted range; of a list only what stands right of the first that nobody
//! trusted could have written is read; where everybody is believed the address stays its own.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use steelyard_model::routing::trust::Trust;

use crate::host::Authority;
use crate::list::tokens;
use crate::view::Scheme;

/// Whose word about clients is taken at an entry point, and in which form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardedPolicy {
    /// Whose `X-Forwarded-*` go on.
    pub trust: Trust,
    /// The line in which those in trusted ranges name the client, e.g. `CF-Connecting-IP`. It goes
    /// on from nobody else.
    pub client_header: Option<Box<str>>,
    /// Whether endpoints are told in `Forwarded` (RFC 7239) too, and it is read.
    pub standard: bool,
    /// `X-Forwarded-For` goes on as somebody trusted has sent it, and nobody is added to it
    /// (Traefik's `notAppendXForwardedFor`).
    pub keeps_list: bool,
    /// What becomes of header lines whose names have underscores.
    pub underscores: Underscores,
    /// It is read as ingress-nginx reads it: by its own line, and no more counts of what is said
    /// than this.
    pub nginx: Option<NginxVouching>,
    /// Endpoints are told the scheme in `X-Forwarded-Scheme` and `X-Scheme`, too (Traefik's
    /// `addXForwardedSchemeHeaders`), which go on from nobody then.
    pub scheme_lines: bool,
    /// Lines that rules and filters see although Connection names them (Traefik's
    /// `forwardedHeaders.connection`), as endpoints never do.
    pub shown: Vec<Box<str>>,
}

/// What those in trusted ranges may say, as ingress-nginx has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxVouching {
    /// The line that lists whom a request has passed, by which a client is known; none: by no line.
    pub list: Option<Box<str>>,
    /// How the request was asked counts too: `X-Forwarded-Host`, `-Port` and `-Proto`.
    pub has_lines: bool,
    /// Backends are told all that it has passed, instead of the client alone.
    pub is_full: bool,
}

/// What becomes of header lines whose names have underscores (Traefik's
/// `underscoreHeadersStrategy`); those that pass for managed ones never go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Underscores {
    /// They go on.
    #[default]
    Kept,
    /// They are left out, as if they had not come.
    Dropped,
    /// The request is refused.
    Refused,
}

/// What the peer of one connection may say of others.
#[derive(Clone, Debug)]
pub struct Vouching {
    /// By whose settings.
    policy: Arc<ForwardedPolicy>,
    /// Where the connection comes from.
    peer: IpAddr,
    is_trusted: bool,
    /// What the connection itself is.
    scheme: Scheme,
}

/// A request's client, as far as somebody else names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Who asks.
    pub client: IpAddr,
    /// What the peer said goes on.
    pub is_believed: bool,
    /// `Forwarded` is written.
    pub standard: bool,
    /// What `X-Forwarded-For` says.
    pub list: PassedList,
    /// Lines whose names have underscores are as if they had not come.
    pub drops_underscores: bool,
    /// The scheme is said in more lines.
    pub scheme_lines: bool,
}

/// What the next hop is told in `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassedList {
    /// What a believed peer says, and the peer itself.
    Appended,
    /// What it says, and nobody is added.
    AsItCame,
    /// The client alone.
    Client,
}

/// Lines that say a scheme, besides `X-Forwarded-Proto`.
pub(crate) const SCHEME_LINES: [&str; 2] = ["X-Forwarded-Scheme", "X-Scheme"];

/// Header lines, one after the other.
pub(crate) type Lines<'a> = dyn Fn(&mut dyn FnMut(&str, &[u8])) + 'a;

/// Most addresses of a list that are read: nobody stands behind more proxies.
const MOST_HOPS: usize = 32;

/// Longest name of a scheme that is believed.
const LONGEST_SCHEME: usize = 32;

impl ForwardedPolicy {
    /// Whether `name` is that of the line in which a client may be named, also with other signs for
    /// its hyphens. Behind a body nobody names one.
    pub fn names_client(&self, name: &[u8]) -> bool {
        let is_it = |known: &str| str::from_utf8(name).is_ok_and(|name| is_shadow(name, known));
        self.client_header.as_deref().is_some_and(is_it)
    }
}

impl Vouching {
    /// A connection from `peer`.
    pub fn new(policy: Arc<ForwardedPolicy>, peer: IpAddr) -> Self {
        let peer = peer.to_canonical();
        let is_trusted = policy.trust.covers(peer);
        Self { policy, peer, is_trusted, scheme: Scheme::Http }
    }

    /// The same where the connection itself is of this scheme.
    pub fn over(self, scheme: Scheme) -> Self {
        Self { scheme, ..self }
    }

    /// What the connection itself is.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// One that says nothing of anybody.
    pub fn nothing(peer: IpAddr) -> Self {
        Self::new(Arc::default(), peer)
    }

    /// Where the connection comes from.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// By whose settings, where they say in which line a client may be named.
    pub fn naming(&self) -> Option<Arc<ForwardedPolicy>> {
        self.policy.client_header.is_some().then(|| self.policy.clone())
    }

    /// Whether requests need a look at all.
    pub(crate) fn matters(&self) -> bool {
        let ForwardedPolicy {
            client_header,
            standard,
            keeps_list,
            underscores,
            scheme_lines,
            shown,
            ..
        } = &*self.policy;
        self.is_trusted
            || !shown.is_empty()
            || client_header.is_some()
            || *standard
            || *keeps_list
            || *scheme_lines
            || *underscores != Underscores::Kept
    }

    /// Whether lines of this name are kept from going on: they name the client, and the peer may
    /// not, or they are spelled as only some servers read them.
    pub(crate) fn keeps_back(&self, name: &str) -> bool {
        if self.policy.underscores == Underscores::Dropped && name.contains('_') {
            return true;
        }
        if self.policy.scheme_lines && SCHEME_LINES.iter().any(|it| is_shadow(name, it)) {
            return true;
        }
        let Some(known) = self.policy.client_header.as_deref() else { return false };
        let is_known = name.eq_ignore_ascii_case(known);
        if is_known { !self.is_trusted } else { is_shadow(name, known) }
    }

    /// Whether lines of this name are seen here although Connection names them.
    pub(crate) fn shows(&self, name: &str) -> bool {
        self.policy.shown.iter().any(|it| it.eq_ignore_ascii_case(name))
    }

    /// Whether a head with a line of this name is refused.
    pub(crate) fn refuses(&self, name: &str) -> bool {
        self.policy.underscores == Underscores::Refused && name.contains('_')
    }

    /// Who asks by a head with these lines.
    pub(crate) fn settle(&self, lines: &Lines<'_>) -> Vouched {
        let client = match (&self.policy.trust, self.is_trusted) {
            (Trust::Ranges(_), true) => self.named(lines).unwrap_or(self.peer),
            _ => self.peer,
        };
        let nginx = self.policy.nginx.as_ref();
        Vouched {
            client,
            is_believed: self.is_trusted && nginx.is_none_or(|it| it.has_lines),
            standard: self.policy.standard,
            list: match nginx {
                Some(it) if !it.is_full => PassedList::Client,
                None if self.policy.keeps_list => PassedList::AsItCame,
                _ => PassedList::Appended,
            },
            drops_underscores: self.policy.underscores == Underscores::Dropped,
            scheme_lines: self.policy.scheme_lines,
        }
    }

    fn named(&self, lines: &Lines<'_>) -> Option<IpAddr> {
        if let Some(nginx) = &self.policy.nginx {
            let name = nginx.list.as_deref()?;
            return self.farthest(lines, &List { name, ..XFF });
        }
        if let Some(header) = &self.policy.client_header
            && let Some(client) = alone(lines, header)
        {
            return Some(client);
        }
        let listed = self.farthest(lines, &XFF);
        if !self.policy.standard {
            return listed;
        }
        // Proxies write one of the two and leave the other as a client had it: where both are
        // there, they have to say the same.
        let both = [XFF.name, STANDARD.name].iter().all(|name| is_there(lines, name));
        let standard = self.farthest(lines, &STANDARD);
        if both { listed.filter(|_| listed == standard) } else { listed.or(standard) }
    }

    /// The first from the right that nobody trusted has, else the last that is an address.
    fn farthest(&self, lines: &Lines<'_>, list: &List<'_>) -> Option<IpAddr> {
        let mut all: Vec<Option<IpAddr>> = Vec::new();
        lines(&mut |found, value| {
            if found.eq_ignore_ascii_case(list.name) {
                (list.hops)(value, &mut all);
            }
        });
        let mut found = None;
        for hop in all.into_iter().rev().take(MOST_HOPS) {
            found = Some(hop.or(found)?);
            if hop.is_none_or(|hop| !self.policy.trust.covers(hop)) {
                break;
            }
        }
        found
    }
}

/// A header that lists those whom a request has passed.
struct List<'n> {
    name: &'n str,
    /// Adds what one line says: each an address, or something that is none.
    hops: fn(&[u8], &mut Vec<Option<IpAddr>>),
}

const XFF: List<'static> =
    List { name: "x-forwarded-for", hops: |value, all| all.extend(tokens(value).map(parse)) };

const STANDARD: List<'static> = List {
    name: "forwarded",
    hops: |value, all| match split(value, b',') {
        Some(elements) => all.extend(elements.into_iter().map(|it| node(it).and_then(parse))),
        None => all.push(None),
    },
};

fn is_there(lines: &Lines<'_>, name: &str) -> bool {
    let mut is_there = false;
    lines(&mut |found, _| is_there |= found.eq_ignore_ascii_case(name));
    is_there
}

/// The one address that all lines of this name say.
fn alone(lines: &Lines<'_>, name: &str) -> Option<IpAddr> {
    let (mut found, mut count) = (None, 0);
    lines(&mut |line, value| {
        if line.eq_ignore_ascii_case(name) {
            count += 1;
            found = parse(value);
        }
    });
    found.filter(|_| count == 1)
}

/// An address, perhaps with a port behind it, perhaps in brackets.
fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|it| it.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// The `for` of an element of `Forwarded`, which has one at most (RFC 7239 §4).
fn node(element: &[u8]) -> Option<&[u8]> {
    let is_for = |pair: &&[u8]| pair.len() > 4 && pair[..4].eq_ignore_ascii_case(b"for=");
    let pairs = split(element, b';')?;
    let mut named = pairs.into_iter().filter(is_for);
    let value = &named.next()?[4..];
    let bare = value.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\""));
    named.next().is_none().then_some(bare.unwrap_or(value))
}

/// The parts between separators that stand in no quotes, trimmed, without those that are empty;
/// none where quotes do not end (RFC 9110 §5.6.4).
fn split(value: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            byte if *byte == separator && !is_quoted => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    let parts = parts.into_iter().map(<[u8]>::trim_ascii).filter(|part| !part.is_empty());
    (!is_quoted).then(|| parts.collect())
}

/// Whether some servers read `name` as `known`: they fold signs that are no letters or digits.
fn is_shadow(name: &str, known: &str) -> bool {
    let folded = |byte: u8| if byte.is_ascii_alphanumeric() { byte | 0x20 } else { b'-' };
    name.len() == known.len() && name.bytes().map(folded).eq(known.bytes().map(folded))
}

/// Appends one element of `Forwarded` (RFC 7239 §4).
pub(crate) fn push_element(
    peer: IpAddr,
    proto: &[u8],
    host: &str,
    server: &[u8],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"for=");
    match peer {
        IpAddr::V4(_) => out.extend_from_slice(peer.to_string().as_bytes()),
        IpAddr::V6(_) => out.extend_from_slice(format!("\"[{peer}]\"").as_bytes()),
    }
    if !host.is_empty() {
        // Nothing that an authority may have ends the quotes.
        out.extend_from_slice(format!(";host=\"{host}\"").as_bytes());
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(proto);
    // Names of gateways are obfuscated identifiers (§6.3).
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    out.extend_from_slice(b";by=_");
    out.extend(server.iter().map(|byte| if is_part(byte) { *byte } else { b'-' }));
}

/// What a trusted peer may say of how it was asked.
pub(crate) fn is_proto(value: &[u8]) -> bool {
    [&b"http"[..], b"https", b"ws", b"wss"].contains(&value)
}

/// The same for backends of ingress-nginx, which goes on with whatever the name of a scheme may be
/// (RFC 3986 §3.1).
pub(crate) fn is_scheme(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    value.first().is_some_and(u8::is_ascii_alphabetic)
        && value.len() <= LONGEST_SCHEME
        && value.iter().all(is_part)
}

/// The first site of a list.
pub fn first_site(value: &[u8]) -> Option<&str> {
    let first = value.split(|byte| *byte == b',').next()?.trim_ascii();
    str::from_utf8(first).ok().filter(|it| is_site(it.as_bytes()))
}

/// Whether it is a port.
pub(crate) fn is_port(value: &[u8]) -> bool {
    str::from_utf8(value).is_ok_and(|text| text.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Whether it names a site.
pub(crate) fn is_site(value: &[u8]) -> bool {
    Authority::parse(value).is_ok_and(|it| !it.host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(ranges: &[&str], header: Option<&str>) -> Arc<ForwardedPolicy> {
        let ranges = ranges.iter().map(|range| range.parse().expect("a range")).collect();
        let client_header = header.map(Into::into);
        Arc::new(ForwardedPolicy {
            trust: Trust::Ranges(ranges),
            client_header,
            standard: true,
            ..ForwardedPolicy::default()
        })
    }

    fn settle(policy: Arc<ForwardedPolicy>, peer: &str, lines: &[(&str, &str)]) -> String {
        let vouching = Vouching::new(policy, peer.parse().expect("an address"));
        let each = |see: &mut dyn FnMut(&str, &[u8])| {
            lines.iter().for_each(|(name, value)| see(name, value.as_bytes()));
        };
        vouching.settle(&each).client.to_string()
    }

    #[test]
    fn who_asks() {
        let near = &["10.0.0.0/8", "fd00::/8"][..];
        let far = "198.51.100.7";
        for (peer, lines, client) in [
            // Nobody trusted: whatever is said.
            (far, &[("X-Forwarded-For", "1.1.1.1")][..], far),
            (far, &[("CF-Connecting-IP", "1.1.1.1")], far),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[("X-Forwarded-For", "1.1.1.1")], "1.1.1.1"),
            ("::ffff:10.0.0.1", &[("X-Forwarded-For", "1.1.1.1")], "1.1.1.1"),
            // Left of the first that nobody trusts, anybody may have written.
            ("10.0.0.1", &[("X-Forwarded-For", "9.9.9.9, 1.1.1.1, 10.0.0.2")], "1.1.1.1"),
            (
                "10.0.0.1",
                &[("X-Forwarded-For", "9.9.9.9"), ("x-forwarded-for", "1.1.1.1")],
                "1.1.1.1",
            ),
            ("10.0.0.1", &[("X-Forwarded-For", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            ("10.0.0.1", &[("X-Forwarded-For", "1.1.1.1, unknown, 10.0.0.2")], "10.0.0.2"),
            ("10.0.0.1", &[("X-Forwarded-For", "unknown")], "10.0.0.1"),
            ("10.0.0.1", &[("X-Forwarded-For", "1.1.1.1:443")], "1.1.1.1"),
            ("fd00::1", &[("X-Forwarded-For", "[2001:db8::1]:443")], "2001:db8::1"),
            ("fd00::1", &[("X-Forwarded-For", "[2001:db8::1]")], "2001:db8::1"),
            (
                "10.0.0.1",
                &[("Forwarded", "for=9.9.9.9, for=\"[2001:db8::1]:4\";proto=http")],
                "2001:db8::1",
            ),
            ("10.0.0.1", &[("Forwarded", "proto=http;FOR=1.1.1.1")], "1.1.1.1"),
            ("10.0.0.1", &[("Forwarded", "for=_hidden")], "10.0.0.1"),
            // What a client may put into another parameter names nobody.
            ("10.0.0.1", &[("Forwarded", "for=5.5.5.5;host=\"a,for=6.6.6.6;x=\"")], "5.5.5.5"),
            ("10.0.0.1", &[("Forwarded", "host=\"a;for=6.6.6.6;b\";for=5.5.5.5")], "5.5.5.5"),
            ("10.0.0.1", &[("Forwarded", "for=5.5.5.5;host=\"x\\\",for=6.6.6.6\"")], "5.5.5.5"),
            ("10.0.0.1", &[("Forwarded", "for=5.5.5.5;host=\"x,for=6.6.6.6")], "10.0.0.1"),
            ("10.0.0.1", &[("Forwarded", "for=5.5.5.5;for=6.6.6.6")], "10.0.0.1"),
            // One of the two is as the client had it, and nobody knows which.
            (
                "10.0.0.1",
                &[("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=5.5.5.5")],
                "10.0.0.1",
            ),
            (
                "10.0.0.1",
                &[("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=_hidden")],
                "10.0.0.1",
            ),
            (
                "10.0.0.1",
                &[("X-Forwarded-For", "5.5.5.5"), ("Forwarded", "for=5.5.5.5")],
                "5.5.5.5",
            ),
            (
                "10.0.0.1",
                &[("CF-Connecting-IP", "2.2.2.2"), ("X-Forwarded-For", "1.1.1.1")],
                "2.2.2.2",
            ),
            // Named twice, or wrong, it names nobody.
            (
                "10.0.0.1",
                &[("CF-Connecting-IP", "2.2.2.2"), ("cf-connecting-ip", "3.3.3.3")],
                "10.0.0.1",
            ),
            ("10.0.0.1", &[("CF-Connecting-IP", "x")], "10.0.0.1"),
        ] {
            let policy = policy(near, Some("CF-Connecting-IP"));
            assert_eq!(settle(policy, peer, lines), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn where_everybody_is_believed_addresses_stay() {
        let everybody = ForwardedPolicy { trust: Trust::Everybody, ..ForwardedPolicy::default() };
        let lines = [("X-Forwarded-For", "1.1.1.1")];
        assert_eq!(settle(Arc::new(everybody), "10.0.0.1", &lines), "10.0.0.1");
    }

    #[test]
    fn who_may_not_name_clients_does_not() {
        let policy = policy(&["10.0.0.0/8"], Some("CF-Connecting-IP"));
        for (peer, name, is_kept_back) in [
            ("10.0.0.1", "cf-connecting-ip", false),
            ("10.0.0.1", "CF_Connecting_IP", true),
            ("198.51.100.7", "cf-connecting-ip", true),
            ("198.51.100.7", "cf.connecting.ip", true),
            ("198.51.100.7", "cf-connecting-ipv6", false),
        ] {
            let vouching = Vouching::new(policy.clone(), peer.parse().expect("an address"));
            assert_eq!(vouching.keeps_back(name), is_kept_back, "{peer} {name}");
            assert!(vouching.matters());
        }
        assert!(!Vouching::nothing([10, 0, 0, 1].into()).matters());
    }
}
