//! A request head as rules see it. Nothing is decoded or copied before a rule asks for it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;

use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::subject::Subject;

use crate::edits::RequestChanges;
use crate::host::{Authority, is_rooted};
use crate::name::is_of_message;
use crate::path::{decode_all, decoded, leaves_root, normalize, readable};
use crate::query::Semicolons;
use crate::readings::readings;
use crate::reject::Reject;
use crate::request::RequestHead;

/// A request over a plain connection.
pub struct RequestSubject<'a, 'h, 'b> {
    head: &'a RequestHead<'h, 'b>,
    /// What filters have made of it.
    changes: Option<&'a RequestChanges>,
    host: Cow<'a, str>,
    /// In normal form.
    path: Cow<'a, str>,
    client: IpAddr,
    decoded: OnceCell<String>,
    readable: OnceCell<String>,
    /// Of the query, by name: rules that name no host are asked one after the other, and however
    /// many there are, a query is walked once.
    parameters: OnceCell<Vec<(Cow<'a, str>, &'a str)>>,
}

impl<'a, 'h, 'b> RequestSubject<'a, 'h, 'b> {
    /// The request `head` of `client`: where its connection comes from.
    pub fn new(head: &'a RequestHead<'h, 'b>, client: IpAddr) -> Self {
        let (host, path) = (Cow::Borrowed(&*head.authority.host), Cow::Borrowed(&*head.path));
        Self {
            head,
            changes: None,
            host,
            path,
            client,
            decoded: OnceCell::new(),
            readable: OnceCell::new(),
            parameters: OnceCell::new(),
        }
    }

    /// The request as it is with these changes: what routes are asked that a filter stands before.
    /// What they make of host and path may be none that is routed.
    pub fn changed(
        head: &'a RequestHead<'h, 'b>,
        changes: &'a RequestChanges,
        client: IpAddr,
    ) -> Result<Self, Reject> {
        let mut subject = Self { changes: Some(changes), ..Self::new(head, client) };
        if let Some(authority) = &changes.authority {
            subject.host = Authority::parse(authority.as_bytes())?.host;
        }
        if let Some(path) = &changes.path {
            subject.path = normalize(path)?;
        }
        Ok(subject)
    }

    /// Whether the path, as it came, leads up beyond its root.
    pub fn leaves_root(&self) -> bool {
        let is_as_it_came = self.changes.is_none_or(|it| it.path.is_none());
        is_as_it_came && *self.head.asked() != *self.path && leaves_root(self.head.asked())
    }

    /// What its query says, by name, and of one name in the order in which it is written.
    fn parameters(&self) -> Vec<(Cow<'a, str>, &'a str)> {
        let changed = self.changes.and_then(|changes| changes.query.as_ref());
        let query = changed.map_or_else(|| self.head.query.strip_prefix('?'), Option::as_deref);
        let splits = self.head.semicolons == Semicolons::Split;
        let pairs = query.unwrap_or_default().split(|it| it == '&' || it == ';' && splits);
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut parameters: Vec<_> = pairs.map(|(key, value)| (text(key), value)).collect();
        parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
        parameters
    }

    /// What `choose` finds for it; rejected where some server sees another path in its path, for
    /// which that finds something else: what keeps people out there, or leads them elsewhere,
    /// would be got past. `is_rooted` says of what paths above the root are refused, and `is_like`
    /// of which two it makes no difference to clients.
    pub fn sole<T>(
        &self,
        choose: impl Fn(&Self) -> Option<T>,
        is_rooted: impl Fn(&T) -> bool,
        is_like: impl Fn(&T, &T) -> bool,
    ) -> Result<Option<T>, Reject> {
        let Some(found) = choose(self) else { return Ok(None) };
        if is_rooted(&found) && self.leaves_root() {
            return Err(Reject::Path);
        }
        let is_other = |reading: Self| choose(&reading).is_some_and(|it| !is_like(&it, &found));
        if self.readings().any(is_other) { Err(Reject::Path) } else { Ok(Some(found)) }
    }

    /// The same with the other paths that some server sees in its path; nothing where the path has
    /// one reading.
    pub fn readings(&self) -> impl Iterator<Item = Self> {
        readings(&self.path).map(|path| Self {
            head: self.head,
            changes: self.changes,
            host: self.host.clone(),
            path: Cow::Owned(path),
            client: self.client,
            decoded: OnceCell::new(),
            readable: OnceCell::new(),
            parameters: OnceCell::new(),
        })
    }
}

impl Subject for RequestSubject<'_, '_, '_> {
    fn host(&self) -> &str {
        &self.host
    }

    fn is_rooted(&self) -> bool {
        let changed = self.changes.and_then(|changes| changes.authority.as_deref());
        is_rooted(changed.unwrap_or(self.head.authority.raw))
    }

    fn path(&self, form: PathForm) -> &str {
        match form {
            PathForm::Normal => &self.path,
            // In all forms it is the same then.
            _ if !self.path.contains('%') => &self.path,
            PathForm::Decoded => self.decoded.get_or_init(|| decoded(&self.path).into_owned()),
            PathForm::Readable => self.readable.get_or_init(|| readable(&self.path).into_owned()),
        }
    }

    fn method(&self) -> &str {
        let changed = self.changes.and_then(|changes| changes.method.as_deref());
        changed.unwrap_or(self.head.method)
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        if is_of_message(name) {
            return false;
        }
        let Some(RequestChanges { lines, .. }) = self.changes else {
            return self.head.headers_called(name).any(test);
        };
        let mut added = lines.added().filter(|(added, _)| added.eq_ignore_ascii_case(name));
        !lines.hides(name.as_bytes()) && self.head.headers_called(name).any(&mut *test)
            || added.any(|(_, value)| test(value))
    }

    fn any_query(&self, name: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let parameters = self.parameters.get_or_init(|| self.parameters());
        let first = parameters.partition_point(|(key, _)| **key < *name);
        let named = parameters[first..].iter().take_while(|(key, _)| *key == name);
        named.map(|(_, value)| text(value)).any(|value| test(&value))
    }

    fn client_ip(&self) -> Option<IpAddr> {
        Some(self.client)
    }

    fn server_name(&self) -> Option<&str> {
        None
    }

    fn offers(&self, _: &str) -> bool {
        false
    }
}

/// A part of a query, decoded as forms are (a plus is a space).
pub(crate) fn text(part: &str) -> Cow<'_, str> {
    if !part.contains(['%', '+']) {
        return Cow::Borrowed(part);
    }
    let bytes = decode_all(part.as_bytes(), |byte| if byte == b'+' { b' ' } else { byte });
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::matcher::{Matcher, Values};
    use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};

    use super::*;
    use crate::edits::RequestEdits;
    use crate::head::Slots;

    fn holds(request: &str, matcher: &Matcher) -> bool {
        let mut slots = Slots::default();
        let head = RequestHead::parse(request.as_bytes(), &mut slots).ok().flatten();
        let head = head.expect("the request is whole");
        matcher.holds(&RequestSubject::new(&head, IpAddr::from([10, 0, 0, 1])))
    }

    #[test]
    fn what_rules_may_look_at() {
        let request = "GET /a%2Fb?q=1&r=x+y%21&s HTTP/1.1\r\nHost: A.b:80\r\nX-A: 1\r\nx-a: 2\r\n\
                       X-Real-Ip: 9.9.9.9\r\nX_B: 1\r\n\r\n";
        let query =
            |name: &str, value: &str| Matcher::Query(name.into(), Values::Exact(value.into()));
        let header =
            |name: &str, value: &str| Matcher::Header(name.into(), Values::Exact(value.into()));
        let path = |of: fn(PathShape) -> PathPattern, exact: &str| {
            Matcher::Path(of(PathShape::Exact(exact.into())))
        };
        for (matcher, expected) in [
            (query("q", "1"), true),
            (query("r", "x y!"), true),
            (query("s", ""), true),
            (query("t", ""), false),
            (header("x-a", "2"), true),
            (header("x-a", "3"), false),
            // It is no header.
            (header("host", "A.b:80"), false),
            (Matcher::Method("GET".into()), true),
            (Matcher::Host(HostPattern::Exact("a.b".into())), true),
            (Matcher::Host(HostPattern::Exact("b.a".into())), false),
            (path(PathPattern::normal, "/a%2Fb"), true),
            (path(PathPattern::normal, "/a/b"), false),
            (path(PathPattern::decoded, "/a/b"), true),
            (path(PathPattern::decoded, "/a%2Fb"), false),
            // A plain connection has no handshake.
            (Matcher::Sni(HostPattern::Exact("".into())), true),
            (Matcher::Sni(HostPattern::Exact("a.b".into())), false),
            (Matcher::Alpn("h2".into()), false),
            (Matcher::ClientIp("10.0.0.0/8".parse().expect("a range")), true),
            // Only a gateway may say these, and a name with underscores is another's.
            (Matcher::Header("x-real-ip".into(), Values::Present), false),
            (Matcher::Header("x-b".into(), Values::Present), false),
        ] {
            assert_eq!(holds(request, &matcher), expected, "{matcher}");
        }
        let mut slots = Slots::default();
        let head = RequestHead::parse(request.as_bytes(), &mut slots).ok().flatten();
        let head = head.expect("the request is whole");
        let subject = RequestSubject::new(&head, IpAddr::from([10, 0, 0, 1]));
        assert_eq!(subject.server_name(), None);
    }

    /// Each value of a name, in the order in which they are written, and no other's.
    #[test]
    fn parameters_of_a_name_are_found_wherever_they_stand() {
        let text = "GET /?b=0&a=1&ab=2&%61=3&a&=4&a=%35+&A=6 HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut slots = Slots::default();
        let head = RequestHead::parse(text.as_bytes(), &mut slots).ok().flatten();
        let head = head.expect("the request is whole");
        let subject = RequestSubject::new(&head, IpAddr::from([10, 0, 0, 1]));
        let values = |name: &str| {
            let mut values = Vec::new();
            let found = subject.any_query(name, &mut |value| {
                values.push(value.to_owned());
                false
            });
            assert!(!found);
            values
        };
        assert_eq!(values("a"), ["1", "3", "", "5 "]);
        assert_eq!([values("b"), values("ab"), values("")], [["0"], ["2"], ["4"]]);
        assert!(values("c").is_empty() && values("%61").is_empty());
        let mut asked = 0;
        assert!(subject.any_query("a", &mut |value| (asked += 1, value == "3").1));
        assert_eq!(asked, 2, "it is looked for no further");
    }

    #[test]
    fn rules_look_at_what_filters_made_of_a_request() {
        let text = "GET /a?q=1 HTTP/1.1\r\nHost: a.b\r\nX-Role: admin\r\nX-Kept: 1\r\n\r\n";
        let mut slots = Slots::default();
        let head = RequestHead::parse(text.as_bytes(), &mut slots).ok().flatten();
        let head = head.expect("the request is whole");
        let client = IpAddr::from([10, 0, 0, 1]);
        let mut edits = RequestEdits::new(&head);
        edits.lines().set("X-Role", b"guest").expect("a line");
        edits.lines().add("X-Real-Ip", b"9.9.9.9").expect("a line");
        edits.set_method("PUT").expect("a method");
        edits.set_authority("C.d:8080").expect("an authority");
        edits.set_path("/x//%2e/admin;y").expect("a path");
        edits.set_query(Some("r=2")).expect("a query");
        let changes = edits.into_changes();
        let subject = RequestSubject::changed(&head, &changes, client).expect("it is routed");
        let header =
            |name: &str, value: &str| Matcher::Header(name.into(), Values::Exact(value.into()));
        let query = |name: &str| Matcher::Query(name.into(), Values::Present);
        for (matcher, expected) in [
            (header("x-role", "admin"), false),
            (header("x-role", "guest"), true),
            (header("x-kept", "1"), true),
            // What a filter says is nobody else's word.
            (header("x-real-ip", "9.9.9.9"), true),
            (Matcher::Method("PUT".into()), true),
            (query("q"), false),
            (query("r"), true),
        ] {
            assert_eq!(matcher.holds(&subject), expected, "{matcher}");
        }
        assert_eq!((subject.host(), subject.path(PathForm::Normal)), ("c.d", "/x/admin;y"));
        let readings: Vec<RequestSubject<'_, '_, '_>> = subject.readings().collect();
        assert_eq!(readings.len(), 1);
        assert_eq!(readings[0].path(PathForm::Normal), "/x/admin");
        assert_eq!((readings[0].host(), readings[0].method()), ("c.d", "PUT"));
        for (authority, path) in [("a,b", "/"), ("a.b", "/..%2Fx")] {
            let mut edits = RequestEdits::new(&head);
            edits.set_authority(authority).expect("an authority");
            edits.set_path(path).expect("a path");
            let changes = edits.into_changes();
            assert!(RequestSubject::changed(&head, &changes, client).is_err());
        }
    }
}
